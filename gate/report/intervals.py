"""Binomial confidence intervals: exact (Clopper and Pearson, 1934), from the binomial tail by bisection, and Wilson's (1927)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, exp, lgamma, log, log1p, sqrt
from statistics import NormalDist

PRECISION = 1e-9
"""Absolute, of every bound; a report prints three digits."""


@cache  # a page asks for each figure several times
def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided interval for a proportion of which ``hits`` in ``trials`` were seen; (0, 1) for no trials at all.

    Raises ValueError unless 0 ≤ hits ≤ trials and 0 < confidence < 1.
    """
    alpha = (1 - confidence) / 2
    return lower_bound(hits, trials, alpha), 1 - lower_bound(trials - hits, trials, alpha)


def at_most(hits: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided upper bound: with this confidence the proportion is not above it (0 of 3,000: 0.1 %)."""
    return 1 - lower_bound(trials - hits, trials, 1 - confidence)


def lower_bound(hits: int, trials: int, alpha: float) -> float:
    """The proportion at which ``hits`` or more of ``trials`` have probability ``alpha``."""
    if not 0 <= hits <= trials or not 0 < alpha < 1:
        raise ValueError(f"{hits} of {trials} at level {alpha}")
    if hits == 0:
        return 0.0
    low, high = 0.0, hits / trials
    while high - low > PRECISION:
        middle = (low + high) / 2
        if _tail(hits, trials, middle) < alpha:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _tail(hits: int, trials: int, proportion: float) -> float:
    """P(X ≥ hits) for a proportion below hits/trials: there the terms only fall, so that the sum may stop early."""
    choose = lgamma(trials + 1) - lgamma(hits + 1) - lgamma(trials - hits + 1)
    term = exp(choose + hits * log(proportion) + (trials - hits) * log1p(-proportion))
    odds, total = proportion / (1 - proportion), 0.0
    for seen in range(hits, trials + 1):
        total += term
        term *= (trials - seen) / (seen + 1) * odds
        if term < 1e-17 * total:
            break
    return total


def trials_needed(proportion: float, half_width: float, confidence: float = 0.95) -> int:
    """How many trials a claim of ``proportion`` ± ``half_width`` takes (normal approximation, as planning figures have it)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return ceil(z * z * proportion * (1 - proportion) / half_width**2)


def wilson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval: narrower than the exact one, right on average over proportions; (0, 1) for no trials at all.

    Raises ValueError unless 0 ≤ hits ≤ trials and 0 < confidence < 1.
    """
    if not 0 <= hits <= trials or not 0 < confidence < 1:
        raise ValueError(f"{hits} of {trials} at confidence {confidence}")
    if trials == 0:
        return 0.0, 1.0
    z, share = NormalDist().inv_cdf((1 + confidence) / 2), hits / trials
    middle, scale = share + z * z / (2 * trials), 1 + z * z / trials
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return (middle - half) / scale if hits else 0.0, (middle + half) / scale if hits < trials else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """``hits`` of ``trials``, of which there is one at least, with the 95 % interval in per cent."""

    name: str
    hits: int
    trials: int

    @property
    def percent(self) -> float:
        return 100 * self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        low, high = clopper_pearson(self.hits, self.trials)
        return 100 * low, 100 * high

    @property
    def at_most(self) -> float:
        return 100 * at_most(self.hits, self.trials)
