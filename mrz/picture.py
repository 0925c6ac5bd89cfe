"""Picture files to pixels, with sizes checked before anything is unpacked. For the command line: the gate's frames come as pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrz.reader import MOST_PIXELS

LARGEST_FILE = 64 * 2**20
"""Bytes: what no camera exceeds with a picture of the largest size that is read."""
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""JPEG markers that begin with the picture's size."""


class PictureError(Exception):
    """A file that is no picture which is read here; the message says why."""


def load(path: Path) -> NDArray[np.uint8]:
    """The picture in a JPEG, PNG or BMP file, grey (h, w) or BGR (h, w, 3). Raises PictureError."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        return decode(data)
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror}") from None
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from None


def decode(data: bytes) -> NDArray[np.uint8]:
    """As :func:`load`, from the file's bytes."""
    import cv2

    if len(data) > LARGEST_FILE:
        raise PictureError(f"larger than {LARGEST_FILE >> 20} MiB")
    width, height = size(data)
    if not 0 < width * height <= MOST_PIXELS:
        raise PictureError(f"{width} by {height} pixels, where 1 to {MOST_PIXELS} are read")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype != np.uint8:
        raise PictureError("a picture that cannot be decoded")
    return np.asarray(pixels, np.uint8)


def size(data: bytes) -> tuple[int, int]:
    """Width and height that the file's head declares. Raises PictureError where it is none of the three kinds."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if data[:2] == b"BM" and len(data) >= 26:
        return int.from_bytes(data[18:22], "little"), abs(int.from_bytes(data[22:26], "little", signed=True))
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    raise PictureError("neither JPEG nor PNG nor BMP")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """The largest size that any frame header declares: a decoder believes one of them (ISO/IEC 10918-1 §B.1, §B.2.2)."""
    at, largest = 2, (0, 0)
    while at + 9 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _FRAMES:
            largest = max(largest, (int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])))
        at += 2 + length
    return largest
