"""From a line of print to a zone: read one line, and if it may belong to a zone, the lines beside it on the same grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from mrz.accept import Block
from mrz.decode import Cells, cells
from mrz.formats import FORMATS
from mrz.locate import Ink, TextLine, across, along, neighbours
from mrz.reading import Corners
from mrz.recognise import LineModel
from mrz.strips import CAPITAL, Cut, Frame, cut

SHAPES = tuple(sorted({(form.lines, form.length) for form in FORMATS.values()}))
"""Lines and characters a line of a zone may have."""
ON_GRID = 0.16
"""Pitches (root mean square) by which characters may miss their places. Printed zones stay below 0.1; ordinary type has 0.2 and more."""
PLACED = 1.0
"""Mean log-odds that a line's places are taken and those around it empty."""
LIKELY = -0.7
"""Mean log-probability of a line's likeliest characters. Upside down or in other type it is below -1."""
ASPECT = 16.0
"""Length over height of a line that is worth a search for a second zone."""
ALIGNED = 0.6
"""Pitches by which the lines of a zone may begin apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLine:
    """A strip with what the model and the grid say of it."""

    strip: Cut
    cells: Cells

    def placed(self, start: int, length: int) -> TextLine:
        """The text line from the place ``start`` over ``length`` characters."""
        return self.strip.line.moved(self._edge(start), self._edge(start + length))

    def pitch(self) -> float:
        """Pixels of the working image."""
        return self.cells.pitch * self.strip.step

    def likelihood(self, start: int, length: int) -> float:
        """Mean log-probability of the likeliest characters."""
        return float(self.cells.cut(start, length).max(axis=1).mean())

    def _edge(self, place: int) -> float:
        edges = self.cells.columns
        inside = min(max(place, 0), len(edges) - 1)
        return self.strip.along(float(edges[inside]) + (place - inside) * self.cells.pitch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """``characters`` [lines, length, 37], ``presence`` [lines, length]; ``lines`` in the working image of ``scale``."""

    characters: Block
    presence: Block
    lines: tuple[TextLine, ...]
    pitch: float
    scale: float
    likelihood: float

    def corners(self) -> Corners:
        """Around the zone, in pixels of the frame."""
        return _corners(self.lines[0], self.lines[-1], 0.6 * self.pitch, self.scale)

    def touches(self, shape: tuple[int, int], border: float) -> bool:
        """Whether the zone reaches the edge of a frame of ``shape`` (height, width) within ``border`` pixels."""
        height, width = shape
        return any(min(x, y, width - x, height - y) < border for x, y in self.corners())

    def is_beside(self, line: TextLine) -> bool:
        """Whether ``line`` may be of another zone: it is long, and lies well outside of this one."""
        top, bottom = self.lines[0], self.lines[-1]
        outside = across(top, line) < -3 * self.pitch or across(bottom, line) > 3 * self.pitch
        aside = abs(along(top, line.middle) - top.length / 2) > 0.6 * (top.length + line.length)
        return (outside or aside) and line.length > 0.5 * top.length and line.length > ASPECT * line.height


def _corners(top: TextLine, bottom: TextLine, half: float, scale: float) -> Corners:
    points = (top.at(0, -half), top.at(top.length, -half), bottom.at(bottom.length, half), bottom.at(0, half))
    return tuple((x / scale, y / scale) for x, y in points)


class Search:
    """For zones among the lines of one frame. ``recognising`` counts the seconds spent in the model."""

    def __init__(self, frame: Frame, found: Ink, model: LineModel) -> None:
        self.frame, self.found, self._model = frame, found, model
        self.recognising = 0.0

    def read(self, line: TextLine) -> ReadLine | None:
        """``line`` in whichever direction it reads better, None where it cannot be one of a zone's lines."""
        strip = cut(self.frame, line, self.found.scale)
        return self._better([strip, strip.turned()])

    def mirrored(self, line: TextLine) -> bool:
        """Whether ``line`` reads well in a mirror."""
        strip = cut(self.frame, line, self.found.scale).mirrored()
        return self._better([strip, strip.turned()]) is not None

    def zone(self, seed: ReadLine) -> Zone | None:
        """The lines of a zone that ``seed`` is one of."""
        start, length = _placed(seed)
        level, pitch = seed.placed(start, length), seed.pitch()
        beside = neighbours(self.found, level, pitch)
        if not beside:
            return None
        capital = seed.strip.step * CAPITAL
        others = self._read([cut(self.frame, line, self.found.scale, capital=capital) for line in beside])
        above = sum(across(level, line) < 0 for line in beside)
        stack = [*others[:above], seed, *others[above:]]
        found = [zone for run, length in _runs(stack, above) if (zone := self._zone(run, length)) is not None]
        return max(found, key=lambda zone: zone.likelihood, default=None)

    def _zone(self, run: Sequence[ReadLine], length: int) -> Zone | None:
        starts = [line.cells.window(length) for line in run]
        lines = tuple(line.placed(start, length) for line, (start, _) in zip(run, starts, strict=True))
        pitch = float(np.mean([line.pitch() for line in run]))
        first = lines[0]
        begins = [along(first, line.start) for line in lines]
        placed = float(np.mean([score for _, score in starts]))
        if max(begins) - min(begins) > ALIGNED * pitch or placed < PLACED:
            return None
        pieces = [
            (line.cells.cut(start, length), line.cells.seen(start, length)) for line, (start, _) in zip(run, starts, strict=True)
        ]
        characters = np.stack([each for each, _ in pieces])
        return Zone(
            characters=characters,
            presence=np.stack([each for _, each in pieces]),
            lines=lines,
            pitch=pitch,
            scale=self.found.scale,
            likelihood=placed + float(characters.max(axis=2).mean()),
        )

    def corners(self, line: TextLine) -> Corners:
        """Around a line, in pixels of the frame."""
        return _corners(line, line, 0.6 * line.height, self.found.scale)

    def _better(self, strips: Sequence[Cut]) -> ReadLine | None:
        """The strip that reads best, if it may be one of a zone's lines."""
        best = max((each for each in self._read(strips) if each is not None), key=_worth, default=None)
        return best if best is not None and _may_belong(best) else None

    def _read(self, strips: Sequence[Cut]) -> list[ReadLine | None]:
        started = perf_counter()
        columns = self._model.read([strip.pixels for strip in strips])
        self.recognising += perf_counter() - started
        grids = [cells(each) for each in columns]
        return [ReadLine(strip=strip, cells=grid) if grid else None for strip, grid in zip(strips, grids, strict=True)]


def _runs(stack: Sequence[ReadLine | None], seed: int) -> Iterator[tuple[Sequence[ReadLine], int]]:
    """Neighbouring lines, the seed among them, as many as a format has; and the length of that format's lines."""
    for count, length in SHAPES:
        for first in range(max(0, seed - count + 1), min(seed, len(stack) - count) + 1):
            run = [line for line in stack[first : first + count] if line is not None]
            if len(run) == count:
                yield run, length


def _placed(line: ReadLine) -> tuple[int, int]:
    """Where the line begins and how many characters it has, of the lengths that there are."""
    lengths = {length for _, length in SHAPES}
    length = max(lengths, key=lambda length: line.cells.window(length)[1])
    return line.cells.window(length)[0], length


def _worth(line: ReadLine) -> float:
    start, length = _placed(line)
    return line.cells.window(length)[1] + line.likelihood(start, length)


def _may_belong(line: ReadLine) -> bool:
    start, length = _placed(line)
    placed = line.cells.window(length)[1]
    return line.cells.irregularity < ON_GRID and placed > PLACED and line.likelihood(start, length) > LIKELY
