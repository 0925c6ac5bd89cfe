"""Test pictures made from a face: cut out alone, and changed as another capture of the same person would be."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

CASTS = ((0.7, 1.0, 1.2), (1.2, 1.0, 0.7), (0.8, 1.1, 0.8), (1.15, 0.85, 1.15))
"""Gains of blue, green and red by which the changed pictures differ: coloured light shows up a swapped colour order."""
_SIDES = (220, 170, 130, 110)
"""Pixels of the chip that such a picture was taken with."""
_CHIP = 256
_FACE_SHARE = 0.5
"""Of a chip's side, what the longer side of the face's box takes."""


def cut(picture: Pixels, box: tuple[float, float, float, float]) -> Pixels:
    """The face and as much around it, 256×256."""
    left, top, width, height = box
    scale = _CHIP * _FACE_SHARE / max(width, height)
    shift = _CHIP / 2 - scale * np.array([left + width / 2, top + height / 2])
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return np.asarray(
        cv2.warpAffine(picture, matrix, (_CHIP, _CHIP), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def changed(chip: Pixels, index: int) -> Pixels:
    """The same face from another distance, turned, in other light, compressed."""
    side = _SIDES[index]
    matrix = cv2.getRotationMatrix2D((_CHIP / 2, _CHIP / 2), 5.0 * (-1) ** index, 1.0)
    turned = cv2.warpAffine(chip, matrix, (_CHIP, _CHIP), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(turned, (side, side), interpolation=cv2.INTER_AREA)
    lit = np.clip(small * np.array(CASTS[index]), 0, 255).astype(np.uint8)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", lit, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR), np.uint8)
