"""The room's front door: a portrait becomes a reference, a frame becomes a probe, the two become a comparison.

Everything that cannot be measured is a :class:`NotPerformed` with a reason, never a number and never an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify import fuse
from faceverify.align import align
from faceverify.compare import FaceComparison, comparison_score
from faceverify.confined import ConfinedDecoder
from faceverify.description import PackError
from faceverify.detect import DetectedFace, Detector
from faceverify.extract import Extractor, Extracts, Features
from faceverify.image import FaceImage, ImageError
from faceverify.nets import give_back_memory, wipe_activations
from faceverify.pad import Pad, PadResult
from faceverify.quality import FaceQuality, measure
from faceverify.samples import NotPerformed, Probe, Reference, Sample
from faceverify.track import Sighting, Track, not_one, only_face

if TYPE_CHECKING:
    from faceverify.description import Pack
    from faceverify.ports import Verifier

__all__ = ["FaceVerifier", "NotPerformed", "Probe", "Reference", "Sample"]

_NO_ALIGNMENT = NotPerformed(reason="no_alignment", detail="the five points lie on one another")


class _SampleFields(TypedDict):
    face: DetectedFace
    quality: FaceQuality
    features: Features
    pack_sha256: str
    timings: dict[str, float]


class FaceVerifier:
    """Holds the sessions of one pack; measures, never decides. One thread at a time may use it.

    ``detector`` and ``extractor`` run the pack's networks in another way than here. Raises PackError where ONNX Runtime refuses a network of the pack.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        decoder: ConfinedDecoder | None = None,
        detector: Detector | None = None,
        extractor: Extracts | None = None,
    ) -> None:
        cv2.setNumThreads(1)
        self.pack = pack
        self._detector = detector or Detector(pack)
        self._extractor = extractor or Extractor(pack)
        self._pad = Pad(pack)
        self._decoder = decoder or ConfinedDecoder()

    def warm_up(self) -> None:
        """Run every network once on noise and start the decoder's process. Raises PackError where an output is not as declared."""
        self._decoder.begin()
        wipe_activations()  # there is nothing yet: the next time is a traveller's
        size = self.pack.recogniser.size
        noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
        self._detector.in_frame(noise)
        features = self._extractor.features(noise[:size, :size])
        if features.shape != (self.pack.recogniser.features,) or not np.isfinite(features).all():
            raise PackError(self.pack.id, f"recogniser gives {features.size} values", "correct `features` in pack.toml")
        face = DetectedFace(box=(200.0, 200.0, 100.0, 100.0), points=np.zeros((5, 2), np.float32), score=1.0)
        if self.pack.pad and not isinstance(self._pad.begin(noise, face)(), PadResult):
            raise PackError(self.pack.id, "a PAD network gives no usable numbers", "correct `pad` in pack.toml")
        self._decoder.start()
        give_back_memory()

    def close(self) -> None:
        """End the decoder's process and the thread of the PAD."""
        self._decoder.close()
        self._pad.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def in_each_thread(self, work: Callable[[], None]) -> None:
        """Run ``work`` in this thread and in that of the PAD."""
        work()
        self._pad.in_thread(work)

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
            return not_one(len(faces))
        face = self._detector.refine(pixels, faces[0])
        watch.lap("refine")
        sample = self._sample(pixels, face, watch)
        return sample if isinstance(sample, NotPerformed) else Reference(**sample)

    def track(self) -> Track:
        """Begin to follow whoever stands before the camera from now on."""
        return Track(self._detector, self._quality)

    def probe(self, pixels: NDArray[np.uint8], sighting: Sighting | None = None) -> Probe | NotPerformed:
        """The face that a track sighted in these very pixels (uint8 BGR).

        Without a sighting the frame is searched for the largest face: NotPerformed where there is none, or two of like size.
        """
        watch = _Watch()
        face = self._look(pixels, watch) if sighting is None else sighting.face
        if isinstance(face, NotPerformed):
            return face
        pad = self._pad.begin(pixels, face)
        try:
            sample = self._sample(pixels, face, watch)
        finally:
            presented = pad()  # whatever happens: nobody reads the pixels any longer than the caller thinks
        watch.lap("pad")
        return sample if isinstance(sample, NotPerformed) else Probe(**sample, pad=presented)

    def _look(self, pixels: NDArray[np.uint8], watch: _Watch) -> DetectedFace | NotPerformed:
        found = only_face(self._detector.in_frame(pixels))
        watch.lap("detect")
        face = found if isinstance(found, NotPerformed) else self._detector.refine(pixels, found)
        watch.lap("refine")
        return face

    def fuse(self, probes: Sequence[Probe]) -> Probe | NotPerformed:
        """One probe out of several frames of the same person, for one comparison: see :func:`faceverify.fuse.fuse`."""
        return fuse.fuse(probes, self.pack)

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

    def _sample(self, pixels: NDArray[np.uint8], face: DetectedFace, watch: _Watch) -> _SampleFields | NotPerformed:
        """What reference and probe share. The aligned crop is overwritten before this returns."""
        crop = self._crop(pixels, face)
        if crop is None:
            return _NO_ALIGNMENT
        quality = measure(face, crop, self.pack.recogniser.template, pixels.shape[:2])
        watch.lap("align")
        features = self._extractor.features(crop)
        watch.lap("extract")
        crop.fill(0)
        return _SampleFields(face=face, quality=quality, features=features, pack_sha256=self.pack.sha256, timings=watch.laps)

    def _quality(self, pixels: NDArray[np.uint8], face: DetectedFace) -> FaceQuality | NotPerformed:
        crop = self._crop(pixels, face)
        if crop is None:
            return _NO_ALIGNMENT
        quality = measure(face, crop, self.pack.recogniser.template, pixels.shape[:2])
        crop.fill(0)
        return quality

    def _crop(self, pixels: NDArray[np.uint8], face: DetectedFace) -> NDArray[np.uint8] | None:
        return align(pixels, face.points, self.pack.recogniser.template, self.pack.recogniser.size)


class _Watch:
    """Laps in milliseconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = (now - self._last) * 1e3
        self._last = now


if TYPE_CHECKING:
    _: type[Verifier] = FaceVerifier
