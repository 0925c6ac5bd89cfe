"""Where the bars of an airport's throughput lie, in SVG units; the drawing says in a sentence what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gate.fleet.page.board import civil
from gate.fleet.page.figures import SLOT, SLOTS, Slot

WIDTH, TOP, HEIGHT, AXIS = 480, 12, 74, 16
HOURS_APART, WORD = 2, 30
"""Between two words on the axis, and how wide one is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """``passed`` stands at the bottom, ``other`` above it; ``title`` is read out."""

    x: float
    width: float
    passed_y: float
    passed_height: float
    other_y: float
    other_height: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    says: str
    width: int
    height: int
    most: int
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]


def throughput(slots: Sequence[Slot], now: datetime, airport: str) -> Chart:
    """The last :data:`SLOTS` half hours up to ``now``, the running one among them."""
    seconds = int(SLOT.total_seconds())
    newest = int(now.timestamp()) // seconds * seconds
    found = {int(slot.at.timestamp()): slot for slot in slots}
    begins = [newest - seconds * back for back in reversed(range(SLOTS))]
    most = max((slot.crossings for begin, slot in found.items() if begin in begins), default=0)
    step, scale = WIDTH / SLOTS, HEIGHT / max(1, most)
    bars = tuple(_bar(found[begin], place * step, step, scale, airport) for place, begin in enumerate(begins) if begin in found)
    clocks = [(place * step, civil(datetime.fromtimestamp(begin, now.tzinfo), airport)) for place, begin in enumerate(begins)]
    ticks = tuple((x, f"{at:%H:%M}") for x, at in clocks if at.minute == 0 and at.hour % HOURS_APART == 0 and x < WIDTH - WORD)
    told = ", ".join(f"{civil(slot.at, airport):%H:%M} {slot.crossings}" for slot in slots)
    return Chart(
        says=f"{airport}: pelintas per setengah jam / travellers per half hour: {told or '0'}",
        width=WIDTH,
        height=TOP + HEIGHT + AXIS,
        most=most,
        bars=bars,
        ticks=ticks,
    )


def _bar(slot: Slot, x: float, step: float, scale: float, airport: str) -> Bar:
    floor, passed, other = TOP + HEIGHT, slot.passed * scale, (slot.crossings - slot.passed) * scale
    return Bar(
        x=x + 1,
        width=step - 2,
        passed_y=floor - passed,
        passed_height=passed,
        other_y=floor - passed - other,
        other_height=other,
        title=f"{civil(slot.at, airport):%H:%M}: {slot.crossings}, {slot.passed} lewat gerbang / by the gate",
    )
