"""Training samples: lines of text set, printed, bent, captured and cut out as the reader cuts them, each with its labels.

:func:`batch` is a pure function of recipe, seed and index: runs repeat and resume exactly, in any number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from mrz.training import lines
from mrz.training.degrade import Surroundings, capture, ink_of
from mrz.training.fonts import DEPTH, WORK_CAP, Field, Font, index_of, relative

HEIGHT, WIDTH, STRIDE = 32, 512, 4
"""A strip is HEIGHT pixels high; training looks at WIDTH of a line; the model answers once in STRIDE pixels."""
BLANK, IGNORED = 37, -1
CAP_SHARE = 0.62
"""Height of a capital in the strip, as the reader aims at it."""
CORE, RIM = 0.25, 0.33
"""Frames nearer to a character's centre than CORE of the pitch are labelled with it, those beyond RIM are blank."""
_BORDER = 4
"""Working pixels drawn around the strip, for whatever blurs over its edge."""
_MIDDLE = 64
"""Row of the text's middle, and left margin, in the straight line from which the strip is bent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What may vary, and how far. ``smallest`` and ``largest`` are heights of a capital in captured pixels, ``narrowest`` and ``widest``
    the strip's width over that of a true-to-scale one, ``warp`` scales how far fonts differ.
    """

    smallest: float = 6.0
    largest: float = 26.0
    narrowest: float = 0.72
    widest: float = 1.2
    warp: float = 1.0
    empty: float = 0.04
    """Share of strips with no text in them: what else looks like a line to whoever searches for one."""
    batch: int = 32
    fonts: int = 4
    """Relatives of the font made for each batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """``images`` [n, 1, 32, w] float32; ``frames`` [n, w/4] int64: class, BLANK or IGNORED; ``texts`` wholly visible in each."""

    images: NDArray[np.float32]
    frames: NDArray[np.int64]
    texts: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One strip: ``image`` [32, w], ``frames`` [w/4] and the ``text`` whose centres lie inside it."""

    image: NDArray[np.float32]
    frames: NDArray[np.int64]
    text: str


def batch(base: Font, around: Surroundings, recipe: Recipe, seed: int, index: int) -> Batch:
    """The ``index``-th batch of a run."""
    random = np.random.default_rng([seed, index])
    letters = Random(f"{seed}/{index}")
    fonts = [relative(base, random, warp=recipe.warp) for _ in range(recipe.fonts)]
    texts = [lines.line(letters) if random.random() >= recipe.empty else "" for _ in range(recipe.batch)]
    made = [sample(text, fonts[n % recipe.fonts], around, recipe, random) for n, text in enumerate(texts)]
    return Batch(
        images=np.stack([one.image for one in made])[:, np.newaxis],
        frames=np.stack([one.frames for one in made]),
        texts=[one.text for one in made],
    )


def sample(
    text: str, font: Font, around: Surroundings, recipe: Recipe, random: np.random.Generator, *, whole: bool = False
) -> Sample:
    """A strip that shows WIDTH pixels of ``text``, or the ``whole`` of it; or the paper alone, if ``text`` is empty."""
    cap = HEIGHT * CAP_SHARE * np.exp(np.clip(random.normal(0, 0.09), -0.2, 0.2))
    down = cap / WORK_CAP
    across = down * np.exp(random.uniform(np.log(recipe.narrowest), np.log(recipe.widest)))
    advance = font.advance * random.uniform(0.93, 1.06)
    pitch = advance * across
    if whole:
        start = random.uniform(0.3, 3.0) * pitch
        width = STRIDE * round((2 * start + len(text) * pitch) / STRIDE)
    else:
        start, width = _window(len(text), pitch, random), WIDTH
    seen = range(max(0, int(-start / pitch) - 1), min(len(text), int((width - start) / pitch) + 2))
    classes = index_of(text[seen.start : seen.stop])
    left = start / across + seen.start * advance
    centres = left + (np.arange(len(classes)) + 0.5) * advance
    straight, centres = _set(classes, centres, font, round(width / across) + 2 * _MIDDLE, random)
    bent, centres = _bend(straight, centres, (down, across), width, random)
    small = np.exp(random.uniform(np.log(recipe.smallest), np.log(recipe.largest)))
    ink = ink_of(bent, random)
    picture = capture(ink, small, around, random)
    image = _cut(picture, bent.shape, (down, across), width, random)
    if random.random() < 0.1:  # as where a shorter strip shares a batch with a longer one
        image[:, max(0, round(start + (len(text) + random.uniform(0.2, 3)) * pitch)) :] = 1
    return Sample(
        image=image,
        frames=_frames(classes, centres, pitch, width),
        text="".join(text[n] for n, centre in zip(seen, centres, strict=True) if RIM * pitch <= centre <= width - RIM * pitch),
    )


def _window(length: int, pitch: float, random: np.random.Generator) -> float:
    """Where the line starts: its head, its tail or its middle is in view, each a third of the time."""
    room = max(0.0, length * pitch - WIDTH)
    margin = random.uniform(0.1, 3.5) * pitch
    return float((margin, -room - margin, -random.uniform(0, room + pitch))[random.integers(3)])


def _set(
    classes: list[int], centres: NDArray[np.float64], font: Font, width: int, random: np.random.Generator
) -> tuple[Field, NDArray[np.float64]]:
    """The straight line as distances, and where its characters came to stand. A neighbour line stands close to a third of all lines."""
    tall, wide = font.tiles.shape[1:]
    straight = np.full((2 * _MIDDLE, width + wide), -DEPTH, np.float32)
    shake = WORK_CAP * random.choice((0.0, 0.0, 0.02, 0.04))
    centres = centres + random.normal(0, shake + 0.01, len(classes))
    rows = _MIDDLE + random.normal(0, shake, len(classes))
    if random.random() < 0.35:
        distance = WORK_CAP * random.uniform(1.4, 2.2) * random.choice((-1, 1))
        classes = classes + random.integers(0, 37, len(classes)).tolist()
        rows = np.concatenate((rows, rows + distance))
        places = np.concatenate((centres, centres + random.uniform(-0.5, 0.5) * font.advance))
    else:
        places = centres
    for index, centre, row in zip(classes, places, rows, strict=True):
        top, start = round(row - tall / 2), round(centre - wide / 2) + _MIDDLE
        if 0 <= start <= width:
            cell = straight[max(top, 0) : top + tall, start : start + wide]
            np.maximum(cell, font.tiles[index][max(-top, 0) :][: cell.shape[0]], out=cell)
    return straight, centres


def _bend(
    straight: Field, centres: NDArray[np.float64], scale: tuple[float, float], width: int, random: np.random.Generator
) -> tuple[Field, NDArray[np.float64]]:
    """Tilt, shear, curvature, perspective and misplacement that locating the line leaves behind; centres become strip pixels."""
    down, across = scale
    size = (round(HEIGHT / down) + 2 * _BORDER, round(width / across) + 2 * _BORDER)
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    along = (x - size[1] / 2) / (size[1] / 2)
    y -= _BORDER + (HEIGHT / 2 + np.clip(random.normal(0, 1.5), -4.8, 4.8)) / down
    drift = WORK_CAP * (random.normal(0, 0.05) * along + random.normal(0, 0.03) * along**2)
    u = x - _BORDER + np.float32(np.tan(np.radians(random.normal(0, 2)))) * y
    u += np.float32(random.normal(0, 0.008) * size[1]) * (along**2 - 1) + _MIDDLE
    v = y * (1 + np.float32(random.normal(0, 0.03)) * along) + drift.astype(np.float32) + _MIDDLE
    bent = cv2.remap(straight, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=-DEPTH)
    middle = u[int(np.abs(y[:, 0]).argmin())]
    reach = np.interp(centres + _MIDDLE, middle, np.arange(size[1]), left=-1e4, right=1e4)
    return bent.astype(np.float32), (reach - _BORDER) * across


def _cut(
    picture: NDArray[np.uint8], working: tuple[int, ...], scale: tuple[float, float], width: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """The strip as the reader cuts it out of the picture: resampled to HEIGHT × ``width`` and stretched."""
    down, across = scale
    fine_y, fine_x = picture.shape[0] / working[0], picture.shape[1] / working[1]
    x, y = fine_x / across, fine_y / down
    shift_x, shift_y = _BORDER * fine_x + (x - 1) / 2, _BORDER * fine_y + (y - 1) / 2
    matrix = np.array([[x, 0, shift_x], [0, y, shift_y]])
    how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LINEAR, cv2.INTER_LANCZOS4)[random.integers(4)]
    strip = cv2.warpAffine(picture, matrix, (width, HEIGHT), flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    stretched = stretch(np.asarray(strip, np.uint8))
    return stretched * np.float32(random.uniform(0.92, 1.06)) + np.float32(random.uniform(-0.06, 0.06))


def stretch(strip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey [h, w] to float32 with the 2nd and 98th percentile at -1 and 1, cut off at ±1.5."""
    counts = np.cumsum(np.bincount(strip.ravel(), minlength=256))
    low, high = np.searchsorted(counts, (0.02 * strip.size, 0.98 * strip.size))
    half = max(high - low, 1) / 2
    return np.asarray(np.clip((strip.astype(np.float32) - np.float32(low + half)) / np.float32(half), -1.5, 1.5), np.float32)


def _frames(classes: list[int], centres: NDArray[np.float64], pitch: float, width: int) -> NDArray[np.int64]:
    if not classes:
        return np.full(width // STRIDE, BLANK, np.int64)
    middles = STRIDE * np.arange(width // STRIDE) + STRIDE / 2
    far = np.abs(middles[:, np.newaxis] - centres)
    nearest = far.argmin(axis=1)
    distance = far.min(axis=1) / pitch
    labels = np.where(distance < CORE, np.asarray(classes)[nearest], np.where(distance < RIM, IGNORED, BLANK))
    shown = np.minimum(centres, width - centres)[nearest] >= RIM * pitch
    return np.where((labels == BLANK) | shown, labels, IGNORED).astype(np.int64)
