"""Where the marks of the report's drawings lie. Every drawing says in words what it shows, and none needs colour to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10

from gate.report.intervals import Share
from gate.report.trial_outcomes import HeatMap
from gate.report.trial_times import Split

WIDTH = 900
"""SVG units, of every drawing."""
LEFT, RIGHT = 56, 24
LETTER, CAPITAL = 6.4, 8.2
"""Widths of letters at the drawings' type size; labels are laid out without measuring them."""
PUBLISHED_S = (15.0, 25.0)
"""What is claimed for the autogates of Soekarno-Hatta, seconds a traveller."""
MOST_BARS = 12
HOUR, ROW = 33, 26
DAY_LABEL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line (``path``), or a filled rectangle where ``path`` is empty. ``style``: a class of the page's style sheet."""

    style: str
    path: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    x: float
    y: float
    words: str
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """``says``: the drawing in one sentence, for those who do not see it."""

    says: str
    height: float
    marks: tuple[Mark, ...]
    labels: tuple[Label, ...]


def curve_chart(whole: Sequence[float], machine: Sequence[float], *, published: bool, says: str) -> Chart:
    """Cumulative shares over seconds. Both hold the 1st to the 99th percentile. ``published``: draw the claimed span, beside field data only."""
    top, height = 16, 250
    end = max([1.0, *whole, *((PUBLISHED_S[1] * 1.1,) if published else ())])
    step = _step(end, 8)
    end, scale = step * ceil(end / step), (WIDTH - LEFT - RIGHT) / (step * ceil(end / step))
    marks, labels = _grid(end, step, scale, top, height)
    if published:
        x, width = LEFT + PUBLISHED_S[0] * scale, (PUBLISHED_S[1] - PUBLISHED_S[0]) * scale
        marks.insert(0, Mark(style="band", x=x, y=top, width=width, height=height))
        labels.append(Label(x=x + 4, y=top + 13, words="published: 15–25 s", style="soft"))
    for values, style, words in ((machine, "dashed", "neither walking nor doors"), (whole, "solid", "document to lane free")):
        points = [(LEFT + second * scale, top + height * (1 - (share + 1) / 100)) for share, second in enumerate(values)]
        if points:
            marks.append(Mark(style=style, path=_line(points)))
            labels.append(_beside(points[len(points) * 2 // 3], words))
    return Chart(says=says, height=top + height + 24, marks=tuple(marks), labels=tuple(labels))


def _grid(end: float, step: float, scale: float, top: float, height: float) -> tuple[list[Mark], list[Label]]:
    marks, labels = [], []
    for share in (0, 25, 50, 75, 100):
        y = top + height * (1 - share / 100)
        marks.append(Mark(style="grid", path=f"M{LEFT} {y:.1f}H{WIDTH - RIGHT}"))
        labels.append(Label(x=LEFT - 8, y=y + 4, words=f"{share} %", style="soft end"))
    labels += [
        Label(x=LEFT + tick * step * scale, y=top + height + 18, words=f"{tick * step:g} s", style="soft middle")
        for tick in range(round(end / step) + 1)
    ]
    return marks, labels


def _beside(point: tuple[float, float], words: str) -> Label:
    """To the right of a point of a rising line, or to its left where the drawing ends."""
    x, y = point
    fits = x + 10 + LETTER * len(words) < WIDTH
    return Label(x=x + 10 if fits else x - 10, y=y + 14 if fits else y - 6, words=words, style="" if fits else "end")


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _step(end: float, most: int) -> float:
    """The smallest of 1, 2, 5, 10, 20, … of which ``most`` reach ``end``."""
    power: float = 10.0 ** ceil(log10(end / most) - 1)
    return next(power * each for each in (1, 2, 5, 10) if power * each * most >= end)


def split_chart(split: Split) -> Chart:
    """One bar: people, doors, machine, in the proportions of a median transaction."""
    parts = (("people", split.human, "people"), ("doors", split.doors, "doors"), ("machine", split.machine, "machine"))
    x, scale = 0.0, WIDTH / (split.whole or 1.0)
    marks, labels = [], []
    for words, value, style in parts:
        marks.append(
            Mark(style=style, x=x, y=0, width=max(0.0, value * scale - 2), height=30, title=f"{words}: {value / 1000:.2f} s")
        )
        told = f"{words} {value / 1000:.2f} s"
        if value * scale > len(told) * LETTER + 16:
            labels.append(Label(x=x + 10, y=20, words=told, style=f"on-{style}"))
        x += value * scale
    says = ", ".join(f"{words} {value / 1000:.2f} s" for words, value, _ in parts)
    return Chart(says=says, height=30, marks=tuple(marks), labels=tuple(labels))


def pareto_chart(shares: Sequence[Share]) -> Chart:
    """Reasons by how often they occur, with 95 % intervals; what is beyond :data:`MOST_BARS` stands in the tables."""
    drawn = shares[:MOST_BARS]
    label = min(330.0, 20 + CAPITAL * max((len(share.name) for share in drawn), default=0))
    most = max((share.interval[1] for share in drawn), default=1.0)
    scale = (WIDTH - label - 150) / most
    marks, labels = [], []
    for row, share in enumerate(drawn):
        y, (low, high) = row * ROW, share.interval
        marks.append(Mark(style="bar", x=label, y=y + 5, width=max(1.0, share.percent * scale), height=14, title=share.name))
        marks.append(Mark(style="whisker", path=f"M{label + low * scale:.1f} {y + 12}H{label + high * scale:.1f}"))
        labels.append(Label(x=label - 8, y=y + 16, words=_cut(share.name, label), style="end"))
        told = f"{share.hits} · {share.percent:.1f} %"
        labels.append(Label(x=label + max(share.percent, high) * scale + 8, y=y + 16, words=told, style="soft"))
    says = "; ".join(f"{share.name} {share.hits} of {share.trials}" for share in drawn)
    return Chart(says=says, height=ROW * len(drawn), marks=tuple(marks), labels=tuple(labels))


def _cut(words: str, width: float) -> str:
    room = int((width - 12) / CAPITAL)
    return words if len(words) <= room else words[: room - 1] + "…"


def heat_chart(heat: HeatMap, says: str) -> Chart:
    """A row per day, a column per hour, darker where it is more, the number in each cell; a stroke where it may not be shown."""
    marks, most = [], heat.most or 1
    labels = [Label(x=DAY_LABEL + hour * HOUR + HOUR / 2, y=12, words=f"{hour:02}", style="soft middle") for hour in range(24)]
    for row, (day, cells) in enumerate(zip(heat.days, heat.cells, strict=True)):
        y = 20 + row * ROW
        labels.append(Label(x=0, y=y + 17, words=day, style="soft"))
        for hour, cell in enumerate(cells):
            x, shade = DAY_LABEL + hour * HOUR, 0 if not cell else 1 + min(4, 5 * cell // (most + 1))
            words = f"{day} {hour:02}:00: {'too few to be shown' if cell is None else cell}"
            marks.append(Mark(style=f"heat{shade}", x=x, y=y, width=HOUR - 2, height=ROW - 2, title=words))
            if cell or cell is None:
                told = "–" if cell is None else str(cell)
                labels.append(Label(x=x + HOUR / 2 - 1, y=y + 16, words=told, style=f"middle small on-heat{shade}"))
    return Chart(says=says, height=20 + ROW * len(heat.days), marks=tuple(marks), labels=tuple(labels))


def det_chart(points: Sequence[tuple[float, float]], says: str) -> Chart:
    """FNMR over FMR, both on log axes down to the smallest rate that is above zero."""
    rates = [rate for point in points for rate in point if rate > 0]
    decades = max(1, ceil(-log10(min(rates, default=0.1))))
    left, top, side = LEFT + 20, 10, 300

    def place(rate: float) -> float:
        return side * max(0.0, 1 + log10(max(rate, 10**-decades)) / decades)

    marks, labels = [], []
    for decade in range(decades + 1):
        at, words = place(10**-decade), f"{100 * 10**-decade:g} %"
        marks.append(Mark(style="grid", path=f"M{left} {top + side - at:.1f}H{left + side}M{left + at:.1f} {top}V{top + side}"))
        labels.append(Label(x=left - 8, y=top + side - at + 4, words=words, style="soft end"))
        labels.append(Label(x=left + at, y=top + side + 18, words=words, style="soft middle"))
    marks.append(Mark(style="solid", path=_line([(left + place(fmr), top + side - place(fnmr)) for fmr, fnmr in points])))
    labels.append(Label(x=left + side + 14, y=top + side + 4, words="false match rate →", style="soft"))
    labels.append(Label(x=left + 6, y=top + 12, words="false non-match rate", style="soft"))
    return Chart(says=says, height=top + side + 24, marks=tuple(marks), labels=tuple(labels))
