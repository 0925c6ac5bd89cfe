"""Frames on the serial line: where a message begins, where it ends, and whether the line damaged it. No I/O.

::

    frame = COBS(sequence u16 ‖ payload ‖ crc u16) ‖ 0x00          (little-endian)

COBS removes every zero byte, so that a zero on the line is always the end of a frame and a receiver is in step again after the
next one, whatever noise came before. The body is at most 253 bytes, which keeps COBS at its simplest: one code byte per zero
and one at the start, never the 0xFF code.

The check is CRC-16 with the polynomial x¹⁶+x¹²+x⁵+1 (0x1021), start value 0xFFFF. Over a body of this length its Hamming distance is 4: every
error of one, two or three bits and every burst up to 16 bits is found (an 8-bit sum misses one in sixteen of the two-bit errors). A flip on
the line that hits a COBS code changes more of the body than one bit, so nothing acts on the strength of the check: it guards against
noise and saves work, and the session's MAC does the rest (``session.py``). The standard library computes it in C.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field

DELIMITER = b"\x00"
MAX_BODY = 253
MAX_PAYLOAD = MAX_BODY - 4
_MAX_ENCODED = MAX_BODY + 1
_CRC_START = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """An undamaged frame. ``sequence`` is 0…65535."""

    sequence: int
    payload: bytes = field(repr=False)


class FrameError(ValueError):
    """A payload does not fit a frame, or an encoded frame is no frame."""


def encode_frame(sequence: int, payload: bytes) -> bytes:
    """Encode one frame, its delimiter included. Raises FrameError if ``payload`` exceeds :data:`MAX_PAYLOAD`."""
    if len(payload) > MAX_PAYLOAD:
        raise FrameError(f"payload of {len(payload)} bytes, at most {MAX_PAYLOAD} fit a frame")
    body = (sequence & 0xFFFF).to_bytes(2, "little") + payload
    body += _crc(body)
    return b"".join(bytes([len(run) + 1]) + run for run in body.split(b"\x00")) + DELIMITER


def decode_frame(encoded: bytes) -> Frame:
    """Decode what stood between two delimiters. Raises FrameError."""
    body = _cobs_decode(encoded)
    if not 4 <= len(body) <= MAX_BODY:
        raise FrameError(f"body of {len(body)} bytes")
    if _crc(body[:-2]) != body[-2:]:
        raise FrameError("CRC differs")
    return Frame(sequence=int.from_bytes(body[:2], "little"), payload=body[2:-2])


class FrameDecoder:
    """Cuts a byte stream into frames. Damaged frames are counted and dropped; nothing on the line makes it raise."""

    def __init__(self) -> None:
        self.damaged = 0
        """Frames dropped for their CRC, their coding or their length."""
        self._pending = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the line; return the undamaged frames that they complete."""
        *ends, rest = data.split(DELIMITER)
        frames = []
        for chunk in ends:
            self._take(chunk)
            frame = self._finish()
            if frame is not None:
                frames.append(frame)
        self._take(rest)
        return frames

    def _take(self, chunk: bytes) -> None:
        self._overlong = self._overlong or len(self._pending) + len(chunk) > _MAX_ENCODED
        if self._overlong:
            self._pending.clear()  # memory stays bounded until the next delimiter
        else:
            self._pending += chunk

    def _finish(self) -> Frame | None:
        encoded, overlong = bytes(self._pending), self._overlong
        self._pending.clear()
        self._overlong = False
        if not encoded and not overlong:
            return None  # an idle delimiter
        try:
            return decode_frame(encoded)  # of an overlong one nothing is left, which is no frame either
        except FrameError:
            self.damaged += 1
            return None


def _crc(data: bytes) -> bytes:
    return binascii.crc_hqx(data, _CRC_START).to_bytes(2, "little")


def _cobs_decode(encoded: bytes) -> bytes:
    body = bytearray()
    position = 0
    while position < len(encoded):
        end = position + encoded[position]
        if end == position or end > len(encoded):
            raise FrameError("COBS code points outside the frame")
        body += encoded[position + 1 : end]
        position = end
        if position < len(encoded):
            body.append(0)
    return bytes(body)
