"""Lines of print cut out of a frame, level and of one height, as the line model wants them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mrz.locate import Grey, TextLine

HEIGHT = 32
CAPITAL_SHARE = 0.62
"""The model's strip is 32 pixels high, 0.62 of it the height of a capital letter, in its middle."""
CAPITAL = HEIGHT * CAPITAL_SHARE
STRIDE = 4
"""The model answers once in 4 columns, and a strip's width is a multiple of it."""
MARGIN = 2.2
"""Capital heights of background kept on either side: two characters that the line's joined strokes may have missed."""
WIDEST = 44 * 1.5 * CAPITAL
"""Columns. The longest line of a zone has 44 characters; set half as wide again as usual they still fit."""
Place = NDArray[np.float64]
SATURATED = 252
"""Grey level from which a sensor tells no more differences."""
DARKEST, LIGHTEST, CUT_OFF = 0.02, 0.98, 1.5
"""These shares of a strip's pixels lie beyond -1 and 1 once it is stretched; what lies beyond ±1.5 is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """A strip [32, w], float32, stretched to -1 … 1 with ink low; and how a column of it leads back to ``line``."""

    pixels: NDArray[np.float32]
    line: TextLine
    first: float
    step: float
    saturated: float = 0.0
    """Share of its pixels of which the sensor shows nothing more than white."""

    def along(self, column: float) -> float:
        """Pixels of the working image after the line's start."""
        return self.first + column * self.step

    def turned(self) -> Cut:
        """The same strip upside down."""
        last = self.along(self.pixels.shape[1] - 1)
        return replace(self, pixels=self.pixels[::-1, ::-1], line=self.line.turned(), first=self.line.length - last)


def cut(frame: Grey, line: TextLine, scale: float, *, capital: float = 0.0) -> Cut:
    """The strip along ``line`` of a working image that is ``scale`` times the frame; ``capital`` is the height of its letters in
    working pixels where it is known better than the line's own.
    """
    import cv2

    step = (capital or line.height) / CAPITAL
    step = max(step, (line.length + 2 * MARGIN * CAPITAL * step) / WIDEST)
    first = -MARGIN * CAPITAL * step
    width = STRIDE * max(1, round((line.length / step + 2 * MARGIN * CAPITAL) / STRIDE))
    (x, y), (left, top) = line.direction, line.at(first, -(HEIGHT - 1) / 2 * step)
    turn = np.array([[x, -y], [y, x]]) * (step / scale)
    origin = (np.array([left, top]) + 0.5) / scale - 0.5
    source, shrunk, corner = _part(frame, origin, origin + turn @ (width, HEIGHT), turn)
    matrix = np.column_stack((turn / shrunk, (origin - corner + 0.5) / shrunk - 0.5))
    how = cv2.INTER_LINEAR if step / scale >= shrunk else cv2.INTER_CUBIC
    strip = cv2.warpAffine(source, matrix, (width, HEIGHT), flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    grey = np.asarray(strip, np.uint8)
    return Cut(pixels=stretched(grey), line=line, first=first, step=step, saturated=float((grey >= SATURATED).mean()))


def _part(frame: Grey, first: Place, last: Place, turn: Place) -> tuple[Grey, int, Place]:
    """What of the frame lies around a strip, halved until a strip's pixel is one to two of its own, the factor, and its corner:
    so that shrinking skips no pixel, and costs nothing for the rest of the frame.
    """
    import cv2

    ratio = float(np.hypot(*turn[:, 0]))
    shrunk = 2 ** max(0, int(np.log2(max(ratio, 1) * 1.4)))
    around = np.abs(turn[:, 1]) * HEIGHT + 2 * shrunk + 2
    least = np.floor(np.minimum(first, last) - around).astype(int)
    most = np.ceil(np.maximum(first, last) + around).astype(int)
    least = np.clip(least, 0, np.array(frame.shape[::-1]) - 1)
    part = frame[least[1] : max(most[1], least[1] + 1), least[0] : max(most[0], least[0] + 1)]
    if shrunk > 1:
        size = max(1, part.shape[1] // shrunk), max(1, part.shape[0] // shrunk)
        part = part[: size[1] * shrunk, : size[0] * shrunk]
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return part, shrunk, least.astype(np.float64)


def stretched(strip: Grey) -> NDArray[np.float32]:
    """Grey to float32, its darkest and lightest parts brought to -1 and 1."""
    import cv2

    counts = np.cumsum(cv2.calcHist([strip], [0], None, [256], [0, 256]))
    low, high = np.searchsorted(counts, (DARKEST * strip.size, LIGHTEST * strip.size))
    half = max(int(high - low), 1) / 2
    values = (np.arange(256, dtype=np.float32) - np.float32(low + half)) / np.float32(half)
    return np.asarray(cv2.LUT(strip, np.clip(values, -CUT_OFF, CUT_OFF)), np.float32)
