"""The lanes that a console watches: one line to each, by its state folder, so that a lane that is started anew is found again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from gate.processes.channel import Channel, ChannelClosed, connect
from gate.processes.messages import ActAnswered, AskNonce, ConsoleView, NonceGiven, OfficerAct
from gate.runtime import RUNTIME_FILE, Runtime
from gate.ui.feed import RETRY_FIRST_S, RETRY_LAST_S, NewestView

ANSWER_S = 5.0
"""A lane answers within two seconds, whatever it says."""


class LaneLine:
    """One lane. ``view`` is None while it cannot be reached."""

    def __init__(self, state: Path, bank: Bank) -> None:
        self.view: ConsoleView | None = None
        self.name = state.name
        """What the lane calls itself, once it was reached."""
        self._state, self._bank = state, bank
        self._channel: Channel | None = None
        self._requests = count(1)
        self._waiting: dict[int | bytes, asyncio.Future[Any]] = {}

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
                match await channel.receive():
                    case ConsoleView() as view:
                        self.view, self.name = view, view.lane
                        self._bank.publish()
                    case NonceGiven() as given:
                        self._settle(given.request, given)
                    case ActAnswered() as answered:
                        self._settle(answered.nonce, answered)
                    case _:
                        pass
        finally:
            await channel.close()

    def _lost(self) -> None:
        self.view, self._channel = None, None
        for waiting in self._waiting.values():
            waiting.cancel()
        self._bank.publish()

    def _settle(self, key: int | bytes, what: object) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(what)

    async def nonce(self) -> NonceGiven | None:
        """A nonce of this lane's; None where it does not answer."""
        request = next(self._requests)
        answer = await self._ask(request, AskNonce(request=request))
        return answer if isinstance(answer, NonceGiven) else None

    async def act(self, act: OfficerAct) -> ActAnswered | None:
        """What the lane makes of an order; None where it does not answer, and nobody knows what came of it."""
        answer = await self._ask(act.nonce, act)
        return answer if isinstance(answer, ActAnswered) else None

    async def _ask(self, key: int | bytes, question: AskNonce | OfficerAct) -> object:
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


class Bank(NewestView[tuple[tuple[str, ConsoleView | None], ...]]):
    """All lanes, in the order in which they were named: each one's name, and its view."""

    def __init__(self, states: Sequence[Path]) -> None:
        super().__init__()
        self.lanes = tuple(LaneLine(state, self) for state in states)
        self.publish()

    def publish(self) -> None:
        """Show what changed."""
        self.show(tuple((lane.name, lane.view) for lane in self.lanes))

    def find(self, name: str) -> LaneLine | None:
        return next((lane for lane in self.lanes if lane.name == name), None)

    async def run(self) -> None:
        """Follow all lanes until cancelled."""
        await asyncio.gather(*(lane.run() for lane in self.lanes))
