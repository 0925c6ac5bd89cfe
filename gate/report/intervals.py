"""Exact binomial confidence intervals (Clopper and Pearson, 1934), from the binomial tail by bisection."""

from __future__ import annotations

from math import exp, lgamma, log, log1p

PRECISION = 1e-9
"""Absolute, of every bound; a report prints three digits."""


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
