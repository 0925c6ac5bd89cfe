"""The trial's evidence as one self-contained page: what was counted, how sure that is, how long it took, what it cannot show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from gate.outcome import Outcome
from gate.records import TransactionRecord
from gate.report.disclosure import K
from gate.report.intervals import Share, trials_needed
from gate.report.official import SOURCES, official_places, outcomes_by_source, registries_by_source
from gate.report.page import template
from gate.report.waterfall import WIDTH, hidden_ms, waterfall

PLANNED_RATE = 0.025
"""Published refusal rate of autogates, 2–3 %: what a trial is planned for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """One document class in one direction."""

    name: str
    trials: int
    outcomes: tuple[Share, ...]
    reasons: tuple[Share, ...]

    @property
    def few(self) -> bool:
        """Whether these are too few people for the figures to leave the trial."""
        return self.trials < K


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds over ``count`` occurrences; percentiles by nearest rank."""

    name: str
    room: str
    count: int
    p50: float
    p95: float
    longest: float


def render_trial(records: Iterable[TransactionRecord]) -> str:
    """One HTML page without any reference to another file. Takes any records in any order, none included."""
    kept, left_out = sift(records)
    sample = median_transaction(kept)
    return template("trial.html").render(
        records=kept,
        left_out=left_out,
        lanes=sorted({f"{record.checkpoint} {record.lane} ({record.kind.replace('_', ' ')})" for record in kept}),
        profiles=sorted({_profile(record) for record in kept}),
        rules=sorted({decision.decision.rules_version for record in kept for decision in record.decisions}),
        backends=sorted(Counter(item for record in kept for item in record.backends.items()).items()),
        demonstrations=sum(record.demonstration for record in kept),
        tables=class_tables(kept),
        official=official_places(kept),
        needed=[trials_needed(PLANNED_RATE, half_width) for half_width in (0.005, 0.01)],
        k=K,
        sources=SOURCES,
        by_outcome=outcomes_by_source(kept),
        by_registry=registries_by_source(kept),
        times=stage_times(kept),
        whole=_times("whole transaction", "", [1000 * _seconds(record) for record in kept]) if kept else None,
        sample=sample,
        chart=waterfall(sample.stages) if sample else None,
        chart_width=WIDTH,
        hidden_ms=hidden_ms(sample.stages) if sample else 0.0,
    )


def sift(records: Iterable[TransactionRecord]) -> tuple[list[TransactionRecord], list[tuple[str, str]]]:
    """The records that count, in time order, and (transaction, why) of those that do not."""
    kept: dict[tuple[str, str], TransactionRecord] = {}
    left_out: list[tuple[str, str]] = []
    for record in records:
        key = (record.lane, record.transaction)
        if record.ended < record.started:
            left_out.append((record.transaction, "ends before it starts"))
        elif key in kept:
            left_out.append((record.transaction, "the same transaction again; the first one counts"))
        else:
            kept[key] = record
    return sorted(kept.values(), key=lambda record: record.started), left_out


def class_tables(records: Sequence[TransactionRecord]) -> list[ClassTable]:
    """Outcomes (all five, so that a zero is seen) and reasons per class and direction. One record may have several reasons."""
    groups: dict[str, list[TransactionRecord]] = {}
    for record in records:
        groups.setdefault(f"{record.document_class}, {record.direction}", []).append(record)
    return [
        ClassTable(
            name=name,
            trials=len(group),
            outcomes=_shares(Counter(record.outcome for record in group), list(Outcome), len(group)),
            reasons=_shares(Counter(code for record in group for code in set(record.reasons)), None, len(group)),
        )
        for name, group in sorted(groups.items())
    ]


def _shares(counts: Counter[Outcome] | Counter[str], names: Sequence[str] | None, trials: int) -> tuple[Share, ...]:
    found = {str(name): hits for name, hits in counts.most_common()}
    return tuple(Share(name=str(name), hits=found.get(str(name), 0), trials=trials) for name in names or found)


def stage_times(records: Sequence[TransactionRecord]) -> list[Times]:
    """Every stage that occurs, in the order in which stages begin."""
    starts: dict[tuple[str, str], list[float]] = {}
    durations: dict[tuple[str, str], list[float]] = {}
    for record in records:
        for stage in record.stages:
            starts.setdefault((stage.name, stage.room), []).append(stage.start_ms)
            durations.setdefault((stage.name, stage.room), []).append(stage.duration_ms)
    ordered = sorted(starts, key=lambda key: (median(starts[key]), key))
    return [_times(name, room, durations[name, room]) for name, room in ordered]


def _times(name: str, room: str, values: list[float]) -> Times:
    ranked = sorted(values)

    def nearest_rank(share: float) -> float:
        return ranked[ceil(share * len(ranked)) - 1]

    return Times(name=name, room=room, count=len(ranked), p50=nearest_rank(0.5), p95=nearest_rank(0.95), longest=ranked[-1])


def median_transaction(records: Sequence[TransactionRecord]) -> TransactionRecord | None:
    """The lower median by duration of those that opened, else of all; a real transaction, not an average of several."""
    opened = [record for record in records if record.outcome is Outcome.OPEN] or list(records)
    ranked = sorted(opened, key=_seconds)
    return ranked[(len(ranked) - 1) // 2] if ranked else None


def _seconds(record: TransactionRecord) -> float:
    return (record.ended - record.started).total_seconds()


def _profile(record: TransactionRecord) -> str:
    words = {decision.evidence.value("profile") for decision in record.decisions}
    return ", ".join(sorted(words)) or "no decision"
