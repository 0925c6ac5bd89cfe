"""Which officers are on watch over the lane, and what they are shown of a case.

Where officers supervise, no exit opens and no traveller is taken without one of them. Their watch begins with a signature that the verifier
proved, lasts for as long as configured, begins anew with whatever else they sign, and ends when they sign out, their shift ends or the
last console goes. A console can end a watch; it can neither begin one nor make one last.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from gate.clock import SystemClock
from gate.config import Config
from gate.console.acts import MOST_LANES, NONCE_BYTES, Refused, watch_challenge, watch_part, watches
from gate.lane import State
from gate.processes.actor import LaneActor
from gate.processes.bounds import bounded_words
from gate.processes.budget import Budget
from gate.processes.casework import Casework
from gate.processes.officer_messages import (
    ActVerified,
    AskCase,
    CaseShown,
    ConsoleRefused,
    OfficerWatch,
    WatchAnswered,
    WatchOver,
)
from gate.processes.proving import Prover, oversized
from gate.records import CaseViewed, OfficerWatched

MOST_WATCHING = 16
"""Officers at one lane."""
MOST_VIEWERS = 16
"""Names of those who opened a case that are shown."""


class Watching:
    """Runs on the lane's loop alone. ``take`` takes a nonce back and says why it is worth nothing."""

    def __init__(
        self,
        config: Config,
        clock: SystemClock,
        actor: LaneActor,
        case: Casework,
        *,
        prover: Prover,
        take: Callable[[bytes], Refused | None],
        notes: Budget,
    ) -> None:
        self._config, self._clock, self._actor, self._case, self._prover = config, clock, actor, case, prover
        self._take, self._notes = take, notes
        self._until: dict[str, float] = {}
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self.pictures: Callable[[], str] = lambda: ""
        """Where the pictures of whoever waits are handed out."""

    @property
    def until(self) -> Mapping[str, float]:
        """Officers on watch, and the boot seconds at which each one's watch ends."""
        return self._until

    # --- going on watch -----------------------------------------------------------------------------------------------------------

    async def watch(self, told: OfficerWatch) -> WatchAnswered:
        """Put whoever signed on watch, or say why not; either way it goes into the log."""
        refused = self._take(told.nonce) or self._unsound(told)
        who = ActVerified(nonce=told.nonce)
        if not refused:
            who = await self._prover.prove(told, watch_challenge(told.parts))
            refused = Refused(who.refused) if who.refused else self._may(who)
        if refused:
            self._note_refused(told, who, refused)
            return WatchAnswered(nonce=told.nonce, refused=refused)
        self._until[who.officer] = self._clock.boot() + self._lasts(who)
        self._note_signed(told, who)
        self._changed()
        return WatchAnswered(nonce=told.nonce, officer=who.officer, seconds=self._lasts(who))

    def _unsound(self, told: OfficerWatch) -> Refused | None:
        """Why it is not worth a proof."""
        if oversized(told) or not 0 < len(told.parts) <= MOST_LANES + 1 or {*map(len, told.parts)} != {NONCE_BYTES}:
            return Refused.MALFORMED
        if watch_part(self._config.lane.id, told.nonce) not in told.parts:
            return Refused.OTHER_LANE
        return None if self._prover.budget.spend() else Refused.BUSY

    def _may(self, who: ActVerified) -> Refused | None:
        if self._prover.duty_left_s(who) <= 0:
            return Refused.OFFICER_NOT_VALID
        if not watches(who.role):
            return Refused.ROLE_MAY_NOT
        full = len(self._until) >= MOST_WATCHING and who.officer not in self._until
        return Refused.BUSY if full else None

    def _lasts(self, who: ActVerified) -> float:
        return min(self._config.console.watch_s, self._prover.duty_left_s(who))

    def signed(self, who: ActVerified) -> None:
        """``who`` signed something else: they are there, and their watch begins anew."""
        if who.officer in self._until and watches(who.role):
            self._until[who.officer] = self._clock.boot() + self._lasts(who)
            self._changed()

    # --- the end of a watch -------------------------------------------------------------------------------------------------------

    def over(self, told: WatchOver) -> None:
        """The console says that an officer went."""
        if self._until.pop(told.officer, None) is not None:
            self._note_end(told.officer, "signed_out")
            self._changed()

    def console_gone(self) -> None:
        """The last console went: nobody can be told of anything any more."""
        for officer in self._until:
            self._note_end(officer, "console_gone")
        self._until = {}
        self._changed()

    def _changed(self) -> None:
        """Have the lane know who is on watch, and look again when the next watch ends."""
        now = self._clock.boot()
        for officer in [officer for officer, until in self._until.items() if until <= now]:
            del self._until[officer]
            self._note_end(officer, "ended")
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._until:
            self._timer = asyncio.get_running_loop().call_later(min(self._until.values()) - now, self._changed)
        self._tell()

    def _tell(self) -> None:
        """Have the lane show who is on watch and who looks at the case."""
        watching = dict(self._until)
        self._actor.post(lambda: self._actor.watched(watching))

    def console_refused(self, told: ConsoleRefused) -> None:
        """The console says whom it sent away: for the log, as often as can be, and no more than the console's word."""
        if self._notes.spend():
            why, where = bounded_words(told.why), bounded_words(told.path)
            self._case.note_watch(OfficerWatched(officer="", event="console", refused=why, detail=where))

    # --- the case -----------------------------------------------------------------------------------------------------------------

    async def show(self, asked: AskCase) -> CaseShown:
        """The case of whoever waits, once it is in the log that this officer looks."""
        officer, on_watch = bounded_words(asked.officer), asked.officer in self._until
        viewed = CaseViewed(officer=officer, on_watch=on_watch, transaction=bounded_words(asked.transaction))
        async with self._turn:  # however often it is asked for, it is written once
            refused = self._unseen(asked) or await self._write(viewed) or self._unseen(asked)  # the disk took its time
        running = self._case.running
        if refused or running is None:
            refused = refused or Refused.TOO_LATE
            if self._notes.spend():
                self._case.note_viewed(msgspec.structs.replace(viewed, refused=refused))
            return CaseShown(request=asked.request, refused=refused)
        return CaseShown(
            request=asked.request,
            transaction=running.id,
            zone=self._case.zone,
            facts=running.facts,
            inspection=running.inspection,
            pictures=self.pictures(),
        )

    async def _write(self, viewed: CaseViewed) -> Refused | None:
        """Have it in the log, once for each officer and case, and on the others' screens."""
        if viewed.officer in self._case.viewers:
            return None
        if not await self._case.write_viewed(viewed):
            return Refused.NOT_DURABLE
        if self._case.traveller == viewed.transaction:
            self._case.viewers = (*self._case.viewers, viewed.officer)[-MOST_VIEWERS:]
            self._tell()
        return None

    def _unseen(self, asked: AskCase) -> Refused | None:
        running = self._case.running
        if running is None or running.id != asked.transaction:
            return Refused.TOO_LATE
        if self._actor.state is not State.HOLD:
            return Refused.NOT_NOW
        return None if asked.officer in self._until else Refused.NOT_ON_WATCH

    # --- what is written down -----------------------------------------------------------------------------------------------------

    def _note_signed(self, told: OfficerWatch, who: ActVerified) -> None:
        own = watch_part(self._config.lane.id, told.nonce)
        parts = (told.authenticator_data, told.client_data, told.signature)
        record = OfficerWatched(
            officer=bounded_words(who.officer),
            role=bounded_words(who.role),
            event="signed",
            seconds=round(self._lasts(who), 1),
            authenticator=bounded_words(told.credential),
            nonce=told.nonce.hex(),
            beside=tuple(None if part == own else part.hex() for part in told.parts),
            proof=tuple(base64.b64encode(part).decode("ascii") for part in parts),
        )
        self._case.note_watch(record)

    def _note_end(self, officer: str, event: Literal["signed_out", "ended", "console_gone"]) -> None:
        self._case.note_watch(OfficerWatched(officer=bounded_words(officer), event=event))

    def _note_refused(self, told: OfficerWatch, who: ActVerified, refused: Refused) -> None:
        if self._notes.spend():
            officer, authenticator = bounded_words(who.officer), bounded_words(told.credential)
            record = OfficerWatched(officer=officer, event="refused", refused=refused, authenticator=authenticator)
            self._case.note_watch(record)
