"""One traveller's case in the lane process: collect the facts, have them judged, make the judgement durable, write the record.

A grant opens a door only after it is on disk (I9): the commit runs beside the loop and comes back as an event, and the lane's table
looks again at that moment whether the transaction still lives. Both go by the lane as it is seen now (``sight.py``). What makes things
safer never waits for a disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Protocol

import msgspec

from gate.audit.log import AuditError, AuditWriter
from gate.clock import SystemClock
from gate.config import Config
from gate.decision import Outcome, PolicyDecision, decide_entry, decide_exit
from gate.evidence import CheckResult, Direction, Fact, Stage, not_performed
from gate.lane import Event, State, View
from gate.policy.actions import LaneAction, lane_action
from gate.policy.classes import document_class, enabled
from gate.policy.schema import RuleSet
from gate.processes import messages as m
from gate.processes.bounds import (
    MOST_STAGES,
    bounded_backends,
    bounded_facts,
    bounded_inspection,
    bounded_stages,
    bounded_trail,
    bounded_words,
)
from gate.processes.lane_notes import LaneNotes
from gate.profiles import PROFILES
from gate.records import DecisionRecord, OfficerActed, StageTiming, TransactionRecord
from gate.registries.answers import Answers
from gate.registries.crossing_record import End
from gate.sop import flagged
from gate.transaction import Transaction

MOST_RULED = 16
"""Officers' orders that a transaction's record tells; the log has each."""
PARTING_S = 4.0
"""How long the screen keeps a referral's sentence after the transaction ended: long enough to read it twice."""
VOIDED = "PERMIT_VOIDED"
"""Reason of a transaction whose permit came to nothing, where no fact says why: the log refused it, or nobody went through."""
FRAME_MARGIN_S = 0.5
"""Vision stops looking this long before the lane stops waiting: then the record says what it saw, not merely that it was late."""
ISSUER = "issuance"
"""The registry that knows the issuer's portrait of the holder."""
DOCUMENT = "document"
"""What the reader still owes, beside the registries by name."""
ZONE = (
    "issuing_state",
    "document_code",
    "document_number",
    "primary_identifier",
    "secondary_identifier",
    "date_of_birth",
    "sex",
)
"""What officers are shown of the machine readable zone."""


class Helpers(Protocol):
    """Whom the casework sends and asks. ``tell`` does not wait."""

    def tell(self, role: m.Role, message: m.AnyMessage) -> None: ...
    def ask_registries(
        self, read: m.MrzRead, document_class: str, direction: Direction
    ) -> Mapping[str, Coroutine[None, None, Answers]]: ...
    async def crossing_permitted(self, record: DecisionRecord) -> bool: ...
    def crossing_ended(self, transaction: str, end: End, *, at: datetime) -> None: ...


class Casework(LaneNotes):
    """The case that runs, if one does, and what remains on the screens of the last ones. Runs on the lane's loop alone."""

    def __init__(
        self,
        config: Config,
        rules: RuleSet,
        audit: AuditWriter,
        *,
        clock: SystemClock,
        helpers: Helpers,
        key: bytes,
        rules_now: Callable[[], RuleSet] | None = None,
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        """``rules_now``: asked once for each traveller, who is judged by its answer to the end; without it by ``rules``.

        ``new_id``: names transactions. Nobody can guess one, but in a simulation that must come out the same again.
        """
        super().__init__(audit, clock)
        self._config, self._rules, self._helpers = config, rules, helpers
        self._document_key = hmac.digest(key, b"autogate document key", "sha256")
        self._direction = Direction(config.lane.direction)
        self._rules_now, self._new_id = rules_now or (lambda: rules), new_id
        self._waiting: set[str] = set()
        self._there = False
        self._capturing_since = 0.0
        self._unread = self._passed = self._exit_opened = False
        self._issuer_portrait: str | None = None
        self._chip_portrait = ""
        self._referral: tuple[LaneAction, float] | None = None
        self._ruled: tuple[OfficerActed, ...] = ()
        self.first_pass = ""
        """The officer who let the running traveller pass, where it takes a second one."""
        self.first_emergency = ""
        """The officer who wants the lane opened in an emergency, while a second one is waited for."""
        self.zone: tuple[tuple[str, str], ...] = ()
        """The running traveller's machine readable zone, by field, for officers; it lasts as long as the transaction and is not written down."""
        self.viewers: tuple[str, ...] = ()
        """Officers who opened the running case."""
        self.progress = 0.0
        self.guidance: m.Guidance = ""
        self.ended: tuple[TransactionRecord, ...] = ()
        self.backends: dict[str, str] = {}

    def attach(
        self,
        apply: Callable[[Event], None],
        post: Callable[[Callable[[], None]], None],
        gate_words: Callable[[], tuple[str, View]],
        when_seen: Callable[[Callable[[], None]], None],
    ) -> None:
        """Connect with the actor: how to move the table, how to come back onto the loop, what the gate itself reports, how to wait for it."""
        self._apply, self._post, self._gate_words, self._when_seen = apply, post, gate_words, when_seen

    # --- the document ---------------------------------------------------------------------------------------------------------

    @property
    def document_waits(self) -> bool:
        """A document lies on the glass that no transaction was begun for."""
        return self._there and self.running is None and self._unread

    @property
    def rules_version(self) -> str:
        """Of the rules that the last traveller was judged by, or the next one is."""
        return self._rules.version

    @property
    def document_there(self) -> bool:
        return self._there

    def document_placed(self) -> None:
        self._there = self._unread = True

    def document_removed(self) -> None:
        self._there = False

    def begin(self) -> None:
        """A document lies there and the lane is free: give the transaction its id and have the document read.

        Its time counts from here: a document that lay there before the lane could take it has not used up any.
        """
        zero = self._clock.boot()
        self.running = Transaction(
            transaction=self._new_id(),
            lane=self._config.lane.id,
            checkpoint=self._config.lane.checkpoint,
            direction=self._direction,
            started=self._clock.wall(),
            boot=zero,
            profile=self._config.profile,
            kind=self._config.lane.kind,
        )
        self._rules = self._rules_now()
        self._unread, self.progress, self._referral, self._waiting = False, 0.0, None, {DOCUMENT}
        self._issuer_portrait, self._chip_portrait = None, ""
        self._passed, self._exit_opened, self._ruled, self.first_pass = False, False, (), ""
        self.zone, self.viewers = (), ()
        self._helpers.tell("reader", m.ReadDocument(transaction=self.running.id, zero=zero))

    def on_message(self, role: m.Role, message: m.AnyMessage, state: State) -> None:
        """A worker's message; dropped unless it is that worker's business and about the case that runs."""
        running = self.running
        if running is None or getattr(message, "transaction", None) != running.id:
            return
        match role, message:
            case "reader", m.ReaderProgress():
                self.progress = min(1.0, max(0.0, message.fraction))
            case "reader", m.MrzRead() if DOCUMENT in self._waiting and not running.document_key:
                self._mrz_read(running, message)
            case "reader", m.DocumentChecked() if DOCUMENT in self._waiting:
                self._document_checked(running, message, state)
            case "vision", m.ReferenceReady():
                self._add_stages(message.stages)
            case "vision", m.FaceGuidance() if state is State.CAPTURE:
                self.guidance = message.instruction
            case "vision", m.FaceChecked() if state is State.CAPTURE:
                self._face_checked(running, message)
            case _:
                pass

    def worker_gone(self, role: m.Role, state: State) -> None:
        """A worker died. What it owed is not performed, which refers the traveller; it comes back for the next one."""
        if role == "reader":
            self._there = False
        if self.running is None:
            return
        if role == "vision" and state is State.CAPTURE:
            facts = {"face": not_performed("vision_process_gone", "lane")}
            self._face_checked(
                self.running, m.FaceChecked(transaction=self.running.id, facts=facts, stages=(), chosen_frame_boot=None)
            )

    def _mrz_read(self, running: Transaction, read: m.MrzRead) -> None:
        running.learn("reader", bounded_facts(read.facts))
        self.zone = tuple((name, bounded_words(getattr(read, name))) for name in ZONE)
        word = document_class(read.issuing_state, read.document_code, read.document_number, self._rules)
        served = enabled(
            self._rules,
            checkpoint=running.checkpoint,
            lane=running.lane,
            document_class=word,
            nationality=running.value("nationality"),
            direction=self._direction,
            now=self._clock.wall(),
        )
        running.learn(
            "lane",
            {
                "document_class": Fact(value=word, result=CheckResult.SUCCESSFUL, source="policy"),
                "enablement": _fact("enabled" if served else "not_enabled", good="enabled"),
            },
        )
        identity = f"{read.issuing_state}|{read.document_number}".encode()
        running.document_key = hmac.new(self._document_key, identity, hashlib.sha256).hexdigest()[:32]
        for name, question in self._helpers.ask_registries(read, word, self._direction).items():
            self._waiting.add(name)
            self._spawn(self._ask(running, name, question))

    async def _ask(self, running: Transaction, name: str, question: Coroutine[None, None, Answers]) -> None:
        begun = self._clock.boot()
        answers = await question
        self._post(lambda: self._answered(running, name, answers, begun))

    def _answered(self, running: Transaction, name: str, answers: Answers, begun: float) -> None:
        if running is not self.running or name not in self._waiting:
            return
        running.learn("registries", bounded_facts(answers.facts))
        if answers.trail is not None:
            running.trail = bounded_trail(flagged(answers.trail))
        if name == ISSUER:
            self._issuer_portrait = answers.portrait_sha256
        self.stage(f"registry.{name}", begun, self._clock.boot(), ", ".join(fact.value for fact in answers.facts.values()))
        self._received(name, self._clock.boot())

    def _document_checked(self, running: Transaction, checked: m.DocumentChecked, state: State) -> None:
        running.learn("reader", bounded_facts(checked.facts))
        running.inspection = bounded_inspection(checked.inspection)
        running.served |= bounded_backends("reader", {"trust": checked.trust}) if checked.trust else {}
        self._chip_portrait = checked.dg2_sha256
        self._add_stages(checked.stages)
        if running.value("passive_authentication") == "authentic" and state is State.DOCUMENT:
            portrait = m.PrepareReference(transaction=running.id, portrait=checked.portrait, zero=running.boot)
            self._helpers.tell("vision", portrait)
        self._received(DOCUMENT, self._moment(checked.last_byte_boot))

    def _received(self, what: str, since: float) -> None:
        """``what`` has come; once nothing is owed any more, decide on the entry. ``since``: from when the decision's time counts."""
        self._waiting.discard(what)
        if not self._waiting:
            self._compare_portraits()
            self._judge(Stage.ENTRY, since, granted=Event.ENTRY_GRANTED, referred=Event.ENTRY_REFERRED)

    def _compare_portraits(self) -> None:
        """Whether the portrait in the chip is the one that the issuer recorded, where both are known."""
        issued, read = self._issuer_portrait, self._chip_portrait
        if self.running and issued is not None and read:
            word = "not_given" if not issued else "same" if issued == read else "different"
            good = CheckResult.FAILED if word == "different" else CheckResult.SUCCESSFUL
            self.running.learn("lane", {"issuer_portrait": Fact(value=word, result=good, source="lane")})

    # --- the face -------------------------------------------------------------------------------------------------------------

    def capture(self, limit_s: float) -> None:
        """Somebody stands between the doors: have the face looked at, while the lane waits ``limit_s``."""
        if self.running:
            self._capturing_since, self.guidance = self._clock.boot(), ""
            begin = m.StartCapture(transaction=self.running.id, deadline_s=limit_s - FRAME_MARGIN_S, zero=self.running.boot)
            self._helpers.tell("vision", begin)

    def look_longer(self, limit_s: float) -> None:
        """The lane now waits ``limit_s`` in all for the look that has begun."""
        if self.running:
            self._helpers.tell("vision", m.LookLonger(transaction=self.running.id, deadline_s=limit_s - FRAME_MARGIN_S))

    def _face_checked(self, running: Transaction, checked: m.FaceChecked) -> None:
        facts = bounded_facts(checked.facts)
        if (checked.chosen_frame_boot or 0.0) < self._capturing_since and facts.get("face", Fact()).value == "match":
            facts["face"] = not_performed("STALE_FRAME", "lane")  # a face of before somebody stood there is nobody's
        running.learn("vision", facts)
        self._add_stages(checked.stages)
        since = self._moment(checked.chosen_frame_boot)
        self._apply(Event.FACE_CHECKED)
        if running is not self.running:
            return  # the lane had to give up at this very moment
        self._judge(Stage.EXIT, since, granted=Event.EXIT_GRANTED, referred=Event.EXIT_REFERRED)

    def _moment(self, told: float | None) -> float:
        """A worker's boot time, or now where it names none that can be."""
        now = self._clock.boot()
        return told if told is not None and 0.0 <= told <= now else now

    # --- judging --------------------------------------------------------------------------------------------------------------

    def _judge(self, stage: Stage, since: float, *, granted: Event, referred: Event) -> None:
        """Decide by the lane as it is now; not at all where the case was ruled on, or is over, before that is seen."""
        running = self.running
        ruled = running.last_decision if running else None

        def judge() -> None:
            if running is not None and running is self.running and running.last_decision is ruled:
                self._judge_now(stage, since, granted=granted, referred=referred)

        self._when_seen(judge)

    def _judge_now(self, stage: Stage, since: float, *, granted: Event, referred: Event) -> None:
        """What grants a door moves the table once it is durable, all else at once.

        Before a single door no door stands between the two decisions: the one on the document says whether the face is looked at, the
        exit's rules on both at once and is the only permit.
        """
        record = self._decide(stage, since)
        opens = record.decision.outcome is Outcome.OPEN
        if opens and (stage is Stage.EXIT or self._config.lane.kind == "mantrap"):
            self._commit("permit", record, granted, referred)
        else:
            self._commit("decision", record)
            self._apply(granted if opens else referred)

    def rule_again(self) -> None:
        """A verdict was voided after it was made, or never was: rule on what is known now, so that the record says why."""
        last = self.running.last_decision if self.running else None
        if self.running and not self._passed and (last is None or last.outcome is Outcome.OPEN):
            stage = Stage.ENTRY if last is None else Stage.EXIT
            self._commit("decision", self._decide(stage, self._clock.boot()))

    def void(self, *, for_officer: bool = False) -> None:
        """No permit survives, and no face is looked at any longer; ``for_officer``: but by one, for whom the traveller now waits."""
        if self.running:
            self._forget(self.running, for_officer=for_officer)
        self.rule_again()

    def _forget(self, running: Transaction, *, for_officer: bool = False) -> None:
        self._helpers.tell("vision", m.Forget(transaction=running.id, for_officer=for_officer))

    def exit_opened(self) -> None:
        """The exit opens for the traveller: unless they are seen to go through, nobody can say any more whether they did."""
        self._exit_opened = True

    def passed(self) -> None:
        """The traveller went through the exit: the permit is used up, and what comes after does not change what was ruled."""
        self._passed = True

    def _decide(self, stage: Stage, since: float) -> DecisionRecord:
        assert self.running is not None
        now = self._clock.wall()
        self.running.learn("lane", self._gate_facts(stage))
        evidence = self.running.evidence(now)
        decision = (decide_entry if stage is Stage.ENTRY else decide_exit)(evidence, self._rules, now)
        self.stage(f"decision.{stage}", since, self._clock.boot(), decision.outcome)
        self._refer(decision)
        return self.running.decided(now, evidence, decision)

    def _gate_facts(self, stage: Stage) -> dict[str, Fact]:
        controller, view = self._gate_words()
        facts = {
            "controller": _fact(controller, good="ready"),
            "supervision": _fact("present" if view.supervised else "absent", good="present"),
            "clock": _fact("trusted" if self._clock.trusted() else "doubtful", good="trusted"),
        }
        if stage is Stage.EXIT:
            facts["occupancy"] = _occupancy(view)
        return facts

    def _commit(self, kind: str, record: DecisionRecord, then: Event | None = None, failed: Event | None = None) -> None:
        """Make ``record`` durable beside the loop, then hand ``then`` to the table; ``failed`` where the disk refused."""
        assert self.running is not None
        self._spawn(self._append(self.running, kind, record, then, failed))

    async def _append(
        self, running: Transaction, kind: str, record: DecisionRecord, then: Event | None, failed: Event | None
    ) -> None:
        begun, event, result = self._clock.boot(), then, str(kind)
        crosses = kind == "permit" and record.decision.stage is Stage.EXIT
        told = asyncio.ensure_future(self._helpers.crossing_permitted(record)) if crosses else None
        try:
            await self._audit.append(kind, running.id, record, at=record.at, boot=begun, whole=kind == "permit")
        except AuditError as error:
            event, result = failed, f"{kind} NOT durable: {error}"
        if told is not None and not await told:  # else somebody crosses of whom the registry never hears
            event, result = failed, "crossing NOT durable"
        self._post(lambda: self._committed(running, f"commit.{record.decision.stage}", begun, result, event))

    def _committed(self, running: Transaction, name: str, begun: float, result: str, event: Event | None) -> None:
        if running is not self.running:
            return
        self.stage(name, begun, self._clock.boot(), result)
        match event:
            case None:
                pass
            case Event.ENTRY_GRANTED | Event.EXIT_GRANTED:  # the disk took its time: look again
                self._when_seen(partial(self._grant, running, event))
            case _:
                self._apply(event)

    def _grant(self, running: Transaction, event: Event) -> None:
        if running is self.running:
            self._apply(event)

    # --- the end --------------------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """The lane is done with this traveller: write the record, have the workers forget."""
        running = self.running
        assert running is not None
        if running.last_decision is None:
            self.rule_again()
        record = running.record(self._clock.wall(), self.backends, demonstration=PROFILES[self._config.profile].demonstration)
        if record.outcome is Outcome.OPEN and not self._passed:
            record = msgspec.structs.replace(record, outcome=Outcome.COUNTER, reasons=(VOIDED,))
        record = msgspec.structs.replace(record, ruled=self._ruled)
        self.running, self._waiting, self.first_pass = None, set(), ""
        self.zone, self.viewers = (), ()
        self.ended = (record, *self.ended)[: m.ENDED_KEPT]
        self._issuer_portrait, self._chip_portrait = None, ""
        self._forget(running)
        end: End = "passed" if self._passed else "uncertain" if self._exit_opened else "voided"
        self._helpers.crossing_ended(record.transaction, end, at=record.ended)
        self._spawn(self._close_books(record))

    async def _close_books(self, record: TransactionRecord) -> None:
        try:
            await self._audit.append("transaction", record.transaction, record, at=record.ended, boot=self._clock.boot())
        except AuditError:
            self._post(lambda: self._apply(Event.DEVICE_FAULT))  # no lane without a log: an officer has to look
            return
        self._helpers.tell("director", m.TransactionEnded(record=record))

    # --- officers -----------------------------------------------------------------------------------------------------------------

    def rule(self, acted: OfficerActed) -> None:
        """An officer's order was carried out: the running transaction's record tells it, cut to what a record may hold."""
        if self.running and acted.transaction == self.running.id:
            self._ruled = (*self._ruled, msgspec.structs.replace(acted, proof=()))[-MOST_RULED:]

    async def officer_permit(self, acted: OfficerActed) -> bool:
        """Make an officer's pass durable before the exit opens. False: it is not, and the exit stays shut."""
        running = self.running
        if running is None or running.last_decision is None:
            return False
        now = self._clock.wall()
        record = DecisionRecord(at=now, evidence=running.evidence(now), decision=running.last_decision)
        told = asyncio.ensure_future(self._helpers.crossing_permitted(record))
        try:
            await self._audit.append("officer", running.id, acted, at=now, boot=self._clock.boot(), whole=True)
        except AuditError:
            await told
            return False
        return await told

    # --- what remains on the screens --------------------------------------------------------------------------------------------

    def _refer(self, decision: PolicyDecision) -> None:
        if decision.outcome is not Outcome.OPEN:
            action = lane_action(self._rules, decision, self._direction)
            self._referral = (action, self._clock.boot() + PARTING_S)

    @property
    def referral_screen(self) -> m.TravellerScreen | None:
        """The screen word of the last referral, while it concerns whoever stands there."""
        return self._referral[0].screen if self._referral else None

    def await_officer_s(self, limit_s: float) -> float:
        """How long HOLD waits for an officer: what the referral's lane action says, the configured time at most."""
        if self._referral is None:
            return limit_s
        action = self._referral[0]
        return min(limit_s, action.await_s) if action.doors == "await_officer" else 0.0

    def forget_referral(self, state: State) -> bool:
        """Clear the referral's sentence when its time is over. Returns whether it was."""
        if self._referral is None or state is not State.IDLE or self._clock.boot() < self._referral[1]:
            return False
        self._referral = None
        return True

    def stage(self, name: str, start: float, end: float, result: str) -> None:
        """Note a stage of the running case, if one runs (boot seconds)."""
        if self.running:
            self._tell_stages((self.running.stage(name, start, end, result),))

    def _add_stages(self, stages: tuple[StageTiming, ...]) -> None:
        if self.running:
            taken = bounded_stages(stages, MOST_STAGES - len(self.running.stages))
            self.running.add_stages(taken)
            self._tell_stages(taken)

    def _tell_stages(self, stages: Iterable[StageTiming]) -> None:
        assert self.running is not None
        for stage in stages:
            self._helpers.tell("director", m.StageEnded(transaction=self.running.id, stage=stage))


def _fact(word: str, *, good: str) -> Fact:
    return Fact(value=word, result=CheckResult.SUCCESSFUL if word == good else CheckResult.FAILED, source="lane")


def _occupancy(view: View) -> Fact:
    if not view.linked:
        return not_performed("controller_lost", "lane")
    if view.occupancy is None:
        return Fact(value="uncertain", result=CheckResult.UNDETERMINED, source="controller")
    return _fact("none" if view.occupancy == 0 else "one" if view.occupancy == 1 else "many", good="one")
