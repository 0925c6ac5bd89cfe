"""The headers of JPEG 2000 (ISO/IEC 15444-1): boxes of Annex I, marker segments of Annex A. Read only, by few lines, nothing decoded.

Callers turn ``struct.error`` and ``IndexError`` into "bad header": both mean that the bytes end too early.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x00\x00\x00\x0cjP  "
CODESTREAM = b"\xff\x4f\xff\x51"
_SIZ = struct.Struct(">I2H8IH")
_MAX_COMPONENTS = 4
_MAX_TILES = 1024
"""An encoder of portraits uses one; each costs the decoder memory whatever its size."""
_COD, _SOT, _MAX_SEGMENTS = 0xFF52, 0xFF90, 64
"""Coding style, start of the first tile; segments that are passed over on the way from SIZ to it."""
_COLOUR = 0
"""Typ of a channel that is a colour (I.5.3.6)."""


class HeaderError(Exception):
    """The bytes contradict themselves or ask for what no portrait needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Siz:
    """A.5.1. ``deep`` where a component is signed or has more than eight bits; ``transformed`` where COD names the component transform."""

    width: int
    height: int
    components: int
    deep: bool
    transformed: bool


def file_header(image: bytes | bytearray) -> tuple[Siz, int | None]:
    """The codestream's header, which is what a decoder allocates for, and where a channel definition begins that contradicts it.

    I.5.3.6: where the codestream has a component transform its first three channels are red, green and blue. A channel definition
    that says otherwise is wrong, and decoders that heed it swap the colours: Belgian passports carry one.
    """
    definition: int | None = None
    for kind, body, end in _boxes(image, 0, len(image)):
        if kind == b"jp2h":
            definition = next((at for name, at, _ in _boxes(image, body, end) if name == b"cdef"), None)
        elif kind == b"jp2c":
            siz = codestream_header(image, body)
            wrong = definition is not None and siz.transformed and not _in_order(image, definition)
            return siz, definition if wrong else None
    raise HeaderError


def codestream_header(image: bytes | bytearray, at: int) -> Siz:
    """SIZ and, from COD, whether the components are transformed (A.6.1: the octet after progression order and layers)."""
    marker, length, _, x1, y1, x0, y0, tile_w, tile_h, tile_x, tile_y, components = _SIZ.unpack_from(image, at)
    if marker != int.from_bytes(CODESTREAM) or not (x0 < x1 and y0 < y1 and tile_w and tile_h):
        raise HeaderError
    if not 1 <= components <= _MAX_COMPONENTS:
        raise HeaderError
    if tile_x > x0 or tile_y > y0 or -(-(x1 - tile_x) // tile_w) * -(-(y1 - tile_y) // tile_h) > _MAX_TILES:
        raise HeaderError
    deep = any(image[at + _SIZ.size + 3 * number] > 7 for number in range(components))
    transformed = components >= 3 and _transformed(image, at + 4 + length)
    return Siz(width=x1 - x0, height=y1 - y0, components=components, deep=deep, transformed=transformed)


def _boxes(image: bytes | bytearray, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box (I.4). Raises HeaderError for a length that leads nowhere."""
    while at < end:
        length, kind = struct.unpack_from(">I4s", image, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", image, at + 8)
            head = 16
        stop = at + length if length else end  # 0: up to the end
        if stop < at + head:
            raise HeaderError
        yield kind, at + head, min(stop, end)
        at = stop


def _transformed(image: bytes | bytearray, at: int) -> bool:
    for _ in range(_MAX_SEGMENTS):
        if len(image) < at + 10:  # the decoder finds out what is missing
            return False
        marker, length = struct.unpack_from(">2H", image, at)
        if marker == _COD:
            return image[at + 8] == 1
        if marker == _SOT or length < 2:
            return False
        at += 2 + length
    return False


def _in_order(image: bytes | bytearray, at: int) -> bool:
    """Whether the colours that a channel definition names are in their order."""
    (count,) = struct.unpack_from(">H", image, at)
    entries = [struct.unpack_from(">3H", image, at + 2 + 6 * number) for number in range(min(count, _MAX_COMPONENTS))]
    return all(colour == channel + 1 for channel, kind, colour in entries if kind == _COLOUR)
