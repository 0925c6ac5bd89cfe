"""The registries of a simulated trial: what they hold of the day's books, how soon they answer, when they are away, and their snapshots."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from joserfc.jwk import OKPKey

from gate.clock import SystemClock
from gate.evidence import Direction
from gate.registries import snapshot, watchlist
from gate.registries.arrival_declaration import ArrivalDeclarationRecord
from gate.registries.base import Contract, Found, NotListed, Question, RegistryAnswer, Unavailable
from gate.registries.breaker import CircuitBreaker
from gate.registries.connected_one import ConnectedOneRecord
from gate.registries.contracts import CONTRACTS, CROSSING
from gate.registries.exit_permit import ExitPermitRecord
from gate.registries.issuance import IssuanceRecord, IssuanceStage
from gate.registries.lost_and_stolen import LostAndStolenRecord
from gate.registries.matching import check
from gate.registries.names import ListedPerson
from gate.registries.snapshot_store import SnapshotStore
from gate.registries.stay_permit import StayPermitRecord
from gate.simulation.people import LISTED_NAME, Person
from gate.simulation.scenario import Number
from gate.sop import SPPT_2014, STAGES

ASKED = tuple(name for name in CONTRACTS if name != CROSSING)
DEADLINE_S = 0.8
"""What a question waits for an answer; the configuration's default."""
LASTS = timedelta(hours=72)
ISSUED = datetime(2024, 5, 6, 9, 0, tzinfo=UTC)
PERIOD = timedelta(days=60)


class Books:
    """What the registries of one airport hold."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key
        self._records: dict[str, dict[tuple[str, str], tuple[Any, ...]]] = {name: {} for name in ASKED}
        self.listed: tuple[ListedPerson, ...] = ()
        self.away: list[tuple[float, float]] = []
        """Outages of all of them, in seconds of the simulation."""
        self._version = 0
        self._arrives: dict[tuple[str, str], float] = {}

    def learn(self, people: Iterable[Person], direction: Direction, begins: datetime) -> None:
        """All that there is to know of ``people``; ``begins``: midnight of the first day at the checkpoint."""
        for person in people:
            self._arrives[person.state, person.document_number] = person.arrives
            for registry, record in _records(person, direction, begins + timedelta(seconds=person.arrives)):
                self._records[registry][person.state, person.document_number] = (record,)
        self.listed = tuple(_listed(name, begins) for name in ("pencegahan", "penangkalan", "wanted"))

    def reply(self, contract: Contract[Any], question: Any, now: datetime) -> Any:
        """What an honest registry replies."""
        if contract.name == watchlist.CONTRACT.name:
            found = check(question.person, self.listed, question.list, now)
            return watchlist.WatchlistReply(answer=found.word, list=question.list)
        assert contract.judged is not None
        return contract.judged(self._records[contract.name].get((question.issuing_state, question.document_number), ()), question)

    def publish(self, store: SnapshotStore, now: datetime, window: tuple[float, float]) -> None:
        """Sign snapshots and have ``store`` take them, as a gate's timer does. They hold all books whose holders come within ``window``
        (seconds of the simulation): nobody asks about the others.
        """
        self._version += 1
        for name in ASKED:
            lines = [msgspec.json.encode(each) for each in self._entries(name, *window)]
            sent = snapshot.published(
                lines, self._key, registry=name, gate=store.gate, version=self._version, as_of=now, expires=now + LASTS
            )
            store.take(CONTRACTS[name], io.BytesIO(b"".join(sent)), self._key, now)

    def _entries(self, name: str, since: float, until: float) -> Sequence[Any]:
        if name == watchlist.CONTRACT.name:
            return self.listed
        return [
            {"issuing_state": state, "document_number": number, "records": records}
            for (state, number), records in self._records[name].items()
            if since <= self._arrives[state, number] <= until
        ]


class LiveRegistry:
    """One registry as a gate reaches it over the network: late, and at times not at all. A ``Source``."""

    def __init__(self, name: str, books: Books, latency_s: Number, *, dice: random.Random, clock: SystemClock) -> None:
        self._contract: Contract[Any] = CONTRACTS[name]
        self._books, self._latency_s, self._dice, self._clock = books, latency_s, dice, clock
        self._breaker = CircuitBreaker(now=clock.boot)

    async def ask(self, question: Question) -> RegistryAnswer[Any]:
        """As the real client, whose breaker it has."""
        name = self._contract.name
        if not self._breaker.admits():
            return Unavailable(source=name, why="circuit_open", latency_ms=0.0)
        takes_s = self._latency_s.draw(self._dice)
        away = any(begins <= self._clock.boot() < ends for begins, ends in self._books.away)
        late = away or takes_s > DEADLINE_S
        await asyncio.sleep(min(takes_s, DEADLINE_S) if not away else DEADLINE_S)
        self._breaker.ended(well=not late)
        if late:
            return Unavailable(source=name, why="timeout", latency_ms=DEADLINE_S * 1000)
        now = self._clock.wall()
        reply = self._books.reply(self._contract, question, now)
        if reply.answer == self._contract.nothing:
            return NotListed(source=name, as_of=now, latency_ms=takes_s * 1000, freshness_s=0.0)
        return Found(source=name, as_of=now, latency_ms=takes_s * 1000, freshness_s=0.0, reply=reply)

    async def close(self) -> None: ...


def _listed(name: Any, now: datetime) -> ListedPerson:
    return ListedPerson(
        list=name,
        primary_identifier=LISTED_NAME[0],
        secondary_identifier=LISTED_NAME[1],
        birth="850417",
        sex="F",
        valid_from=now - PERIOD,
        valid_to=now + PERIOD,
    )


def _records(person: Person, direction: Direction, now: datetime) -> Iterable[tuple[str, msgspec.Struct]]:
    """(registry, record) of one book."""
    book: Any = person.document_class
    if person.citizen:
        yield "issuance", _issued(person)
    else:
        yield "stay_permit", StayPermitRecord(kind="e_voa", valid_to=(now + PERIOD).date())
    if person.official:
        yield (
            "connected_one",
            ConnectedOneRecord(
                status="active",
                document_class=book,
                biometric_recorded=person.recorded,
                dg2_sha256=person.portrait_sha256 if person.recorded else None,
                capturing_office=person.office,
            ),
        )
    if person.official and direction is Direction.DEPARTURE and person.permit != "none":
        last = now + PERIOD if person.permit == "valid" else now - PERIOD
        yield "exit_permit", ExitPermitRecord(document_class=book, valid_to=last.date())
    if person.listed == "lost_and_stolen":
        yield "lost_and_stolen", LostAndStolenRecord()
    if direction is Direction.ARRIVAL and person.declared:
        yield "arrival_declaration", ArrivalDeclarationRecord(arrival=now.date())


def _issued(person: Person) -> IssuanceRecord:
    book: Any = person.document_class
    stages = [name for name in STAGES if not (person.stage_missing and name == "interview")]
    return IssuanceRecord(
        status="revoked" if person.listed == "revoked" else "active",
        document_class=book,
        office=person.office,
        chip=person.chip != "none",
        sop_version=SPPT_2014,
        stages=tuple(
            IssuanceStage(name=name, at=ISSUED + timedelta(hours=place), office=person.office)
            for place, name in enumerate(stages)
        ),
        distinct_approver=True,
    )
