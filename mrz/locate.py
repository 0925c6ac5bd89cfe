"""Where lines of print lie in a frame: dark strokes, joined along each line, measured to a fraction of a pixel.

Nothing here knows characters. A machine readable zone is two or three long, thin, parallel lines of constant pitch; what else
looks like that (a row of a table, a line of small print) is turned away by whoever tries to read it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Rows = NDArray[np.float64]

STROKE = 9
"""Pixels of the working image. Strokes up to this width are ink: OCR-B has 0.35 mm at 2.54 mm pitch, 4 px where the pitch is 30 px."""
INK_OVER_MEAN = 1.5
INK_FLOOR = 8
"""Ink is darker than its surroundings by this factor of the local mean stroke plus these grey levels (sensor noise has up to 7)."""
NEIGHBOURHOOD = 41
"""Pixels over which that mean is taken: two to five characters."""
JOINTS = (3, 5, 7, 11)
"""Pixels of half the working image. A joint closes gaps between characters (at most 0.6 pitch) and none between lines (1.5 pitch):
together they serve pitches from 6 to 30 px, which are zones from 0.3 to 1.0 of the working image's long side."""
ROUND_SIDES = (0.83, 1.2)
"""How far the working image may differ from the size asked for where the frame's is then a multiple of it, which shrinks faster."""
MERGED = (4.0, 16.0)
"""The same of two or three lines that a joint has joined: three of a card, set narrowly, have 7."""
VALLEY = 0.7
"""Of the ink in the lesser of two lines, there is this much between them at most."""
SLIGHTLY = 0.6
"""Scale down to which interpolation skips no pixel; it is faster than averaging."""
LEAST_LENGTH = 0.16
"""Of the working image's long side."""
ASPECT = (9.0, 65.0)
"""Length over height. Thirty characters have 30, 44 have 47; clutter at a line's foot makes it thicker, faint print thinner."""
THINNEST = 2.0
"""Pixels of half the working image: capitals below 6 px are none that can be read."""
CHUNKS = 12
"""Parts of a line whose middles are measured one by one; a straight line through them gives its slope."""
MOST_SEEDS = 100
"""Joined strokes that are compared with each other, the longest; each line is found by two or three joints."""
MOST_LINES = 14
"""Lines handed on. A page of print has more, but a zone's lines are among the longest that have others beside them."""
SPACING = (1.3, 3.6)
"""Pitches between a zone's lines: 6.35 mm over 2.54 mm is 2.5 (Doc 9303-4 §4.2.1.4); cards in the field have down to 1.7."""
NEIGHBOUR_INK = 0.25
"""A neighbour has at least this part of the line's own ink: a line of fillers alone has 0.4 of a line of letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """A straight line of print in the working image: the middles of its two ends, and the height of its ink in pixels."""

    start: tuple[float, float]
    end: tuple[float, float]
    height: float

    @property
    def length(self) -> float:
        return math.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1])

    @property
    def direction(self) -> tuple[float, float]:
        length = self.length
        return (self.end[0] - self.start[0]) / length, (self.end[1] - self.start[1]) / length

    @property
    def middle(self) -> tuple[float, float]:
        return (self.start[0] + self.end[0]) / 2, (self.start[1] + self.end[1]) / 2

    def at(self, along: float, across: float) -> tuple[float, float]:
        """The point ``along`` pixels after the start and ``across`` pixels below the line."""
        x, y = self.direction
        return self.start[0] + along * x - across * y, self.start[1] + along * y + across * x

    def moved(self, first: float, last: float, across: float = 0.0, height: float = 0.0) -> TextLine:
        """The line from ``first`` to ``last`` pixels after the start, ``across`` pixels below it."""
        return TextLine(start=self.at(first, across), end=self.at(last, across), height=height or self.height)

    def scaled(self, factor: float) -> TextLine:
        """The same line in a working image so many times as large."""
        (x, y), (end_x, end_y) = self.start, self.end
        return TextLine(start=(x * factor, y * factor), end=(end_x * factor, end_y * factor), height=self.height * factor)

    def turned(self) -> TextLine:
        """The same line, read from its other end."""
        return TextLine(start=self.end, end=self.start, height=self.height)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ink:
    """The working image: how much darker each pixel of a stroke is than its surroundings, and its scale against the frame."""

    strokes: Grey
    scale: float


def ink(grey: Grey, side: int) -> Ink:
    """The ink of a frame whose long side is brought to about ``side`` pixels."""
    import cv2

    scale = side / max(grey.shape)
    if scale < 1 and ROUND_SIDES[0] < 1 / (scale * round(1 / scale)) < ROUND_SIDES[1]:
        scale = 1 / round(1 / scale)
        whole = [side // round(1 / scale) * round(1 / scale) for side in grey.shape]
        grey = grey[: whole[0], : whole[1]]
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR if scale > SLIGHTLY else cv2.INTER_AREA
    work = cv2.resize(grey, size, interpolation=how)
    strokes = cv2.morphologyEx(work, cv2.MORPH_BLACKHAT, np.ones((STROKE, STROKE), np.uint8))
    work.fill(0)  # it shows the whole page
    mean = cv2.boxFilter(strokes, -1, (NEIGHBOURHOOD, NEIGHBOURHOOD))
    mask = cv2.compare(strokes, cv2.convertScaleAbs(mean, alpha=INK_OVER_MEAN, beta=INK_FLOOR), cv2.CMP_GT)
    return Ink(strokes=np.asarray(cv2.bitwise_and(strokes, mask), np.uint8), scale=scale)


def text_lines(found: Ink, *, slanted: bool = False) -> list[TextLine]:
    """Long lines of print, roughly, the likeliest of a zone first: long ones with others of their length beside them.

    ``slanted``: of whatever slant, where otherwise up to 15 degrees off level or upright; that costs twice the time.
    """
    import cv2

    half = np.asarray(cv2.resize(found.strokes, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    seeds = [seed for joint in JOINTS for seed in _seeds(found, half, joint, slanted=slanted)]
    distinct: list[TextLine] = []
    for line in sorted(seeds, key=lambda line: line.length, reverse=True)[:MOST_SEEDS]:
        if not any(_same(line, other) for other in distinct):
            distinct.append(line)
    return sorted(distinct, key=lambda line: _likelihood(line, distinct), reverse=True)[:MOST_LINES]


def has_mate(line: TextLine, others: list[TextLine]) -> bool:
    """Whether a line of the same length lies beside ``line`` at the distance of a zone's lines."""
    return any(_mates(line, other) for other in others if other is not line)


def neighbours(found: Ink, line: TextLine, pitch: float) -> list[TextLine]:
    """The lines above and below ``line`` at a zone's spacing, its characters ``pitch`` pixels apart; at most two on either side,
    top to bottom.
    """
    reach = math.ceil(2 * SPACING[1] * pitch) + 1
    profile = _smoothed(_patch(found, line, reach).sum(axis=1, dtype=np.float64), 0.8 * pitch)
    beside: list[TextLine] = []
    for side in (-1, 1):
        outward = profile[reach::side]
        below = 0
        for _ in range(2):
            below = _next_peak(outward, below + round(SPACING[0] * pitch), below + math.ceil(SPACING[1] * pitch))
            fit = fit_line(found, line.moved(0, line.length, side * below, 1.2 * pitch)) if below else None
            if fit is None:
                break
            beside.append(fit)
    return sorted(beside, key=lambda each: across(line, each))


def _next_peak(profile: Rows, first: int, last: int) -> int:
    """The first row from ``first`` to ``last`` that has more ink than those beside it, and enough for a line; 0 where none has."""
    for row in range(first, min(last, len(profile) - 2) + 1):
        if profile[row] >= NEIGHBOUR_INK * profile[0] and profile[row - 1] <= profile[row] > profile[row + 1]:
            return row
    return 0


def fit_line(found: Ink, seed: TextLine) -> TextLine | None:
    """``seed`` moved onto the middle of the ink along it, with that ink's height; None where there is too little."""
    reach = math.ceil(1.1 * seed.height)
    patch = _patch(found, seed, reach)
    import cv2

    chunks = cv2.resize(patch, (CHUNKS, len(patch)), interpolation=cv2.INTER_AREA) if patch.shape[1] > CHUNKS else patch
    profiles = np.asarray(chunks, np.float64).T
    centres, rows = (np.arange(CHUNKS) + 0.5) / CHUNKS, np.arange(2 * reach + 1) - reach
    offset, slope = 0.0, 0.0
    for band in (1.1, 0.75, 0.75):
        weights = profiles * (np.abs(rows - (offset + slope * centres)[:, None]) <= band * seed.height)
        total = weights.sum(axis=1)
        full = total > 0.15 * total.max()
        if full.sum() < CHUNKS // 2:
            return None
        middles = (weights[full] * rows).sum(axis=1) / total[full]
        offset, slope = _straight(centres[full], middles)
    start, end = seed.at(0, offset), seed.at(seed.length, offset + slope)
    return TextLine(start=start, end=end, height=_height(profiles, offset + slope * centres, reach))


def _height(profiles: Rows, middles: Rows, reach: int) -> float:
    """Of the ink: rows that have a quarter of the fullest row's, after each chunk is brought to the line's middle."""
    rows = (np.arange(profiles.shape[1]) + np.rint(middles).astype(np.intp)[:, None]) % profiles.shape[1]
    straight = np.take_along_axis(profiles, rows, axis=1).sum(axis=0)
    inked = np.flatnonzero(straight > 0.25 * straight.max())
    connected = inked[(inked >= reach - reach * 0.75) & (inked <= reach + reach * 0.75)]
    return float(connected[-1] - connected[0] + 1) if len(connected) else 1.0


def _straight(x: Rows, y: Rows) -> tuple[float, float]:
    """Offset and slope of a line through the points, by the median of the slopes between them (Theil and Sen)."""
    pairs = np.arange(len(x))[:, None] < np.arange(len(x))
    slope = _median(((y - y[:, None])[pairs]) / ((x - x[:, None])[pairs]))
    return _median(y - slope * x), slope


def _median(values: Rows) -> float:
    """As numpy's, which takes ten times as long for so few."""
    ordered, middle = np.sort(values), len(values) // 2
    return float(ordered[middle] + ordered[-middle - 1]) / 2


def _patch(found: Ink, line: TextLine, reach: int) -> NDArray[np.uint8]:
    """The strokes around a line, the line made level: ``2 * reach + 1`` rows, a column for each pixel of length."""
    import cv2

    (x, y), (top_x, top_y) = line.direction, line.at(0, -reach)
    back = np.array([[x, -y, top_x], [y, x, top_y]], np.float32)
    size = max(CHUNKS, round(line.length)), 2 * reach + 1
    return np.asarray(cv2.warpAffine(found.strokes, back, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), np.uint8)


def _seeds(found: Ink, half: Grey, joint: int, *, slanted: bool) -> Iterator[TextLine]:
    """Strokes closer together than ``joint`` pixels of ``half`` the working image, where they form something long and thin."""
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE if slanted else cv2.MORPH_RECT, (joint, joint))
    closed = cv2.morphologyEx(half, cv2.MORPH_CLOSE, kernel)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((joint // 2, joint // 2), np.uint8))
    outlines, _ = cv2.findContours(opened, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)  # frames around the page too
    least = LEAST_LENGTH * max(half.shape)
    for outline in outlines:
        if max(cv2.boundingRect(outline)[2:]) < 0.7 * least:
            continue
        _, size, _ = box = cv2.minAreaRect(outline)
        length, height = max(size), min(size)
        if length < least or height <= THINNEST:
            continue
        line = _axis(2 * cv2.boxPoints(box) + 0.5, 2 * height)
        if ASPECT[0] * height <= length <= ASPECT[1] * height:
            yield line
        if MERGED[0] * height <= length <= MERGED[1] * height:
            yield from _parted(found, line)


def _parted(found: Ink, merged: TextLine) -> list[TextLine]:
    """The two or three lines that a joint has joined to each other; none where the ink does not lie in as many even rows."""
    reach = math.ceil(0.6 * merged.height)
    profile = _smoothed(_patch(found, merged, reach).sum(axis=1, dtype=np.float64), merged.height / 12)
    inner = profile[1:-1]
    tops = np.flatnonzero((inner >= profile[:-2]) & (inner > profile[2:]) & (inner > 0.4 * profile.max())) + 1
    peaks = _peaks_between_valleys(profile, tops.tolist())
    if len(peaks) not in (2, 3) or (len(peaks) == 3 and not _even(peaks)):
        return []
    height = 0.5 * float(np.diff(peaks).mean())
    return [merged.moved(0, merged.length, float(peak - reach), height) for peak in peaks]


def _peaks_between_valleys(profile: Rows, tops: list[int]) -> list[int]:
    """The highest of those ``tops`` that no valley parts: a line of print has one at its capitals' feet and one at their heads."""
    peaks = tops[:1]
    for top in tops[1:]:
        if profile[peaks[-1] : top].min() <= VALLEY * min(profile[peaks[-1]], profile[top]):
            peaks.append(top)
        elif profile[top] > profile[peaks[-1]]:
            peaks[-1] = top
    return peaks


def _even(peaks: list[int]) -> bool:
    first, second = np.diff(peaks)
    return bool(0.75 * first < second < 1.33 * first)


def _axis(corners: NDArray[Any], height: float) -> TextLine:
    """The long middle line of a box, left to right, or downwards where it is upright."""
    sides = [(corners[i] + corners[(i + 1) % 4]) / 2 for i in range(4)]
    first, second = max(((sides[0], sides[2]), (sides[1], sides[3])), key=lambda pair: float(np.hypot(*(pair[1] - pair[0]))))
    start, end = sorted((first, second), key=lambda point: float(point[0] + 0.1 * point[1]))
    return TextLine(start=(float(start[0]), float(start[1])), end=(float(end[0]), float(end[1])), height=height)


def across(line: TextLine, other: TextLine) -> float:
    """How far the middle of ``other`` lies below ``line``, in pixels."""
    x, y = line.direction
    (middle_x, middle_y), (start_x, start_y) = other.middle, line.start
    return (middle_y - start_y) * x - (middle_x - start_x) * y


def along(line: TextLine, point: tuple[float, float]) -> float:
    """How far ``point`` lies after the start of ``line``, in pixels."""
    x, y = line.direction
    return (point[0] - line.start[0]) * x + (point[1] - line.start[1]) * y


def _apart(line: TextLine, other: TextLine) -> float:
    """How far the middles of two lines lie apart along the first."""
    return abs(along(line, other.middle) - line.length / 2)


def _same(line: TextLine, other: TextLine) -> bool:
    return abs(across(other, line)) < 0.7 * min(line.height, other.height) and _apart(other, line) < 0.5 * other.length


def _likelihood(line: TextLine, others: list[TextLine]) -> float:
    """Mates count most: lines of the same length at a zone's distance. Then how long and thin it is, to 44 characters."""
    mates = sum(_mates(line, other) for other in others if other is not line)
    return min(mates, 2) + min(line.length / line.height, 44.0) / 44.0


def _mates(line: TextLine, other: TextLine) -> bool:
    if abs(line.length - other.length) >= 0.15 * line.length:
        return False
    distance, height = abs(across(line, other)), max(line.height, other.height)
    return 1.2 * height < distance < 5 * height and _apart(line, other) < 0.1 * line.length


def _smoothed(profile: Rows, width: float) -> Rows:
    size = max(1, round(width))
    return np.convolve(profile, np.ones(size) / size, mode="same")
