"""BER-TLV as chips use it (ISO/IEC 7816-4 §6.2): definite lengths only, every length checked against the bytes that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hardware.emrtd.errors import TlvError

INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER, SEQUENCE, SET, CONTEXT_0 = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31, 0xA0
"""Tags of ASN.1 in DER (ITU-T X.690 §8)."""
MAX_LENGTH_BYTES = 3
"""Length octets after 0x8n: 16 MiB, far above any file a chip holds."""
MAX_TAG_BYTES = 2
"""No tag of Doc 9303 is longer."""
MAX_HEADER = MAX_TAG_BYTES + 1 + MAX_LENGTH_BYTES
"""Bytes that always suffice to know a file's length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tlv:
    """One data object: ``start`` is where its tag begins, ``end`` the byte after its value."""

    tag: int
    value: bytes = field(repr=False)
    start: int
    end: int


def read_header(data: bytes | bytearray | memoryview, offset: int = 0) -> tuple[int, int, int]:
    """Return (tag, offset of the value, length of the value); the value need not be there. Raises TlvError."""
    tag, position = _byte(data, offset), offset + 1
    if tag & 0x1F == 0x1F:
        tag, position = tag << 8 | _byte(data, position), position + 1
        if tag & 0x80:
            raise TlvError("TLV_TAG", "tag longer than two bytes", offset=offset)
    length, position = _byte(data, position), position + 1
    if length < 0x80:
        return tag, position, length
    count = length & 0x7F
    if not 1 <= count <= MAX_LENGTH_BYTES:
        raise TlvError("TLV_LENGTH", f"length field of {count} bytes", offset=position - 1)
    if position + count > len(data):
        raise TlvError("TLV_TRUNCATED", "ends inside a length field", offset=len(data))
    return tag, position + count, int.from_bytes(data[position : position + count])


def read_tlv(data: bytes, offset: int = 0) -> Tlv:
    """Return the data object at ``offset``. Raises TlvError."""
    tag, start, length = read_header(data, offset)
    if start + length > len(data):
        raise TlvError("TLV_TRUNCATED", f"tag {tag:02X} says {length} bytes, {len(data) - start} are there", offset=offset)
    return Tlv(tag=tag, value=data[start : start + length], start=offset, end=start + length)


def children(data: bytes) -> Iterator[Tlv]:
    """Yield the data objects that fill ``data`` one after another. Raises TlvError."""
    offset = 0
    while offset < len(data):
        item = read_tlv(data, offset)
        yield item
        offset = item.end


def only(data: bytes, tag: int) -> bytes:
    """Return the value of the one data object ``tag`` that is all of ``data``. Raises TlvError."""
    item = read_tlv(data)
    if item.tag != tag:
        raise TlvError("TLV_TAG", f"tag {item.tag:02X} where {tag:02X} must stand", offset=0)
    if item.end != len(data):
        raise TlvError("TLV_TRAILING", f"{len(data) - item.end} bytes after tag {tag:02X}", offset=item.end)
    return item.value


def encode(tag: int, value: bytes) -> bytes:
    """Return ``value`` under ``tag``, lengths in their shortest form."""
    length = len(value)
    if length < 0x80:
        size = bytes([length])
    else:
        octets = length.to_bytes((length.bit_length() + 7) // 8)
        size = bytes([0x80 | len(octets)]) + octets
    return tag.to_bytes(2 if tag > 0xFF else 1) + size + value


def _byte(data: bytes | bytearray | memoryview, offset: int) -> int:
    if offset >= len(data):
        raise TlvError("TLV_TRUNCATED", "ends inside a header", offset=len(data))
    return data[offset]
