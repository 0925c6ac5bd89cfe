"""Tells the registry of crossings what the outbox holds: in order, again and again until it has it, slower while it is away."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable

import msgspec

from gate.registries.base import Found, RegistryAnswer, Source, Unavailable
from gate.registries.crossing import CrossingOutbox, CrossingReply, OutboxError, told

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""A centre that comes back after a day is not run down by all its gates in the first second, and is caught up with within minutes."""


class CrossingSender:
    """One task beside the loop. ``sleep`` and ``dice`` are there for tests; pauses double and are spread over half their length."""

    def __init__(
        self,
        outbox: CrossingOutbox,
        registry: Source[CrossingReply],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._outbox, self._registry, self._sleep, self._dice = outbox, registry, sleep, dice
        self._pause_s = FIRST_PAUSE_S

    async def run(self) -> None:
        """Send for ever; where the disk refuses, say so and try again: it is full until somebody clears it."""
        while True:
            self._outbox.more.clear()
            try:
                while await self.send_one():
                    pass
            except OutboxError as error:
                print(f"registries: {error}", file=sys.stderr, flush=True)
                await self._sleep(LONGEST_PAUSE_S)
                continue
            await self._outbox.more.wait()

    async def send_one(self) -> bool:
        """Tell of the oldest crossing, once; pause where it was not taken. False: there is none."""
        pending = await self._outbox.next()
        if pending is None:
            return False
        try:
            crossing = told(pending)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            await self._outbox.set_aside(pending.transaction, "malformed")
            return True
        await self._heed(pending.transaction, await self._registry.ask(crossing))
        return True

    async def _heed(self, transaction: str, answer: RegistryAnswer[CrossingReply]) -> None:
        match answer:
            case Found():
                await self._outbox.acknowledged(transaction)
                self._pause_s = FIRST_PAUSE_S
            case Unavailable(why="rejected"):
                await self._outbox.set_aside(transaction, "rejected")
            case _:
                await self._sleep(self._pause_s * (0.5 + self._dice() / 2))
                self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)
