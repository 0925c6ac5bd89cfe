"""Many fonts out of one: an OCR-B as signed distances, and random relatives of it.

A signed distance field says for each pixel how deep it lies in the ink (> 0) or off it (< 0), so that weight and softness of
the stroke are chosen later by adding and scaling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mrz.training.glyphs import ALPHABET, CAP, MARGIN, GlyphSet

Field = NDArray[np.float32]

WORK_CAP = 24
"""Height of a capital in working pixels; the model sees about 20."""
DIGITS = 10
"""The first of the alphabet: in OCR-B they are higher than capitals, in fonts that pass for it not always."""
DEPTH = 8.0
"""Distances are cut off here, in working pixels."""
_BASE_SCALE = 2
"""The base is kept at twice the working size, so that warping it loses nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Font:
    """``tiles`` [37, height, width] of signed distances in working pixels, the box of advance × WORK_CAP in the middle."""

    tiles: Field
    advance: float


def distances(glyphs: GlyphSet) -> Font:
    """The font itself, at twice the working size (distances already in working pixels)."""
    scale = WORK_CAP * _BASE_SCALE / CAP
    margin = MARGIN - 2
    tiles = []
    for bitmap in glyphs.bitmaps:
        ink = (bitmap >= 128).astype(np.uint8)
        inside, outside = (cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in (ink, 1 - ink))
        field = (inside - outside)[2:-2, 2:-2] * (WORK_CAP / CAP)
        size = (round((glyphs.advance + 2 * margin) * scale), round((CAP + 2 * margin) * scale))
        tiles.append(np.clip(cv2.resize(field, size, interpolation=cv2.INTER_AREA), -DEPTH, DEPTH))
    return Font(tiles=np.stack(tiles).astype(np.float32), advance=glyphs.advance * WORK_CAP / CAP)


def relative(base: Font, random: np.random.Generator, *, warp: float) -> Font:
    """A font near ``base``, at the working size. ``warp`` 0 … 1 scales all differences: slant ±9°, glyphs 13 % narrower to 8 %
    wider and moved in their boxes, figures as high as in OCR-B or as low as capitals, outlines bent by up to about a tenth of the
    capital height.
    """
    count, base_height, base_width = base.tiles.shape
    height, width = base_height // _BASE_SCALE, base_width // _BASE_SCALE
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    slant = warp * math.tan(math.radians(random.uniform(-9, 9)))
    wide, tall = 1 + warp * random.uniform(-0.13, 0.08), np.full(count, 1 + warp * random.uniform(-0.04, 0.04), np.float32)
    tall[:DIGITS] *= 1 - warp * random.choice((0, random.uniform(0, 0.08)))
    bend = warp * WORK_CAP * float(random.choice((0.0, 0.03, 0.06, 0.1)))
    bends = _smooth(random, (2, count, height, width), bend)
    move = (warp * random.normal(0, 0.02 * WORK_CAP, (count, 2))).astype(np.float32)
    each = (1 + warp * random.normal(0, 0.02, (count, 2))).astype(np.float32)
    foot = WORK_CAP / 2
    tiles = np.empty((count, height, width), np.float32)
    for index in range(count):
        u = (x / (wide * each[index, 0]) + slant * y + move[index, 0] + bends[0, index]) * _BASE_SCALE + (base_width - 1) / 2
        v = ((y - foot) / (tall[index] * each[index, 1]) + foot + move[index, 1] + bends[1, index]) * _BASE_SCALE + (
            base_height - 1
        ) / 2
        tiles[index] = cv2.remap(base.tiles[index], u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Font(tiles=tiles, advance=base.advance)


def _smooth(random: np.random.Generator, shape: tuple[int, int, int, int], amplitude: float) -> Field:
    """Random fields that bend over about a third of the capital height or more; about ±``amplitude``."""
    planes, count, height, width = shape
    cells = (count, *random.integers(3, 6, 2))
    coarse = random.normal(0, amplitude / 2, (planes, *cells)).astype(np.float32)
    fields = [cv2.resize(cell, (width, height), interpolation=cv2.INTER_CUBIC) for plane in coarse for cell in plane]
    return np.stack(fields).reshape(shape).astype(np.float32)


def index_of(text: str) -> list[int]:
    """The classes of a text. Raises ValueError for a character outside the alphabet."""
    return [ALPHABET.index(character) for character in text]
