"""Which records' dates can be trusted. Durations come from boot time and never hang on it; hours, days and periods do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gate.records import TransactionRecord

STEP_S = 60.0
"""Wall time that ran this much more, or less, than boot time from one record to the next was set by somebody."""
APART = timedelta(days=7)
"""A gate whose records are this far from those of all others had another calendar, or another trial."""
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A record's wall time, with the boot seconds at which it was written."""

    at: datetime
    boot: float
    transaction: str


def undated_moments(moments: Sequence[Moment]) -> set[str]:
    """Transactions that were written while the clock showed something else than for most of that boot of the machine.

    A clock that was wrong all the time looks like one that was right: see :func:`gates_apart`.
    """
    doubted: set[str] = set()
    boots: list[list[list[Moment]]] = []
    last: Moment | None = None
    for moment in moments:
        if last is None or moment.boot < last.boot:
            boots.append([[]])
        elif abs((moment.at - last.at).total_seconds() - (moment.boot - last.boot)) > STEP_S:
            boots[-1].append([])
        boots[-1][-1].append(moment)
        last = moment
    for stretches in boots:
        believed = max(stretches, key=lambda stretch: sum(len(other) for other in stretches if _agree(stretch, other)))
        doubted |= {moment.transaction for stretch in stretches if not _agree(stretch, believed) for moment in stretch}
    return doubted - {""}


def _agree(one: Sequence[Moment], other: Sequence[Moment]) -> bool:
    """Whether the clock showed the same in both stretches of one boot."""
    return abs((one[0].at - other[0].at).total_seconds() - (one[0].boot - other[0].boot)) <= STEP_S


def gates_apart(records: Iterable[TransactionRecord], now: datetime | None) -> set[tuple[str, str]]:
    """(lane, transaction) of records whose date cannot be: the gate itself doubted its clock; it lies in the future of ``now`` (simulated
    time may); or the gate's records are all :data:`APART` from every other gate's, and fewer.
    """
    lanes: dict[str, list[TransactionRecord]] = {}
    doubted: set[tuple[str, str]] = set()
    for record in records:
        lanes.setdefault(f"{record.checkpoint} {record.lane}", []).append(record)
        ahead = now is not None and not record.demonstration and record.ended > now + AHEAD
        if ahead or (record.decisions and record.decisions[-1].evidence.value("clock") == "doubtful"):
            doubted.add((record.lane, record.transaction))
    spans = {lane: (min(r.started for r in own), max(r.started for r in own)) for lane, own in lanes.items()}
    sizes = Counter({lane: len(own) for lane, own in lanes.items()})
    for lane, (first, last) in spans.items():
        others = [span for name, span in spans.items() if name != lane]
        alone = all(last + APART < begin or end + APART < first for begin, end in others)
        if others and alone and sizes[lane] < sizes.total() - sizes[lane]:
            doubted |= {(record.lane, record.transaction) for record in lanes[lane]}
    return doubted
