"""The lanes that a console watches: one line to each, by its state folder, so that a lane that is started anew is found again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from gate.processes.budget import Budget
from gate.processes.channel import Channel, ChannelClosed, connect
from gate.processes.messages import (
    AnyMessage,
)
from gate.processes.officer_messages import (
    ActAnswered,
    AskCase,
    AskNonce,
    CaseShown,
    ConsoleRefused,
    ConsoleView,
    NonceGiven,
    OfficerAct,
    OfficerWatch,
    WatchAnswered,
    WatchOver,
)
from gate.runtime import RUNTIME_FILE, Runtime
from gate.ui.feed import RETRY_FIRST_S, RETRY_LAST_S, NewestView

ANSWER_S = 5.0
"""A lane answers within two seconds, whatever it says."""
NOTES, NOTE_EVERY_S = 10, 6.0
"""What the console refused by itself and has written down: so many at once, and the time in which one more is."""
GATHER_S = 0.05
"""Changes within so little time reach the pages together: a lane in motion changes twenty times a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A lane as officers see it. ``view`` is None while it cannot be reached; ``came``: since when it is so (seconds of the wall clock)."""

    name: str
    view: ConsoleView | None
    came: float


class LaneLine:
    """One lane."""

    def __init__(self, state: Path, bank: Bank) -> None:
        self.shown = Shown(name=state.name, view=None, came=time.time())
        """Under its folder's name, until it said what it calls itself."""
        self._state, self._bank = state, bank
        self._channel: Channel | None = None
        self._requests = count(1)
        self._waiting: dict[int | bytes, asyncio.Future[Any]] = {}

    @property
    def name(self) -> str:
        return self.shown.name

    async def run(self) -> None:
        """Follow the lane until cancelled."""
        pause = RETRY_FIRST_S
        while True:
            with suppress(OSError, UnicodeDecodeError, ChannelClosed):
                await self._follow()
            self._lost()
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_LAST_S)

    async def _follow(self) -> None:
        runtime = Runtime(Path((self._state / RUNTIME_FILE).read_text(encoding="utf-8")))
        channel = self._channel = await connect(runtime.lane_socket, "console", runtime.given_secret("console"))
        try:
            while True:
                self._hear(await channel.receive())
        finally:
            await channel.close()

    def _hear(self, message: AnyMessage) -> None:
        match message:
            case ConsoleView():
                self._show(message)
            case NonceGiven() | CaseShown():
                self._settle(message.request, message)
            case ActAnswered() | WatchAnswered():
                self._settle(message.nonce, message)
            case _:
                pass

    def _show(self, view: ConsoleView) -> None:
        before = self.shown
        came = before.came  # told by the lane's own clock; kept, so that what did not change looks the same
        if before.view is None or before.view.since != view.since:
            came = time.time() - max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - view.since)
        self.shown = Shown(name=view.lane, view=view, came=came)
        self._bank.publish()

    def _lost(self) -> None:
        if self.shown.view is not None:
            self.shown = Shown(name=self.name, view=None, came=time.time())
        self._channel = None
        for waiting in self._waiting.values():
            waiting.cancel()
        self._bank.publish()

    def _settle(self, key: int | bytes, what: object) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(what)

    # --- what is asked of it: None where it does not answer ---------------------------------------------------------------------

    async def nonce(self) -> NonceGiven | None:
        request = next(self._requests)
        answer = await self._ask(request, AskNonce(request=request))
        return answer if isinstance(answer, NonceGiven) else None

    async def act(self, act: OfficerAct) -> ActAnswered | None:
        """What the lane makes of an order; with None nobody knows what came of it."""
        answer = await self._ask(act.nonce, act)
        return answer if isinstance(answer, ActAnswered) else None

    async def watch(self, watch: OfficerWatch) -> WatchAnswered | None:
        """Whether the lane takes an officer for being on watch."""
        answer = await self._ask(watch.nonce, watch)
        return answer if isinstance(answer, WatchAnswered) else None

    async def case(self, transaction: str, officer: str) -> CaseShown | None:
        """Open the case of whoever waits there."""
        request = next(self._requests)
        answer = await self._ask(request, AskCase(request=request, transaction=transaction, officer=officer))
        return answer if isinstance(answer, CaseShown) else None

    def left(self, officer: str) -> None:
        """Tell that an officer went."""
        if self._channel is not None:
            self._channel.tell(WatchOver(officer=officer))

    def refused(self, path: str, why: str) -> None:
        """Tell for the log that somebody was refused here."""
        if self._channel is not None:
            self._channel.tell(ConsoleRefused(path=path, why=why))

    async def _ask(self, key: int | bytes, question: AnyMessage) -> object:
        channel = self._channel
        if channel is None or key in self._waiting:
            return None
        waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            await channel.send(question)
            await asyncio.wait({waiting}, timeout=ANSWER_S)
        except ChannelClosed:
            return None
        finally:
            del self._waiting[key]
        return waiting.result() if waiting.done() and not waiting.cancelled() else None


class Bank(NewestView[tuple[Shown, ...]]):
    """All lanes, in the order in which they were named. For use in one event loop."""

    def __init__(self, states: Sequence[Path]) -> None:
        super().__init__()
        self._due: asyncio.TimerHandle | None = None
        self._notes = Budget(NOTES, NOTE_EVERY_S, time.monotonic)
        self.lanes = tuple(LaneLine(state, self) for state in states)
        self._publish()

    def publish(self) -> None:
        """Show what changed, shortly."""
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(GATHER_S, self._publish)

    def _publish(self) -> None:
        self._due = None
        self.show(tuple(lane.shown for lane in self.lanes))

    def find(self, name: str) -> LaneLine | None:
        return next((lane for lane in self.lanes if lane.name == name), None)

    async def nonces(self) -> dict[str, bytes]:
        """A nonce of each lane that can be reached, by name."""
        given = await asyncio.gather(*(lane.nonce() for lane in self.lanes))
        return {lane.name: each.nonce for lane, each in zip(self.lanes, given, strict=True) if each is not None}

    def left(self, officer: str) -> None:
        """Tell all lanes that an officer went."""
        for lane in self.lanes:
            lane.left(officer)

    def refused(self, path: str, why: str) -> None:
        """Have it in the log of this gate's own lane that somebody was refused here; a flood costs the console alone."""
        if self._notes.spend():
            self.lanes[0].refused(path, why)

    async def run(self) -> None:
        """Follow all lanes until cancelled."""
        await asyncio.gather(*(lane.run() for lane in self.lanes))
