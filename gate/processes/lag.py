"""How late the lane's loop comes to its work: what stands between a lease and its renewal."""

from __future__ import annotations

from bisect import bisect_left

BOUNDS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
"""Upper bounds of the histogram's classes, the last one open. Beyond 200 ms a lease is lost."""


class LoopLag:
    """A histogram of lateness, fed twenty times a second. One thread only."""

    __slots__ = ("counts", "total_ms", "worst_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        """How many were at most so late, class by class (not cumulated)."""
        self.total_ms = self.worst_ms = 0.0

    def note(self, seconds: float) -> None:
        """Something that was due ``seconds`` ago is handled now."""
        late = seconds * 1000
        self.counts[bisect_left(BOUNDS_MS, late)] += 1
        self.total_ms += late
        self.worst_ms = max(self.worst_ms, late)
