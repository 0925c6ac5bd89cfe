"""Data objects and command APDUs (ISO/IEC 7816-4), as far as the protocols need them."""

from __future__ import annotations

from dataclasses import dataclass

from second.groups import Refused


def do(tag: int, value: bytes) -> bytes:
    """One data object with the shortest length field."""
    size = len(value)
    octets = b"" if size < 0x80 else size.to_bytes((size.bit_length() + 7) // 8, "big")
    head = tag.to_bytes(2 if tag > 0xFF else 1, "big")
    return head + (bytes([0x80 + len(octets)]) + octets if octets else bytes([size])) + value


def objects(data: bytes) -> list[tuple[int, bytes]]:
    """The data objects (tags of one octet) that ``data`` consists of, in order."""
    found = []
    while data:
        tag, size, start = data[0], data[1], 2
        if size >= 0x80:
            start += size - 0x80
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            raise Refused("a data object is cut short")
        found.append((tag, data[start : start + size]))
        data = data[start + size :]
    return found


@dataclass(frozen=True)
class Command:
    """``le`` is the field's octets as sent (none where no answer is wanted)."""

    header: bytes
    data: bytes = b""
    le: bytes = b""

    def encode(self) -> bytes:
        wide = len(self.data) > 0xFF or len(self.le) > 1
        lc = (b"\0" + len(self.data).to_bytes(2, "big") if wide else bytes([len(self.data)])) if self.data else b""
        return self.header + lc + self.data + (b"\0" if wide and not self.data else b"") + self.le

    @classmethod
    def decode(cls, raw: bytes) -> Command:
        header, body = raw[:4], raw[4:]
        if len(body) < 2:
            return cls(header, le=body)
        if body[0]:
            return cls(header, body[1 : 1 + body[0]], body[1 + body[0] :])
        size = int.from_bytes(body[1:3], "big")
        return cls(header, body[3 : 3 + size], body[3 + size :]) if len(body) > 3 else cls(header, le=body[1:])
