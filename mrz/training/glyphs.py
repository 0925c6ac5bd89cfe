"""Glyph bitmaps of an OCR-B font, for those who draw lines without a font renderer.

``python -m mrz.training.glyphs --font OCRB.otf OUT.npz`` writes the arrays of :class:`GlyphSet`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
"""Doc 9303-3 §4.3, in the order of the model's classes."""
CAP = 96
"""Pixels from the foot to the top of a capital H."""
MARGIN = 32
"""Pixels of paper around the box of advance × CAP: room for overshoot, tails and ink spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GlyphSet:
    """``bitmaps`` [37, CAP + 2 MARGIN, advance + 2 MARGIN] uint8, ink 255 on 0, in the order of ALPHABET; ``advance`` in pixels."""

    bitmaps: NDArray[np.uint8]
    advance: int


def from_font(font: Path) -> GlyphSet:
    """Draw the 37 characters with Pillow. Raises OSError for a file that is no font, ValueError for one that is not monospaced."""
    from PIL import Image, ImageDraw, ImageFont

    top_of_h = ImageFont.truetype(str(font), 1000).getbbox("H", anchor="ls")[1]
    face = ImageFont.truetype(str(font), 1000 * CAP / -top_of_h)
    advances = {round(face.getlength(character)) for character in ALPHABET}
    if len(advances) != 1:
        raise ValueError(f"{font.name} is not monospaced: advances {sorted(advances)}")
    advance = advances.pop()
    bitmaps = np.zeros((len(ALPHABET), CAP + 2 * MARGIN, advance + 2 * MARGIN), np.uint8)
    for bitmap, character in zip(bitmaps, ALPHABET, strict=True):
        image = Image.new("L", bitmap.shape[::-1])
        ImageDraw.Draw(image).text((MARGIN, MARGIN + CAP), character, fill=255, font=face, anchor="ls")
        bitmap[:] = np.asarray(image)
    return GlyphSet(bitmaps=bitmaps, advance=advance)


def load(path: Path) -> GlyphSet:
    """Read an ``.npz`` written by :func:`save`, or draw any other file as a font."""
    if path.suffix != ".npz":
        return from_font(path)
    with np.load(path, allow_pickle=False) as arrays:
        return GlyphSet(bitmaps=arrays["bitmaps"], advance=int(arrays["advance"]))


def save(glyphs: GlyphSet, path: Path) -> None:
    """Arrays ``bitmaps``, ``advance``, ``cap``, ``margin`` and the string ``alphabet``."""
    np.savez_compressed(path, bitmaps=glyphs.bitmaps, advance=glyphs.advance, cap=CAP, margin=MARGIN, alphabet=ALPHABET)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mrz.training.glyphs", description=__doc__)
    parser.add_argument("--font", type=Path, required=True, help="an OCR-B font file")
    parser.add_argument("out", type=Path, help="the .npz to write")
    options = parser.parse_args(arguments)
    save(from_font(options.font), options.out)


if __name__ == "__main__":
    main()
