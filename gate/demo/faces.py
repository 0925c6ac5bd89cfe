"""Faces for the cast: seven people out of the sample pictures that the ``insightface`` wheel carries.

The chip's portrait and what the camera sees are two degradations of one photograph, so a comparison of them says nothing about
accuracy. The package is never imported: its pictures are found, their sha256 checked, and faces cut out at known places.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

PICTURES = {
    "t1.jpg": "47f682e945b659f93a9e490b9c9c4a2a864abe64dace9e1a2893845ddfd69489",
    "Tom_Hanks_54745.png": "8545da294e8c7c79911169c3915fed8528f1960cd0ed99b92453788ca4275083",
}
GROUP_BOXES = (
    (61, 276, 109, 128),
    (271, 151, 105, 123),
    (463, 268, 115, 148),
    (746, 343, 101, 137),
    (900, 62, 113, 147),
    (1133, 274, 93, 131),
)
"""Face boxes (left, top, width, height) of the six people in ``t1.jpg``, left to right; the sha256 above pins what they point at."""
CROP_WIDTHS = (1.9, 1.9 * 531 / 413)
"""Width and height of a cut, in face widths: head and shoulders in the shape of an ICAO portrait, without the neighbours' faces."""
PORTRAIT_SIZE = (413, 531)
"""Pixels (width, height): 35 × 45 mm at 300 dpi (Doc 9303-9)."""
PORTRAIT_BYTES = 15_000
"""Doc 9303-9's usual size of a DG2 portrait."""
PROBE_SIZE = (320, 411)
CAMERA_NOISE = 1.0
"""Sigma, of a sensor in a lit hall. With 3 the presentation attack detection of the open pack took half of the cast for photographs."""


class PictureMissingError(Exception):
    """A sample picture is absent or another one: one line with the remedy."""


def find_picture(name: str) -> Path:
    """Where the sample picture ``name`` of :data:`PICTURES` lies. Raises PictureMissingError."""
    found = importlib.util.find_spec("insightface")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "data" / "images" / name
        if path.is_file():
            return path
    raise PictureMissingError(
        f"{name} of the package insightface is absent: run `make setup`, which installs requirements/faces.lock"
    )


def _load(name: str) -> Pixels:
    content = find_picture(name).read_bytes()
    if hashlib.sha256(content).hexdigest() != PICTURES[name]:
        raise PictureMissingError(f"{name} is not the picture of insightface 2.1: run `make setup` again")
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)


def cut_faces() -> dict[str, Pixels]:
    """Seven people, each cut generously (uint8 BGR): ``group-1`` … ``group-6`` from left to right, and ``portrait-1``."""
    group = _load("t1.jpg")
    faces = {f"group-{place}": _cut(group, box) for place, box in enumerate(GROUP_BOXES, 1)}
    tight = _load("Tom_Hanks_54745.png")
    faces["portrait-1"] = np.asarray(cv2.copyMakeBorder(tight, 43, 43, 21, 21, cv2.BORDER_REPLICATE), dtype=np.uint8)
    return faces


def _cut(picture: Pixels, box: tuple[int, int, int, int]) -> Pixels:
    left, top, width, height = box
    size = (round(width * CROP_WIDTHS[0]), round(width * CROP_WIDTHS[1]))
    shift = np.array([[1.0, 0.0, size[0] / 2 - left - width / 2], [0.0, 1.0, size[1] / 2 - top - height / 2]])
    return np.asarray(
        cv2.warpAffine(picture, shift, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )


def chip_portrait(face: Pixels, seed: int) -> bytes:
    """The portrait as it lies in DG2: JPEG 2000, 413×531, at most 15 kB; scaled, a little lighter or darker."""
    random = np.random.default_rng(seed)
    scaled = cv2.resize(face, PORTRAIT_SIZE, interpolation=cv2.INTER_CUBIC)
    lit = cv2.convertScaleAbs(scaled, alpha=random.uniform(0.96, 1.04), beta=random.uniform(-4, 4))
    for rate in range(24, 0, -1):  # thousandths of the raw size
        encoded, image = cv2.imencode(".jp2", lit, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, rate])
        if encoded and image.size <= PORTRAIT_BYTES:
            return image.tobytes()
    raise ValueError("the portrait does not fit")


def probe_picture(face: Pixels, seed: int) -> Pixels:
    """The same person as a camera would see them (uint8 BGR, 320×411): another scale, light, blur and noise than in the chip."""
    random = np.random.default_rng(seed)
    seen = cv2.GaussianBlur(cv2.resize(face, PROBE_SIZE, interpolation=cv2.INTER_LINEAR), (0, 0), random.uniform(0.6, 0.9))
    noisy = seen * random.uniform(0.82, 0.92) + random.uniform(4, 10) + random.normal(0, CAMERA_NOISE, seen.shape)
    return np.asarray(np.clip(noisy, 0, 255), dtype=np.uint8)
