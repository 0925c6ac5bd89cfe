"""Does one group have more of something than all others? Fisher's exact test within strata, and Holm's correction for asking often."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, lgamma

import numpy as np

Stratum = tuple[int, int, int]
"""How many there are, how many of them are marked, how many of them belong to the group."""


def chance_of(hits: int, strata: Iterable[Stratum]) -> float:
    """The probability that the group holds ``hits`` marked ones or more, had the marks fallen at random within each stratum.

    Exact: the sum of the strata's hypergeometric variables. A stratum that all members or none belong to says nothing, and so does
    one that is marked wholly or not at all; what makes all groups of a stratum worse, as a bad camera, is held against none of them.
    """
    if hits == 0:
        return 1.0
    law, least = np.ones(1), 0
    for total, marked, drawn in strata:
        low = max(0, marked + drawn - total)
        law, least = np.convolve(law, _hypergeometric(total, marked, drawn, low)), least + low
    return min(1.0, float(law[max(0, hits - least) :].sum()))


def _hypergeometric(total: int, marked: int, drawn: int, low: int) -> list[float]:
    """The probabilities of ``low``, ``low`` + 1, … marked ones among ``drawn`` of ``total``."""
    whole = _log_choose(total, drawn)
    return [
        exp(_log_choose(marked, hits) + _log_choose(total - marked, drawn - hits) - whole)
        for hits in range(low, min(marked, drawn) + 1)
    ]


def _log_choose(total: int, drawn: int) -> float:
    return lgamma(total + 1) - lgamma(drawn + 1) - lgamma(total - drawn + 1)


def holm(chances: Sequence[float]) -> list[float]:
    """Adjusted so that rejecting what is at most α rejects anything wrongly with probability α at most (Holm, 1979)."""
    adjusted, worst = [0.0] * len(chances), 0.0
    for rank, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        worst = max(worst, min(1.0, (len(chances) - rank) * chances[index]))
        adjusted[index] = worst
    return adjusted
