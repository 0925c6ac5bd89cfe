"""What a verifier gives: a reference, a probe, or that nothing could be measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceverify.detect import DetectedFace
    from faceverify.extract import Features
    from faceverify.pad import PadResult
    from faceverify.quality import FaceQuality, Instruction


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPerformed:
    """A measurement that was not made. ``reason`` is a code (``no_face``, ``several_faces``, ``poor_quality``, …)."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured face: what is common to :class:`Reference` and :class:`Probe`. ``timings`` are milliseconds by stage."""

    face: DetectedFace
    quality: FaceQuality
    features: Features = field(repr=False)
    pack_sha256: str
    timings: dict[str, float]

    def wipe(self) -> None:
        """Overwrite the features and the face's points. A wiped sample compares with nothing. Pixels are never kept."""
        self.features.fill(0)
        self.face.points.fill(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Sample):
    """From the chip portrait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Sample):
    """From one camera frame, or fused from ``frames`` of them."""

    pad: PadResult | NotPerformed
    frames: int = 1

    @property
    def instruction(self) -> Instruction | None:
        """What would mend the weakest component of the quality."""
        return self.quality.instruction
