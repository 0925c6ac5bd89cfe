"""Officers' orders in the lane process: whose they are is proven elsewhere, what they may do is decided here, and everything is written down.

The console that carries an order is not believed. The lane gives a nonce, which is good once, for a minute, and for as long as the same
traveller stands there; what the officer's authenticator signed must name it, with the action, the reason, the transaction and this lane.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_bytes
from typing import TypeVar

import msgspec

from gate.clock import SystemClock, write_durably
from gate.config import Config
from gate.console.acts import NONCE_BYTES, ActionRule, Refused, actions, challenge
from gate.lane import Event
from gate.processes.actor import LaneActor
from gate.processes.bounds import bounded_words
from gate.processes.budget import Budget
from gate.processes.casework import Casework
from gate.processes.messages import (
    OfficerOrder,
    OrderTaken,
)
from gate.processes.officer_messages import (
    ActAnswered,
    ActVerified,
    AskNonce,
    NonceGiven,
    OfficerAct,
    VerifyAct,
)
from gate.processes.proving import Prover, oversized
from gate.processes.watching import Watching
from gate.profiles import PROFILES
from gate.records import OfficerActed

NONCE_S, MOST_NONCES = 60.0, 32
SECOND_S = 60.0
"""The second of two officers must sign this soon after the first."""
CLOSED_FILE = "closed"
"""In the state folder: who closed the lane and why; empty where nobody did."""
MOST_PENDING = 4
"""Orders that may wait for their proof; a console that sends more is told to wait."""
MOST_HOLDS = 3
"""Times that the wait for an officer may begin anew for one traveller: nobody stays shut in because somebody is busy."""
NOTES, NOTE_EVERY_S = 30, 5.0
"""Refused orders that may be written at once, and the time in which one more is: a mad console must not keep permits from the disk."""
HARMLESS = frozenset({"counter", "secondary", "hold", "eject", "close", "emergency"})
"""Carried out with a doubtful clock, too: they open no exit and take nobody in."""
_EVENTS = {"counter": Event.OFFICER_EJECT, "secondary": Event.OFFICER_EJECT, "eject": Event.OFFICER_EJECT}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A nonce, and what it was given for. ``visit`` counts the lane's stays in its states."""

    transaction: str
    visit: int
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ruling:
    """What came of an order."""

    refused: Refused | None = None
    detail: str = ""
    first: str = ""
    """The officer who signed before, where two must."""
    awaits_second: bool = False


def _challenge(act: OfficerAct) -> bytes:
    return challenge(action=act.action, transaction=act.transaction, lane=act.lane, reason=act.reason, nonce=act.nonce)


class Officers:
    """Runs on the lane's loop alone. ``ask`` sends a question to the verifier; False where there is none."""

    def __init__(
        self, config: Config, clock: SystemClock, actor: LaneActor, case: Casework, ask: Callable[[VerifyAct], bool]
    ) -> None:
        self._config, self._clock, self._actor, self._case = config, clock, actor, case
        self._prover = Prover(ask, clock, config.lane.checkpoint)
        self._nonces: dict[bytes, _Given] = {}
        self._turn, self._pending = asyncio.Lock(), 0
        self._first: dict[str, tuple[_Given, str]] = {}
        """By action: the first of two officers, and what they signed for."""
        self._last: tuple[str, str] = ("", "")
        """The transaction last ruled on, and who did what."""
        self._holds: tuple[str, int] = ("", 0)
        self._notes, self._left_out = Budget(NOTES, NOTE_EVERY_S, clock.boot), 0
        self.watching = Watching(config, clock, actor, case, prover=self._prover, take=self._taken, notes=self._notes)

    # --- what peers say -------------------------------------------------------------------------------------------------------

    def nonce(self, asked: AskNonce) -> NonceGiven:
        """A nonce for whoever stands there now. The oldest dies where there are too many."""
        while len(self._nonces) >= MOST_NONCES:
            del self._nonces[next(iter(self._nonces))]
        nonce = token_bytes(NONCE_BYTES)
        given = _Given(transaction=self._transaction, visit=self._actor.visit, since=self._clock.boot())
        self._nonces[nonce] = given
        return NonceGiven(request=asked.request, nonce=nonce, transaction=given.transaction)

    def proven(self, told: ActVerified) -> None:
        """The verifier's answer."""
        self._prover.proven(told)

    def _taken(self, nonce: bytes) -> Refused | None:
        """Take a nonce back; why it is worth nothing."""
        given = self._nonces.pop(nonce, None)
        if given is None:
            return Refused.NONCE_UNKNOWN
        return Refused.NONCE_EXPIRED if self._clock.boot() - given.since > NONCE_S else None

    async def act(self, act: OfficerAct) -> ActAnswered:
        """Carry out ``act``, or say why not; either way it goes into the log."""
        before = self._actor.state
        given = self._nonces.pop(act.nonce, None)
        refused = self._unsound(act, given)
        if refused or given is None:
            return self._answer(act, before, ActVerified(nonce=act.nonce), _Ruling(refused=refused or Refused.NONCE_UNKNOWN))
        if self._pending >= MOST_PENDING or not self._prover.budget.spend():
            return self._answer(act, before, ActVerified(nonce=act.nonce), _Ruling(refused=Refused.BUSY))
        self._pending += 1
        try:
            async with self._turn:  # one after the other: whoever comes second sees what the first one did
                who = await self._prover.prove(act, _challenge(act))
                if not who.refused:
                    self.watching.signed(who)
                ruling = (
                    _Ruling(refused=Refused(who.refused), detail=who.detail) if who.refused else await self._rule(act, given, who)
                )
        finally:
            self._pending -= 1
        if act.action in {"close", "open"} and not ruling.refused:
            await asyncio.to_thread(self._remember, f"{who.officer}: {act.reason}" if act.action == "close" else "")
        return self._answer(act, before, who, ruling)

    def stay_closed(self) -> None:
        """A lane that an officer closed stays so when its process starts anew."""
        with suppress(OSError):
            if why := (self._config.state_dir / CLOSED_FILE).read_text(encoding="utf-8"):
                self._actor.close_lane(bounded_words(why))

    def _remember(self, why: str) -> None:
        with suppress(OSError):  # the lane is closed, and the log says so; a disk that takes nothing grants nothing either
            write_durably(self._config.state_dir / CLOSED_FILE, why)

    def order(self, told: OfficerOrder) -> OrderTaken:
        """``autogate lane``: from the gate's own machine, signed by nobody, and so for demonstrations alone."""
        before = self._actor.state
        name, refused = bounded_words(told.name), ""
        if not PROFILES[self._config.profile].demonstration:
            refused = Refused.DEMONSTRATION_ONLY
        elif self._actor.order(told.order).after == before:
            refused = Refused.NOT_NOW
        self._case.note_officer(
            OfficerActed(officer=name, role="command", action=told.order, transaction=self._transaction, refused=refused)
        )
        return OrderTaken(before=before, after=self._actor.state, refused=refused)

    # --- before anybody is asked ------------------------------------------------------------------------------------------------

    @property
    def _transaction(self) -> str:
        return self._case.running.id if self._case.running else ""

    def _unsound(self, act: OfficerAct, given: _Given | None) -> Refused | None:
        """Why ``act`` is not worth a proof."""
        rule = actions().get(act.action)
        if oversized(act):
            return Refused.MALFORMED
        if rule is None:
            return Refused.UNKNOWN_ACTION
        if act.reason not in rule.reasons:
            return Refused.UNKNOWN_REASON
        if act.lane != self._config.lane.id:
            return Refused.OTHER_LANE
        if given is None:
            return Refused.NONCE_UNKNOWN
        if self._clock.boot() - given.since > NONCE_S:
            return Refused.NONCE_EXPIRED
        if act.transaction != (given.transaction if rule.about == "traveller" else ""):
            return Refused.OTHER_TRANSACTION
        return None

    # --- what it may do ---------------------------------------------------------------------------------------------------------

    async def _rule(self, act: OfficerAct, given: _Given, who: ActVerified) -> _Ruling:
        rule = actions()[act.action]
        seen = act.action == "pass"
        ruling = await self._in_turn(lambda: self._may(act, rule, given, who) or self._do(act, given, who), seen=seen)
        if ruling.refused or ruling.awaits_second or act.action != "pass":
            return ruling
        permit = self._record(act, who, ruling)
        if not await self._case.officer_permit(permit):
            return _Ruling(refused=Refused.NOT_DURABLE, first=ruling.first)
        return await self._in_turn(lambda: self._let_pass(given, who, ruling), seen=True)

    def _may(self, act: OfficerAct, rule: ActionRule, given: _Given, who: ActVerified) -> _Ruling | None:
        if self._prover.duty_left_s(who) <= 0:
            return _Ruling(refused=Refused.OFFICER_NOT_VALID)
        if who.role not in rule.roles:
            return _Ruling(refused=Refused.ROLE_MAY_NOT)
        if not self._clock.trusted() and act.action not in HARMLESS:
            return _Ruling(refused=Refused.CLOCK_DOUBTFUL)
        if rule.about == "traveller" and self._moved_on(given):
            transaction, who_did_what = self._last
            return _Ruling(refused=Refused.TOO_LATE, detail=who_did_what if transaction == given.transaction else "")
        if rule.states and self._actor.state not in rule.states:
            return _Ruling(refused=Refused.NOT_NOW)
        return None

    def _moved_on(self, given: _Given) -> bool:
        return (given.transaction, given.visit) != (self._transaction, self._actor.visit)

    def _do(self, act: OfficerAct, given: _Given, who: ActVerified) -> _Ruling:
        """Carry it out; of a pass, only find whether it may be."""
        match act.action:
            case "pass":
                return self._passes(given, who)
            case "hold":
                return self._hold(given)
            case "emergency":
                return self._open_in_emergency(act, given, who)
            case "close":
                self._actor.close_lane(f"{who.officer}: {act.reason}")
                return _Ruling()
            case "open":
                return _Ruling(refused=None if self._actor.open_lane() else Refused.NOT_NOW)
            case "reset":
                taken = self._actor.order("reset")
                return _Ruling(refused=Refused.NOT_NOW if taken.before == taken.after else None)
            case _:
                moved = self._actor.officer(_EVENTS[act.action])
                if moved:
                    self._last = (given.transaction, f"{who.officer}: {act.action}")
                return _Ruling(refused=None if moved else Refused.NOT_NOW)

    def _hold(self, given: _Given) -> _Ruling:
        held = self._holds[1] if self._holds[0] == given.transaction else 0
        if held >= MOST_HOLDS:
            return _Ruling(refused=Refused.HELD_LONG_ENOUGH)
        self._holds = (given.transaction, held + 1)
        self._actor.hold()
        return _Ruling()

    def _passes(self, given: _Given, who: ActVerified) -> _Ruling:
        """Whether this officer's word suffices. After a HOLD it takes two people, the second within a minute and for the same stay."""
        running = self._case.running
        if running is None or running.last_decision is None or not self._actor.passable:
            return _Ruling(refused=Refused.NOT_PASSABLE)
        if not running.held:
            return _Ruling()
        ruling = self._by_two("pass", given, who, lapsed=self._moved_on)
        if ruling.awaits_second:
            self._case.first_pass = who.officer
        return ruling

    def _by_two(self, action: str, given: _Given, who: ActVerified, lapsed: Callable[[_Given], bool]) -> _Ruling:
        """Wait for a second officer, or find that this is the one: within a minute, by name, and before the first one's signature ``lapsed``."""
        first = self._first.get(action)
        if first is None or lapsed(first[0]) or self._clock.boot() - first[0].since > SECOND_S:
            now = _Given(transaction=given.transaction, visit=given.visit, since=self._clock.boot())
            self._first[action] = (now, who.officer)
            return _Ruling(awaits_second=True)
        if first[1] == who.officer:
            return _Ruling(refused=Refused.SAME_OFFICER, detail=first[1])
        return _Ruling(first=first[1])

    def _open_in_emergency(self, act: OfficerAct, given: _Given, who: ActVerified) -> _Ruling:
        """Two officers, whoever stands there meanwhile. It waits for no disk: it opens no exit."""
        ruling = self._by_two("emergency", given, who, lapsed=lambda _: False)
        if not ruling.refused and not ruling.awaits_second:
            del self._first["emergency"]
            if not self._actor.let_go(f"{ruling.first} and {who.officer}: {act.reason}"):
                ruling = _Ruling(refused=Refused.NOT_NOW, first=ruling.first)
            self._case.first_emergency = ""
        if ruling.awaits_second:
            self._case.first_emergency = who.officer
            asyncio.get_running_loop().call_later(SECOND_S, self._forget_emergency)
        return ruling

    def _forget_emergency(self) -> None:
        first = self._first.get("emergency")
        if first is None or self._clock.boot() - first[0].since >= SECOND_S:
            self._case.first_emergency = ""

    def _let_pass(self, given: _Given, who: ActVerified, ruling: _Ruling) -> _Ruling:
        """The permit is durable: open, if all is as it was."""
        self._first.pop("pass", None)
        if self._moved_on(given) or not self._actor.officer(Event.OFFICER_PASS):
            return _Ruling(refused=Refused.NOT_PASSABLE, first=ruling.first)
        self._last = (given.transaction, f"{who.officer}: pass")
        return ruling

    async def _in_turn(self, what: Callable[[], T], *, seen: bool) -> T:
        """``what``, as one event among the lane's others; ``seen``: once the lane is seen as it is now."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def do() -> None:
            if not done.done():
                done.set_result(what())

        self._actor.post((lambda: self._actor.when_seen(do)) if seen else do)
        return await done

    # --- what is written down -----------------------------------------------------------------------------------------------------

    def _record(self, act: OfficerAct, who: ActVerified, ruling: _Ruling) -> OfficerActed:
        refused = ruling.refused or ""
        parts = (act.authenticator_data, act.client_data, act.signature)
        return OfficerActed(
            officer=bounded_words(who.officer),
            role=bounded_words(who.role),
            action=bounded_words(act.action),
            reason=bounded_words(act.reason),
            transaction=bounded_words(act.transaction),
            refused=refused,
            detail=bounded_words(ruling.detail),
            first_officer=ruling.first,
            awaits_second=ruling.awaits_second,
            authenticator=bounded_words(act.credential),
            nonce=act.nonce[:NONCE_BYTES].hex(),
            proof=() if refused else tuple(base64.b64encode(part).decode("ascii") for part in parts),
        )

    def _answer(self, act: OfficerAct, before: str, who: ActVerified, ruling: _Ruling) -> ActAnswered:
        record = self._record(act, who, ruling)
        if not ruling.refused:
            self._case.rule(record)
        if act.action != "pass" or ruling.refused or ruling.awaits_second:
            self._note(record)  # a pass that was carried out stands there already
        return ActAnswered(
            nonce=act.nonce,
            refused=record.refused,
            detail=record.detail,
            awaits_second=ruling.awaits_second,
            officer=record.officer,
            before=before,
            after=self._actor.state,
        )

    def _note(self, record: OfficerActed) -> None:
        """What was carried out always; what was refused as often as can be."""
        if record.refused and not self._notes.spend():
            self._left_out += 1
            return
        self._case.note_officer(msgspec.structs.replace(record, left_out=self._left_out))
        self._left_out = 0
