"""Exact binomial confidence bounds (Clopper and Pearson, 1934), from the incomplete beta function; and how much data a bound needs.

Counts may be fractions: comparisons that depend on one another weigh less than they count (:mod:`.dependence`).
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95
_ITERATIONS = 10_000
_TINY = 1e-300
_CONVERGED = 1e-14


def clopper_pearson(errors: float, trials: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided interval for a rate of which ``errors`` in ``trials`` were seen; (0, 1) for no trials at all.

    Raises ValueError unless 0 ≤ errors ≤ trials and 0 < confidence < 1.
    """
    tail = (1 - confidence) / 2
    return 1 - upper_bound(trials - errors, trials, 1 - tail), upper_bound(errors, trials, 1 - tail)


def upper_bound(errors: float, trials: float, confidence: float = CONFIDENCE) -> float:
    """One-sided: with this confidence the rate is not above it. 0 of 3,000 give 0.1 % (the rule of three)."""
    if not 0 <= errors <= trials or not 0 < confidence < 1:
        raise ValueError(f"{errors} of {trials} at confidence {confidence}")
    if errors == trials:
        return 1.0
    return beta_quantile(confidence, errors + 1, trials - errors)


def keeps(errors: float, trials: float, rate: float, confidence: float = CONFIDENCE) -> bool:
    """Whether :func:`upper_bound` is at most ``rate``, found without looking for the bound."""
    return errors < trials and incomplete_beta(rate, errors + 1, trials - errors) >= confidence


def trials_needed(rate: float, confidence: float = CONFIDENCE) -> int:
    """Trials without a single error after which the rate is below ``rate`` with this confidence: about 3/rate at 95 %."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Where the distribution Beta(a, b) has this much below it, by bisection, to 12 digits."""
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2 if low > 0 else high / 8
        if incomplete_beta(middle, a, b) < probability:
            low = middle
        else:
            high = middle
        if high - low <= 1e-12 * high:
            break
    return (low + high) / 2


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b) for a, b > 0 (Abramowitz and Stegun 26.5.8, continued fraction)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly, its mirror image converges fast
        return 1 - incomplete_beta(1 - x, b, a)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logarithm) / a / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d₁/(1 + d₂/(1 + …)), evaluated forwards (Lentz, 1976)."""
    value, ahead, behind = 1.0, 1.0, 0.0
    for step in range(1, _ITERATIONS):
        term = _term(step, x, a, b)
        behind = 1 / _away_from_zero(1 + term * behind)
        ahead = _away_from_zero(1 + term / ahead)
        value *= ahead * behind
        if abs(ahead * behind - 1) < _CONVERGED:
            break
    return value


def _term(step: int, x: float, a: float, b: float) -> float:
    m = step // 2
    if step % 2:
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
