"""Where the faces are: box and five points. One :class:`Detector` with a decoder for each supported network."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify.decoders import STRIDES, Candidates, decode_centerface, decode_yunet, suppress
from faceverify.nets import Blob, Net
from faceverify.scrfd import decode_scrfd

if TYPE_CHECKING:
    from faceverify.description import Pack

Pixels = NDArray[np.uint8]
_MULTIPLE = 32
"""Both networks halve the image five times."""
_REFINE_CROP = 2.0
"""Side of the second look, as a multiple of the longer box side: the whole head, no neighbour."""
_FACE_PX = 40
"""Width at which a face is found reliably in the scaled frame; at half of that most are missed."""
_FINER = 2
"""How much closer a frame is looked at in which nobody was found."""
_SURE = 0.87
"""Score from which a face stands upright: YuNet gives upright ones 0.90…0.94, upside down it takes them for poor upright ones, 0.6…0.83."""
_REACH = 2
"""How far beyond the searched picture, in its longer sides, a box or a point may lie: a number out of place is no face."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedFace:
    """``box`` is (left, top, width, height) and ``points`` (5, 2) x, y, both in pixels of the frame; ``score`` in 0…1.

    Points: left eye, right eye, nose tip, left and right mouth corner, left and right as seen in the image.
    """

    box: tuple[float, float, float, float]
    points: NDArray[np.float32] = field(repr=False)
    score: float

    @property
    def area(self) -> float:
        return self.box[2] * self.box[3]


Look = Callable[[Pixels], Candidates]
"""BGR pixels whose sides are multiples of 32, to candidates in those pixels, above the pack's score threshold."""


class Detector:
    """Finds faces in uint8 BGR pixels of any size, with the pack's network unless another way to ``look`` is given."""

    def __init__(self, pack: Pack, look: Look | None = None) -> None:
        self._spec = pack.detector
        self._look = look or Network(pack)

    def in_frame(self, pixels: Pixels, like: DetectedFace | None = None) -> tuple[DetectedFace, ...]:
        """All faces of a camera frame above the pack's score threshold, largest first.

        Searched at the pack's ``frame_side``: smaller, and sooner done, where a face as large as ``like`` is expected; once more
        at twice that where nobody is found.
        """
        side = self._spec.frame_side
        return self._detect(pixels, self._side_for(like, max(pixels.shape))) or self._detect(pixels, _FINER * side)

    def in_portrait(self, pixels: Pixels) -> tuple[DetectedFace, ...]:
        """The same for a portrait, where a face is large and a coarse look is enough; a finer one where it finds nobody."""
        return self._detect(pixels, self._spec.portrait_side) or self._detect(pixels, self._spec.frame_side)

    def _side_for(self, like: DetectedFace | None, longest: int) -> int:
        """The longer side of the scaled frame in which ``like`` is just large enough, between half the usual one and that."""
        side = self._spec.frame_side
        if like is None:
            return side
        enough = _FACE_PX * longest / max(like.box[2], 1.0)
        return min(side, max(side // 2, _MULTIPLE * math.ceil(enough / _MULTIPLE)))

    def _detect(self, pixels: Pixels, long_side: int) -> tuple[DetectedFace, ...]:
        height, width = pixels.shape[:2]
        scale = long_side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        found = self._find(small, scale, (0.0, 0.0))
        small.fill(0)
        return found

    def refine(self, pixels: Pixels, face: DetectedFace) -> DetectedFace:
        """Look again at one face, at a scale that no longer depends on its distance: its points become exact.

        Gives ``face`` back where the second look finds none in its place: a neighbour is somebody else.
        """
        return self.near(pixels, face) or face

    def near(self, pixels: Pixels, face: DetectedFace) -> DetectedFace | None:
        """The face where ``face`` was, if there is one: a look at its surroundings alone, and where that is not sure, upside down too."""
        left, top, width, height = face.box
        side = _REFINE_CROP * max(width, height, 1.0)
        scale = self._spec.refine_side / side
        corner = (left + (width - side) / 2, top + (height - side) / 2)
        matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
        crop = np.asarray(cv2.warpAffine(pixels, matrix, (self._spec.refine_side,) * 2, flags=cv2.INTER_LINEAR), np.uint8)
        upright = self._nearest(crop, scale, corner, face)
        if upright is not None and upright.score >= _SURE:
            crop.fill(0)
            return upright
        turned = self._nearest(crop[::-1, ::-1], -scale, (corner[0] + side, corner[1] + side), face)
        crop.fill(0)
        return max((found for found in (upright, turned) if found), key=lambda found: found.score, default=None)

    def _nearest(self, crop: Pixels, scale: float, corner: tuple[float, float], face: DetectedFace) -> DetectedFace | None:
        close = [other for other in self._find(crop, scale, corner) if _distance(other, face) < max(face.box[2:]) / 2]
        return min(close, key=lambda other: _distance(other, face), default=None)

    def _find(self, pixels: Pixels, scale: float, corner: tuple[float, float]) -> tuple[DetectedFace, ...]:
        """Faces of a picture that shows the frame from ``corner`` on at ``scale`` (turned by 180° if negative), in frame pixels,
        largest first.
        """
        searched = padded(pixels)
        scores, boxes, points = self._look(searched)
        searched.fill(0)
        reach = _REACH * max(pixels.shape)
        sane = (np.abs(boxes) <= reach).all(axis=1) & (np.abs(points) <= reach).all(axis=(1, 2))
        scores, boxes, points = scores[sane], boxes[sane] / scale, points[sane] / scale + np.array(corner, np.float32)
        boxes = np.sort(boxes.reshape(-1, 2, 2), axis=1).reshape(-1, 4) + np.tile(np.array(corner, np.float32), 2)
        keep = suppress(scores, boxes, self._spec.overlap_threshold)
        faces = (_face(float(scores[index]), boxes[index], points[index]) for index in keep)
        return tuple(sorted(faces, key=lambda face: face.area, reverse=True))


class Network:
    """The pack's detector on ONNX Runtime: a :data:`Look`. Raises PackError where the file disagrees with the pack."""

    def __init__(self, pack: Pack) -> None:
        self._decode, outputs = _KINDS[pack.detector.kind]
        self._threshold = pack.detector.score_threshold
        self.net = Net(pack, pack.detector.net, outputs=outputs)

    def __call__(self, pixels: Pixels) -> Candidates:
        outputs = dict(zip(self.net.outputs, self.net.see(pixels), strict=True))
        return self._decode(outputs, pixels.shape[1], self._threshold)


def padded(pixels: Pixels) -> Pixels:
    """Black at the right and bottom up to a multiple of 32."""
    rows, columns = pixels.shape[:2]
    below, right = -rows % _MULTIPLE, -columns % _MULTIPLE
    return np.asarray(cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT), np.uint8)


def _distance(a: DetectedFace, b: DetectedFace) -> float:
    """Between the boxes' centres."""
    dx, dy = (a.box[axis] + a.box[axis + 2] / 2 - b.box[axis] - b.box[axis + 2] / 2 for axis in (0, 1))
    return float(np.hypot(dx, dy))


def _face(score: float, box: NDArray[np.float32], points: NDArray[np.float32]) -> DetectedFace:
    left, top, right, bottom = (float(value) for value in box)
    return DetectedFace(box=(left, top, right - left, bottom - top), points=points.astype(np.float32), score=score)


Decode = Callable[[dict[str, Blob], int, float], Candidates]
"""Outputs by name, width of the network's input, score threshold."""

_KINDS: dict[str, tuple[Decode, frozenset[str]]] = {
    "scrfd": (decode_scrfd, frozenset()),
    "centerface": (decode_centerface, frozenset({"537", "538", "539", "540"})),
    "yunet": (decode_yunet, frozenset(f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in STRIDES)),
}
