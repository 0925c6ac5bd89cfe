"""The room's front door: a portrait becomes a reference, a frame becomes a probe, the two become a comparison.

Everything that cannot be measured is a :class:`NotPerformed` with a reason, never a number and never an exception.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify.align import align
from faceverify.compare import FaceComparison, comparison_score
from faceverify.confined import ConfinedDecoder
from faceverify.description import PackError
from faceverify.detect import DetectedFace, Detector
from faceverify.extract import Extractor, Features
from faceverify.image import FaceImage, ImageError
from faceverify.pad import PadNet, PadResult, most_suspicious
from faceverify.quality import FaceQuality, measure

if TYPE_CHECKING:
    from faceverify.description import Pack

SAME_SIZE = 0.5
"""In a frame a second face with this share of the largest one's area makes it unclear whose probe it is."""


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


class _SampleFields(TypedDict):
    face: DetectedFace
    quality: FaceQuality
    features: Features
    pack_sha256: str
    timings: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Sample):
    """From the chip portrait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Sample):
    """From one camera frame."""

    pad: PadResult | NotPerformed


class FaceVerifier:
    """Holds the sessions of one pack; measures, never decides. One thread at a time may use it.

    Raises PackError where ONNX Runtime refuses a network of the pack.
    """

    def __init__(self, pack: Pack, *, decoder: ConfinedDecoder | None = None) -> None:
        cv2.setNumThreads(1)
        self.pack = pack
        self._detector = Detector(pack)
        self._extractor = Extractor(pack)
        self._pad = tuple(PadNet(pack, spec) for spec in pack.pad)
        self._decoder = decoder or ConfinedDecoder()

    def warm_up(self) -> None:
        """Run every network once on noise and start the decoder's process. Raises PackError where an output is not as declared."""
        size = self.pack.recogniser.size
        noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
        self._detector.in_frame(noise)
        features = self._extractor.features(noise[:size, :size])
        if features.shape != (self.pack.recogniser.features,) or not np.isfinite(features).all():
            raise PackError(self.pack.id, f"recogniser gives {features.size} values", "correct `features` in pack.toml")
        face = DetectedFace(box=(200.0, 200.0, 100.0, 100.0), points=np.zeros((5, 2), np.float32), score=1.0)
        if any(net.measure(noise, face) is None for net in self._pad):
            raise PackError(self.pack.id, "a PAD network gives no usable numbers", "correct `pad` in pack.toml")
        self._decoder.start()

    def close(self) -> None:
        """End the decoder's process."""
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reference(self, image: bytes | FaceImage) -> Reference | NotPerformed:
        """The chip portrait's features. Encoded bytes are decoded in the confined process. Exactly one face, or NotPerformed."""
        watch = _Watch()
        if isinstance(image, FaceImage):
            return self._reference(image.pixels, watch)
        try:
            pixels = self._decoder.decode(image)
        except ImageError as error:
            return NotPerformed(reason="bad_image", detail=error.code)
        watch.lap("decode")
        try:
            return self._reference(pixels, watch)
        finally:
            pixels.fill(0)

    def _reference(self, pixels: NDArray[np.uint8], watch: _Watch) -> Reference | NotPerformed:
        faces = self._detector.in_portrait(pixels)
        watch.lap("detect")
        if len(faces) != 1:
            return _not_one(len(faces))
        sample = self._sample(pixels, faces[0], watch)
        return sample if isinstance(sample, NotPerformed) else Reference(**sample)

    def probe(self, pixels: NDArray[np.uint8]) -> Probe | NotPerformed:
        """The largest face of a frame (uint8 BGR), or NotPerformed where there is none or two of like size."""
        watch = _Watch()
        faces = self._detector.in_frame(pixels)
        watch.lap("detect")
        rivals = [face for face in faces if face.area >= SAME_SIZE * faces[0].area]
        if len(rivals) != 1:
            return _not_one(len(rivals))
        sample = self._sample(pixels, faces[0], watch)
        if isinstance(sample, NotPerformed):
            return sample
        pad = self._measure_pad(pixels, sample["face"])
        watch.lap("pad")
        return Probe(**sample, pad=pad)

    def compare(self, reference: Reference, probe: Probe) -> FaceComparison | NotPerformed:
        """Compare at the pack's threshold; NotPerformed where there is none, the probe is too poor, or no finite score results."""
        threshold = self.pack.threshold
        if threshold is None:
            return NotPerformed(reason="no_threshold", detail=f"pack {self.pack.id} declares none")
        if not reference.pack_sha256 == probe.pack_sha256 == self.pack.sha256:
            return NotPerformed(reason="pack_mismatch", detail="features come from another pack")
        if probe.quality.shortfalls:
            return NotPerformed(reason="poor_quality", detail=", ".join(probe.quality.shortfalls))
        score = comparison_score(reference.features, probe.features, self.pack.recogniser.metric)
        if not np.isfinite(score):
            return NotPerformed(reason="no_score", detail="features are wiped or not finite")
        return FaceComparison(
            score=score,
            threshold=threshold.score,
            decision="match" if score >= threshold.score else "non_match",
            pack=self.pack.id,
            demonstration=self.pack.demonstration,
        )

    def _sample(self, pixels: NDArray[np.uint8], found: DetectedFace, watch: _Watch) -> _SampleFields | NotPerformed:
        """What reference and probe share. The aligned crop is overwritten before this returns."""
        spec = self.pack.recogniser
        face = self._detector.refine(pixels, found)
        watch.lap("refine")
        crop = align(pixels, face.points, spec.template, spec.size)
        if crop is None:
            return NotPerformed(reason="no_alignment", detail="the five points lie on one another")
        quality = measure(face, crop)
        watch.lap("align")
        features = self._extractor.features(crop)
        watch.lap("extract")
        crop.fill(0)
        return _SampleFields(face=face, quality=quality, features=features, pack_sha256=self.pack.sha256, timings=watch.laps)

    def _measure_pad(self, pixels: NDArray[np.uint8], face: DetectedFace) -> PadResult | NotPerformed:
        if not self._pad:
            return NotPerformed(reason="pad_not_available", detail=f"pack {self.pack.id} carries none")
        results = [result for net in self._pad if (result := net.measure(pixels, face)) is not None]
        if len(results) != len(self._pad):
            return NotPerformed(reason="no_score", detail="a PAD network gave no finite number")
        return most_suspicious(results)


class _Watch:
    """Laps in milliseconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = (now - self._last) * 1e3
        self._last = now


def _not_one(count: int) -> NotPerformed:
    return NotPerformed(reason="several_faces" if count else "no_face", detail=f"{count} faces")
