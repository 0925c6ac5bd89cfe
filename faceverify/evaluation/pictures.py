"""Reads the pictures of an evaluation as a gate would: in the confined process. PNG, which no chip sends, is decoded here."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from faceverify.evaluation.comparisons import frames
from faceverify.image import MAX_PIXELS, FaceImage, ImageError, ImageFault

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faceverify.confined import ConfinedDecoder

_PNG = b"\x89PNG\r\n\x1a\n"
MAX_FILE_BYTES = 32 << 20


def read_pictures(path: Path) -> list[bytes]:
    """Of a capture the bytes of every frame, else those of the one picture. Raises ImageError as :func:`read_picture` does."""
    return [read_picture(frame) for frame in frames(path)] if path.is_dir() else [read_picture(path)]


def read_picture(path: Path) -> bytes:
    """The file's bytes. Raises ImageError where it cannot be read or is too large for a picture."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        raise ImageError(ImageFault.UNDECODABLE) from None
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(ImageFault.TOO_MANY_BYTES)
    return data


def as_portrait(data: bytes) -> bytes | FaceImage:
    """What :meth:`FaceVerifier.reference` takes. Raises ImageError."""
    return FaceImage(pixels=_png(data)) if data.startswith(_PNG) else data


def as_frame(data: bytes, decoder: ConfinedDecoder) -> NDArray[np.uint8]:
    """What :meth:`FaceVerifier.probe` takes. Raises ImageError."""
    return _png(data) if data.startswith(_PNG) else decoder.decode(data)


def digest(pictures: Iterable[bytes]) -> str:
    """Of a single picture the sha256 of its file."""
    total = hashlib.sha256()
    for data in pictures:
        total.update(data)
    return total.hexdigest()


def _png(data: bytes) -> NDArray[np.uint8]:
    """An operator's own file, in his own process: of its size we make sure, of its honesty not."""
    import cv2
    import numpy as np

    if len(data) < 24:
        raise ImageError(ImageFault.BAD_HEADER)
    width, height = struct.unpack_from(">II", data, 16)
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(ImageFault.TOO_MANY_PIXELS if width * height else ImageFault.BAD_HEADER)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape != (height, width, 3):
        raise ImageError(ImageFault.UNDECODABLE)
    return np.asarray(pixels, np.uint8)
