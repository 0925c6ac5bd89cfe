"""Turns and scales a face so that its five points lie where the recogniser's template wants them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray


def similarity(points: ArrayLike, template: ArrayLike) -> NDArray[np.float64]:
    """The 2×3 matrix of rotation, uniform scale and shift that maps ``points`` (n, 2) onto ``template`` (n, 2), least squares.

    With points as complex numbers it is one line: a = Σ conj(s)·d / Σ|s|² on centred points. Coinciding points give NaN.
    """
    source, target = _complex(points), _complex(template)
    centred = source - source.mean()
    spread = np.vdot(centred, centred).real
    a = np.vdot(centred, target - target.mean()) / spread if spread > 0 else complex(np.nan, np.nan)
    shift = target.mean() - a * source.mean()
    return np.array([[a.real, -a.imag, shift.real], [a.imag, a.real, shift.imag]])


def _complex(points: ArrayLike) -> NDArray[np.complex128]:
    xy = np.asarray(points, np.float64)
    return xy[:, 0] + 1j * xy[:, 1]


def align(pixels: NDArray[np.uint8], points: ArrayLike, template: ArrayLike, size: int) -> NDArray[np.uint8] | None:
    """The square crop of ``size`` pixels, or None where the points lie on one another. Outside the frame it is black."""
    matrix = similarity(points, template)
    if not np.isfinite(matrix).all():
        return None
    return np.asarray(cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
