"""Error rates of scores at thresholds (ISO/IEC 19795-1). A score at or above the threshold is a match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceverify.evaluation.intervals import clopper_pearson, upper_bound

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """``errors`` of ``trials``. ``interval`` takes comparisons for independent; ``resampled`` (subjects drawn anew) does not."""

    errors: int
    trials: int
    resampled: tuple[float, float] | None = None

    @property
    def value(self) -> float | None:
        """None for no trials: what was not tried is not zero."""
        return self.errors / self.trials if self.trials else None

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper-Pearson, 95 %, two-sided."""
        return clopper_pearson(self.errors, self.trials)

    @property
    def at_most(self) -> float:
        """Clopper-Pearson, 95 %, one-sided. For no errors this is the rule of three."""
        return upper_bound(self.errors, self.trials)


def false_matches(non_mated: Values, threshold: float) -> Rate:
    """FMR: non-mated comparisons that match."""
    return Rate(errors=int(np.count_nonzero(non_mated >= threshold)), trials=int(non_mated.size))


def false_non_matches(mated: Values, threshold: float) -> Rate:
    """FNMR: mated comparisons that do not match."""
    return Rate(errors=int(np.count_nonzero(mated < threshold)), trials=int(mated.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Det:
    """Detection error trade-off: from the lowest threshold (FMR 1) to the highest; each array (m,)."""

    thresholds: Values
    fmr: Values
    fnmr: Values


def det(mated: Values, non_mated: Values, points: int = 400) -> Det:
    """At every score that occurs and one above them all, thinned to ``points``, evenly in FMR's logarithm. Needs both classes."""
    every = np.unique(np.concatenate([mated, non_mated]))
    thresholds = np.append(every, np.nextafter(every[-1], np.inf))
    fmr = 1 - np.searchsorted(np.sort(non_mated), thresholds, side="left") / non_mated.size
    fnmr = np.searchsorted(np.sort(mated), thresholds, side="left") / mated.size
    corners = np.flatnonzero(np.diff(fmr, prepend=2.0) != 0) if thresholds.size > points else np.arange(thresholds.size)
    if corners.size > points:
        wanted = np.geomspace(1, 1 / non_mated.size, points)
        nearest = np.searchsorted(-fmr[corners], -wanted).clip(max=corners.size - 1)
        corners = corners[np.unique(np.append(nearest, corners.size - 1))]
    return Det(thresholds=thresholds[corners], fmr=fmr[corners], fnmr=fnmr[corners])


def error_versus_discard(mated: Values, quality: Values, threshold: float, shares: Sequence[float]) -> Values:
    """FNMR of the mated comparisons that remain when this share of them, those of lowest quality, is discarded.

    Among equals those that would match go first, so that a measure that tells nothing apart gains nothing.
    """
    order = np.lexsort((mated < threshold, quality))
    failed = (mated < threshold)[order]
    remaining = failed[::-1].cumsum()[::-1]
    start = [min(int(share * mated.size), mated.size - 1) for share in shares]
    return np.array([remaining[index] / (mated.size - index) for index in start])
