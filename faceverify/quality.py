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

    ``inter_eye_px``: distance of the eye centres in frame pixels. ``sharpness``: variance of the Laplacian over the variance
    of the grey values, at the alignment's scale. ``luminance`` and ``contrast``: mean and deviation of grey in 0…1.
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
    "sharpness": (0.002, math.inf),
    "luminance": (0.12, 0.92),
    "contrast": (0.04, math.inf),
    "yaw": (-1.25, 1.25),
    "roll": (-35.0, 35.0),
}
"""Provisional and wide: beyond them a small network's score means nothing. To be set anew from a trial's data."""


def measure(face: DetectedFace, crop: NDArray[np.uint8]) -> FaceQuality:
    """``crop`` is the aligned face: grey values are measured there, so that every camera distance is judged alike."""
    left, right, nose = (face.points[index].astype(float) for index in range(3))
    across = right - left
    distance = float(np.hypot(*across))
    grey = cv2.cvtColor(_middle(crop), cv2.COLOR_BGR2GRAY)
    deviation = float(grey.std())
    measures = {
        "inter_eye_px": distance,
        "sharpness": float(cv2.Laplacian(grey, cv2.CV_32F).var()) / max(deviation**2, 1.0),
        "luminance": float(grey.mean()) / 255,
        "contrast": deviation / 255,
        "yaw": 2 * float((nose - (left + right) / 2) @ across) / max(distance**2, 1e-9),
        "roll": math.degrees(math.atan2(across[1], across[0])),
    }
    short = tuple(name for name, (low, high) in LIMITS.items() if not low <= measures[name] <= high)
    return FaceQuality(**measures, shortfalls=short)


def _middle(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The inner part of an aligned crop: face, hardly any background."""
    quarter = crop.shape[0] // 4
    return crop[quarter:-quarter, quarter:-quarter]
