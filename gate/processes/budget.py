"""So much at once, and one more every so often: what keeps somebody who asks without end from using up a disk or the processor."""

from __future__ import annotations

from collections.abc import Callable


class Budget:
    """``most`` at once, one more each ``every_s``, by the clock ``now`` (seconds)."""

    def __init__(self, most: int, every_s: float, now: Callable[[], float]) -> None:
        self._most, self._every_s, self._now = most, every_s, now
        self._left, self._since = float(most), now()

    def spend(self) -> bool:
        """Take one; False where there is none left."""
        now = self._now()
        self._left = min(self._most, self._left + (now - self._since) / self._every_s)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
