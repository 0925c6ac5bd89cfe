"""Two periods, or two versions of the rules, beside one another: what differs, how sure that is, and how many it takes to call a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import ceil, erfc, exp, lgamma, sqrt
from statistics import NormalDist

from gate.outcome import Outcome
from gate.records import TransactionRecord
from gate.report.intervals import Share, wilson
from gate.report.trial_times import Quantile, quantiles, seconds_of

POWER, LEVEL = 0.8, 0.05
"""A difference is called when its chance is below the level; the sample is such that a real one is called this often."""
PLANNED = (0.02, 0.01, 0.005)
"""Differences, in shares, that a trial may want to call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two. ``seconds``: percentiles of those who passed, in milliseconds."""

    name: str
    stopped: Share
    passed: int
    quantiles: tuple[Quantile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``difference`` of the shares that did not pass, second less first, in percentage points, with Newcombe's 95 % interval (Wilson's of each).

    ``chance``: two-sided, Fisher's exact test; ``chance_times``: Mann and Whitney's, with ties, of equal times, None where a side has none.
    ``needed``: (difference in shares, transactions on each side to call it).
    """

    what: str
    sides: tuple[Side, Side]
    difference: float
    interval: tuple[float, float]
    chance: float
    chance_times: float | None
    needed: tuple[tuple[float, int], ...]

    @property
    def called(self) -> bool:
        return self.chance < LEVEL


def rules_of(record: TransactionRecord) -> str:
    """The version that decided last; empty where nothing was decided."""
    return record.decisions[-1].decision.rules_version if record.decisions else ""


def comparisons(records: Sequence[TransactionRecord], split: datetime | None) -> list[Comparison]:
    """Before and from ``split``, where it is given; and each rules version beside the one before it, in the order in which they came."""
    pairs: list[tuple[str, tuple[str, list[TransactionRecord]], tuple[str, list[TransactionRecord]]]] = []
    if split is not None:
        at = split.isoformat(timespec="minutes")
        before, after = [r for r in records if r.started < split], [r for r in records if r.started >= split]
        pairs.append(("periods", (f"before {at}", before), (f"from {at}", after)))
    versions = list(dict.fromkeys(rules_of(record) for record in records if record.decisions))
    for first, second in pairwise(versions):
        one, two = ((name, [record for record in records if rules_of(record) == name]) for name in (first, second))
        pairs.append(("rules", one, two))
    return [compared(what, first, second) for what, first, second in pairs if first[1] and second[1]]


def compared(what: str, first: tuple[str, list[TransactionRecord]], second: tuple[str, list[TransactionRecord]]) -> Comparison:
    """Two (name, records), none of them empty."""
    sides, spent = (_side(*first), _side(*second)), (_passed(first[1]), _passed(second[1]))
    one, two = (side.stopped for side in sides)
    base = (one.hits + two.hits) / (one.trials + two.trials)
    seen = abs(two.hits / two.trials - one.hits / one.trials)
    wanted = sorted({*PLANNED, *([round(seen, 4)] if round(seen, 4) else [])}, reverse=True)
    return Comparison(
        what=what,
        sides=sides,
        difference=two.percent - one.percent,
        interval=newcombe(one, two),
        chance=fisher(one.hits, one.trials, two.hits, two.trials),
        chance_times=mann_whitney(*spent) if all(spent) else None,
        needed=tuple((each, sample_size(base, each)) for each in wanted),
    )


def _passed(records: Sequence[TransactionRecord]) -> list[float]:
    return [1000 * seconds_of(record) for record in records if record.outcome is Outcome.OPEN]


def _side(name: str, records: Sequence[TransactionRecord]) -> Side:
    passed = _passed(records)
    stopped = Share(name="did not pass", hits=len(records) - len(passed), trials=len(records))
    return Side(name=name, stopped=stopped, passed=len(passed), quantiles=quantiles(passed))


def newcombe(one: Share, two: Share) -> tuple[float, float]:
    """95 % interval of the second share less the first, in percentage points (Newcombe, 1998, method 10)."""
    (low1, high1), (low2, high2) = wilson(one.hits, one.trials), wilson(two.hits, two.trials)
    p1, p2 = one.hits / one.trials, two.hits / two.trials
    down, up = sqrt((p2 - low2) ** 2 + (high1 - p1) ** 2), sqrt((high2 - p2) ** 2 + (p1 - low1) ** 2)
    return 100 * (p2 - p1 - down), 100 * (p2 - p1 + up)


def fisher(hits1: int, trials1: int, hits2: int, trials2: int) -> float:
    """Two-sided: the probability of all tables with these margins that are no likelier than this one."""
    hits, trials = hits1 + hits2, trials1 + trials2

    def log_choose(n: int, k: int) -> float:
        return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)

    whole = log_choose(trials, hits)
    logs = {
        k: log_choose(trials1, k) + log_choose(trials2, hits - k) for k in range(max(0, hits - trials2), min(hits, trials1) + 1)
    }
    limit = logs[hits1] + 1e-7
    return min(1.0, sum(exp(log - whole) for log in logs.values() if log <= limit))


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided probability of ranks as unequal as these, had both been drawn alike (normal approximation, ties, continuity)."""
    n, m = len(first), len(second)
    ranks, ties = _ranks([*first, *second])
    above = abs(sum(ranks[:n]) - n * (n + 1) / 2 - n * m / 2) - 0.5
    variance = n * m / 12 * (n + m + 1 - ties / max(1, (n + m) * (n + m - 1)))
    return min(1.0, erfc(max(0.0, above) / sqrt(2 * variance))) if variance > 0 else 1.0


def _ranks(values: Sequence[float]) -> tuple[list[float], float]:
    """Mean ranks from 1, and the sum of t³ − t over groups of t equal values."""
    order, ranks, ties, start = sorted(range(len(values)), key=values.__getitem__), [0.0] * len(values), 0.0, 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for index in order[start:end]:
            ranks[index] = (start + 1 + end) / 2
        ties += (end - start) ** 3 - (end - start)
        start = end
    return ranks, ties


def sample_size(share: float, difference: float, *, power: float = POWER, level: float = LEVEL) -> int:
    """Transactions on each side at which a real ``difference`` around ``share`` is called with ``power`` (two-sided, normal approximation)."""
    low = min(max(share - difference / 2, 0.0), 1 - difference)
    p1, p2 = low, low + difference
    middle, z, zb = (p1 + p2) / 2, NormalDist().inv_cdf(1 - level / 2), NormalDist().inv_cdf(power)
    root = z * sqrt(2 * middle * (1 - middle)) + zb * sqrt(p1 * (1 - p1) + p2 * (1 - p2))
    return ceil((root / difference) ** 2)
