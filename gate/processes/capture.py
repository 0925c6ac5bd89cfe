"""One look at whoever stands between the doors: track, keep the best frames, fuse them, compare once.

More frames make the one comparison better; more comparisons would make a false match likelier. So nobody is tried twice: while the
picture is not good yet the traveller is told what to do, and looking goes on. A frame that looks like an attack is never fused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from faceverify.compare import FaceComparison
from faceverify.fuse import BestFrames
from faceverify.pad import PadResult
from faceverify.ports import Verifier
from faceverify.samples import NotPerformed, Probe, Reference
from faceverify.track import Track, guidance
from gate.clock import SystemClock
from gate.evidence import CheckResult, Fact, not_performed
from gate.processes.messages import Guidance
from hardware.ports import Frame, FrameSource

FRAME_WAIT_S = 0.25
"""Longest wait for one frame: a stalled camera costs the deadline, not the process."""
STEADY_S = 0.4
"""How long the same thing must be wrong before the traveller is told: nobody can follow words that flicker."""
SOURCE = "faceverify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What came of it: the facts, and for the timeline when the last frame that counts was taken and its measuring began."""

    facts: dict[str, Fact]
    frames: int = 0
    taken: float | None = None
    measured: float = 0.0


class Guide:
    """Passes on what to ask of the traveller, once it has been the same for :data:`STEADY_S`."""

    def __init__(self, say: Callable[[Guidance], None]) -> None:
        self._say = say
        self._said: Guidance = ""
        self._wanted: Guidance = ""
        self._since = 0.0

    def want(self, instruction: Guidance, now: float) -> None:
        """What this frame asks for; ``""`` for nothing. ``now`` in boot seconds."""
        if instruction != self._wanted:
            self._wanted, self._since = instruction, now
        if instruction != self._said and now - self._since >= STEADY_S:
            self._said = instruction
            self._say(instruction)


@dataclass(slots=True)
class _Seen:
    """The best that can be said so far, for when time is up."""

    fact: Fact = field(default_factory=lambda: _face("no_probe", CheckResult.ABORTED, "no_frame"))
    taken: float | None = None
    measured: float = 0.0


class Capture:
    """Looks until a comparison is possible, the presentation is an attack, or the time is up. For one transaction."""

    def __init__(
        self, verifier: Verifier, camera: FrameSource, say: Callable[[Guidance], None], abandoned: Callable[[], bool]
    ) -> None:
        self._verifier, self._camera, self._abandoned = verifier, camera, abandoned
        self._guide, self._clock, self._seen = Guide(say), SystemClock(), _Seen()

    def look(self, reference: Reference, deadline_s: Callable[[], float]) -> Looked:
        """``deadline_s``: how long the look may take in all, which may grow meanwhile. Raises DeviceError where the camera is broken."""
        opened = newest = self._clock.boot()
        frames, track = BestFrames(), self._verifier.track()
        try:
            while self._clock.boot() < opened + deadline_s() and not self._abandoned() and not frames.enough:
                if (frame := self._camera.newest(FRAME_WAIT_S)) is None:
                    continue
                try:
                    if frame.boot > newest:  # a stalled camera shows whoever stood there before, or one frame thrice
                        newest = frame.boot
                        self._measure(frame, track, frames)
                finally:
                    frame.wipe()
            return self._judged(reference, frames)
        finally:
            frames.wipe()

    def _measure(self, frame: Frame, track: Track, frames: BestFrames) -> None:
        began = self._clock.boot()
        sighting = track.see(frame.pixels)
        self._guide.want(guidance(sighting) or "", frame.boot)
        if isinstance(sighting, NotPerformed):
            word = "no_probe" if sighting.reason == "no_face" else "poor_quality"
            self._seen.fact = _face(word, CheckResult.UNDETERMINED, sighting.reason)
        elif sighting.quality.shortfalls:
            self._seen.fact = _face("poor_quality", CheckResult.UNDETERMINED, ", ".join(sighting.quality.shortfalls))
        else:
            probe = self._verifier.probe(frame.pixels, sighting)
            if isinstance(probe, NotPerformed):
                self._seen.fact = _face("poor_quality", CheckResult.UNDETERMINED, probe.reason)
                return
            self._seen.taken, self._seen.measured = frame.boot, began
            frames.add(sighting.track, probe)

    def _judged(self, reference: Reference, frames: BestFrames) -> Looked:
        if frames.attack is not None:
            facts = {"face": not_performed("presentation_attack", SOURCE), "pad": pad_fact(frames.attack)}
            return Looked(facts=facts, taken=self._seen.taken, measured=self._seen.measured)
        probe = frames.fused(self._verifier.fuse)
        if isinstance(probe, NotPerformed):
            undetermined = _face("poor_quality", CheckResult.UNDETERMINED, probe.reason)
            return Looked(facts={"face": self._seen.fact if probe.reason == "no_probe" else undetermined})
        try:
            facts = {"face": self._compared(reference, probe), "pad": pad_fact(probe.pad)}
        finally:
            probe.wipe()
        return Looked(facts=facts, frames=probe.frames, taken=self._seen.taken, measured=self._seen.measured)

    def _compared(self, reference: Reference, probe: Probe) -> Fact:
        comparison = self._verifier.compare(reference, probe)
        match comparison:
            case FaceComparison():
                match_found = comparison.decision == "match"
                return Fact(
                    value="match" if match_found else "no_match",
                    result=CheckResult.SUCCESSFUL if match_found else CheckResult.FAILED,
                    code=comparison.pack,
                    source=SOURCE,
                    score=_recorded(comparison.score),
                    threshold=comparison.threshold,
                )
            case NotPerformed():
                return not_performed(comparison.reason, SOURCE)
        assert_never(comparison)


def _recorded(score: float) -> float:
    """Four decimals, never rounded up: what stays below a threshold must not look in the record as if it had reached it."""
    return math.floor(score * 1e4) / 1e4


def _face(word: str, result: CheckResult, code: str) -> Fact:
    return Fact(value=word, result=result, code=code, source=SOURCE)


def pad_fact(pad: PadResult | NotPerformed) -> Fact:
    """The fact ``pad``: a pack without it is a word of its own, whatever else was not performed is nothing."""
    match pad:
        case NotPerformed(reason="pad_not_available"):
            return Fact(value="not_available", result=CheckResult.NOT_SUPPORTED, code=pad.reason, source=SOURCE)
        case NotPerformed():
            return not_performed(pad.reason, SOURCE)
        case PadResult():
            bona_fide = pad.decision == "bona_fide"
            return Fact(
                value=pad.decision,
                result=CheckResult.SUCCESSFUL if bona_fide else CheckResult.FAILED,
                source=SOURCE,
                score=_recorded(pad.score),
                threshold=pad.threshold,
            )
    assert_never(pad)
