"""Counts what a run says: rates with intervals, strata, curves, operating points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceverify.description import Pack
from faceverify.evaluation.calibrate import TARGETS, Setting, choose
from faceverify.evaluation.conditions import conditions
from faceverify.evaluation.dependence import Pairs, bootstrap, percentiles
from faceverify.evaluation.rates import Rate, Values, det, error_versus_discard, false_matches, false_non_matches
from faceverify.evaluation.results import DISCARDED, Band, Histogram, OperatingPoint, Outcome, Pad, Results, StratumResult
from faceverify.evaluation.run import TAKEN, Run, Taken
from faceverify.evaluation.strata import Stratum, strata

Flags = NDArray[np.bool_]

_BANDED = 40
"""Points of the DET curve that get an interval."""
_BINS = 60
_MIN_FAILED = 5
"""Mated comparisons that must fail before a curve of what quality could have spared says anything."""


def summarise(
    run: Run, pack: Pack, dataset: str, *, about: str = "", cross: Sequence[str] = (), replicates: int = 1000, seed: int = 0
) -> Results:
    """Raises EvaluationError for an unknown column in ``cross``."""
    groups = strata(run.comparisons, cross)
    data = Data.of(run, Draw(replicates=replicates, seed=seed))
    points = tuple(data.operating_point(target, groups) for target in TARGETS)
    threshold, source = _threshold(pack, points)
    fmr, fnmr = data.rates(threshold) if threshold is not None else (None, None)
    both = bool(data.mated.any() and data.non_mated.any())
    return Results(
        dataset=dataset,
        about=about,
        data_sha256=run.data_sha256,
        pack=pack,
        subjects=len(run.comparisons.subjects),
        fused=sum(frames > 1 for frames in run.probes.frames.values()),
        threshold=threshold,
        threshold_source=source,
        fte=_outcome(run.references, set(run.references.outcome)),
        fta=_outcome(run.probes, set(run.comparisons.probe[run.comparisons.bona_fide].tolist())),
        fmr=fmr,
        fnmr=fnmr,
        far=fmr and Rate(errors=fmr.errors, trials=fmr.trials + data.lost_non_mated),
        frr=fnmr and Rate(errors=fnmr.errors + data.lost_mated, trials=fnmr.trials + data.lost_mated),
        points=points,
        strata=tuple(data.stratum(group, threshold) for group in groups) if threshold is not None else (),
        det=det(run.scores[data.mated], run.scores[data.non_mated]) if both else None,
        band=data.band() if both else None,
        histogram=_histogram(run.scores[data.mated], run.scores[data.non_mated]),
        discard=data.discard(threshold) if threshold is not None else {},
        pad=_pad(run),
        conditions=conditions(),
        cross=tuple(cross),
        replicates=replicates,
        seed=seed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """How subjects are drawn anew."""

    replicates: int
    seed: int

    def interval(self, scores: Values, subjects: Pairs, thresholds: Values) -> Values:
        """Of the share of scores at or above each threshold: (2, thresholds)."""
        return percentiles(bootstrap(scores, subjects, thresholds, replicates=self.replicates, seed=self.seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A run's bona fide comparisons: flags of the mated and non-mated ones that gave a score, and how many gave none."""

    run: Run
    subjects: Pairs
    mated: Flags
    non_mated: Flags
    lost_mated: int
    lost_non_mated: int
    draw: Draw

    @classmethod
    def of(cls, run: Run, draw: Draw) -> Data:
        listed, made = run.comparisons, np.isfinite(run.scores)
        mated, non_mated = listed.bona_fide & listed.mated, listed.bona_fide & ~listed.mated
        return cls(
            run=run,
            subjects=np.stack([listed.reference_subject, listed.probe_subject], axis=1),
            mated=mated & made,
            non_mated=non_mated & made,
            lost_mated=int(np.count_nonzero(mated & ~made)),
            lost_non_mated=int(np.count_nonzero(non_mated & ~made)),
            draw=draw,
        )

    def rates(self, threshold: float, members: Flags | None = None) -> tuple[Rate, Rate]:
        """FMR and FNMR, of all comparisons or of some."""
        chosen = np.ones_like(self.mated) if members is None else members
        return self._rate(self.non_mated & chosen, threshold, mated=False), self._rate(self.mated & chosen, threshold, mated=True)

    def _rate(self, members: Flags, threshold: float, *, mated: bool) -> Rate:
        scores = self.run.scores[members]
        rate = false_non_matches(scores, threshold) if mated else false_matches(scores, threshold)
        if not rate.trials:
            return rate
        low, high = self.draw.interval(scores, self.subjects[members], np.array([threshold]))[:, 0].tolist()
        return Rate(errors=rate.errors, trials=rate.trials, resampled=(1 - high, 1 - low) if mated else (low, high))

    def stratum(self, group: Stratum, threshold: float) -> StratumResult:
        fmr, fnmr = self.rates(threshold, group.members)
        return StratumResult(name=group.name, column=group.column, alike=group.alike, fmr=fmr, fnmr=fnmr)

    def operating_point(self, target: float, groups: Sequence[Stratum]) -> OperatingPoint:
        pooled, hard = (choose(self.run.comparisons, self.run.scores, chosen, target) for chosen in ((), groups))
        fnmr = self._rate(self.mated, hard.score, mated=True) if isinstance(hard, Setting) and self.mated.any() else None
        return OperatingPoint(target=target, pooled=pooled, hardest=hard, fnmr=fnmr)

    def band(self) -> Band:
        """At thresholds spread over the ranks of the mated scores and, evenly in the logarithm, over the tail of the others."""
        mated, non_mated = self.run.scores[self.mated], self.run.scores[self.non_mated]
        tail = 1 - np.geomspace(1 / non_mated.size, 1, _BANDED // 2)
        ranks = np.linspace(0, 1, _BANDED // 2)
        thresholds = np.unique(np.concatenate([np.quantile(mated, ranks), np.quantile(non_mated, tail)]))
        return Band(
            at_fmr=1 - np.searchsorted(np.sort(non_mated), thresholds) / non_mated.size,
            fmr=self.draw.interval(non_mated, self.subjects[self.non_mated], thresholds),
            fnmr=1 - self.draw.interval(mated, self.subjects[self.mated], thresholds)[::-1],
        )

    def discard(self, threshold: float) -> dict[str, Values]:
        """By component of quality; empty where too few comparisons fail for a curve to say anything."""
        scores, taken = self.run.scores[self.mated], self.run.probes.quality
        if np.count_nonzero(scores < threshold) < _MIN_FAILED:
            return {}
        probes = self.run.comparisons.probe[self.mated].tolist()
        measured = {name: np.array([taken[probe][name] for probe in probes]) for name in taken[probes[0]]}
        return {name: error_versus_discard(scores, values, threshold, DISCARDED) for name, values in measured.items()}


def _threshold(pack: Pack, points: Sequence[OperatingPoint]) -> tuple[float | None, str]:
    if pack.threshold is not None:
        return pack.threshold.score, f"declared by the pack: {pack.threshold.provenance}"
    for point in reversed(points):
        if isinstance(point.hardest, Setting):
            return (
                point.hardest.score,
                f"from these data, for an FMR of {point.target:g} on the hardest stratum; the pack declares none",
            )
    return None, "none: the pack declares none, and these data support none"


def _outcome(taken: Taken, pictures: set[int]) -> Outcome:
    reasons = Counter(taken.outcome[picture] for picture in pictures if taken.outcome[picture] != TAKEN)
    return Outcome(rate=Rate(errors=reasons.total(), trials=len(pictures)), reasons=dict(reasons.most_common()))


def _histogram(mated: Values, non_mated: Values) -> Histogram:
    both = np.concatenate([mated, non_mated])
    low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    return Histogram(edges=edges, mated=np.histogram(mated, edges)[0], non_mated=np.histogram(non_mated, edges)[0])


def _pad(run: Run) -> Pad | None:
    """By picture, not by comparison: one presentation is one trial. None where no probe has a PAD score."""
    if not run.probes.pad_decision:
        return None
    labels = run.comparisons.pai_species
    species = dict(zip(run.comparisons.probe.tolist(), labels.codes.tolist(), strict=True))
    apcer, no_response = {}, {}
    bpcer = Rate(errors=0, trials=0)
    for code, name in enumerate(labels.values):
        shown = [picture for picture, of in species.items() if of == code]
        decided = [run.probes.pad_decision[picture] for picture in shown if picture in run.probes.pad_decision]
        no_response[name or "bona fide"] = Rate(errors=len(shown) - len(decided), trials=len(shown))
        wrong = "bona_fide" if name else "attack"
        rate = Rate(errors=decided.count(wrong), trials=len(decided))
        if name:
            apcer[name] = rate
        else:
            bpcer = rate
    return Pad(apcer=apcer, bpcer=bpcer, no_response=no_response)
