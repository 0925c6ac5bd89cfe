"""SCRFD, the detector of insightface packs: nine tensors told apart by order and width, because their names are mere numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceverify.decoders import STRIDES, Candidates
from faceverify.nets import Blob

ANCHORS = 2
"""Candidates for each cell."""
_WIDTHS = (1, 4, 10)
"""Score, distances to the box's sides, five points: three tensors each, for stride 8, 16 and 32 in this order."""
OUTPUTS = len(_WIDTHS) * len(STRIDES)


def decode_scrfd(outputs: dict[str, Blob], width: int, threshold: float) -> Candidates:
    """One row for each anchor, cell by cell: score in 0…1; left, top, right, bottom distance and points from the cell's corner,
    all in strides. Tensors are [rows, n] or [1, rows, n].
    """
    tensors = [blob.reshape(-1, blob.shape[-1]) for blob in outputs.values()]
    parts = [
        _stride(*tensors[index :: len(STRIDES)], columns=width // stride, stride=stride, threshold=threshold)
        for index, stride in enumerate(STRIDES)
    ]
    scores, boxes, points = zip(*parts, strict=True)
    return np.concatenate(scores), np.concatenate(boxes), np.concatenate(points)


def _stride(
    score: NDArray[np.float32],
    sides: NDArray[np.float32],
    marks: NDArray[np.float32],
    *,
    columns: int,
    stride: int,
    threshold: float,
) -> Candidates:
    rows = np.nonzero(score[:, 0] > threshold)[0]
    cells = rows // ANCHORS
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32) * stride
    left_top, right_bottom = corner - sides[rows, :2] * stride, corner + sides[rows, 2:] * stride
    points = corner[:, np.newaxis] + marks[rows].reshape(-1, 5, 2) * stride
    return score[rows, 0], np.concatenate([left_top, right_bottom], axis=1), points


def looks_like_scrfd(outputs: dict[str, tuple[int | None, ...]]) -> bool:
    """Whether declared output shapes are those of SCRFD with five points (open sizes fit)."""
    last = [shape[-1] if shape else None for shape in outputs.values()]
    wanted = [width for width in _WIDTHS for _ in STRIDES]
    return len(last) == OUTPUTS and all(size in {None, width} for size, width in zip(last, wanted, strict=True))
