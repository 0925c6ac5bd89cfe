"""Synthetic pictures of documents with their truth: ``python -m benchmarks.mrz_captures DIR [--count 40] [--seed 1] [--tier phone]``.

:func:`document` and :func:`negative` are pure functions of their dice. The command writes pictures and a truth file in the form of
``mrz_specimens.toml``, for ``benchmarks.mrz_table`` and for looking at.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks import mrz_camera as camera
from benchmarks import mrz_pages as pages
from benchmarks.mrz_contents import misprinted, words, zone
from benchmarks.mrz_pages import Dice, Page, Pixels

OUTLINE_MM = (125.0, 88.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """``frames``: grey [h, w] or BGR [h, w, 3] pictures of one scene. ``lines``: what may be read from them and nothing else; none
    where nothing may be. ``whole``: no character lies outside a frame. ``zones``: the box's corners [4, 2] in each frame.
    """

    kind: str
    format: str
    lines: tuple[str, ...]
    whole: bool
    frames: tuple[Pixels, ...]
    zones: tuple[np.ndarray, ...] = ()


def document(dice: random.Random, *, tier: camera.Tier = "scanner", frames: int = 1, bitmaps: Path | None = None) -> Capture:
    """One document in ``frames`` pictures, each with troubles of its own. ``bitmaps``: a font beside our centre lines (half each)."""
    held, numbers = zone(dice), _numbers(dice)
    infrared = tier == "scanner" and numbers.random() < 0.25
    dpi = int(numbers.choice((300, 400, 600), p=(0.8, 0.15, 0.05))) if tier == "scanner" else 300
    page = pages.data_page(held, numbers, dpi=dpi, infrared=infrared, bitmaps=bitmaps if numbers.random() < 0.5 else None)
    if numbers.random() < 0.4 and held.format in {"TD3", "MRV-A"}:
        page = _in_a_book(page, numbers)
    if tier != "scanner" and numbers.random() < 0.25:
        page = _bent(page, numbers)
    grey = infrared or numbers.random() < 0.3
    pictures, zones = _shots(page, tier, frames, numbers, grey=grey)
    whole = all(_inside(corners, picture) for corners, picture in zip(zones, pictures, strict=True))
    kind = f"{tier}{', infrared' if infrared else ''}"
    return Capture(kind=kind, format=held.format, lines=held.lines, whole=whole, frames=pictures, zones=zones)


def negative(dice: random.Random) -> Capture:
    """A picture from which nothing may be read, or nothing else than what stands there: one of ``NEGATIVES``."""
    kind = dice.choice(sorted(NEGATIVES))
    page, lines = NEGATIVES[kind](dice, _numbers(dice))
    numbers = _numbers(dice)
    tall = page.pixels.shape[0] > camera.FIELD_MM[1] / 25.4 * page.dpi
    tier: camera.Tier = "phone" if tall or numbers.random() < 0.3 else "scanner"
    pictures, _ = _shots(page, tier, 1, numbers, grey=numbers.random() < 0.4)
    return Capture(kind=kind, format="", lines=lines, whole=False, frames=pictures)


def _numbers(dice: random.Random) -> Dice:
    return np.random.default_rng(dice.getrandbits(64))


def _shots(
    page: Page, tier: camera.Tier, frames: int, dice: Dice, *, grey: bool
) -> tuple[tuple[Pixels, ...], tuple[np.ndarray, ...]]:
    phone = tier == "phone" or (tier == "hard" and dice.random() < 0.7)
    if grey:
        page = replace(page, pixels=np.asarray(cv2.cvtColor(page.pixels, cv2.COLOR_BGR2GRAY), np.uint8))
    pose = camera.phone_pose(page, dice) if phone else camera.scanner_pose(page, dice)
    dark = not phone and dice.random() < 0.8
    pictures, zones = [], []
    for _ in range(frames):
        picture = camera.framed(page, pose, dice, dark=dark)
        pictures.append(camera.exposed(picture, pose.scale * page.dpi / 10, dice, tier))
        if page.zone is not None:
            zones.append(cv2.perspectiveTransform(page.zone[None], camera.matrix(page, pose))[0])
        pose = camera.next_pose(pose, dice, tier)
    return tuple(pictures), tuple(zones)


def _inside(corners: np.ndarray, picture: Pixels) -> bool:
    return bool((corners > 0).all() and (corners < picture.shape[1::-1]).all())


def _in_a_book(page: Page, dice: Dice) -> Page:
    """The lower edge of the page before, above this one."""
    height = round(dice.uniform(8, 40) / 25.4 * page.dpi)
    above = pages.paper(page.pixels.shape[1], height, dice)
    _text(above, " ".join("".join(dice.choice(list("aeinorstlmd"), 6)) for _ in range(40)), dice, page.dpi / 25.4)
    moved = None if page.zone is None else page.zone + np.array((0, height), np.float32)
    return Page(pixels=np.vstack([above, page.pixels]), dpi=page.dpi, zone=moved, above=height)


def _bent(page: Page, dice: Dice) -> Page:
    """A page that does not lie flat: its lines bow by up to a character's height; their ends stay where they are."""
    height, width = page.pixels.shape[:2]
    bow = dice.uniform(-1, 1) * page.dpi / 10
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    y += np.float32(bow) * np.sin(np.pi * x / width)
    pixels = cv2.remap(page.pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return replace(page, pixels=np.asarray(pixels, np.uint8))


def _text(pixels: Pixels, text: str, dice: Dice, mm: float) -> None:
    """A paragraph over the whole of ``pixels``."""
    font, scale = pages.FONTS[dice.integers(len(pages.FONTS))], float(dice.uniform(0.04, 0.08) * mm)
    step, left = round(dice.uniform(4, 7) * mm), round(5 * mm)
    letters = max(1, round((pixels.shape[1] - 2 * left) / (18 * scale)))
    for number, top in enumerate(range(step, pixels.shape[0] - step // 4, step)):
        begin = number * letters % max(1, len(text) - letters)
        cv2.putText(
            pixels, text[begin : begin + letters], (left, top), font, scale, (40, 40, 40), max(1, round(scale)), cv2.LINE_AA
        )


# --- what is no zone ---------------------------------------------------------------------------------------------------

Drawn = tuple[Page, tuple[str, ...]]


def _sheet(dice: Dice) -> Page:
    mm = 300 / 25.4
    return Page(pixels=pages.paper(round(OUTLINE_MM[0] * mm), round(OUTLINE_MM[1] * mm), dice), dpi=300)


def _text_page(dice: random.Random, numbers: Dice) -> Drawn:
    page = _sheet(numbers)
    _text(page.pixels, words(dice, 300), numbers, 300 / 25.4)
    return page, ()


def _ocr_b_page(dice: random.Random, numbers: Dice) -> Drawn:
    """Lines in the zone's font that are none: words, numbers, and lines of its very length and place."""
    page = _sheet(numbers)
    ink = pages.glyphs(30, 35)
    layer = np.zeros(page.pixels.shape[:2], np.uint8)
    length, lines = dice.choice(((44, 2), (44, 2), (36, 2), (30, 3), (40, 4), (28, 9)))
    for number in range(lines):
        signs = dice.choice(("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<", "<"))
        text = words(dice, 12).replace(" ", "<")[:length] if dice.random() < 0.5 else "".join(dice.choices(signs, k=length))
        pages.stamp(layer, ink.line(text), 70, page.pixels.shape[0] - 90 - 75 * (lines - number))
    pages.printed(page.pixels, layer, numbers)
    return page, ()


def _cover(dice: random.Random, numbers: Dice) -> Drawn:
    page = _sheet(numbers)
    page.pixels[:] = (page.pixels * 0.2 + numbers.uniform(0, 50, 3)).astype(np.uint8)
    for number, text in enumerate((words(dice, 1), words(dice, 2), "PASSPORT")):
        cv2.putText(page.pixels, text, (200, 200 + 300 * number), cv2.FONT_HERSHEY_TRIPLEX, 2.5, (90, 190, 220), 4, cv2.LINE_AA)
    cv2.circle(page.pixels, (740, 480), 110, (90, 190, 220), 6, cv2.LINE_AA)
    return page, ()


def _noise(_: random.Random, numbers: Dice) -> Drawn:
    page = _sheet(numbers)
    page.pixels[:] = numbers.integers(0, 256, page.pixels.shape, np.uint8) if numbers.random() < 0.5 else numbers.integers(256)
    return page, ()


def _bar_code(_: random.Random, numbers: Dice) -> Drawn:
    page = _sheet(numbers)
    for top in range(100, 900, 260):
        bars = np.repeat(numbers.integers(0, 2, 220) * 230, numbers.integers(2, 6)).astype(np.uint8)
        page.pixels[top : top + 200, 80 : 80 + len(bars)] = bars[None, :1300, None]
    return page, ()


def _stacked(first: Page, second: Page) -> Page:
    width = max(first.pixels.shape[1], second.pixels.shape[1])
    both = [
        np.pad(each.pixels, ((8, 8), (0, width - each.pixels.shape[1]), (0, 0)), constant_values=30) for each in (first, second)
    ]
    return Page(pixels=np.vstack(both), dpi=300)


def _two_documents(dice: random.Random, numbers: Dice) -> Drawn:
    """Two cards or visas, one above the other."""
    first, second = (zone(dice, dice.choice(("TD1", "MRV-B"))) for _ in range(2))
    return _stacked(*(pages.data_page(each, numbers, dpi=300) for each in (first, second))), ()


def _mirrored(dice: random.Random, numbers: Dice) -> Drawn:
    page = pages.data_page(zone(dice), numbers, dpi=300)
    return Page(pixels=np.ascontiguousarray(page.pixels[:, ::-1]), dpi=300), ()


def _misprinted(dice: random.Random, numbers: Dice) -> Drawn:
    held = misprinted(dice)
    return pages.data_page(held, numbers, dpi=300), held.lines


def _covered(dice: random.Random, numbers: Dice) -> Drawn:
    """A finger or a sticker on three to ten characters."""
    held = zone(dice)
    page = pages.data_page(held, numbers, dpi=300)
    assert page.zone is not None
    (left, top), (right, bottom) = page.zone[0], page.zone[2]
    across = numbers.uniform(3, 10) * 30
    begin = numbers.uniform(left, right - across)
    box = np.array([(begin, top - 20), (begin + across, top - 20), (begin + across, bottom + 20), (begin, bottom + 20)])
    cv2.fillPoly(page.pixels, [box.astype(np.int32)], [int(v) for v in numbers.integers(60, 220, 3)], cv2.LINE_AA)
    return page, held.lines


def _cut_off(dice: random.Random, numbers: Dice) -> Drawn:
    """The page ends within the zone: on the left, on the right or between the lines."""
    held = zone(dice)
    page = pages.data_page(held, numbers, dpi=300)
    assert page.zone is not None
    (left, top), (right, bottom) = page.zone[0], page.zone[2]
    match dice.randrange(3):
        case 0:
            kept = page.pixels[:, round(left + numbers.uniform(45, 300)) :]
        case 1:
            kept = page.pixels[:, : round(right - numbers.uniform(45, 300))]
        case _:
            kept = page.pixels[: round((top + bottom) / 2 + numbers.uniform(-8, 8))]
    return Page(pixels=np.ascontiguousarray(kept), dpi=300), held.lines


NEGATIVES: Mapping[str, Callable[[random.Random, Dice], Drawn]] = {
    "text": _text_page,
    "OCR-B that is no zone": _ocr_b_page,
    "cover": _cover,
    "noise": _noise,
    "bar codes": _bar_code,
    "two documents": _two_documents,
    "mirrored": _mirrored,
    "wrong check digit": _misprinted,
    "characters covered": _covered,
    "cut off": _cut_off,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mrz_captures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tier", choices=("scanner", "phone", "hard", "negative"), default="scanner")
    parser.add_argument("--frames", type=int, default=1)
    parser.add_argument("--glyphs", type=Path, help="bitmaps of a font, from python -m mrz.training.glyphs")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for number in range(options.count):
        dice = random.Random(f"{options.seed}/{options.tier}/{number}")
        taken = (
            negative(dice)
            if options.tier == "negative"
            else document(dice, tier=options.tier, frames=options.frames, bitmaps=options.glyphs)
        )
        for index, frame in enumerate(taken.frames):
            name = f"{options.tier}-{options.seed}-{number:05}-{index}.png"
            cv2.imwrite(str(options.folder / name), frame)
            lines = ", ".join(f'"{line}"' for line in taken.lines)
            size = "large" if max(frame.shape) >= 550 else "small"
            entries.append(f'[[image]]\nname = "{name}"\nkind = "{taken.kind}"\nsize = "{size}"\nlines = [{lines}]\n')
    (options.folder / "truth.toml").write_text("\n".join(entries), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
