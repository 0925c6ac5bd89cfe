"""Encoded face images (DG2 and camera stills): what the header claims, then the pixels.

The header is read by our own few lines *before* any decoder sees the bytes, so that a small file claiming a huge picture costs
nothing. Hostile images belong into :mod:`faceverify.confined`; :func:`decode` itself has no limit of time or memory.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from faceverify import jpeg2000

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_IMAGE_BYTES = 1 << 20
"""Portraits in DG2 hold 15…60 kB; a megabyte would take a chip minutes to send."""
MAX_PIXELS = 4_000_000
"""Default cap. Doc 9303-9 §4.3 portraits have about 0.2 million pixels; scanned ones up to 3 million."""

Encoded = bytes | bytearray


@unique
class ImageFault(StrEnum):
    """Why an image gives no pixels.

    ``unsupported`` is a picture that the standards of portraits do not know: CMYK, more than eight bits a sample, JPEG that is
    lossless, hierarchical or arithmetically coded.
    """

    UNKNOWN_FORMAT = "unknown_format"
    BAD_HEADER = "bad_header"
    UNSUPPORTED = "unsupported"
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
    """What the header claims: ``format`` is ``jpeg``, ``jp2`` or ``j2k``; sizes in pixels.

    ``false_channels`` is where a channel definition begins that swaps the colours against the standard (:mod:`faceverify.jpeg2000`).
    """

    format: str
    width: int
    height: int
    false_channels: int | None = None


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
    except (struct.error, IndexError, jpeg2000.HeaderError):
        raise ImageError(ImageFault.BAD_HEADER) from None
    if header.width < 1 or header.height < 1:
        raise ImageError(ImageFault.BAD_HEADER)
    if header.width * header.height > max_pixels:
        raise ImageError(ImageFault.TOO_MANY_PIXELS)
    return header


def decode(image: Encoded, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """BGR pixels of shape (height, width, 3), exactly as large as the header claims; grey is repeated, alpha left out.

    Of a file with several pictures (animations, previews) the first is decoded. Raises ImageError.
    """
    import cv2
    import numpy as np

    header = read_header(image, max_pixels=max_pixels)
    try:
        encoded = np.frombuffer(_without_false_channels(image, header), np.uint8)
        pixels = cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        raise ImageError(ImageFault.UNDECODABLE) from None
    if pixels is None or pixels.shape != (header.height, header.width, 3) or pixels.dtype != np.uint8:
        raise ImageError(ImageFault.UNDECODABLE)
    return np.asarray(pixels, np.uint8)


def _without_false_channels(image: Encoded, header: ImageHeader) -> Encoded:
    """The file, its false channel definition renamed to free space, which decoders pass over."""
    if header.false_channels is None:
        return image
    renamed = bytearray(image)
    renamed[header.false_channels - 4 : header.false_channels] = b"free"
    return renamed


def _dispatch(image: Encoded) -> ImageHeader:
    if image.startswith(b"\xff\xd8\xff"):
        return _jpeg(image)
    if image.startswith(jpeg2000.SIGNATURE):
        return _jpeg2000("jp2", *jpeg2000.file_header(image))
    if image.startswith(jpeg2000.CODESTREAM):
        return _jpeg2000("j2k", jpeg2000.codestream_header(image, 0))
    raise ImageError(ImageFault.UNKNOWN_FORMAT)


def _jpeg2000(name: str, siz: jpeg2000.Siz, false_channels: int | None = None) -> ImageHeader:
    if siz.deep:
        raise ImageError(ImageFault.UNSUPPORTED)
    return ImageHeader(format=name, width=siz.width, height=siz.height, false_channels=false_channels)


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_DCT = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended, progressive (B.1.1.3)."""
_COLOURS = frozenset({1, 3})
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
        if marker in _FRAMES:
            precision, height, width, components = struct.unpack_from(">B2HB", image, at + 3)
            if marker not in _HUFFMAN_DCT or precision != 8 or components not in _COLOURS:
                raise ImageError(ImageFault.UNSUPPORTED)
            return ImageHeader(format="jpeg", width=width, height=height)
        if length < 2 or marker in {_START_OF_SCAN, _END_OF_IMAGE}:
            raise ImageError(ImageFault.BAD_HEADER)
        at += 1 + length
