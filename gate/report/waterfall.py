"""Where the bars of one transaction lie: a band per process, a row per stage that runs beside another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gate.records import StageTiming

WIDTH, GUTTER, LABEL_MARGIN = 900, 70, 150
"""Of the drawing, of the process's name at the left, and for the label behind the last bar; SVG units."""
ROW, AXIS = 22, 24
LETTER = 6.4
"""Width of a letter at the drawing's type size; labels are laid out without measuring them."""
ROOMS = ("lane", "reader", "vision")
STEPS_MS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    x: float
    y: float
    width: float
    label: str
    inside: bool
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """A drawing of ``WIDTH`` × ``height``: bands (name, top), bars, ticks (x, words)."""

    height: float
    bands: tuple[tuple[str, float], ...]
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]


def waterfall(stages: Sequence[StageTiming]) -> Waterfall:
    """Lay out ``stages`` (may be empty)."""
    end = max([1.0, *(stage.start_ms + stage.duration_ms for stage in stages)])
    scale = (WIDTH - GUTTER - LABEL_MARGIN) / end
    bands: list[tuple[str, float]] = []
    bars: list[Bar] = []
    top = float(AXIS)
    for room in [*ROOMS, *sorted({stage.room for stage in stages} - set(ROOMS))]:
        bands.append((room, top))
        rows: list[float] = []
        mine = sorted((stage for stage in stages if stage.room == room), key=lambda stage: stage.start_ms)
        bars += [_bar(stage, scale, top, rows) for stage in mine]
        top += ROW * max(1, len(rows)) + 8
    step = next((ms for ms in STEPS_MS if ms * scale >= 70), STEPS_MS[-1])
    ticks = tuple((GUTTER + ms * scale, f"{ms / 1000:g} s") for ms in range(0, int(end) + 1, step))
    return Waterfall(height=top, bands=tuple(bands), bars=tuple(bars), ticks=ticks)


def _bar(stage: StageTiming, scale: float, top: float, rows: list[float]) -> Bar:
    """Place one bar in the first row whose last bar and label end before it; ``rows`` holds those ends."""
    x, width = GUTTER + stage.start_ms * scale, max(2.0, stage.duration_ms * scale)
    duration = f"{stage.duration_ms:.3g} ms" if stage.duration_ms < 999.5 else f"{stage.duration_ms / 1000:.2f} s"
    label = f"{stage.name.replace('_', ' ')} {duration}"
    text = len(label) * LETTER + 10
    inside = width >= text
    row = next((index for index, used in enumerate(rows) if used <= x), len(rows))
    rows[row : row + 1] = [x + (width if inside else width + text)]
    return Bar(x=x, y=top + 4 + row * ROW, width=width, label=label, inside=inside, result=stage.result.replace("_", " "))


def hidden_ms(stages: Sequence[StageTiming]) -> float:
    """Work that cost no waiting because it ran beside other work: the sum of all stages less the time covered by any."""
    covered, reach = 0.0, float("-inf")
    for start, end in sorted((stage.start_ms, stage.start_ms + stage.duration_ms) for stage in stages):
        covered += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return sum(stage.duration_ms for stage in stages) - covered
