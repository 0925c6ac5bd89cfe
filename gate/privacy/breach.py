"""What a log says of a breach: how many people it concerns, which data, what the gate did. No person's data comes out of here.

The log names nobody. A person is told from another by the keyed hash of their book, under the key of one gate; whoever came to two
gates counts twice. So every number is a most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from gate.audit.chain import AuditError, AuditReader, AuditRecord, decode
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
    vague: int = 0
    """Crossings of which nobody can tell any more who was a child, or a foreigner."""
    lanes: set[str] = field(default_factory=set)
    checkpoints: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    demonstrations: int = 0
    damaged: int = 0
    """Logs of which not everything could be read: then every number is a least."""
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


def breach(question: Question, states: Sequence[Path], sealing_key: Path | None = None) -> Breach:
    """From the logs in state folders, or copies of them. Raises AuditError where one is absent; of a damaged one what can be read counts.

    ``sealing_key``: the file with the key that opens personal fields, by default a demonstration's. Whatever stays shut is counted as such.
    """
    concerned, steps = Concerned(), list[Step]()
    for state in states:
        with open_readonly(state / FILE_NAME, sealing_key=sealing_key) as log:
            steps += _read(log, question, concerned)
    return Breach(question=question, concerned=concerned, steps=tuple(sorted(steps, key=lambda step: step.at)))


def _read(log: AuditReader, question: Question, concerned: Concerned) -> list[Step]:
    """One pass. A gate has one lane, which its transactions name."""
    lanes, steps, unread = set[str](), list[tuple[datetime, str]](), 0
    try:
        for record in log.records():
            at = datetime.fromisoformat(record.at)
            try:
                if record.kind == "transaction":
                    lanes.add(_crossed(record, question, concerned))
                elif what := _done(record):
                    steps += [(at, what)] if at >= question.begin else []
                if record.kind == "officer" and "log" in question.exposed and at < question.end:
                    concerned.officers |= {decode(record, OfficerActed).officer} - {""}
                if record.kind in LOOKS and question.begin <= at < question.end:
                    concerned.looked[record.kind] += 1
            except AuditError:
                unread += 1
    except AuditError:  # pages of the file are gone
        unread += 1
    concerned.damaged += bool(unread)
    return [Step(at=at, lane=", ".join(sorted(lanes)), what=what) for at, what in steps]


def _crossed(record: AuditRecord, question: Question, concerned: Concerned) -> str:
    """Count a crossing if it is concerned. Returns its lane."""
    crossing = decode(record, TransactionRecord)
    if question.concerns(crossing):
        concerned.count(crossing, hidden="document" in record.gone)
        concerned.vague += "findings" in record.gone
    return crossing.lane


def _done(record: AuditRecord) -> str:
    """What was done, of a record that says so; also after the end: what was done once it was known is done late."""
    if record.kind == "officer":
        act = decode(record, OfficerActed)
        return "closed" if act.action == "close" and not (act.refused or act.awaits_second) else ""
    if record.kind == "event":
        with suppress(AuditError):  # an event of another type
            return "out_of_service" if decode(record, LaneEvent).after == "out_of_service" else ""
    return ""
