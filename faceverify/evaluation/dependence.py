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
_BATCH = 4096
"""Couples of subjects weighed at a time: 32 MB for a thousand replicates."""


def bootstrap(scores: Values, subjects: Pairs, thresholds: Values, *, replicates: int = REPLICATES, seed: int = 0) -> Values:
    """Share of scores at or above each threshold (ascending), in each draw of the subjects: (replicates, thresholds).

    Subjects are drawn with replacement; a comparison counts as often as both its subjects were drawn. Draws that leave no
    comparison are NaN. For comparisons of two subjects this errs on the wide side (Owen, 2007, on rows and columns drawn together).
    """
    present, codes = np.unique(subjects, return_inverse=True)
    couples, couple = _couples(codes.reshape(-1, 2), present.size)
    order = np.argsort(couple, kind="stable")
    couple, reached = couple[order], np.searchsorted(thresholds, scores[order], side="right")
    times = (
        np.random.default_rng(seed).multinomial(present.size, np.full(present.size, 1 / present.size), replicates).astype(float)
    )
    sums = np.zeros((replicates, thresholds.size + 1))
    for start in range(0, len(couples), _BATCH):
        first, second = couples[start : start + _BATCH].T
        some = slice(*np.searchsorted(couple, [start, start + _BATCH]))
        place = (couple[some] - start) * (thresholds.size + 1) + reached[some]
        counts = np.bincount(place, minlength=first.size * (thresholds.size + 1)).reshape(first.size, -1)
        sums += (
            np.where(first == second, times[:, first], times[:, first] * times[:, second])
            @ counts[:, ::-1].cumsum(axis=1)[:, ::-1]
        )
    with np.errstate(invalid="ignore"):
        return sums[:, 1:] / sums[:, :1]


def _couples(subjects: NDArray[np.integer], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct couples of subjects (m, 2), whatever their order, and the number of each comparison's couple (n,)."""
    low, high = subjects.min(axis=1).astype(np.int64), subjects.max(axis=1).astype(np.int64)
    codes, couple = np.unique(low * count + high, return_inverse=True)
    return np.stack([codes // count, codes % count], axis=1), couple


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
    per_couple = np.bincount(_couples(subjects, count)[1], np.where(first == second, 0, deviation))
    shared = float(per_subject @ per_subject) - float(per_couple @ per_couple)
    return max(1.0, round(shared / alone, 9))  # what is left of rounding in n·(1/n) is no dependence
