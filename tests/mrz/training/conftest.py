"""A font that training never saw: the strokes of the simulated page."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hardware.sim import ocr_b
from mrz.training.glyphs import ALPHABET, CAP, MARGIN, GlyphSet


@pytest.fixture(scope="session")
def glyphs() -> GlyphSet:
    """The stroke-drawn characters as a GlyphSet."""
    scale = CAP / ocr_b.PITCH
    advance, height = round(ocr_b.PITCH * scale), round(ocr_b.CELL_HEIGHT * scale)
    bitmaps = np.zeros((len(ALPHABET), CAP + 2 * MARGIN, advance + 2 * MARGIN), np.uint8)
    top = (bitmaps.shape[1] - height) // 2
    for bitmap, character in zip(bitmaps, ALPHABET, strict=True):
        cell = ocr_b.PAPER - ocr_b.glyph(character)
        bitmap[top : top + height, MARGIN : MARGIN + advance] = cv2.resize(cell, (advance, height), interpolation=cv2.INTER_AREA)
    return GlyphSet(bitmaps=bitmaps, advance=advance)
