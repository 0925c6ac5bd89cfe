"""How many persons are inside, out of what sensors say: a number only where every one of them is sure of it, and of the same."""

from __future__ import annotations

from collections.abc import Iterable

from hardware.ports import Occupancy

SURE = 0.95
"""A sensor that is less sure than this has not counted. A design assumption: what it costs and catches is measured in the simulator."""


def agreed(told: Iterable[Occupancy], sure: float = SURE) -> int | None:
    """The count on which all of ``told`` agree, each at least ``sure``; None, which is neither 0 nor 1, where one is uncertain, two
    dispute, or nobody looked. Values out of range (a confidence that is no number, a count below 0) are uncertain.
    """
    counts = {each.count if each.count >= 0 and sure <= each.confidence <= 1 else None for each in told}
    return counts.pop() if len(counts) == 1 else None
