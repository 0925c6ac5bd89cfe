"""Pictures that a pack is tested on: faces that an installed package carries, and our own drawing. None lies in this repository."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify import drawn_face
from faceverify.description import PackError, read_file, read_pinned

Pixels = NDArray[np.uint8]

GROUP = "t1.jpg"
GROUP_SHA256 = "47f682e945b659f93a9e490b9c9c4a2a864abe64dace9e1a2893845ddfd69489"
GROUP_SIZE = 6
"""People in the group picture, all of them looking at the camera."""
_PACKAGE = "insightface"
_PICTURE_LIMIT = 8 << 20
_MAX_PIXELS = 20_000_000


def picture_file(name: str, sha256: str, folder: Path) -> bytes:
    """A picture as a file: out of ``folder`` if it is there, else out of the package, else the drawn face. Raises PackError."""
    if (folder / name).exists() or (folder / name).is_symlink():
        return read_pinned(folder / name, sha256)
    if name == drawn_face.FILE:
        data = drawn_face.as_ppm()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise PackError(name, "is not the drawn face of this version", "use the pack that this version ships")
        return data
    return read_pinned(_package_folder() / name, sha256)


def group_picture() -> Pixels:
    """Six people, BGR. Raises PackError where the package is missing."""
    return decode(picture_file(GROUP, GROUP_SHA256, _package_folder()), GROUP)


def load(path: Path) -> Pixels:
    """The pixels of a picture whose hash was checked before. Raises PackError."""
    return decode(read_file(path, _PICTURE_LIMIT), path.name)


def decode(data: bytes, name: str) -> Pixels:
    """BGR pixels. Pictures of a pack are pinned by hash and looked at once, by whoever installs it. Raises PackError."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[0] * pixels.shape[1] > _MAX_PIXELS:
        raise PackError(name, "is no picture", "use a JPEG, PNG or PPM file")
    return np.asarray(pixels, np.uint8)


def _package_folder() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise PackError(_PACKAGE, "the package is not installed, and its pictures with it", "run `make setup`")
    return Path(found.submodule_search_locations[0]) / "data" / "images"
