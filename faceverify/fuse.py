"""Several frames of one person become one probe, so that one comparison has all of them.

More attempts would multiply the false match rate; more frames in one attempt do not. Yet the threshold that has some rate on single
frames need not have it on fused ones, whose scores lie higher, mated and non-mated: calibrate with as many frames as the gate fuses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from faceverify.compare import comparison_score
from faceverify.pad import PadResult, most_suspicious
from faceverify.quality import GOOD
from faceverify.samples import NotPerformed, Probe

if TYPE_CHECKING:
    from faceverify.description import Pack
    from faceverify.extract import Features

FEWEST, MOST = 3, 5
"""Frames that are fused. With PAD as many in a row must be bona fide, and of one person; less than the fewest only when time is up."""
PATIENT = 20
"""Frames measured while the best of them are still not good: the traveller is being told what to mend."""
ATTACKS = 3
"""Frames that are an attack before the whole is: a single one may be a mishap, and is never fused."""
LEAST_WEIGHT = 1e-3
"""A tenth of the least sharpness that is compared at all."""


def fuse(probes: Sequence[Probe], pack: Pack) -> Probe | NotPerformed:
    """One probe with the mean of the features, weighted by sharpness, the quality of the best frame and the most suspicious PAD result.

    Frames too poor to compare are left out, and so is one that does not agree with most of the others (the pack says from which score on):
    ``disagreement`` where no majority is of one person, or those left out are of one person too; ``no_probe`` without a frame.
    """
    if not probes:
        return NotPerformed(reason="no_probe")
    if any(probe.pack_sha256 != pack.sha256 for probe in probes):
        return NotPerformed(reason="pack_mismatch", detail="features come from another pack")
    good = [probe for probe in probes if not probe.quality.shortfalls]
    if not good:
        return NotPerformed(reason="poor_quality", detail=", ".join(probes[0].quality.shortfalls))
    same = _of_one_person(good, pack)
    others = [probe for probe in good if all(probe is not each for each in same)]
    if 2 * len(same) <= len(good) or len(_of_one_person(others, pack)) > 1:
        return NotPerformed(reason="disagreement", detail=f"{len(same)} of {len(good)} frames agree")
    best = max(same, key=lambda probe: probe.quality.score)
    return Probe(
        face=dataclasses.replace(best.face, points=best.face.points.copy()),
        quality=best.quality,
        features=mean(same, pack.recogniser.metric),
        pack_sha256=pack.sha256,
        timings=best.timings,
        pad=fused_pad(probe.pad for probe in good),
        frames=len(same),
    )


def _of_one_person(probes: Sequence[Probe], pack: Pack) -> list[Probe]:
    """The probe that most others match, with those others. All of them where the pack has no threshold: nothing is compared then."""
    if pack.threshold is None:
        return list(probes)
    agreed = pack.recogniser.agreement
    low = pack.threshold.score if agreed is None else agreed

    def agreeing(one: Probe) -> list[Probe]:
        metric = pack.recogniser.metric
        return [each for each in probes if each is one or comparison_score(one.features, each.features, metric) >= low]

    return max((agreeing(probe) for probe in probes), key=len, default=[])


def mean(probes: Sequence[Probe], metric: str) -> Features:
    """Weighted by sharpness: what differs between frames of one moment is mostly movement. For ``cosine`` each vector, and the
    mean, has unit norm; for ``euclidean`` all stay as they come.
    """
    weights = np.array([max(LEAST_WEIGHT, probe.quality["sharpness"]) for probe in probes], np.float64)
    vectors = np.stack([probe.features.astype(np.float64) for probe in probes])
    if metric == "cosine":
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    fused = weights @ vectors / weights.sum()
    if metric == "cosine":
        fused /= max(float(np.linalg.norm(fused)), 1e-12)
    vectors.fill(0)
    return np.asarray(fused, np.float32)


def fused_pad(results: Iterable[PadResult | NotPerformed]) -> PadResult | NotPerformed:
    """The most suspicious of several frames; not performed where it was not performed on one of them."""
    measured: list[PadResult] = []
    for result in results:
        if isinstance(result, NotPerformed):
            return result
        measured.append(result)
    return most_suspicious(measured)


class BestFrames:
    """Collects the probes of whoever stands before the camera and says when they suffice. It owns and wipes them.

    Only frames of one track are kept together, and only those since the last that was an attack.
    """

    def __init__(self) -> None:
        self._kept: list[Probe] = []
        self._pads: list[PadResult | NotPerformed] = []
        self._track = 0
        self._measured = self._attacks = 0
        self.attack: PadResult | None = None
        """Set once :data:`ATTACKS` frames were attacks: it is not tried again."""

    def add(self, track: int, probe: Probe) -> None:
        """Take the probe of a frame that a track sighted."""
        if track != self._track:
            self.wipe()
            self._track = track
        self._measured += 1
        if isinstance(probe.pad, PadResult) and probe.pad.decision == "attack":
            probe.wipe()
            self._suspect(probe.pad)
            return
        self._pads.append(probe.pad)
        self._kept.append(probe)
        if len(self._kept) > MOST:
            worst = min(range(len(self._kept)), key=lambda index: self._kept[index].quality.score)
            self._kept.pop(worst).wipe()

    def _suspect(self, result: PadResult) -> None:
        self.wipe()
        self._attacks += 1
        if self._attacks >= ATTACKS:
            self.attack = result

    @property
    def enough(self) -> bool:
        """Whether looking on gains nothing: :data:`FEWEST` good frames, or patience is over; or it is an attack."""
        good = sum(probe.quality.score >= GOOD for probe in self._kept)
        return self.attack is not None or good >= FEWEST or (self._measured >= PATIENT and len(self._kept) >= FEWEST)

    def fused(self, fuse: Callable[[Sequence[Probe]], Probe | NotPerformed]) -> Probe | NotPerformed:
        """One probe of all that is kept, with the most suspicious PAD result since the last attack; ``pad_undecided`` where too few
        frames in a row were bona fide, or too few of them are of whom they were fused to.
        """
        probe = fuse(self._kept)
        if isinstance(probe, NotPerformed):
            return probe
        pad = fused_pad(self._pads)
        if isinstance(pad, PadResult) and probe.frames < FEWEST:
            pad = NotPerformed(reason="pad_undecided", detail=f"{probe.frames} frames in a row are bona fide and of one person")
        return dataclasses.replace(probe, pad=pad)

    def wipe(self) -> None:
        """Forget every probe."""
        for probe in self._kept:
            probe.wipe()
        self._kept, self._pads = [], []
