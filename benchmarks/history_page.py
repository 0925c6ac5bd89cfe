"""Runs of ``make bench`` in words and as one self-contained page: the newest run's figures, each ratio over time, who was not run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.history_ratios import Declared, Verdict, judge, not_run
from benchmarks.history_runs import Run

HERE = Path(__file__).resolve().parent
STYLE = HERE.parent / "gate" / "report"
WIDTH, HEIGHT, MARGIN = 220, 34, 4
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A ratio over the runs that have it, drawn from left (oldest) to right; ``limit_y``: what is allowed, absent where nothing was recorded."""

    verdict: Verdict
    points: tuple[tuple[float, float], ...]
    limit_y: float | None

    @property
    def path(self) -> str:
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in self.points)


def lines(runs: Sequence[Run], known: Declared, kept: Mapping[str, Any], left_out: Sequence[str]) -> Iterator[str]:
    """The newest run as text."""
    newest = runs[-1]
    yield f"{newest.name}: {machine(newest)}"
    for kind in ("floor", "peer"):
        yield f"\n{'ours : ' + kind:88}{'now':>8}{'recorded':>10}{'allowed':>9}"
        for verdict in judge(newest, known.ratios, kept["ratios"]):
            if verdict.ratio.kind == kind:
                recorded = "–" if verdict.recorded is None else f"{verdict.recorded:.3g}"
                now = "–" if verdict.now is None else f"{verdict.now:.3g}"
                yield f"  {verdict.ratio.name:86}{now:>8}{recorded:>10}{'× ' + format(verdict.ratio.allowed, 'g'):>9}  {verdict.word}"
    yield ""
    yield from (f"not run: {peer}: {why} ({install})" for peer, (why, install) in not_run(newest, known).items())
    yield from (f"left out: {why}" for why in left_out)


def render(runs: Sequence[Run], known: Declared, kept: Mapping[str, Any], left_out: Sequence[str]) -> str:
    """One page that refers to no other file. ``runs``: at least one, the oldest first."""
    newest = runs[-1]
    drawn = [line(verdict, runs) for verdict in judge(newest, known.ratios, kept["ratios"])]
    groups: dict[str, list[tuple[str, str, str, int]]] = {}
    for name, figure in sorted(newest.figures.items()):
        test = name.partition("::")[2].removeprefix("test_").replace("_", " ")
        row = (test, seconds(figure.fastest_s), seconds(figure.median_s), figure.rounds)
        groups.setdefault(figure.group, []).append(row)
    loader = FileSystemLoader([HERE, STYLE])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("history.html").render(
        newest=newest,
        machine=machine(newest),
        kinds={"floor": "The least that the work can cost", "peer": "What others make of the same work"},
        drawn=drawn,
        groups=sorted(groups.items()),
        not_run=not_run(newest, known),
        runs=[(run.name, machine(run), " ".join(run.arguments), len(run.figures)) for run in reversed(runs)],
        recorded=kept.get("at", ""),
        left_out=left_out,
        width=WIDTH,
        height=HEIGHT,
    )


def line(verdict: Verdict, runs: Sequence[Run]) -> Line:
    """Places are by number of the run, not by time: a pause of a month is no distance."""
    values = [(place, value) for place, run in enumerate(runs) if (value := verdict.ratio.of(run)) is not None]
    limit = None if verdict.recorded is None else verdict.recorded * verdict.ratio.allowed
    top = max([value for _, value in values] + ([limit] if limit else []), default=1.0) * 1.1
    step = (WIDTH - 2 * MARGIN) / max(1, len(runs) - 1)

    def height(value: float) -> float:
        return HEIGHT - MARGIN - value / top * (HEIGHT - 2 * MARGIN)

    points = tuple((MARGIN + place * step, height(value)) for place, value in values)
    return Line(verdict=verdict, points=points, limit_y=None if limit is None else height(limit))


def told(verdict: Verdict) -> str:
    """One verdict with both figures, in words."""
    assert verdict.now is not None
    assert verdict.change is not None
    return (
        f"{verdict.ratio.name}: {verdict.now:.3g} × {verdict.ratio.peer or 'the floor'}, recorded {verdict.recorded:.3g}:"
        f" {verdict.change:.2f} times as much, {verdict.ratio.allowed:g} allowed"
    )


def machine(run: Run) -> str:
    """What the figures belong to, in one line."""
    facts = run.machine
    changed = ", changed since" if facts.get("changed") else ""
    load = (facts.get("load") or ["unknown"])[0]
    return f"{facts.get('cpu')}, {facts.get('cores')} cores, load {load}, commit {str(facts.get('commit'))[:12]}{changed}"


def seconds(value: float) -> str:
    """Three digits and the unit that suits."""
    scale, unit = next(((scale, unit) for scale, unit in UNITS if value >= scale), UNITS[-1])
    return f"{value / scale:.3g} {unit}"
