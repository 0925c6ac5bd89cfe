"""Comparisons that share a subject are not independent: what that does to an interval.

``subjects`` (n, 2) holds the two subjects of each comparison; for a mated one they are equal.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Pairs = NDArray[np.int32]
Flags = NDArray[np.bool_]

REPLICATES = 1000


def bootstrap(scores: Values, subjects: Pairs, thresholds: Values, *, replicates: int = REPLICATES, seed: int = 0) -> Values:
    """Share of scores at or above each threshold, in each of ``replicates`` draws of the subjects: (replicates, thresholds).

    Subjects are drawn with replacement; a comparison counts as often as both its subjects were drawn. Draws that leave no
    comparison are NaN. For comparisons of two subjects this errs on the wide side (Owen, 2007, on rows and columns drawn together).
    """
    order = np.argsort(-scores, kind="stable")
    first, second = subjects[order].T
    same = first == second
    upto = np.searchsorted(-scores[order], -thresholds, side="right")
    count = int(subjects.max(initial=-1)) + 1
    drawn = np.zeros((replicates, thresholds.size))
    random = np.random.default_rng(seed)
    present = np.unique(subjects)
    for replicate in range(replicates):
        times = np.bincount(random.choice(present, present.size), minlength=count).astype(np.float64)
        weights = np.where(same, times[first], times[first] * times[second])
        sums = np.concatenate([[0.0], np.cumsum(weights)])
        drawn[replicate] = sums[upto] / sums[-1] if sums[-1] else np.nan
    return drawn


def percentiles(drawn: Values, confidence: float = 0.95) -> Values:
    """Two-sided percentile interval of each column: (2, thresholds)."""
    tail = 50 * (1 - confidence)
    return cast("Values", np.nanpercentile(drawn, [tail, 100 - tail], axis=0))


def design_effect(errors: Flags, subjects: Pairs) -> float:
    """By how much shared subjects widen the variance of an error rate, never below 1: n comparisons tell as much as n / effect.

    Sums the products of the deviations of all comparisons that share a subject (Aronow, Samii and Assenova, 2015, for pairs).
    """
    deviation = errors - errors.mean()
    alone = float(deviation @ deviation)
    if alone <= 0:
        return 1.0
    first, second = subjects.T
    count = int(subjects.max()) + 1
    per_subject = np.bincount(first, deviation, count) + np.bincount(second, np.where(first == second, 0, deviation), count)
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second)
    _, pair = np.unique(low * count + high, return_inverse=True)
    per_pair = np.bincount(pair, np.where(first == second, 0, deviation))
    shared = float(per_subject @ per_subject) - float(per_pair @ per_pair)
    return max(1.0, round(shared / alone, 9))  # what is left of rounding in n·(1/n) is no dependence
