"""From a detector's output tensors to candidate faces, for each supported kind of network, and what is left of overlapping ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceverify.nets import Blob

STRIDES = (8, 16, 32)
Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Scores (n,), boxes (n, 4) as left, top, right, bottom, points (n, 5, 2), in pixels of the network's input."""


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
    parts = [_yunet_stride(outputs, width // stride, stride, threshold) for stride in STRIDES]
    scores, boxes, points = zip(*parts, strict=True)
    return np.concatenate(scores), np.concatenate(boxes), np.concatenate(points)


def _yunet_stride(outputs: dict[str, Blob], columns: int, stride: int, threshold: float) -> Candidates:
    cls, obj, bbox, kps = (outputs[f"{name}_{stride}"][0] for name in ("cls", "obj", "bbox", "kps"))
    likely = cls[:, 0] * obj[:, 0]
    cells = np.flatnonzero(likely > threshold**2)
    corner = np.stack([cells % columns, cells // columns], axis=1) * np.float32(stride)
    centre, half = corner + bbox[cells, :2] * stride, np.exp(bbox[cells, 2:]) * (stride / 2)
    points = corner[:, np.newaxis] + kps[cells].reshape(-1, 5, 2) * stride
    scores = np.sqrt(np.minimum(likely[cells], 1))
    return scores, np.concatenate([centre - half, centre + half], axis=1), points


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
