"""Proof that the lane works, once a second: its queue is handled, its log takes records, its link's threads go round.

Proof goes to the service (``gate/notify.py``), and by it to systemd's watchdog. A loop that is stuck sends none by itself; a disk that
hangs and a link thread that hangs are asked for here. That the gate controller is away, or the lane out of service, is no reason: a
restart would not mend it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Protocol

from gate.notify import PROOF, STATUS, notify

PROVE_EVERY_S = 1.0
PATIENCE_S = 2.0
"""Longest that one of them may take. A commit takes milliseconds; a disk that takes this long holds up every permit."""


class Link(Protocol):
    def stuck(self) -> str: ...


class Watchdog:
    """``handled`` returns once the lane's queue handled a question put there now, ``durable`` once the log did; ``status`` in words."""

    def __init__(
        self,
        address: str,
        *,
        handled: Callable[[], asyncio.Future[None]],
        durable: Callable[[], asyncio.Future[None]],
        link: Link,
        status: Callable[[], str],
    ) -> None:
        self._address, self._asked, self._link, self._status = address, {"loop": handled, "log": durable}, link, status
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self.stuck = ""
        """What hangs, in words; empty while all works."""

    async def run(self) -> None:
        """For ever."""
        while True:
            self._say(await self._look())
            if not self.stuck:
                notify(self._address, PROOF, STATUS + self._status())
            await asyncio.sleep(PROVE_EVERY_S)

    async def _look(self) -> str:
        """What hangs. A question that was not answered is not asked again: it would only wait behind itself."""
        for what, ask in self._asked.items():
            answer = self._waiting[what] = self._waiting.get(what) or ask()
            await asyncio.wait({answer}, timeout=PATIENCE_S)
            if not answer.done():
                return what
            del self._waiting[what]
            answer.result()
        return self._link.stuck()

    def _say(self, stuck: str) -> None:
        if stuck and stuck != self.stuck:
            print(f"lane: {stuck} hangs: the watchdog gets no more proof", file=sys.stderr, flush=True)
        self.stuck = stuck
