"""Real faces for benchmarks, as cameras and chips show them: the samples inside the insightface wheel, and scikit-image's if it is there.

Eight people at most, one photograph each: good for times, where zeros would mislead, and for nothing that is said about accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import REPOSITORY
from gate.demo.faces import chip_portrait, cut_faces

Pixels = NDArray[np.uint8]
FRAME = (1080, 1920)
FACE_PX = 280
"""Width of a face half a metre before the camera of a gate."""
STEP_PX = 4.0
"""How far a face moves from frame to frame: somebody walks in."""
_CUT = 1.9
"""Face widths across a cut (:mod:`gate.demo.faces`)."""
_ASTRONAUT = (155, 55, 130, 175)
"""Box of the face (left, top, width, height), by eye."""


@cache
def people() -> dict[str, Pixels]:
    """Head and shoulders by name, BGR, in the shape of a portrait; the face takes 1/1.9 of the width."""
    found = cut_faces()
    for path in REPOSITORY.glob(".venv/peer-insightface/lib/python3*/site-packages/skimage/data/astronaut.png"):
        found["astronaut"] = _cut(np.asarray(cv2.imread(str(path)), np.uint8))
    return found


def _cut(picture: Pixels) -> Pixels:
    left, top, width, height = _ASTRONAUT
    size = (round(width * _CUT), round(width * _CUT * 531 / 413))
    shift = np.array([[1.0, 0.0, size[0] / 2 - left - width / 2], [0.0, 1.0, size[1] / 2 - top - height / 2]])
    return np.asarray(cv2.warpAffine(picture, shift, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def portraits() -> list[bytes]:
    """Each person as DG2 holds them: JPEG 2000, 413×531, at most 15 kB."""
    return [chip_portrait(face, seed) for seed, face in enumerate(people().values())]


def frame(face: Pixels, *, width_px: float = FACE_PX, at: tuple[float, float] = (0.5, 0.5), seed: int = 0) -> Pixels:
    """A 1080p camera frame of one person: ``width_px`` is the face's, ``at`` its middle in shares of the frame; with sensor noise."""
    height, width = FRAME
    scale = width_px * _CUT / face.shape[1]
    shift = np.array([width * at[0], height * at[1]]) - scale * np.array([face.shape[1], face.shape[0]]) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    scene = cv2.warpAffine(face, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(118,) * 3)
    noise = np.random.default_rng(seed).normal(0, 3, (height // 4, width // 4, 3))
    coarse = cv2.resize(noise, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.clip(scene + coarse, 0, 255), np.uint8)


def frames() -> list[Pixels]:
    """One frame of each person."""
    return [frame(face, seed=seed) for seed, face in enumerate(people().values())]


def walk(face: Pixels, count: int) -> Iterator[Pixels]:
    """One person who comes nearer and sways."""
    for step in range(count):
        x = 0.5 + STEP_PX / FRAME[1] * count / 8 * np.sin(8 * step / count)
        yield frame(face, width_px=FACE_PX + step, at=(float(x), 0.5), seed=step)
