"""What a log says of a breach: how many people it concerns, which data, what the gate did. No person's data comes out of here.

The log names nobody. A person is told from another by the keyed hash of their book, under the key of one gate; whoever came to two
gates counts twice. So every number is a most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from gate.audit.chain import AuditError, AuditReader, decode
from gate.audit.log import FILE_NAME, open_readonly
from gate.clock import CHECKPOINT_ZONES
from gate.privacy.inventory import Store, inventory
from gate.records import LaneEvent, OfficerActed, TransactionRecord

DEADLINE = timedelta(hours=72)
"""Three times 24 hours, counted from when the breach became known (UU 27/2022 art. 46)."""
CHILD_AGES = frozenset({"under_6", "from_6_to_13", "from_14_to_17"})
"""Words of the fact ``age``; children's data are specific (UU 27/2022 art. 4)."""
LOOKS = ("viewed", "pictures")
"""Kinds of record that say that somebody looked at a case, or at its pictures."""
EXPOSABLE = tuple(store.id for store in inventory().store)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``begin`` (inclusive) to ``end`` (exclusive), aware: while it went on. ``exposed``: ids of stores. ``known``: when it was found out."""

    begin: datetime
    end: datetime
    exposed: tuple[str, ...] = ("log",)
    known: datetime | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for times without zone or in the wrong order, for a store that is none, and for none."""
        if any(each.tzinfo is None for each in (self.begin, self.end, self.known) if each):
            raise ValueError("a time without zone: write it as 2026-03-02T10:00+07:00")
        if self.begin >= self.end or (self.known and self.known < self.begin):
            raise ValueError("it ends, or is known, before it begins")
        if not self.exposed or set(self.exposed) - set(EXPOSABLE):
            raise ValueError(f"what was exposed is one or more of {', '.join(EXPOSABLE)}")

    @property
    def stores(self) -> tuple[Store, ...]:
        return tuple(store for store in inventory().store if store.id in self.exposed)

    def concerns(self, record: TransactionRecord) -> bool:
        """Whether data of this traveller were exposed: a log shows all that stands in it, memory and screens who is there meanwhile."""
        subjects = {store.subjects for store in self.stores}
        there = record.started < self.end and record.ended >= self.begin
        return ("recorded" in subjects and record.ended < self.end) or ("present" in subjects and there)


@dataclass(slots=True, kw_only=True)
class Concerned:
    """Counted over logs. ``books``: distinct documents; ``unread``: crossings whose document was not read, so that nobody knows whose;
    ``hidden``: those whose personal fields cannot be opened, here or by anybody any more.
    """

    crossings: list[tuple[str, str]] = field(default_factory=list)
    """Gate and id of each, for whoever asks the registry of crossings who they were."""
    books: set[tuple[str, str]] = field(default_factory=set)
    children: set[tuple[str, str]] = field(default_factory=set)
    foreigners: set[tuple[str, str]] = field(default_factory=set)
    officers: set[str] = field(default_factory=set)
    unread: int = 0
    hidden: int = 0
    lanes: set[str] = field(default_factory=set)
    checkpoints: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    demonstrations: int = 0
    looked: Counter[str] = field(default_factory=Counter)
    """How often a case (``viewed``) or its pictures (``pictures``) were looked at while it went on, by the kind of record."""

    @property
    def people(self) -> int:
        """At most so many."""
        return len(self.books) + self.unread + self.hidden

    def count(self, record: TransactionRecord, *, hidden: bool = False) -> None:
        self.crossings.append((record.lane, record.transaction))
        self.lanes.add(record.lane)
        self.checkpoints.add(record.checkpoint)
        self.first = min(record.started, self.first or record.started)
        self.last = max(record.ended, self.last or record.ended)
        self.demonstrations += record.demonstration
        if hidden or not record.document_key:
            self.hidden += hidden
            self.unread += not hidden
            return
        book = (record.lane, record.document_key)
        self.books.add(book)
        told = {name: {each.evidence.value(name) for each in record.decisions} for name in ("age", "nationality")}
        if told["age"] & CHILD_AGES:
            self.children.add(book)
        if "foreigner" in told["nationality"]:
            self.foreigners.add(book)

    @property
    def zone(self) -> timezone:
        """The checkpoint's, where it is one that is known; else UTC."""
        places = {CHECKPOINT_ZONES[each] for each in self.checkpoints if each in CHECKPOINT_ZONES}
        return timezone(places.pop()) if len(places) == 1 else UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that the log says was done: ``what`` is ``closed`` (by an officer) or ``out_of_service`` (the lane by itself)."""

    at: datetime
    lane: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """All that the notice says out of logs."""

    question: Question
    concerned: Concerned
    steps: tuple[Step, ...]


def breach(question: Question, states: Sequence[Path]) -> Breach:
    """From the logs in state folders, or copies of them. Raises AuditError where one is absent or cannot be read."""
    concerned, steps = Concerned(), list[Step]()
    for state in states:
        with open_readonly(state / FILE_NAME) as log:
            lanes = _counted(log.transactions(), question, concerned)
            steps += _steps(log, question, ", ".join(sorted(lanes)))
            concerned.officers |= _officers(log, question)
            concerned.looked.update(_looked(log, question))
    return Breach(question=question, concerned=concerned, steps=tuple(sorted(steps, key=lambda step: step.at)))


def _counted(records: Iterable[TransactionRecord], question: Question, concerned: Concerned) -> set[str]:
    """The lanes of the log, of which each gate has one."""
    lanes = set()
    for record in records:
        lanes.add(record.lane)
        if question.concerns(record):
            concerned.count(record)
    return lanes


def _steps(log: AuditReader, question: Question, lane: str) -> Iterator[Step]:
    """From the beginning on, also after its end: what was done once it was known is done late."""
    for record in log.records():
        at = datetime.fromisoformat(record.at)
        if at < question.begin or record.kind not in {"officer", "event"}:
            continue
        with suppress(AuditError):  # an event of another type
            if record.kind == "officer":
                act = decode(record, OfficerActed)
                if act.action == "close" and not (act.refused or act.awaits_second):
                    yield Step(at=at, lane=lane, what="closed")
            elif decode(record, LaneEvent).after == "out_of_service":
                yield Step(at=at, lane=lane, what="out_of_service")


def _looked(log: AuditReader, question: Question) -> Iterator[str]:
    """Whoever misuses a console looks at cases: each look is a record."""
    for record in log.records():
        if record.kind in LOOKS and question.begin <= datetime.fromisoformat(record.at) < question.end:
            yield record.kind


def _officers(log: AuditReader, question: Question) -> set[str]:
    """Those whose acts a reader of the log could see."""
    if "log" not in question.exposed:
        return set()
    acts = ((datetime.fromisoformat(record.at), decode(record, OfficerActed)) for record in log.records("officer"))
    return {act.officer for at, act in acts if at < question.end and act.officer}
