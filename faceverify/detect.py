"""Where the faces are: box and five points. One :class:`Detector` with a decoder for each supported network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify.nets import Blob, Net

if TYPE_CHECKING:
    from faceverify.description import Pack

Pixels = NDArray[np.uint8]
_MULTIPLE = 32
"""Both networks halve the image five times."""
_STRIDES = (8, 16, 32)
_REFINE_CROP = 2.0
"""Side of the second look, as a multiple of the longer box side: the whole head, no neighbour."""


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


Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Scores (n,), boxes (n, 4) as left, top, right, bottom, points (n, 5, 2), in pixels of the network's input."""


class Detector:
    """Finds faces in uint8 BGR pixels of any size."""

    def __init__(self, pack: Pack) -> None:
        self._spec = pack.detector
        self._decode, outputs = _KINDS[pack.detector.kind]
        self._net = Net(pack, pack.detector.net, outputs=outputs)

    def in_frame(self, pixels: Pixels) -> tuple[DetectedFace, ...]:
        """All faces of a camera frame above the pack's score threshold, largest first."""
        return self._detect(pixels, self._spec.frame_side)

    def in_portrait(self, pixels: Pixels) -> tuple[DetectedFace, ...]:
        """The same for a portrait, where a face is large and a coarse look is enough."""
        return self._detect(pixels, self._spec.portrait_side)

    def _detect(self, pixels: Pixels, long_side: int) -> tuple[DetectedFace, ...]:
        height, width = pixels.shape[:2]
        scale = long_side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
        return self._find(np.asarray(small, np.uint8), scale, (0.0, 0.0))

    def refine(self, pixels: Pixels, face: DetectedFace) -> DetectedFace:
        """Look again at one face, at a scale that no longer depends on its distance: its points become exact.

        Gives ``face`` back where the second look finds none in its place: a neighbour is somebody else.
        """
        left, top, width, height = face.box
        side = _REFINE_CROP * max(width, height, 1.0)
        scale = self._spec.refine_side / side
        corner = (left + (width - side) / 2, top + (height - side) / 2)
        matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
        crop = cv2.warpAffine(pixels, matrix, (self._spec.refine_side,) * 2, flags=cv2.INTER_LINEAR)
        found = self._find(np.asarray(crop, np.uint8), scale, corner)
        near = [other for other in found if _distance(other, face) < max(width, height) / 2]
        return min(near, key=lambda other: _distance(other, face), default=face)

    def _find(self, pixels: Pixels, scale: float, corner: tuple[float, float]) -> tuple[DetectedFace, ...]:
        """Faces of a picture that shows the frame from ``corner`` on at ``scale``, in frame pixels, largest first."""
        blob = self._net.blob(_padded(pixels))
        outputs = dict(zip(self._net.outputs, self._net.run(blob), strict=True))
        scores, boxes, points = self._decode(outputs, blob.shape[3], self._spec.score_threshold)
        offset = np.array(corner, np.float32)
        boxes, points = boxes / scale + np.tile(offset, 2), points / scale + offset
        keep = suppress(scores, boxes, self._spec.overlap_threshold)
        faces = (_face(float(scores[index]), boxes[index], points[index]) for index in keep)
        return tuple(sorted(filter(_finite, faces), key=lambda face: face.area, reverse=True))


def _padded(pixels: Pixels) -> Pixels:
    """Black at the right and bottom up to a multiple of 32."""
    rows, columns = pixels.shape[:2]
    return np.pad(pixels, ((0, -rows % _MULTIPLE), (0, -columns % _MULTIPLE), (0, 0)))


def _distance(a: DetectedFace, b: DetectedFace) -> float:
    """Between the boxes' centres."""
    dx, dy = (a.box[axis] + a.box[axis + 2] / 2 - b.box[axis] - b.box[axis + 2] / 2 for axis in (0, 1))
    return float(np.hypot(dx, dy))


def _finite(face: DetectedFace) -> bool:
    return bool(np.isfinite(face.points).all() and np.isfinite(face.box).all())


def _face(score: float, box: NDArray[np.float32], points: NDArray[np.float32]) -> DetectedFace:
    left, top, right, bottom = (float(value) for value in box)
    return DetectedFace(box=(left, top, right - left, bottom - top), points=points.astype(np.float32), score=score)


def decode_centerface(outputs: dict[str, Blob], _width: int, threshold: float) -> Candidates:
    """CenterFace: heat map 537, log size 538, centre offset 539, points 540, one cell for 4×4 pixels, all in (y, x) order."""
    heat, size, offset, landmarks = (outputs[name][0] for name in ("537", "538", "539", "540"))
    rows, columns = np.nonzero(heat[0] > threshold)
    half = np.exp(size[:, rows, columns]) * 2
    centre = (np.stack([rows, columns]) + offset[:, rows, columns] + 0.5) * 4
    (top, left), (bottom, right) = centre - half, centre + half
    marks = landmarks[:, rows, columns].reshape(5, 2, -1)
    x, y = left + marks[:, 1] * (right - left), top + marks[:, 0] * (bottom - top)
    boxes = np.stack([left, top, right, bottom], axis=1).astype(np.float32)
    return heat[0, rows, columns], boxes, np.stack([x, y], axis=2).transpose(1, 0, 2).astype(np.float32)


def decode_yunet(outputs: dict[str, Blob], width: int, threshold: float) -> Candidates:
    """YuNet: for stride 8, 16 and 32 one row for each cell, row by row; score √(cls·obj), centre and points relative to the cell."""
    parts = [_yunet_stride(outputs, width // stride, stride, threshold) for stride in _STRIDES]
    scores, boxes, points = zip(*parts, strict=True)
    return np.concatenate(scores), np.concatenate(boxes), np.concatenate(points)


def _yunet_stride(outputs: dict[str, Blob], columns: int, stride: int, threshold: float) -> Candidates:
    cls, obj, bbox, kps = (outputs[f"{name}_{stride}"][0] for name in ("cls", "obj", "bbox", "kps"))
    scores = np.sqrt(np.clip(cls[:, 0] * obj[:, 0], 0, 1))
    cells = np.nonzero(scores > threshold)[0]
    corner = np.stack([cells % columns, cells // columns], axis=1) * np.float32(stride)
    centre, half = corner + bbox[cells, :2] * stride, np.exp(bbox[cells, 2:]) * (stride / 2)
    points = corner[:, np.newaxis] + kps[cells].reshape(-1, 5, 2) * stride
    return scores[cells], np.concatenate([centre - half, centre + half], axis=1), points


def suppress(scores: NDArray[np.float32], boxes: NDArray[np.float32], overlap: float) -> list[int]:
    """Non-maximum suppression: indices of boxes that overlap no better one by more than ``overlap`` (intersection over union)."""
    order = np.argsort(-scores, kind="stable")
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    keep: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        keep.append(int(best))
        corner = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2])
        shared = np.prod(np.clip(corner, 0, None), axis=1)
        order = rest[shared <= overlap * (areas[best] + areas[rest] - shared)]
    return keep


Decode = Callable[[dict[str, Blob], int, float], Candidates]
"""Outputs by name, width of the network's input, score threshold."""

_KINDS: dict[str, tuple[Decode, frozenset[str]]] = {
    "centerface": (decode_centerface, frozenset({"537", "538", "539", "540"})),
    "yunet": (decode_yunet, frozenset(f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in _STRIDES)),
}
