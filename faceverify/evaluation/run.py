"""Measures every picture once and compares. Features stay in memory and are overwritten in the end; no pixel is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceverify.compare import comparison_score
from faceverify.evaluation.comparisons import Comparisons
from faceverify.evaluation.errors import EvaluationError
from faceverify.evaluation.pictures import as_frame, as_portrait, digest, read_pictures
from faceverify.fuse import MOST
from faceverify.image import ImageError
from faceverify.ofiq import OfiqQuality
from faceverify.quality import COMPONENTS, FaceQuality
from faceverify.samples import NotPerformed, Probe, Reference

if TYPE_CHECKING:
    from faceverify.confined import ConfinedDecoder
    from faceverify.ofiq import OfiqScorer
    from faceverify.ports import Verifier

Values = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
"""What is being done, how many are done, of how many."""

OFIQ = "OFIQ_unified_quality"
TAKEN = "taken"
"""Outcome of a picture that gave features; any other is the reason why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How pictures fared in one role, by the picture's number. ``frames``: how many were fused, 1 for a single picture."""

    outcome: dict[int, str]
    pad_score: dict[int, float] = field(default_factory=dict)
    pad_decision: dict[int, str] = field(default_factory=dict)
    quality: dict[int, dict[str, float]] = field(default_factory=dict)
    frames: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """``scores`` (n,): of each comparison, NaN where it was not made. ``data_sha256``: of all pictures, their names and subjects."""

    comparisons: Comparisons
    scores: Values
    references: Taken
    probes: Taken
    data_sha256: str
    pack_sha256: str


def evaluate(
    comparisons: Comparisons,
    verifier: Verifier,
    decoder: ConfinedDecoder,
    progress: Progress,
    scorer: OfiqScorer | None = None,
) -> Run:
    """Every picture through the gate's own path. One that cannot be read or measured is a failure to enrol or to acquire.

    ``scorer`` adds its unified score to the quality of every probe. Raises EvaluationError where a picture is compared with a copy
    of itself.
    """
    hashes: dict[int, str] = {}
    references, probes = Taken(outcome={}), Taken(outcome={})
    enrolled: dict[int, Reference] = {}
    acquired: dict[int, Probe] = {}

    def load(picture: int) -> list[bytes]:
        pictures = read_pictures(comparisons.root / comparisons.pictures[picture])
        hashes[picture] = digest(pictures)
        return pictures

    for picture in _each(comparisons.reference, "references", progress):
        reference = _enrol(partial(load, picture), verifier)
        references.outcome[picture] = _outcome(reference)
        if isinstance(reference, Reference):
            enrolled[picture] = reference
    for picture in _each(comparisons.probe, "probes", progress):
        probe = _acquire(partial(load, picture), verifier, decoder)
        probes.outcome[picture] = _outcome(probe)
        if isinstance(probe, Probe):
            _note(probes, picture, probe)
            if scorer is not None:
                probes.quality[picture][OFIQ] = _scored(scorer, partial(load, picture), decoder)
            if probe.quality.shortfalls:
                probe.wipe()
            else:
                acquired[picture] = probe
    _refuse_copies(comparisons, hashes)
    scores = _scores(comparisons, enrolled, acquired, verifier.pack.recogniser.metric, progress)
    for sample in (*enrolled.values(), *acquired.values()):
        sample.wipe()
    return Run(
        comparisons=comparisons,
        scores=scores,
        references=references,
        probes=probes,
        data_sha256=_data_sha256(comparisons, hashes),
        pack_sha256=verifier.pack.sha256,
    )


def _each(pictures: NDArray[np.int32], name: str, progress: Progress) -> Iterable[int]:
    numbers = [int(number) for number in np.unique(pictures)]
    for done, number in enumerate(numbers):
        progress(name, done, len(numbers))
        yield number
    progress(name, len(numbers), len(numbers))


def _enrol(load: Callable[[], list[bytes]], verifier: Verifier) -> Reference | NotPerformed:
    try:
        return verifier.reference(as_portrait(load()[0]))
    except ImageError as error:
        return NotPerformed(reason="bad_image", detail=error.code)


def _acquire(load: Callable[[], list[bytes]], verifier: Verifier, decoder: ConfinedDecoder) -> Probe | NotPerformed:
    """Of a capture the best frames, as many as a gate fuses; what went wrong with the first where none gave a probe."""
    try:
        frames = [verifier.probe(as_frame(data, decoder)) for data in load()]
    except ImageError as error:
        return NotPerformed(reason="bad_image", detail=error.code)
    if len(frames) == 1:
        return frames[0]
    probes = sorted((frame for frame in frames if isinstance(frame, Probe)), key=lambda probe: -probe.quality.score)
    fused = verifier.fuse(probes[:MOST]) if probes else frames[0]
    for probe in probes:
        probe.wipe()
    return fused


def _outcome(sample: Reference | Probe | NotPerformed) -> str:
    """A probe that the gate would not compare for its quality is not acquired."""
    if isinstance(sample, NotPerformed):
        return f"bad_image ({sample.detail})" if sample.reason == "bad_image" else sample.reason
    return "poor_quality" if isinstance(sample, Probe) and sample.quality.shortfalls else TAKEN


def _note(probes: Taken, picture: int, probe: Probe) -> None:
    probes.quality[picture] = quality_values(probe.quality)
    if not isinstance(probe.pad, NotPerformed):
        probes.pad_score[picture] = probe.pad.score
        probes.pad_decision[picture] = probe.pad.decision
    probes.frames[picture] = probe.frames


def quality_values(quality: FaceQuality) -> dict[str, float]:
    """The score and each component, so that more is better: a component's distance from the edge of its good range."""
    edges = {
        item.name: min(quality.values[item.name] - item.good[0], item.good[1] - quality.values[item.name]) for item in COMPONENTS
    }
    return {"score": float(quality.score), **edges}


def _scored(scorer: OfiqScorer, load: Callable[[], list[bytes]], decoder: ConfinedDecoder) -> float:
    """OFIQ's unified score of a probe (of a capture: of its first frame); -1 where it gives none, as OFIQ itself says it."""
    try:
        pixels = as_frame(load()[0], decoder)
    except ImageError:
        return -1.0
    found = scorer.score(pixels)
    return float(found.unified) if isinstance(found, OfiqQuality) else -1.0


def _refuse_copies(comparisons: Comparisons, hashes: dict[int, str]) -> None:
    """Such a comparison says nothing of a person; between two subjects it is a mistake of the data."""
    for pair in zip(comparisons.reference.tolist(), comparisons.probe.tolist(), strict=True):
        first, second = (hashes.get(number) for number in pair)
        if first is not None and first == second:
            names = [comparisons.pictures[number] for number in pair]
            raise EvaluationError(f"{names[0]!r} and {names[1]!r} are copies of one picture")


def _scores(
    comparisons: Comparisons, enrolled: dict[int, Reference], acquired: dict[int, Probe], metric: str, progress: Progress
) -> Values:
    scores = np.full(len(comparisons), np.nan)
    pairs = zip(comparisons.reference.tolist(), comparisons.probe.tolist(), strict=True)
    for index, (first, second) in enumerate(pairs):
        if index % 10_000 == 0:
            progress("comparisons", index, len(comparisons))
        if first in enrolled and second in acquired:
            scores[index] = comparison_score(enrolled[first].features, acquired[second].features, metric)
    progress("comparisons", len(comparisons), len(comparisons))
    scores[~np.isfinite(scores)] = np.nan
    return scores


def _data_sha256(comparisons: Comparisons, hashes: dict[int, str]) -> str:
    """Of who was compared with whom, and of the bytes of every picture (none for one that could not be read)."""
    total = sha256()
    owners = dict(zip(comparisons.reference.tolist(), comparisons.reference_subject.tolist(), strict=True))
    owners |= dict(zip(comparisons.probe.tolist(), comparisons.probe_subject.tolist(), strict=True))
    for number, name in enumerate(comparisons.pictures):
        subject = comparisons.subjects[owners[number]] if number in owners else ""
        total.update(f"{name}\0{subject}\0{hashes.get(number, '')}\n".encode())
    for array in (comparisons.reference, comparisons.probe):
        total.update(array.astype("<i4").tobytes())
    return total.hexdigest()
