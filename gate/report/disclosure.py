"""Which groups of people a table may name, so that nobody learns of a small one, not even by subtraction.

A group smaller than :data:`K` is not shown by itself. Were it the only one left out, the total less all the others would be it. So
the smallest of the groups that could be shown is left out with it, and they appear as one line. Who exchanges the members of the two
arrives at the very same page: no arithmetic on it, nor knowing this rule, tells which of them is the small one. And a page that
divides the same people in several ways, never by two at once, gives no crossing of two groups away, for both are K at least.
"""

from __future__ import annotations

from collections.abc import Mapping

K = 10
"""Fewest people a figure may be about."""


def kept_apart(counts: Mapping[str, int], least: int = K) -> frozenset[str]:
    """The groups that may be shown by themselves, out of all that make up one total.

    The others together are none, or ``least`` at least, or all there is.
    """
    small = {name for name, count in counts.items() if count < least}
    large = counts.keys() - small
    if small and large:
        next_smallest = min(counts[name] for name in large)  # with its equals: a choice among them would tell something
        small |= {name for name in large if counts[name] == next_smallest}
    return frozenset(counts.keys() - small)


def shown(count: int, least: int = K) -> int | None:
    """A count that may be shown, or None."""
    return count if count == 0 or count >= least else None
