"""Whether gates do as well as before, by what they told: exact intervals, and three answers. Nothing here reads a clock or a database.

Crossings that were referred, and crossings that were slower than nineteen of twenty were before, are counted at the same gates before and
since. *Bad* is what is worse than before by more than the margin beyond reasonable doubt; *good* is what is not, likewise; in between, more
crossings have to be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gate.report.intervals import clopper_pearson

Share = Annotated[float, Meta(gt=0, lt=1)]
CONFIDENCE = 0.95
USUALLY_SLOW = 0.05
"""By definition of the 95th percentile, before."""
Verdict = Literal["good", "bad", "open"]


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Under which a stage is passed."""

    report_within_s: Annotated[float, Meta(gt=0, le=7 * 86_400)] = 1800.0
    """Every gate of the stage says within this time that it works with the target, or the stage is bad."""
    fewest: Annotated[int, Meta(ge=0, le=1_000_000)] = 300
    """Crossings before, and since, without which nothing is said of either."""
    referral_margin: Share = 0.05
    slow_margin: Share = 0.05
    most_faulty: Annotated[float, Meta(ge=0, lt=1)] = 0.02
    """Share of gates that may stand in a fault: of 3,000 some always do, of one none may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Crossings at some gates in some time. ``slow``: slower than the 95th percentile of the time before."""

    crossings: int = 0
    referred: int = 0
    slow: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Of the gates that have the target by now."""

    gates: frozenset[str]
    in_force: frozenset[str]
    """Those that say they work with it."""
    faulty: frozenset[str] = frozenset()
    before: Tally = Tally()
    since: Tally = Tally()


def judge(conditions: Conditions, seen: Observed, for_s: float) -> tuple[Verdict, str]:
    """``for_s`` seconds after the stage began. The sentence says what is bad, or what is still awaited."""
    missing = sorted(seen.gates - seen.in_force)
    if missing and for_s > conditions.report_within_s:
        return "bad", f"{_some(missing)} did not report the version within {conditions.report_within_s:.0f} s"
    faulty = sorted(seen.faulty & seen.gates)
    if len(faulty) > conditions.most_faulty * len(seen.gates):
        return "bad", f"{_some(faulty)} in a fault"
    if missing:
        return "open", f"{_some(missing)} still to report the version"
    return _crossings(conditions, seen.before, seen.since)


def _crossings(conditions: Conditions, before: Tally, since: Tally) -> tuple[Verdict, str]:
    if min(before.crossings, since.crossings) < conditions.fewest:
        return "open", f"{since.crossings} crossings since, {before.crossings} before: {conditions.fewest} are needed of each"
    if not conditions.fewest and not (before.crossings and since.crossings):
        return "good", ""
    found = (
        _share("referred", since.referred, since.crossings, before.referred / before.crossings + conditions.referral_margin),
        _share("slow", since.slow, since.crossings, USUALLY_SLOW + conditions.slow_margin),
    )
    worst: Verdict
    for worst in ("bad", "open"):
        if told := [what for verdict, what in found if verdict == worst]:
            return worst, "; ".join(told)
    return "good", ""


def _share(what: str, hits: int, trials: int, most: float) -> tuple[Verdict, str]:
    low, high = clopper_pearson(hits, trials, CONFIDENCE)
    told = f"{hits} of {trials} {what} ({low:.1%} to {high:.1%}), {most:.1%} at most"
    return "bad" if low > most else "good" if high <= most else "open", told


def _some(gates: list[str]) -> str:
    return ", ".join(gates[:3]) + (f" and {len(gates) - 3} more" if len(gates) > 3 else "")
