"""The gate of :mod:`benchmarks.outage`: its real clients, snapshots, rules and outbox of crossings, around a clock that is set."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.outage_world import CHECKPOINT, GATE, Centre, Person
from gate.clock import civil_date
from gate.config import Camera, Config, Controller, Face, Lane, Registries, Registry, RegistryTls, Scanner, Snapshots, Trust
from gate.decision import Outcome, PolicyDecision, decide_entry, decide_exit
from gate.evidence import VOCABULARY, Direction, Evidence, Fact, successful
from gate.policy.classes import document_class, enabled
from gate.policy.schema import RuleSet
from gate.processes.messages import MrzRead
from gate.registries.base import Source, Unavailable
from gate.registries.breaker import CircuitBreaker
from gate.registries.client import RegistryClient
from gate.registries.contracts import CONTRACTS, CROSSING
from gate.registries.crossing import FILE_NAME, Crossing, CrossingOutbox
from gate.registries.crossing_sender import CrossingSender
from gate.registries.envelope import AnswerReader, public_key
from gate.registries.offline import with_snapshot
from gate.registries.round import RegistryRound
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot_store import SnapshotStore
from gate.registries.transport import tls_context
from gate.registries_command import refresh

DEADLINE_S = 5.0
"""Real seconds that the gate waits for a registry on this busy machine."""
KEY = b"k" * 32
ASKED = frozenset(
    {
        "issuance",
        "document_model",
        "biometric_record",
        "issuer_portrait",
        "exit_permit",
        "pencegahan",
        "penangkalan",
        "wanted",
        "sltd",
        "stay_permit",
        "declaration",
    }
)
"""Facts that come from registries."""


class VirtualClock:
    """What time it is, as far as the gate is concerned."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def wall(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()


class Overheard:
    """A source that notes what each answer came from."""

    def __init__(self, source: Source[Any], heard: set[str]) -> None:
        self._source, self._heard = source, heard
        self.close = source.close

    async def ask(self, question: Any) -> Any:
        answer = await self._source.ask(question)
        self._heard.add("none" if isinstance(answer, Unavailable) else "snapshot" if answer.from_snapshot else "live")
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """One traveller at one moment. ``source``: the poorest of all that their registries answered from."""

    at: datetime
    hours: float
    phase: str
    person: Person
    source: str
    decision: PolicyDecision
    evidence: Evidence

    @property
    def facts(self) -> Mapping[str, Fact]:
        return self.evidence.facts

    @property
    def transaction(self) -> str:
        return self.evidence.transaction

    @property
    def opened(self) -> bool:
        return self.decision.outcome is Outcome.OPEN

    @property
    def clean(self) -> bool:
        return not self.person.barred(self.at) and not self.person.later(self.at)


class Gate:
    """All of the gate that matters here, around a clock that is set."""

    def __init__(self, folder: Path, centre: Centre, clock: VirtualClock, rules: RuleSet) -> None:
        self.clock, self.rules, self._centre = clock, rules, centre
        self.config = config_of(folder, centre)
        self.store = SnapshotStore(folder=folder / "snapshots", key=SnapshotKey.derive(KEY), gate=GATE)
        self._heard: set[str] = set()
        self._clients = {name: self._client(name) for name in CONTRACTS}
        self._sources = {
            name: Overheard(
                with_snapshot(source, CONTRACTS[name], self.store, wall=clock.wall, deadline_s=DEADLINE_S + 1.0), self._heard
            )
            for name, source in self._clients.items()
            if name != CROSSING
        }
        self._round = RegistryRound(self._sources, CHECKPOINT)
        self.outbox = CrossingOutbox.open(folder / FILE_NAME, SnapshotKey.derive(KEY), clock.wall())
        self.sender = CrossingSender(self.outbox, self._clients[CROSSING], sleep=_no_pause)
        self._number = 0

    def _client(self, name: str) -> RegistryClient[Any]:
        tls = self.config.registries.tls
        section = self.config.registries.named[name]
        assert tls is not None
        reader = AnswerReader(CONTRACTS[name], GATE, public_key(section.key), wall=self.clock.wall)
        return RegistryClient(
            CONTRACTS[name],
            section.url,
            reader,
            gate=GATE,
            tls=tls_context(tls),
            deadline_s=DEADLINE_S,
            breaker=CircuitBreaker(now=self.clock.seconds),
        )

    def wait_for(self, seconds: float) -> None:
        """Wait so long for any registry."""
        for client in self._clients.values():
            client._deadline_s = seconds

    def refresh(self) -> int:
        """Fetch the snapshots, as the timer's command does."""
        return refresh(self.config, self.store, self.clock.wall())

    async def judge(self, person: Person, phase: str, hours: float) -> Ruling:
        """Ask about ``person``, decide, and let them cross where both decisions say so."""
        now = self.clock.wall()
        self._number += 1
        transaction = f"{self._number:032x}"
        evidence = await self._evidence(person, now, transaction)
        decision = decide_entry(evidence, self.rules, now)
        if decision.outcome is Outcome.OPEN:
            decision = decide_exit(evidence, self.rules, now)
        source = next((word for word in ("none", "snapshot", "live") if word in self._heard), "none")
        ruling = Ruling(
            at=now,
            hours=hours,
            phase=phase,
            person=person,
            source=source,
            decision=decision,
            evidence=evidence,
        )
        if ruling.opened:
            await self._cross(ruling)
        return ruling

    async def _evidence(self, person: Person, now: datetime, transaction: str) -> Evidence:
        direction = Direction(person.direction)
        nationality = "citizen" if person.state == "IDN" else "foreigner"
        word = document_class(person.state, person.code, person.number, self.rules)
        read = _read(person, transaction, nationality)
        self._heard.clear()
        asked = self._round.questions(read, word, direction, now)
        answers = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
        facts = {name: successful(words[0]) for name, words in VOCABULARY.items() if name not in ASKED}
        for answer in answers.values():
            facts |= answer.facts
        portrait = answers["issuance"].portrait_sha256 if "issuance" in answers else ""
        served = enabled(
            self.rules,
            checkpoint=CHECKPOINT,
            lane=GATE,
            document_class=word,
            nationality=nationality,
            direction=direction,
            now=now,
        )
        told = {
            "nationality": nationality,
            "document_class": word,
            "profile": "trial",
            "enablement": "enabled" if served else "not_enabled",
            "issuer_portrait": "same" if portrait else "not_given",
        }
        return Evidence(
            transaction=transaction,
            lane=GATE,
            checkpoint=CHECKPOINT,
            direction=direction,
            civil_date=civil_date(now, CHECKPOINT),
            facts=facts | {name: successful(value) for name, value in told.items()},
        )

    async def _cross(self, ruling: Ruling) -> None:
        person = ruling.person
        await self.outbox.permitted(
            Crossing(
                transaction=ruling.transaction,
                gate=GATE,
                checkpoint=CHECKPOINT,
                direction=Direction(person.direction),
                issuing_state=person.state,
                document_number=person.number,
                document_class=ruling.facts["document_class"].value,
                permitted_at=ruling.at,
                rules_version=ruling.decision.rules_version,
                tolerances=ruling.decision.tolerances,
            )
        )
        await self.outbox.passed(ruling.transaction, ruling.at)

    async def close(self) -> None:
        for source in (*self._sources.values(), self._clients[CROSSING], self.outbox):
            await source.close()


async def _no_pause(_seconds: float) -> None:
    await asyncio.sleep(0)


def _read(person: Person, transaction: str, nationality: str) -> MrzRead:
    return MrzRead(
        transaction=transaction,
        facts={"nationality": successful(nationality)},
        issuing_state=person.state,
        document_code=person.code,
        document_number=person.number,
        primary_identifier=person.name[0],
        secondary_identifier=person.name[1],
        date_of_birth=person.birth,
        sex=person.sex,
    )


def config_of(folder: Path, centre: Centre, names: Iterable[str] = CONTRACTS) -> Config:
    """The configuration of a gate that keeps its state in ``folder`` and asks the registries ``names``."""
    tls, unused = centre.folder / "tls", Path("unused")
    registries = {
        name: Registry(url=f"https://127.0.0.1:{centre.port}", key=centre.folder / "public" / f"{name}.pem") for name in names
    }
    return Config(
        profile="demo",
        state_dir=folder,
        lane=Lane(id=GATE, checkpoint=CHECKPOINT, direction=Direction.DEPARTURE),
        scanner=Scanner(kind="simulator", address="unused"),
        camera=Camera(kind="simulator", address="unused"),
        controller=Controller(device="unused"),
        face=Face(pack="demo", packs_dir=unused),
        trust=Trust(store=unused),
        registries=Registries(
            tls=RegistryTls(ca=tls / "ca.pem", certificate=tls / "gate.pem", key=tls / "gate.key"),
            snapshots=Snapshots(folder=folder / "snapshots", key_file=unused),
            **registries,
        ),
    )
