"""Sets a threshold where the data can support it: on the hardest stratum, at the upper bound of the FMR.

The pool hides those whom a network confuses most, people of one sex and one origin; a threshold that holds for them holds for all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceverify.evaluation.comparisons import Comparisons
from faceverify.evaluation.dependence import Pairs, design_effect
from faceverify.evaluation.intervals import keeps, trials_needed, upper_bound
from faceverify.evaluation.strata import Stratum, pool

Values = NDArray[np.float64]

TARGETS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
MAX_TARGET = 0.1
"""A threshold with a higher FMR protects nothing."""
MAX_SCORE = 1.0
"""Equal features: nothing lies above."""
_STEP = 1e4
"""Thresholds are rounded up to four decimals."""
_ENOUGH = 30
"""False matches from which the dependence of comparisons can be told; of few comparisons the upper half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A threshold that the data support: with 95 % confidence the FMR of ``stratum`` is at most ``fmr_upper`` ≤ ``target``.

    ``effective``: to how many independent comparisons the ``comparisons`` amount.
    """

    target: float
    score: float
    stratum: str
    false_matches: int
    comparisons: int
    effective: float
    fmr_upper: float

    @property
    def fmr(self) -> float:
        return self.false_matches / self.comparisons


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A stratum whose data support no threshold; ``needed`` comparisons of this kind would, if none of them matched.

    ``needed`` is None where no amount would: non-mated pictures that score as equal.
    """

    target: float
    stratum: str
    comparisons: int
    effective: float
    needed: int | None

    @property
    def why(self) -> str:
        if self.needed is None:
            return f"{self.stratum}: non-mated comparisons score {MAX_SCORE:g}; look for one picture under two subjects"
        worth = f"worth {self.effective:,.0f} independent ones"
        return f"{self.stratum}: {self.comparisons:,} non-mated comparisons, {worth}; an FMR of {self.target:g} needs about {self.needed:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No threshold: these strata are too small for it, the smallest first."""

    target: float
    shortages: tuple[Shortage, ...]


def choose(comparisons: Comparisons, scores: Values, groups: Sequence[Stratum], target: float) -> Setting | Refused:
    """:func:`hardest` of the pool and these strata, over the bona fide non-mated comparisons that gave a score."""
    chosen = comparisons.bona_fide & ~comparisons.mated & np.isfinite(scores)
    subjects = np.stack([comparisons.reference_subject, comparisons.probe_subject], axis=1)
    inner = [replace(group, members=group.members[chosen]) for group in (pool(comparisons), *groups)]
    return hardest(scores[chosen], subjects[chosen], inner, target)


def hardest(scores: Values, subjects: Pairs, groups: Sequence[Stratum], target: float) -> Setting | Refused:
    """The highest of the strata's thresholds; Refused where any of them has none. ``scores``: of non-mated comparisons alone.

    Strata of unlike people are left aside: they are the easy ones. Raises ValueError unless 0 < target ≤ 0.1.
    """
    if not 0 < target <= MAX_TARGET:
        raise ValueError(f"an FMR of {target} is not between 0 and {MAX_TARGET}")
    found = [lowest(scores[group.members], subjects[group.members], target, group.name) for group in groups if group.alike]
    if shortages := [item for item in found if isinstance(item, Shortage)]:
        return Refused(target=target, shortages=tuple(sorted(shortages, key=lambda item: item.effective)))
    return max((item for item in found if isinstance(item, Setting)), key=lambda setting: setting.score)


def lowest(scores: Values, subjects: Pairs, target: float, name: str) -> Setting | Shortage:
    """The lowest threshold at which the upper bound of the FMR is within ``target``.

    How many false matches are allowed follows from the counts alone, so that to take the threshold from these very scores costs
    no confidence: it is a one-sided tolerance limit (Wilks, 1941).
    """
    falling = -np.sort(-scores)
    effective = _effective(falling, scores, subjects, target)
    weight = effective / scores.size if scores.size else 1.0
    needed = math.ceil(trials_needed(target) / weight)
    short = Shortage(target=target, stratum=name, comparisons=int(scores.size), effective=effective, needed=needed)
    if scores.size < needed:
        return short
    allowed = _allowed(int(scores.size), weight, target)
    score = _above(float(falling[allowed]))
    if score > MAX_SCORE:
        return Shortage(target=target, stratum=name, comparisons=int(scores.size), effective=effective, needed=None)
    errors = int(np.count_nonzero(scores >= score))
    return Setting(
        target=target,
        score=score,
        stratum=name,
        false_matches=errors,
        comparisons=int(scores.size),
        effective=effective,
        fmr_upper=upper_bound(errors * weight, effective),
    )


def _above(score: float) -> float:
    """The next threshold of four decimals that this score does not reach."""
    step = math.floor(score * _STEP)
    while step / _STEP <= score:
        step += 1
    return step / _STEP


def _effective(falling: Values, scores: Values, subjects: Pairs, target: float) -> float:
    """Independent comparisons that these amount to: fewer for shared subjects, and one at most for each two people."""
    if not scores.size:
        return 0.0
    rank = min(max(_ENOUGH, math.ceil(target * scores.size)), (scores.size + 1) // 2) - 1
    effect = design_effect(scores >= falling[rank], subjects)
    return min(scores.size / effect, float(np.unique(np.sort(subjects, axis=1), axis=0).shape[0]))


def _allowed(count: int, weight: float, target: float) -> int:
    """The most false matches of ``count`` comparisons at which the upper bound stays within ``target``; none always does here."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if keeps(middle * weight, count * weight, target) else (low, middle)
    return low
