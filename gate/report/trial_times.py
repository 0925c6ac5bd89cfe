"""How long transactions took, what of it was people and doors, and which work hid behind what.

A transaction lasts from the document's arrival until the lane is free again. Of the time in between, walking, waiting for an officer and
moving doors are nobody's computing; the rest is the machine's, whether it computed or waited for a chip or a registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

import numpy as np

from gate.outcome import Outcome
from gate.records import StageTiming, TransactionRecord
from gate.report.waterfall import hidden_ms

HUMAN = frozenset({"walk_in", "walk_out", "await_officer", "eject"})
DOORS = frozenset({"entry_close", "exit_close", "eject_close"})
FRAMES = frozenset({"capture", "decision.entry", "decision.exit"})
"""Stages that last as long as others within them; they are no work beside it."""
CLOCK_SET_S = 60.0
"""Where wall time and stages (boot time) differ by more, the clock was set meanwhile and the stages are believed."""
QUANTILES = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds over ``count`` occurrences; percentiles by nearest rank."""

    name: str
    room: str
    count: int
    p50: float
    p90: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """A percentile in milliseconds with its 95 % interval; None: the records are too few to bound it on that side."""

    share: float
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Milliseconds of one transaction: people, doors, and all else."""

    human: float
    doors: float
    machine: float

    @property
    def whole(self) -> float:
        return self.human + self.doors + self.machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """Mean milliseconds a transaction of one stage: beside people and doors, beside other work, and while all waited for it."""

    name: str
    count: int
    behind_people: float
    behind_work: float
    alone: float


def kind_of(name: str) -> str:
    """``human``, ``doors``, ``frame`` or ``work``."""
    if name in HUMAN or name.startswith("human."):
        return "human"
    return "doors" if name in DOORS else "frame" if name in FRAMES else "work"


def seconds_of(record: TransactionRecord) -> float:
    """From the document's arrival to the end."""
    wall = (record.ended - record.started).total_seconds()
    reach = max((stage.start_ms + stage.duration_ms for stage in record.stages), default=1000 * wall) / 1000
    return max(0.0, reach) if abs(wall - reach) > CLOCK_SET_S else wall


def split_of(record: TransactionRecord) -> Split:
    """What of a transaction was people and doors; where both moved, it was people."""
    whole = 1000 * seconds_of(record)
    human = _covered(record.stages, "human", whole)
    both = _covered(record.stages, "human doors", whole)
    return Split(human=human, doors=both - human, machine=whole - both)


def _covered(stages: Iterable[StageTiming], kinds: str, whole: float) -> float:
    """Milliseconds between 0 and ``whole`` in which a stage of these kinds ran."""
    covered, reach = 0.0, 0.0
    for stage in sorted((stage for stage in stages if kind_of(stage.name) in kinds.split()), key=lambda stage: stage.start_ms):
        start, end = max(stage.start_ms, reach), min(stage.start_ms + stage.duration_ms, whole)
        covered += max(0.0, end - start)
        reach = max(reach, end)
    return covered


def stage_times(records: Sequence[TransactionRecord]) -> list[Times]:
    """Every stage that occurs, in the order in which stages begin."""
    starts: dict[tuple[str, str], list[float]] = {}
    durations: dict[tuple[str, str], list[float]] = {}
    for record in records:
        for stage in record.stages:
            starts.setdefault((stage.name, stage.room), []).append(stage.start_ms)
            durations.setdefault((stage.name, stage.room), []).append(stage.duration_ms)
    ordered = sorted(starts, key=lambda key: (median(starts[key]), key))
    return [times(name, room, durations[name, room]) for name, room in ordered]


def times(name: str, room: str, values: Iterable[float]) -> Times:
    """Raises IndexError where there are none."""
    ranked = sorted(values)
    p50, p90, p95, p99 = (nearest_rank(ranked, share) for share in QUANTILES)
    return Times(name=name, room=room, count=len(ranked), p50=p50, p90=p90, p95=p95, p99=p99, longest=ranked[-1])


def nearest_rank(ranked: Sequence[float], share: float) -> float:
    return ranked[ceil(share * len(ranked)) - 1]


def quantiles(values: Iterable[float]) -> tuple[Quantile, ...]:
    """The percentiles of :data:`QUANTILES` with exact intervals, free of any assumption on how times are spread; none for no values."""
    ranked = sorted(values)
    return tuple(_quantile(ranked, share) for share in QUANTILES) if ranked else ()


def _quantile(ranked: Sequence[float], share: float) -> Quantile:
    low, high = rank_interval(len(ranked), share)
    return Quantile(
        share=share,
        value=nearest_rank(ranked, share),
        low=ranked[low - 1] if low else None,
        high=ranked[high - 1] if high <= len(ranked) else None,
    )


def rank_interval(count: int, share: float, confidence: float = 0.95) -> tuple[int, int]:
    """Ranks (from 1) between whose values the ``share`` quantile lies; 0 and ``count`` + 1 where no value bounds it.

    The number of values below a quantile is binomial, whatever they are spread like.
    """
    alpha, seen = (1 - confidence) / 2, np.arange(count)
    steps = np.log((count - seen) / (seen + 1)) + np.log(share / (1 - share))
    below = np.cumsum(np.exp(count * np.log1p(-share) + np.concatenate(([0.0], np.cumsum(steps)))))  # P(X ≤ k)
    low = int(np.searchsorted(below, alpha, side="right"))  # P(X ≤ low − 1) ≤ α
    high = int(np.searchsorted(below, 1 - alpha, side="left")) + 1  # P(X ≥ high) ≤ α
    return low, min(high, count + 1)


def hidden_stages(records: Sequence[TransactionRecord]) -> list[Hidden]:
    """What each stage of work cost, and what of that nobody waited for; the costliest first. Means over ``records``."""
    sums: dict[str, list[float]] = {}
    for record in records:
        for name, parts in _beside(record.stages).items():
            found = sums.setdefault(name, [0.0, 0.0, 0.0, 0.0])
            found[:] = [found[0] + 1, *(a + b for a, b in zip(found[1:], parts, strict=True))]
    rows = [
        Hidden(name=name, count=int(n), behind_people=a / len(records), behind_work=b / len(records), alone=c / len(records))
        for name, (n, a, b, c) in sums.items()
    ]
    return sorted(rows, key=lambda row: (-(row.behind_people + row.behind_work + row.alone), row.name))


def _beside(stages: Sequence[StageTiming]) -> dict[str, list[float]]:
    """By stage of work: milliseconds beside people or doors, beside other work, alone."""
    kinds = [kind_of(stage.name) for stage in stages]
    edges = sorted(
        (time, begins, index)
        for index, stage in enumerate(stages)
        if kinds[index] != "frame" and not _frames(stage, stages)
        for time, begins in ((stage.start_ms, 1), (stage.start_ms + stage.duration_ms, 0))
    )
    found: dict[str, list[float]] = {stage.name: [0.0] * 3 for stage, kind in zip(stages, kinds, strict=True) if kind == "work"}
    running: set[int] = set()
    last = 0.0
    for time, begins, index in edges:
        work = [each for each in running if kinds[each] == "work"]
        place = 0 if len(work) < len(running) else 1 if len(work) > 1 else 2
        for each in work:
            found[stages[each].name][place] += time - last
        (running.add if begins else running.discard)(index)
        last = time
    return found


def _frames(stage: StageTiming, stages: Sequence[StageTiming]) -> bool:
    """Whether it spans another stage of its own family in its process, as a comparison does the features it compares."""
    family, end = stage.name.partition(".")[0], stage.start_ms + stage.duration_ms
    return any(
        other is not stage
        and other.room == stage.room
        and other.name.partition(".")[0] == family
        and other.duration_ms < stage.duration_ms
        and stage.start_ms <= other.start_ms
        and other.start_ms + other.duration_ms <= end
        for other in stages
    )


def saved_ms(records: Sequence[TransactionRecord]) -> float | None:
    """Median of how much longer the same steps would take one after another; None where there are no stages to ask."""
    saved = [hidden_ms(_steps(record.stages)) for record in records if record.stages]
    return median(saved) if saved else None


def _steps(stages: Sequence[StageTiming]) -> list[StageTiming]:
    return [stage for stage in stages if kind_of(stage.name) != "frame" and not _frames(stage, stages)]


def median_transaction(records: Sequence[TransactionRecord]) -> TransactionRecord | None:
    """The lower median by duration of those that opened, else of all; a real transaction, not an average of several."""
    opened = [record for record in records if record.outcome is Outcome.OPEN] or list(records)
    ranked = sorted(opened, key=seconds_of)
    return ranked[(len(ranked) - 1) // 2] if ranked else None
