"""A zone as it was seen in one frame: its lines, and what the model says of each character's place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mrz.accept import Block
from mrz.decode import Cells
from mrz.locate import TextLine, across, along
from mrz.reading import Corners
from mrz.strips import Cut

SMALLER = 0.3
"""A line this much shorter than a zone's may still be of another zone, if it was broken."""
WHOLE = 0.6
"""Of a zone's length: what another zone has at least."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
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

    def _edge(self, place: int) -> float:
        edges = self.cells.columns
        inside = min(max(place, 0), len(edges) - 1)
        return self.strip.along(float(edges[inside]) + (place - inside) * self.cells.pitch)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Zone:
    """``characters`` [lines, length, 37], ``presence`` [lines, length]; ``lines`` in the working image of ``scale``;
    ``worth`` for choosing between zones; ``plausible``: what stands there may stand where it does.
    """

    characters: Block
    presence: Block
    lines: tuple[TextLine, ...]
    pitch: float
    scale: float
    worth: float
    plausible: bool

    def at_scale(self, scale: float) -> Zone:
        """The same zone in a working image of another scale."""
        factor = scale / self.scale
        lines = tuple(line.scaled(factor) for line in self.lines)
        return replace(self, lines=lines, pitch=self.pitch * factor, scale=scale)

    def corners(self) -> Corners:
        """Around the zone, in pixels of the frame."""
        return corners(self.lines[0], self.lines[-1], 0.6 * self.pitch, self.scale)

    def leaves(self, shape: tuple[int, int], characters: float) -> bool:
        """Whether a line so many characters longer at both ends leaves a frame of ``shape`` (height, width)."""
        height, width = (side * self.scale for side in shape)
        reach = characters * self.pitch
        ends = [end for line in self.lines for end in (line.at(-reach, 0), line.at(line.length + reach, 0))]
        return any(min(x, y, width - x, height - y) < 0 for x, y in ends)

    def is_beside(self, line: TextLine) -> bool:
        """Whether ``line`` may be of another zone: it is no word, and lies well outside of this one."""
        top, bottom = self.lines[0], self.lines[-1]
        outside = across(top, line) < -3 * self.pitch or across(bottom, line) > 3 * self.pitch
        aside = abs(along(top, line.middle) - top.length / 2) > 0.6 * (top.length + line.length)
        return (outside or aside) and line.length > SMALLER * top.length

    def may_equal(self, line: TextLine) -> bool:
        """Whether ``line`` is as long as another whole zone's may be: that of a card is 72 mm, of a passport 112 mm."""
        return line.length > WHOLE * self.lines[0].length

    def overlaps(self, other: Zone) -> bool:
        """Whether a line of ``other`` lies on one of these."""
        return any(
            abs(across(mine, line)) < self.pitch and abs(along(mine, line.middle) - mine.length / 2) < 0.5 * mine.length
            for mine in self.lines
            for line in other.lines
        )


def corners(top: TextLine, bottom: TextLine, half: float, scale: float) -> Corners:
    """Around the lines ``top`` to ``bottom`` of a working image, ``half`` a capital above and below, in pixels of the frame."""
    points = (top.at(0, -half), top.at(top.length, -half), bottom.at(bottom.length, half), bottom.at(0, half))
    return tuple((x / scale, y / scale) for x, y in points)
