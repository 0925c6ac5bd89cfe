"""A circuit breaker: a registry that failed three times running is not waited for again, until it had a while to recover.

Who asks a registry that is away waits for the whole deadline, one traveller after another. After :data:`FAILURES` the circuit is open
and every question is answered at once with *circuit_open*; after :data:`OPEN_S` one question goes through as a probe, and its end decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 3
OPEN_S = 5.0


def boot() -> float:
    """Seconds since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class CircuitBreaker:
    """For one thread or one loop. ``now``: seconds that never go back."""

    def __init__(self, *, failures: int = FAILURES, open_s: float = OPEN_S, now: Callable[[], float] = boot) -> None:
        self._most, self._open_s, self._now = failures, open_s, now
        self._failed, self._shut_until = 0, 0.0

    @property
    def open(self) -> bool:
        """Whether the registry is being left alone."""
        return self._failed >= self._most

    def admits(self) -> bool:
        """Whether a question may go out now. A probe that goes out shuts the door behind it until it has ended, or its time is over."""
        if not self.open:
            return True
        if self._now() < self._shut_until:
            return False
        self._shut_until = self._now() + self._open_s
        return True

    def ended(self, *, well: bool) -> None:
        """A question that went out has ended: the registry was there, or it was not."""
        if well:
            self._failed = 0
            return
        self._failed += 1
        if self.open:
            self._shut_until = self._now() + self._open_s
