"""What every long suite is made of: dice in, a word out; how bytes are spoilt; and what work on them may cost."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)

Case = Callable[[random.Random], str]


def spoil(data: bytes, dice: random.Random) -> bytes:
    """One to three changes: octets overwritten (half of the time nothing else, which leaves all lengths right), cut out or put in."""
    spoilt = bytearray(data)
    kinds = dice.choice((3, 6))
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(spoilt) + 1)
        match dice.randrange(kinds) + 6 - kinds:
            case 0:
                del spoilt[at : at + dice.randint(1, 8)]
            case 1:
                spoilt[at:at] = dice.randbytes(dice.randint(1, 8))
            case 2:
                del spoilt[at:]
            case _:
                spoilt[at : at + 1] = dice.randbytes(1)
    return bytes(spoilt)


class Meter:
    """What single pieces of work on foreign bytes cost: this thread's CPU time, and now and then the memory that Python took.

    A piece is what the product does between two answers of whoever talks to it, so other parties are stopped out.
    """

    LIMIT_MS = 50.0
    """Per answer, whatever the answer is."""
    MEMORY_KIB = 8192
    """Likewise: far above the largest file that is read, far below what would hurt."""

    TRACED = 400
    """One case in so many is measured by memory instead of time."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.pieces = self.over = self.peak_kib = 0
        self.worst_ms = 0.0
        self._begun: float | None = None

    def start(self) -> None:
        self._begun = time.thread_time()

    def stop(self) -> None:
        """End a piece; nothing where none was begun."""
        if self._begun is None:
            return
        milliseconds = 1000 * (time.thread_time() - self._begun)
        self._begun = None
        if not tracemalloc.is_tracing():  # which costs several times the work
            self.pieces += 1
            self.over += milliseconds > self.LIMIT_MS
            self.worst_ms = max(self.worst_ms, milliseconds)

    @contextmanager
    def traced(self) -> Iterator[None]:
        """Measure the memory of a case instead of its time. Raises AssertionError where it takes too much."""
        tracemalloc.start()
        try:
            yield
            self.peak_kib = max(self.peak_kib, tracemalloc.get_traced_memory()[1] // 1024)
        finally:
            tracemalloc.stop()
        assert self.peak_kib <= self.MEMORY_KIB, f"{self.peak_kib} KiB"

    @contextmanager
    def now_and_then(self, dice: random.Random) -> Iterator[None]:
        """:meth:`traced`, one case in so many."""
        with self.traced() if dice.randrange(self.TRACED) == 0 else nullcontext():
            yield

    def report(self) -> dict[str, float]:
        """Figures so far; none where nothing was measured."""
        if not self.pieces:
            return {}
        return {
            "pieces": self.pieces,
            "worst_ms": round(self.worst_ms, 2),
            "over_50_ms": self.over,
            "peak_kib": self.peak_kib,
        }


METER = Meter()
"""The meter of the suite that runs."""
