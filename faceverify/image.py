"""Encoded face images (DG2 and camera stills): what the header claims, then the pixels.

The header is read by our own few lines *before* any decoder sees the bytes, so that a small file claiming a huge picture costs
nothing. Hostile images belong into :mod:`faceverify.confined`; :func:`decode` itself has no limit of time or memory.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_IMAGE_BYTES = 1 << 20
"""Portraits in DG2 hold 15…60 kB; a megabyte would take a chip minutes to send."""
MAX_PIXELS = 4_000_000
"""Default cap. Doc 9303-9 §4.3 portraits have about 0.2 million pixels; scanned ones up to 3 million."""
_MAX_COMPONENTS = 4
_MAX_TILES = 1024
"""JPEG 2000 tiles: an encoder of portraits uses one; each costs the decoder memory whatever its size."""


Encoded = bytes | bytearray


@unique
class ImageFault(StrEnum):
    """Why an image gives no pixels."""

    UNKNOWN_FORMAT = "unknown_format"
    BAD_HEADER = "bad_header"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    UNDECODABLE = "undecodable"
    TIME_LIMIT = "time_limit"
    DECODER_DIED = "decoder_died"


class ImageError(Exception):
    """The image gives no pixels; ``code`` says why."""

    def __init__(self, code: ImageFault) -> None:
        super().__init__(code.value)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What the header claims: ``format`` is ``jpeg``, ``jp2`` or ``j2k``; sizes in pixels."""

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceImage:
    """Decoded pixels that hold one face: uint8 BGR of shape (height, width, 3)."""

    pixels: NDArray[np.uint8] = field(repr=False)


def read_header(image: Encoded, *, max_pixels: int = MAX_PIXELS) -> ImageHeader:
    """Format, width and height as the header claims them. Raises ImageError; never another exception, whatever the bytes.

    JPEG: ISO/IEC 10918-1 B.2.2 (frame header). JPEG 2000: ISO/IEC 15444-1 A.5.1 (SIZ), I.4 (boxes).
    """
    if len(image) > MAX_IMAGE_BYTES:
        raise ImageError(ImageFault.TOO_MANY_BYTES)
    try:
        header = _dispatch(image)
    except (struct.error, IndexError):
        raise ImageError(ImageFault.BAD_HEADER) from None
    if header.width < 1 or header.height < 1:
        raise ImageError(ImageFault.BAD_HEADER)
    if header.width * header.height > max_pixels:
        raise ImageError(ImageFault.TOO_MANY_PIXELS)
    return header


def decode(image: Encoded, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """BGR pixels of shape (height, width, 3), exactly as large as the header claims. Raises ImageError."""
    import cv2
    import numpy as np

    header = read_header(image, max_pixels=max_pixels)
    try:
        pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        raise ImageError(ImageFault.UNDECODABLE) from None
    if pixels is None or pixels.shape != (header.height, header.width, 3) or pixels.dtype != np.uint8:
        raise ImageError(ImageFault.UNDECODABLE)
    return np.asarray(pixels, np.uint8)


def _dispatch(image: Encoded) -> ImageHeader:
    if image.startswith(b"\xff\xd8\xff"):
        return _jpeg(image)
    if image.startswith(b"\x00\x00\x00\x0cjP  "):
        return _jp2(image)
    if image.startswith(b"\xff\x4f\xff\x51"):
        return _codestream(image, 0, "j2k")
    raise ImageError(ImageFault.UNKNOWN_FORMAT)


_SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9


def _jpeg(image: Encoded) -> ImageHeader:
    at = 2
    while True:
        if image[at] != 0xFF:
            raise ImageError(ImageFault.BAD_HEADER)
        while image[at] == 0xFF:  # fill bytes
            at += 1
        marker = image[at]
        (length,) = struct.unpack_from(">H", image, at + 1)
        if marker in _SOF_MARKERS:
            _precision, height, width = struct.unpack_from(">BHH", image, at + 3)
            return ImageHeader(format="jpeg", width=width, height=height)
        if length < 2 or marker in {_START_OF_SCAN, _END_OF_IMAGE}:
            raise ImageError(ImageFault.BAD_HEADER)
        at += 1 + length


def _jp2(image: Encoded) -> ImageHeader:
    """Walk the top-level boxes up to the codestream, whose SIZ is what a decoder allocates for."""
    at = 0
    while True:
        length, kind = struct.unpack_from(">I4s", image, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", image, at + 8)
            head = 16
        if kind == b"jp2c":
            return _codestream(image, at + head, "jp2")
        if length < head:  # 0 means "up to the end": no codestream follows
            raise ImageError(ImageFault.BAD_HEADER)
        at += length


def _codestream(image: Encoded, at: int, name: str) -> ImageHeader:
    marker, _length, _capabilities, x1, y1, x0, y0, tile_w, tile_h, tile_x, tile_y, components = struct.unpack_from(
        ">I2H8IH", image, at
    )
    if marker != 0xFF4FFF51 or not (x0 < x1 and y0 < y1 and tile_w and tile_h) or not 1 <= components <= _MAX_COMPONENTS:
        raise ImageError(ImageFault.BAD_HEADER)
    if tile_x > x0 or tile_y > y0 or -(-(x1 - tile_x) // tile_w) * -(-(y1 - tile_y) // tile_h) > _MAX_TILES:
        raise ImageError(ImageFault.BAD_HEADER)
    return ImageHeader(format=name, width=x1 - x0, height=y1 - y0)
