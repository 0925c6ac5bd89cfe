"""The exercise desk: what an officer sees and does beside the console. Briefing, things to look at, the counter, and the review.

An act at the counter is signed with the officer's key like one at the console, over a challenge that is good for nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Literal

import msgspec

from gate.console.assertion import Assertion, prove, public_key
from gate.console.roster import Officer
from gate.training.case import Case, Look, reasons_of
from gate.training.session import Done, Looked, Session, Shown
from gate.ui.feed import NewestView

CONTEXT = b"autogate training act 1\n"
"""Goes before the octets that are hashed: a signature from an exercise orders no gate about."""
Phase = Literal["key", "wait", "briefing", "gate", "counter", "review"]


class DeskView(msgspec.Struct, frozen=True, kw_only=True):
    """What the page draws. ``since``: when the officer was called; None before."""

    phase: Phase = "wait"
    officer: str = ""
    number: int = 0
    count: int = 0
    case: Case | None = None
    since: datetime | None = None
    looked: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    session: Session | None = None


def challenge(*, case: str, action: str, reason: str, nonce: bytes) -> bytes:
    """SHA-256 over the octets of an act at the counter; one line of JSON, so that no two acts have the same."""
    said = json.dumps([case, action, reason, nonce.hex()], separators=(",", ":"))
    return hashlib.sha256(CONTEXT + said.encode("ascii")).digest()


class Refused(Exception):
    """The desk takes that now from nobody, or not so: says why in one word."""


class Desk(NewestView[DeskView]):
    """Holds where the exercise stands; the page and the exercise both drive it. For one event loop."""

    def __init__(self, origin: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """``origin``: of the page on which the officer signs."""
        super().__init__()
        self.view = DeskView()
        self._origin, self._now = origin, now
        self._officer: Officer | None = None
        self._nonce = b""
        self.looked: list[Looked] = []
        self.done: list[Done] = []
        self._begun, self._enrolled, self._decided = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.change()

    async def run(self) -> None:
        """For the server, which follows what it shows until cancelled."""
        await asyncio.Event().wait()

    def change(self, **what: object) -> None:
        """Show the view with ``what`` in it."""
        self.view = msgspec.structs.replace(self.view, **what)
        self.show(self.view)

    # --- what the exercise does ----------------------------------------------------------------------------------------------------

    async def until_enrolled(self, officer: Officer | None, name: str) -> None:
        """Wait for a key of ``name``'s, unless ``officer`` has one already."""
        self._officer = officer
        if officer is None:
            self.change(phase="key", officer=name)
            await self._enrolled.wait()
        assert self._officer is not None
        self.change(phase="wait", officer=self._officer.name)

    def enrolled(self, officer: Officer) -> None:
        self._officer = officer
        self._enrolled.set()

    async def until_begun(self, case: Case, number: int, count: int) -> None:
        """Show the briefing of ``case`` and wait until the officer begins."""
        self.looked, self.done, self._nonce = [], [], b""
        self._begun.clear()
        self._decided.clear()
        self.change(phase="briefing", case=case, number=number, count=count, since=None, looked=(), shown=(), session=None)
        await self._begun.wait()
        self.change(phase="gate")

    def called(self, since: datetime) -> None:
        """The officer is needed at the gate from ``since`` on."""
        if self.view.since is None:
            self.change(since=since)

    async def until_decided(self, shown: tuple[Shown, ...], since: datetime, limit_s: float) -> None:
        """The traveller stands at the counter: wait for a decision, ``limit_s`` at most."""
        self.change(phase="counter", since=since, shown=shown)
        await asyncio.wait({asyncio.ensure_future(self._decided.wait())}, timeout=limit_s)

    async def reviewed(self, session: Session, *, last: bool) -> None:
        """Show the review; wait until the officer has read it, but after the last one."""
        self._begun.clear()
        self.change(phase="review", session=session)
        if not last:
            await self._begun.wait()

    # --- what the officer does -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin the case, or go on to the next one. Raises Refused."""
        if self.view.phase not in {"briefing", "review"}:
            raise Refused("not_now")
        self._begun.set()

    def look(self, name: str) -> Look:
        """Look at something of the case's. Raises Refused where there is nothing to look at yet, or no such thing."""
        view = self.view
        look = next((each for each in view.case.look if each.id == name), None) if view.case else None
        if look is None or view.since is None or view.phase not in {"gate", "counter"}:
            raise Refused("not_now")
        if name not in view.looked:
            self.looked.append(Looked(look=name, after_s=self._after()))
            self.change(looked=(*view.looked, name))
        return look

    def prepare(self, action: str, reason: str) -> tuple[bytes, str]:
        """The challenge to sign for an act at the counter, and the key to sign it with. Raises Refused."""
        self._may(action, reason)
        assert self.view.case is not None
        assert self._officer is not None
        self._nonce = token_bytes(32)
        return challenge(case=self.view.case.id, action=action, reason=reason, nonce=self._nonce), self._officer.credential

    def decide(self, action: str, reason: str, assertion: Assertion) -> None:
        """Take the decision. Raises Refused where it is not signed by this officer, for this, now."""
        self._may(action, reason)
        assert self.view.case is not None
        assert self._officer is not None
        nonce, self._nonce = self._nonce, b""
        if not nonce:
            raise Refused("nonce_unknown")
        signed = challenge(case=self.view.case.id, action=action, reason=reason, nonce=nonce)
        proven = prove(assertion, key=public_key(self._officer.key), challenge=signed, origin=self._origin)
        if proven.refused:
            raise Refused(proven.refused)
        self.done.append(Done(action=action, reason=reason, after_s=self._after()))
        self._decided.set()

    def _may(self, action: str, reason: str) -> None:
        if self.view.phase != "counter" or self._decided.is_set():
            raise Refused("not_now")
        if reason not in reasons_of("counter").get(action, ()):
            raise Refused("unknown_action")

    def _after(self) -> float:
        assert self.view.since is not None
        return round(max(0.0, (self._now() - self.view.since).total_seconds()), 1)
