"""Outcomes and reasons by class, and how many came when and where. Groups of few real people are shown only with others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timezone

from gate.clock import CHECKPOINT_ZONES
from gate.evidence import NOT_PERFORMED
from gate.outcome import Outcome
from gate.records import TransactionRecord
from gate.report.disclosure import K, kept_apart
from gate.report.intervals import Share
from gate.report.official import gate_name

OTHERS = "others together"


NOT_READ = "document not read"
"""Stands for the class where none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """One document class in one direction, or what is too small to stand alone."""

    name: str
    trials: int
    outcomes: tuple[Share, ...]
    reasons: tuple[Share, ...]

    @property
    def few(self) -> bool:
        """Whether these are too few people for the figures to leave the trial."""
        return self.trials < K


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Travellers of one gate: ``per_hour`` in hours in which anybody came, ``busiest`` hour, in order (hour's beginning, travellers)."""

    name: str
    transactions: int
    passed: Share
    per_hour: float
    busiest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Transactions by day (rows) and hour of the checkpoint's own clock; None: too few to be shown, with others of its size."""

    days: tuple[str, ...]
    cells: tuple[tuple[int | None, ...], ...]

    @property
    def most(self) -> int:
        return max((cell or 0 for row in self.cells for cell in row), default=0)


Groups = dict[str, list[TransactionRecord]]


def grouped(records: Iterable[TransactionRecord], name_of: Callable[[TransactionRecord], str], *, few: bool) -> Groups:
    """``records`` by name. Unless ``few``, no group is of fewer than K people, nor follows from the others: it is in :data:`OTHERS`,
    and where that is too small as well there are no groups.
    """
    groups: Groups = {}
    for record in records:
        groups.setdefault(name_of(record), []).append(record)
    if few:
        return dict(sorted(groups.items()))
    apart = kept_apart({name: len(of) for name, of in groups.items()})
    told = {name: of for name, of in sorted(groups.items()) if name in apart}
    rest = [record for name, of in groups.items() if name not in apart for record in of]
    return {**told, OTHERS: rest} if len(rest) >= K else told


def class_tables(records: Sequence[TransactionRecord], *, few: bool = True) -> list[ClassTable]:
    """Outcomes (all five, so that a zero is seen) and reasons per class and direction. One record may have several reasons."""
    groups = grouped(records, lambda record: f"{_class_of(record)}, {record.direction}", few=few)
    return [
        ClassTable(
            name=name,
            trials=len(group),
            outcomes=_shares(Counter(record.outcome for record in group), list(Outcome), len(group)),
            reasons=reasons(group),
        )
        for name, group in groups.items()
    ]


def reasons(records: Sequence[TransactionRecord]) -> tuple[Share, ...]:
    """Every reason that occurs, the most frequent first, of all transactions."""
    return _shares(Counter(code for record in records for code in set(record.reasons)), None, len(records))


def _shares(counts: Counter[Outcome] | Counter[str], names: Sequence[str] | None, trials: int) -> tuple[Share, ...]:
    found = {str(name): hits for name, hits in sorted(counts.items(), key=lambda item: (-item[1], item[0]))}
    return tuple(Share(name=str(name), hits=found.get(str(name), 0), trials=trials) for name in names or found)


def gate_table(records: Sequence[TransactionRecord], *, few: bool = True) -> list[Gate]:
    """How many each gate served. ``records``: those whose dates are believed."""
    groups = grouped(records, lambda record: gate_name(record.checkpoint, record.lane), few=few)
    return [_gate(name, group) for name, group in groups.items()]


def _gate(name: str, records: Sequence[TransactionRecord]) -> Gate:
    hours = Counter((record.lane, _local(record).replace(minute=0, second=0, microsecond=0)) for record in records)
    opened = sum(record.outcome is Outcome.OPEN for record in records)
    return Gate(
        name=name,
        transactions=len(records),
        passed=Share(name="passed", hits=opened, trials=len(records)),
        per_hour=len(records) / len(hours),
        busiest=max(hours.values()),
    )


def heat_map(records: Sequence[TransactionRecord], *, few: bool = True) -> HeatMap:
    """By calendar day and hour. ``records``: those whose dates are believed."""
    counts = Counter(f"{_local(record):%Y-%m-%d %H}" for record in records)
    days = sorted({name[:10] for name in counts})
    apart = counts.keys() if few else kept_apart(counts)

    def cell(day: str, hour: int) -> int | None:
        name = f"{day} {hour:02}"
        return counts[name] if name in apart or name not in counts else None

    return HeatMap(days=tuple(days), cells=tuple(tuple(cell(day, hour) for hour in range(24)) for day in days))


def hourly(values: Mapping[datetime, int | None]) -> HeatMap:
    """Values of hours, each under the hour of its own zone."""
    named = {f"{at:%Y-%m-%d %H}": value for at, value in values.items()}
    days = sorted({name[:10] for name in named})
    return HeatMap(days=tuple(days), cells=tuple(tuple(named.get(f"{day} {hour:02}", 0) for hour in range(24)) for day in days))


def empty_days(heat: HeatMap) -> int:
    """Days between the first and the last on which nobody came."""
    if not heat.days:
        return 0
    first, last = (datetime.fromisoformat(day) for day in (heat.days[0], heat.days[-1]))
    return (last - first).days + 1 - len(heat.days)


def at_checkpoint(instant: datetime, checkpoint: str) -> datetime:
    """By the checkpoint's clock; UTC where its zone is not known."""
    return instant.astimezone(timezone(CHECKPOINT_ZONES[checkpoint]) if checkpoint in CHECKPOINT_ZONES else UTC)


def _local(record: TransactionRecord) -> datetime:
    return at_checkpoint(record.started, record.checkpoint).replace(tzinfo=None)


def _class_of(record: TransactionRecord) -> str:
    """The document was not read far enough to know, or the lane died meanwhile."""
    return NOT_READ if record.document_class in {"", NOT_PERFORMED} else record.document_class
