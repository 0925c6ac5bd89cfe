"""What both ends of the link do alike: prove the key, seal frames, send again until acknowledged. No I/O, no clock.

::

    host → controller   Hello    host nonce, dictionary
    controller → host   Welcome  device nonce, dictionary, firmware, HMAC(key, "device" ‖ transcript)[:16]
    host → controller   Confirm  HMAC(key, "host" ‖ transcript)[:16]
    both                sealed   message ‖ HMAC(session key, direction ‖ sequence u64 ‖ message)[:8]

HMAC is HMAC-SHA256. The nonces are fresh on both sides, so neither a recorded Welcome nor a recorded Confirm serves twice. A sealed
frame is taken once and in order: its 16-bit sequence is extended to 64 bits under the MAC, so that a recorded frame stays dead after the
counter wrapped. Eight bytes of MAC are one chance in 2⁶⁴ per forged frame, at some 10⁴ frames a second at most.
"""

from __future__ import annotations

import hmac
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hardware.controller.frame import Frame, encode_frame
from hardware.controller.messages import PROOF_BYTES, Confirm, Hello, Message, MessageError, Welcome, decode, encode

MAC_BYTES = 8
MIN_KEY_BYTES = 16
RETRANSMIT_S = 0.04
"""An unacknowledged message goes out again after this long: two frames and an answer take < 10 ms at 115200 baud."""

HOST, DEVICE = b"host", b"device"


def check_key(key: bytes) -> bytes:
    """Return ``key``; raise ValueError if it is too short to be a secret."""
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"link key of {len(key)} bytes, at least {MIN_KEY_BYTES} needed")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All that the two ends said in the clear while connecting; the proofs and the session key cover every byte of it."""

    key: bytes = field(repr=False)
    host_nonce: bytes
    device_nonce: bytes
    dictionary: bytes
    firmware: str

    def proof(self, side: bytes) -> bytes:
        return self._derive(side)[:PROOF_BYTES]

    def proven(self, side: bytes, proof: bytes) -> bool:
        return hmac.compare_digest(self.proof(side), proof)

    def channel(self, *, sends: bytes, hears: bytes) -> Channel:
        return Channel(self._derive(b"session"), sends=sends, hears=hears)

    def _derive(self, label: bytes) -> bytes:
        transcript = self.host_nonce + self.device_nonce + self.dictionary + self.firmware.encode()
        return hmac.digest(self.key, b"autogate link " + label + b"\x00" + transcript, "sha256")


def plain_frame(message: Hello | Welcome | Confirm) -> bytes:
    """A frame of the handshake, as it goes onto the line."""
    return encode_frame(0, encode(message))


def handshake_in(frame: Frame) -> Hello | Welcome | Confirm | None:
    """The handshake message in ``frame``; None if it holds none."""
    try:
        message = decode(frame.payload)
    except MessageError:
        return None
    return message if isinstance(message, Hello | Welcome | Confirm) else None


class Channel:
    """The sealed direction pair of one session."""

    def __init__(self, key: bytes, *, sends: bytes, hears: bytes) -> None:
        self._key, self._sends, self._hears = key, sends, hears
        self._sent = self._heard = 0
        self.rejected = 0
        """Frames that were forged, replayed or out of order."""

    def seal(self, message: Message) -> bytes:
        """The frame for ``message``, as it goes onto the line."""
        self._sent += 1
        payload = encode(message)
        return encode_frame(self._sent, payload + self._mac(self._sends, self._sent, payload))

    def open(self, frame: Frame) -> Message | None:
        """The message in ``frame``; None if it is not the other end's, or not newer than the last one."""
        ahead = (frame.sequence - self._heard) & 0xFFFF
        number = self._heard + ahead
        payload, mac = frame.payload[:-MAC_BYTES], frame.payload[-MAC_BYTES:]
        if not 0 < ahead < 0x8000 or not hmac.compare_digest(self._mac(self._hears, number, payload), mac):
            self.rejected += 1
            return None
        self._heard = number
        try:
            return decode(payload)
        except MessageError:  # sealed by a peer with a bug: no message is the safe reading
            self.rejected += 1
            return None

    def _mac(self, side: bytes, number: int, payload: bytes) -> bytes:
        return hmac.digest(self._key, side + b"\x00" + number.to_bytes(8, "little") + payload, "sha256")[:MAC_BYTES]


M = TypeVar("M")


class Outbox(Generic[M]):
    """Sends one message at a time, in order, again and again until it is acknowledged."""

    def __init__(self, again_after: float = RETRANSMIT_S) -> None:
        """``again_after`` is in the unit of the caller's clock."""
        self._queue: deque[tuple[int, M]] = deque()
        self._again_after, self._due = again_after, 0.0
        self.tries = 0
        """How often the message at the head went out."""

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, number: int, message: M) -> None:
        self._queue.append((number, message))

    def acknowledge(self, number: int) -> bool:
        """Drop the message at the head if it has this number; False if it has not (a late or repeated answer)."""
        if not self._queue or self._queue[0][0] != number:
            return False
        self._queue.popleft()
        self.tries, self._due = 0, 0.0
        return True

    def next(self, now: float) -> M | None:
        """The message to send now, if one is due."""
        if not self._queue or (self.tries and now < self._due):
            return None
        self.tries += 1
        self._due = now + self._again_after
        return self._queue[0][1]
