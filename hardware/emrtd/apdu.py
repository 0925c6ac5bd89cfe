"""Command and response APDUs, short and extended (ISO/IEC 7816-3 §12.1, 7816-4 §5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hardware.emrtd.errors import ApduError

SHORT_NE = 256
EXTENDED_NE = 65_536
OK = 0x9000
END_OF_FILE = 0x6282
"""Fewer bytes than asked for, because the file ends."""
WRONG_LENGTH = 0x6700
SECURITY_STATUS = 0x6982
CONDITIONS_OF_USE = 0x6985
FILE_NOT_FOUND = 0x6A82
KEY_NOT_FOUND = 0x6A88
BEYOND_END = 0x6B00
SM_OBJECTS_MISSING = 0x6987
SM_OBJECTS_WRONG = 0x6988


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandApdu:
    """A command. ``ne`` is the greatest number of response bytes wanted (1…65,536), None for none at all."""

    cla: int = 0x00
    ins: int
    p1: int = 0
    p2: int = 0
    data: bytes = field(default=b"", repr=False)
    ne: int | None = None

    @property
    def extended(self) -> bool:
        """Does it need the long form?"""
        return len(self.data) > 0xFF or (self.ne or 0) > SHORT_NE

    def encode(self) -> bytes:
        head = bytes([self.cla, self.ins, self.p1, self.p2])
        if self.extended:
            body = b"\0" + len(self.data).to_bytes(2) + self.data if self.data else b""
            if self.ne is None:
                return head + body
            return head + body + (b"" if body else b"\0") + (self.ne % EXTENDED_NE).to_bytes(2)
        body = bytes([len(self.data)]) + self.data if self.data else b""
        return head + body + (b"" if self.ne is None else bytes([self.ne % SHORT_NE]))

    @classmethod
    def decode(cls, raw: bytes) -> CommandApdu:
        """Parse the seven forms of ISO/IEC 7816-3 §12.1.3. Raises ApduError."""
        if len(raw) < 4:
            raise ApduError("APDU_SHORT", f"a command of {len(raw)} bytes")
        data, ne = _body(raw[4:])
        return cls(cla=raw[0], ins=raw[1], p1=raw[2], p2=raw[3], data=data, ne=ne)


def _body(body: bytes) -> tuple[bytes, int | None]:
    if not body:
        return b"", None
    if len(body) == 1:
        return b"", body[0] or SHORT_NE
    wide = body[0] == 0 and len(body) > 2
    if wide and len(body) == 3:
        return b"", int.from_bytes(body[1:]) or EXTENDED_NE
    start, le_size = (3, 2) if wide else (1, 1)
    length = int.from_bytes(body[:start])
    data, rest = body[start : start + length], body[start + length :]
    if length == 0 or len(data) != length or len(rest) not in {0, le_size}:
        raise ApduError("APDU_LENGTH", f"length field says {length}, {len(body) - start} bytes follow", offset=4)
    if not rest:
        return data, None
    return data, int.from_bytes(rest) or (EXTENDED_NE if wide else SHORT_NE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseApdu:
    """A response: ``sw`` is SW1‖SW2."""

    data: bytes = field(default=b"", repr=False)
    sw: int = OK

    def encode(self) -> bytes:
        return self.data + self.sw.to_bytes(2)

    @classmethod
    def decode(cls, raw: bytes) -> ResponseApdu:
        """Split off the two status bytes. Raises ApduError."""
        if not 2 <= len(raw) <= EXTENDED_NE + 2:
            raise ApduError("RESPONSE_LENGTH", f"a response of {len(raw)} bytes")
        return cls(data=raw[:-2], sw=int.from_bytes(raw[-2:]))
