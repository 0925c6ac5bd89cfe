"""Cheap measures of a face picture, and which of them fall short.

Not conformant to ISO/IEC 29794-5: they share its topics (sharpness, luminance, pose, inter-eye distance), not its algorithms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from faceverify.detect import DetectedFace


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceQuality:
    """Measured on the five points in the frame and on the aligned crop.

    ``inter_eye_px``: distance of the eye centres in frame pixels. ``sharpness``: fine detail of the aligned crop as a share of
    its coarse variance, in a band above the noise, so that neither grain nor light counts as detail. ``luminance`` and
    ``contrast``: mean and deviation of grey in 0…1.
    ``yaw``: 0 when the nose lies midway between the eyes, ±1 when under one of them. ``roll``: degrees.
    """

    inter_eye_px: float
    sharpness: float
    luminance: float
    contrast: float
    yaw: float
    roll: float
    shortfalls: tuple[str, ...]
    """Measures outside :data:`LIMITS`; empty means good enough to compare."""


LIMITS: dict[str, tuple[float, float]] = {
    "inter_eye_px": (20.0, math.inf),
    "sharpness": (0.01, math.inf),
    "luminance": (0.12, 0.92),
    "contrast": (0.04, math.inf),
    "yaw": (-1.25, 1.25),
    "roll": (-35.0, 35.0),
}
"""Provisional and wide: beyond them a small network's score means nothing. To be set anew from a trial's data."""
_DETAIL = (1.2, 3.0)
"""Pixels of the aligned crop: detail is what the first blur keeps and the second takes away."""


def measure(face: DetectedFace, crop: NDArray[np.uint8]) -> FaceQuality:
    """``crop`` is the aligned face: grey values are measured there, so that every camera distance is judged alike."""
    left, right, nose = (face.points[index].astype(float) for index in range(3))
    across = right - left
    distance = float(np.hypot(*across))
    grey = np.asarray(cv2.cvtColor(_middle(crop), cv2.COLOR_BGR2GRAY), np.uint8)
    deviation = float(grey.std())
    measures = {
        "inter_eye_px": distance,
        "sharpness": _sharpness(grey),
        "luminance": float(grey.mean()) / 255,
        "contrast": deviation / 255,
        "yaw": 2 * float((nose - (left + right) / 2) @ across) / max(distance**2, 1e-9),
        "roll": math.degrees(math.atan2(across[1], across[0])),
    }
    short = tuple(name for name, (low, high) in LIMITS.items() if not low <= measures[name] <= high)
    return FaceQuality(**measures, shortfalls=short)


def _sharpness(grey: NDArray[np.uint8]) -> float:
    values = grey.astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(values, (0, 0), sigma) for sigma in _DETAIL)
    return float((fine - coarse).var()) / max(float(coarse.var()), 1.0)


def _middle(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The inner part of an aligned crop: face, hardly any background."""
    quarter = crop.shape[0] // 4
    return crop[quarter:-quarter, quarter:-quarter]
