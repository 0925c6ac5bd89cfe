"""A pack's networks on the examiner's bench: the same steps as at the gate, with the preprocessing as declared or as it might be."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify import sample_pictures
from faceverify.align import align
from faceverify.compare import comparison_score
from faceverify.description import PackError
from faceverify.detect import DetectedFace, Detector
from faceverify.nets import Net

if TYPE_CHECKING:
    from faceverify.description import NetSpec, Pack, Point

Pixels = NDArray[np.uint8]
Features = NDArray[np.float32]

UNIT_TOLERANCE = 1e-3


class Examiner:
    """A pack's detector and recogniser, opened once, and the recogniser as it would be with another preprocessing."""

    def __init__(self, pack: Pack) -> None:
        cv2.setNumThreads(1)
        self.pack = pack
        self.detector = Detector(pack)
        self._net = Net(pack, pack.recogniser.net, size=pack.recogniser.size)

    def face(self, pixels: Pixels) -> DetectedFace:
        """The largest face, looked at twice as the gate does. Raises PackError where there is none."""
        faces = self.detector.in_portrait(pixels)
        if not faces:
            raise PackError(self.pack.id, "its detector misses a face of the test", "correct `detector` in pack.toml")
        return self.detector.refine(pixels, faces[0])

    def group(self) -> tuple[Pixels, list[DetectedFace]]:
        """The group picture and its six faces. Raises PackError where the detector finds more or fewer."""
        picture = sample_pictures.group_picture()
        faces = self.detector.in_frame(picture)
        if len(faces) != sample_pictures.GROUP_SIZE:
            what = f"its detector finds {len(faces)} of {sample_pictures.GROUP_SIZE} faces in the test picture"
            raise PackError(self.pack.id, what, "correct `detector` in pack.toml")
        return picture, [self.detector.refine(picture, face) for face in faces]

    def crop(self, pixels: Pixels, points: NDArray[np.float32], template: tuple[Point, ...] = ()) -> Pixels:
        spec = self.pack.recogniser
        crop = align(pixels, points, template or spec.template, spec.size)
        if crop is None:
            raise PackError(self.pack.id, "its detector puts all points on one spot", "correct `detector` in pack.toml")
        return crop

    def features(self, crop: Pixels, spec: NetSpec | None = None) -> Features:
        """Features of an aligned crop, prepared as ``spec`` says instead of as declared. Raises PackError on a wrong width."""
        net = copy.copy(self._net)
        net.spec = spec or net.spec
        features = np.asarray(net.see(crop)[0], np.float32).reshape(-1)
        wanted = self.pack.recogniser.features
        if features.shape != (wanted,) or not np.isfinite(features).all():
            raise PackError(self.pack.id, f"its recogniser gives {features.size} values, not {wanted}", "correct `features`")
        return features

    def check_norm(self, features: Features) -> None:
        """Raises PackError where a vector's length is not as declared."""
        length = float(np.linalg.norm(features))
        unit = abs(length - 1) <= UNIT_TOLERANCE
        if unit != (self.pack.recogniser.output_norm == "unit"):
            raise PackError(self.pack.id, f"its recogniser gives vectors of length {length:.4f}", "correct `output_norm`")

    def score(self, reference: Features, probe: Features) -> float:
        return comparison_score(reference, probe, self.pack.recogniser.metric)
