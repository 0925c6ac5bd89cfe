"""What the records say of faces: estimates that need nothing but what the gate wrote down, and what they cannot be.

A gate does not know who is the holder. So each comparison counts as mated: whoever was not the holder then counts as a false non-match, and
the estimate lies too high rather than too low. A rate of false matches cannot be had this way at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gate.evidence import NOT_PERFORMED, Fact
from gate.records import TransactionRecord
from gate.report.intervals import Share, wilson

STEPS = (-0.10, -0.05, -0.02, 0.0, 0.02, 0.05, 0.10)
"""Shadow thresholds, from the one that decided."""
NO_SAMPLE = frozenset({"no_probe", "poor_quality"})
MOST_POINTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """How many comparisons would not have matched at another threshold. ``wilson``: its 95 % interval in per cent."""

    step: float
    threshold: float
    missed: Share

    @property
    def wilson(self) -> tuple[float, float]:
        low, high = wilson(self.missed.hits, self.missed.trials)
        return 100 * low, 100 * high


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """One recogniser at one threshold: scores of different ones cannot be laid together. Impostors known from a simulation are left out."""

    name: str
    threshold: float
    shadows: tuple[Shadow, ...]
    det: tuple[tuple[float, float], ...] = ()
    """(FMR, FNMR) at rising thresholds; empty unless scores of non-mated comparisons are known, which only a simulation does."""
    non_mated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """``acquired``: failures to acquire a usable probe. ``passed``: of the non-matches, those whom an officer then let pass."""

    acquired: Share | None
    non_match: Share | None
    passed: Share | None
    pad: tuple[Share, ...]
    packs: tuple[Pack, ...]


def faces(records: Sequence[TransactionRecord], impostors: frozenset[str] = frozenset(), *, least: int = 1) -> Faces:
    """The figures; each is None, or not there, where it were about fewer than ``least``. ``impostors`` are in the DET curve alone."""
    asked = [(record, fact) for record in records if (fact := _fact(record, "face")) and fact.code != "STALE_FRAME"]
    tried = [(record, fact) for record, fact in asked if fact.value != "no_reference"]
    compared = [(record, fact) for record, fact in tried if fact.value in {"match", "no_match"}]
    holders = [(record, fact) for record, fact in compared if record.transaction not in impostors]
    missed = [record for record, fact in holders if fact.value == "no_match"]
    found = Counter(fact.value for record in records if (fact := _fact(record, "pad")))
    return Faces(
        acquired=_share("failure to acquire", sum(fact.value in NO_SAMPLE for _, fact in tried), len(tried), least),
        non_match=_share("non-match", len(missed), len(holders), least),
        passed=_share("let pass by an officer", sum(_let_pass(record) for record in missed), len(missed), least),
        pad=tuple(
            Share(name=word, hits=hits, trials=found.total()) for word, hits in sorted(found.items()) if found.total() >= least
        ),
        packs=tuple(pack for pack in _packs(compared, impostors) if pack.shadows[0].missed.trials >= least),
    )


def _fact(record: TransactionRecord, name: str) -> Fact | None:
    """Of the last decision; None where it was not looked at."""
    fact = record.decisions[-1].evidence.facts.get(name) if record.decisions else None
    return fact if fact and fact.value != NOT_PERFORMED else None


def _let_pass(record: TransactionRecord) -> bool:
    return any(act.action == "pass" and not act.refused and not act.awaits_second for act in record.ruled)


def _share(name: str, hits: int, trials: int, least: int) -> Share | None:
    return Share(name=name, hits=hits, trials=trials) if trials >= least else None


def _packs(compared: Iterable[tuple[TransactionRecord, Fact]], impostors: frozenset[str]) -> Iterable[Pack]:
    groups: dict[tuple[str, float], tuple[list[float], list[float]]] = {}
    for record, fact in compared:
        if fact.score is not None and fact.threshold is not None:
            mated, non_mated = groups.setdefault((record.backends.get("face", "not named"), fact.threshold), ([], []))
            (non_mated if record.transaction in impostors else mated).append(fact.score)
    for (name, threshold), (mated, non_mated) in sorted(groups.items()):
        if mated:
            shadows = tuple(_shadow(step, threshold, mated) for step in STEPS)
            yield Pack(name=name, threshold=threshold, shadows=shadows, det=det(mated, non_mated), non_mated=len(non_mated))


def _shadow(step: float, threshold: float, scores: Sequence[float]) -> Shadow:
    at = round(threshold + step, 6)
    return Shadow(
        step=step, threshold=at, missed=Share(name=f"{at:g}", hits=sum(score < at for score in scores), trials=len(scores))
    )


def det(mated: Sequence[float], non_mated: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """(FMR, FNMR) at every threshold that changes one of them, at most :data:`MOST_POINTS` of them; empty unless both kinds are there.

    A score at or above the threshold is a match.
    """
    if not mated or not non_mated:
        return ()
    ranked_mated, ranked_others = sorted(mated), sorted(non_mated)
    cuts = sorted({*mated, *non_mated})
    cuts = cuts[:: max(1, len(cuts) // MOST_POINTS)]
    points, missed, below = [], 0, 0
    for cut in cuts:
        while missed < len(ranked_mated) and ranked_mated[missed] < cut:
            missed += 1
        while below < len(ranked_others) and ranked_others[below] < cut:
            below += 1
        points.append((1 - below / len(ranked_others), missed / len(ranked_mated)))
    return tuple(dict.fromkeys(points))
