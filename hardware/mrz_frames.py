"""What serial readers of the machine readable zone send, as bytes in and zones out. No I/O, no clock.

A :class:`Framer` takes bytes as they come and is told when the line went quiet. What it hands over is a :class:`ZoneText`, whose lines have the
number, the length and the characters of a zone, or a :class:`Refused` without a word of text: a character that the device could not
read is never guessed, a message that does not add up is none. Whether the text is true (check digits) is not known here.

After damage it takes up again with the next whole message. Of ``rte`` it is not published which bytes length and block check cover; both
are settings of :func:`rte`, and which they are must be tried on the device.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import Literal

STX, ETX, CR, SYN = b"\x02", b"\x03", b"\r", b"\x16"
LONGEST = 128
"""Bytes of text in any message; the longest zone has 90 and its separators."""
PIECE = 256
"""Bytes looked at together: with what is kept of those before, the buffer never has 512."""

Reason = Literal["no_zone", "unreadable", "alphabet", "shape", "order", "check", "cut_short", "too_long"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneText:
    """The lines of a zone, top to bottom: 2 of 44, 2 of 36 or 3 of 30 characters, each A-Z, 0-9 or ``<``."""

    lines: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something was sent and is no zone. ``no_zone``: the device says that it found none."""

    reason: Reason


Found = ZoneText | Refused
Take = Callable[[bytes, int], tuple[int, Found | None]]
"""Looks for the first message in a buffer from an offset on: what it is, and where to look on. None: it needs more bytes than there are, and
those before the offset returned no longer.
"""

SHAPES = {(2, 44), (2, 36), (3, 30)}
UNSEPARATED = {88: 44, 72: 36, 90: 30}
"""Length of a zone whose lines come without anything between, and of each line."""
_FILLER = bytes.maketrans(b"_ ", b"<<")
_ZONE = re.compile(rb"[A-Z0-9<]+")
_UNREADABLE = re.compile(rb"[?*~]")
"""By what devices mark a character that they could not read."""
_DIGIT = re.compile(rb"[0-9]")
_LINE = re.compile(rb"[^\r\n]+")
_BEGINNING = re.compile(rb"[ACIPV][A-Z<]{4}")
"""Of a zone: document code and issuing State (Doc 9303-4 §4.2.2, -5, -6, -7)."""
_TO_EXPIRY = rb"[0-9<]{6}[0-9][MFX<][0-9<]{6}[0-9]"
_AFTER_NUMBER = re.compile(rb".{10}[A-Z<]{3}" + _TO_EXPIRY)
_DATES = {44: _AFTER_NUMBER, 36: _AFTER_NUMBER, 30: re.compile(_TO_EXPIRY + rb"[A-Z<]{3}")}
"""Nationality, birth, sex and expiry in the second line, by its length: where lines come in one, these must be where they should."""
_FRENCH = b"IDFRA"
"""The French identity card alone has figures behind the name."""


def zone_of(lines: list[bytes]) -> Found:
    """The lines as a zone, if they are one. ``_`` and blank are fillers, as some devices write them."""
    if (len(lines), len(lines[0]) if lines else 0) not in SHAPES or len({*map(len, lines)}) > 1:
        return Refused(reason="shape")
    clean = [line.translate(_FILLER) for line in lines]
    if not all(map(_ZONE.fullmatch, clean)):
        return Refused(reason="unreadable" if any(map(_UNREADABLE.search, clean)) else "alphabet")
    if not _in_order(clean):
        return Refused(reason="order")
    return ZoneText(lines=tuple(line.decode("ascii") for line in clean))


def _in_order(lines: list[bytes]) -> bool:
    """Are these the lines of one document, from the first on? The line with the name has no figures (Doc 9303-3 §4.6), the others have."""
    upper, *others = lines
    if len(lines) == 3:
        name, others = lines[2], lines[:2]
    else:
        name = b"" if upper.startswith(_FRENCH) else upper
    figures = all(map(_DIGIT.search, others)) and not _DIGIT.search(name)
    return figures and _BEGINNING.match(upper) is not None


def _text(body: bytes) -> Found:
    """Lines with any separators between them, or none."""
    lines = _LINE.findall(body)
    length = UNSEPARATED.get(len(lines[0])) if len(lines) == 1 else None
    if length is None:
        return zone_of(lines)
    body = lines[0].translate(_FILLER)
    parts = [body[at : at + length] for at in range(0, len(body), length)]
    found = zone_of(parts)
    if isinstance(found, ZoneText) and not _DATES[length].match(parts[1]):
        return Refused(reason="order")  # part of a longer zone, cut in the wrong places
    return found


def rte(*, length_from: int = 3, check_from: int | None = 1) -> Take:
    """``SOH lenLo lenHi O U STX flag line1 CR line2 CR line3 CR ETX BCC``: 3M, Gemalto and Thales RTE67xx, "RTE native".

    Both are offsets in the message: of the first byte that the length counts, of the first one that the block check covers (the exclusive
    or of all up to ETX; None: the device is set to send none). Lines are padded with ``_`` to 30 or 44.
    """
    start = re.compile(rb"\x01(?:\x00\x00|([\x01-\x7f])\x00OU\x02)", re.DOTALL)

    def take(buffer: bytes, at: int) -> tuple[int, Found | None]:
        head = start.search(buffer, at)
        if head is None:
            return max(at, len(buffer) - 5), None
        at = head.start()
        if head[1] is None:
            return head.end(), Refused(reason="no_zone")
        end = at + length_from + head[1][0]
        if len(buffer) < end + (check_from is not None):
            return at, None
        message = buffer[at:end]
        if message[-1:] != ETX or len(message) < 8:
            return at + 1, Refused(reason="shape")
        if check_from is not None and reduce(xor, message[check_from:]) != buffer[end]:
            return at + 1, Refused(reason="check")
        found = zone_of(_unpadded(_LINE.findall(message[7:-1])))
        return (end + (check_from is not None) if isinstance(found, ZoneText) else at + 1), found

    return take


def _unpadded(lines: list[bytes]) -> list[bytes]:
    """Lines without their padding. Two of 36 characters come as 44. Any other is a line of which the end was not read, where a zone's last but
    one line, of three, or its last, of two, has a figure at its end.
    """
    if len(lines) == 2 and all(len(line) == 44 and line.endswith(b"_" * 8) for line in lines):
        lines = [line[:36] for line in lines]
    return [] if len(lines) > 1 and lines[1].endswith(b"_") else lines


_TLV = re.compile(rb"I\x00(\x00|[\x48-\x80])", re.DOTALL)


def take_tlv(buffer: bytes, at: int) -> tuple[int, Found | None]:
    """``I lenMSB lenLSB text``: Elyctis IDBOX. Whatever else it says (states of a card, versions) is passed over."""
    head = _TLV.search(buffer, at)
    if head is None:
        return max(at, len(buffer) - 2), None
    end = head.end() + head[1][0]
    if end == head.end():
        return end, Refused(reason="no_zone")
    if len(buffer) < end:
        return head.start(), None
    found = _text(buffer[head.end() : end])
    return (end if isinstance(found, ZoneText) else head.start() + 1), found


_EDGE = re.compile(rb"[\x02\x03]")


def take_framed(buffer: bytes, at: int) -> tuple[int, Found | None]:
    """``STX text ETX``, with any separators between the lines or none."""
    at = buffer.find(STX, at)
    if at < 0:
        return len(buffer), None
    edge = _EDGE.search(buffer, at + 1)
    if (edge.start() if edge else len(buffer)) - at > LONGEST:
        return at + 1, Refused(reason="too_long")
    if edge is None:
        return at, None
    if edge[0] == STX:
        return edge.start(), Refused(reason="cut_short")
    return edge.end(), _text(buffer[at + 1 : edge.start()])


def take_lines(buffer: bytes, at: int) -> tuple[int, Found | None]:
    """Bare lines, each ended by CR, LF, both or silence, or all in one: whatever a keyboard-like reader sends."""
    first = _LINE.search(buffer, at)
    if first is None or first.end() == len(buffer):
        begun = first.start() if first else len(buffer)
        return max(begun, len(buffer) - LONGEST), None  # what is longer stays too long, whatever more comes
    rows = {44: 2, 36: 2, 30: 3}.get(len(first[0]), 1)
    lines, end = [first[0]], first.end()
    while len(lines) < rows:
        more = _LINE.search(buffer, end)
        if more is None or more.end() == len(buffer):
            flooded = len(buffer) - end > LONGEST
            return (first.end(), Refused(reason="too_long")) if flooded else (first.start(), None)
        lines.append(more[0])
        end = more.end()
    found = zone_of(lines) if rows > 1 else _text(first[0])
    return (end if isinstance(found, ZoneText) else first.end()), found


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How messages of one kind are told apart. ``silence``: what a silent line stands for."""

    take: Take
    silence: bytes = b""


RTE, RTE_UNCHECKED = Wire(take=rte()), Wire(take=rte(check_from=None))
TLV, FRAMED, LINES = Wire(take=take_tlv), Wire(take=take_framed), Wire(take=take_lines, silence=CR)


class Framer:
    """Bytes in, zones and refusals out, for one line and one kind of message."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._buffer = b""

    @property
    def pending(self) -> bool:
        """Has a message begun, or something that may be one?"""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Found]:
        """Take bytes from the line, in any pieces."""
        found: list[Found] = []
        for start in range(0, len(data), PIECE):
            self._look(self._buffer + data[start : start + PIECE], found)
        return found

    def quiet(self) -> list[Found]:
        """The line was silent for longer than any device pauses inside a message: what has begun ends here."""
        found: list[Found] = []
        if not self._buffer:
            return found
        silence = self._wire.silence
        self._look(self._buffer + silence, found)
        while self._buffer:  # what began was none; a whole message may stand behind it
            self._look(self._buffer[max(1, self._buffer.find(silence) + 1) :], found)
        return found or [Refused(reason="cut_short")]

    def _look(self, buffer: bytes, found: list[Found]) -> None:
        at, one = self._wire.take(buffer, 0)
        while one is not None:
            found.append(one)
            at, one = self._wire.take(buffer, at)
        self._buffer = buffer[at:]
