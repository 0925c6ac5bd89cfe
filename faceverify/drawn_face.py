"""A drawn face: the picture behind the reference vectors of packs, so that no real person's features are stored anywhere.

Made of whole numbers alone, hence the same bytes on every machine.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

FILE = "drawn_face.ppm"
WIDTH, HEIGHT = 240, 300

_PARTS: tuple[tuple[int, int, int, int, tuple[int, int, int]], ...] = (
    (120, 130, 96, 118, (52, 38, 30)),  # hair
    (120, 262, 62, 60, (196, 140, 112)),  # neck
    (120, 158, 74, 100, (224, 172, 140)),  # face
    (96, 178, 22, 16, (234, 158, 138)),  # cheeks
    (146, 180, 20, 14, (230, 150, 132)),
    (86, 112, 20, 4, (70, 48, 36)),  # brows
    (154, 112, 20, 5, (66, 46, 36)),
    (86, 132, 15, 8, (246, 244, 240)),  # eyes
    (154, 132, 15, 8, (244, 242, 240)),
    (86, 132, 7, 7, (74, 92, 60)),
    (154, 132, 7, 7, (72, 90, 62)),
    (86, 132, 3, 3, (12, 12, 14)),
    (154, 132, 3, 3, (12, 12, 14)),
    (120, 160, 7, 26, (232, 182, 150)),  # nose
    (112, 178, 4, 3, (150, 96, 80)),
    (128, 178, 4, 3, (146, 92, 78)),
    (120, 214, 27, 9, (176, 70, 76)),  # mouth
    (120, 214, 24, 2, (96, 30, 38)),
)
"""Ellipses from back to front: centre x and y, half width and half height, colour (R, G, B)."""


def drawn_face() -> NDArray[np.uint8]:
    """BGR pixels of shape (300, 240, 3): a gradient behind, ellipses in front, light from the left."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.int64)
    rgb = np.stack([90 + x // 4, 120 + y // 5, 170 - x // 8 + y // 10], axis=2)
    for cx, cy, rx, ry, colour in _PARTS:
        inside = ((x - cx) * ry) ** 2 + ((y - cy) * rx) ** 2 <= (rx * ry) ** 2
        rgb[inside] = np.array(colour)
    lit = rgb * (288 - x[..., np.newaxis] // 3) // 256
    pixels: NDArray[np.uint8] = np.clip(lit, 0, 255).astype(np.uint8)[..., ::-1]
    return pixels


def as_ppm() -> bytes:
    """The picture as a file (netpbm, binary RGB)."""
    return b"P6 %d %d 255\n" % (WIDTH, HEIGHT) + np.ascontiguousarray(drawn_face()[..., ::-1]).tobytes()


if __name__ == "__main__":
    sys.stdout.buffer.write(as_ppm())
