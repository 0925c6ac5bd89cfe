"""An event loop whose time jumps: where nothing is to be done before the next timer, and no thread works for it, that timer is due now.

An hour of an actor's life takes as long as what happens in it. What waits for a disk in a thread is waited for in earnest, and takes no time.
"""

from __future__ import annotations

import asyncio
import selectors
from datetime import datetime, timedelta
from typing import Any

from gate.clock import SystemClock

STUCK_S = 30.0
"""Real seconds that a thread may work; and that a loop without any timer is given for something to come from outside."""


class _Selector(selectors.DefaultSelector):
    loop: WarpedLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.loop.working or timeout is None:
            return super().select(STUCK_S)
        self.loop.elapsed += timeout
        return ready


class WarpedLoop(asyncio.SelectorEventLoop):
    """Begins at 0."""

    def __init__(self) -> None:
        self.elapsed, self.working = 0.0, 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.elapsed

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override] # whatever func returns
        self.working += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        self.working -= 1


class WarpedClock(SystemClock):
    """The clocks of whoever lives in that loop."""

    def __init__(self, loop: WarpedLoop, began: datetime) -> None:
        super().__init__()
        self._loop, self._began = loop, began

    def boot(self) -> float:
        return self._loop.time()

    def wall(self) -> datetime:
        return self._began + timedelta(seconds=self._loop.time())

    def trusted(self) -> bool:
        return True
