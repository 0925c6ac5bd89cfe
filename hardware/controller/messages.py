"""The messages as bytes: one type byte, then fixed little-endian fields in the order of the class, at most one variable tail.

The table :data:`_LAYOUTS` is the dictionary of the link. Both ends exchange its hash when they connect, so that a host never talks to
a firmware that would read a field differently.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from typing import Any, get_type_hints

from hardware.controller import protocol
from hardware.controller.protocol import (
    Close,
    CommandResult,
    Fault,
    LeaseLapsed,
    Obstruction,
    OpenEntry,
    OpenExit,
    Passage,
    Renew,
    SetSignal,
    Telemetry,
)

NONCE_BYTES = 16
PROOF_BYTES = 16
DICTIONARY_BYTES = 8
_UNCERTAIN = 0xFF
"""An occupancy nobody can vouch for (``None``)."""


class MessageError(ValueError):
    """Bytes that are no message of this dictionary, or a message that no bytes of it can hold."""


# --- connecting (unsealed) ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Host → controller: a new host is here."""

    nonce: bytes
    dictionary: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """Controller → host: who answers, with the proof that it holds the link key."""

    nonce: bytes
    dictionary: bytes
    proof: bytes = field(repr=False)
    firmware: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Host → controller: the proof that the host holds the link key too. The session begins."""

    proof: bytes = field(repr=False)


# --- housekeeping of the session ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """Controller → host: a happening that must not get lost, sent again until acknowledged. ``event`` is an encoded message."""

    number: int
    event: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAck:
    """Host → controller: every report up to ``number`` has come. Also the host's sign of life when it has nothing to say."""

    number: int


Handshake = Hello | Welcome | Confirm
Happening = Passage | Obstruction | LeaseLapsed | Fault
Command = OpenEntry | OpenExit | Close | SetSignal
Message = Handshake | EventReport | EventAck | Command | Renew | CommandResult | Telemetry | Happening

_LAYOUTS: tuple[tuple[int, type[Any], str], ...] = (
    (0x01, Hello, "16s8s"),
    (0x02, Welcome, "16s8s16s"),
    (0x03, Confirm, "16s"),
    (0x10, OpenEntry, "QBH"),
    (0x11, OpenExit, "QH"),
    (0x12, Close, "QB"),
    (0x13, SetSignal, "QB"),
    (0x14, Renew, "H"),
    (0x15, EventAck, "I"),
    (0x20, CommandResult, "QB"),
    (0x21, Telemetry, "QBBBBBBBBB"),
    (0x22, EventReport, "I"),
    (0x30, Passage, "BB"),
    (0x31, Obstruction, "B"),
    (0x32, LeaseLapsed, "B"),
    (0x33, Fault, "H"),
)
"""Type byte, class, fixed fields. A class with one field more than its format has a tail: UTF-8 for ``str``, raw for ``bytes``."""


def encode(message: Message) -> bytes:
    """The bytes of ``message``. Raises MessageError where a value does not fit its field."""
    code, layout, fixed, tail = _LAYOUT_OF[type(message)]
    values = [_to_wire(getattr(message, name)) for name, _ in fixed]
    rest = getattr(message, tail[0]) if tail else b""
    try:
        return bytes([code]) + layout.pack(*values) + (rest.encode() if isinstance(rest, str) else rest)
    except struct.error as error:
        raise MessageError(f"{type(message).__name__}: {error}") from error


def decode(data: bytes) -> Message:
    """The message in ``data``. Raises MessageError on anything else: unknown type, wrong length, value outside its vocabulary."""
    kind = _KIND_OF.get(data[0]) if data else None
    if kind is None:
        raise MessageError(f"unknown message type {data[:1].hex() or '(empty)'}")
    _, layout, fixed, tail = _LAYOUT_OF[kind]
    body = data[1:]
    if len(body) < layout.size or (len(body) > layout.size and not tail):
        raise MessageError(f"{kind.__name__} of {len(body)} bytes, {layout.size} expected")
    try:
        values = {name: _from_wire(hint, value) for (name, hint), value in zip(fixed, layout.unpack_from(body), strict=True)}
        if tail:
            values[tail[0]] = body[layout.size :].decode() if tail[1] is str else body[layout.size :]
    except ValueError as error:  # an enum without that member, bad UTF-8
        raise MessageError(f"{kind.__name__}: {error}") from error
    message: Message = kind(**values)
    return message


@cache
def dictionary_hash() -> bytes:
    """Hash of every layout and every enumeration: equal on both ends or they do not talk."""
    enums = [
        kind for kind in vars(protocol).values() if isinstance(kind, type) and issubclass(kind, IntEnum) and kind is not IntEnum
    ]
    lines = [
        f"{code:02x} {kind.__name__} {form} " + " ".join(f.name for f in dataclasses.fields(kind))
        for code, kind, form in _LAYOUTS
    ]
    lines += [
        f"{kind.__name__} " + " ".join(f"{m.name}={m.value}" for m in kind) for kind in sorted(enums, key=lambda k: k.__name__)
    ]
    return hashlib.sha256("\n".join(lines).encode()).digest()[:DICTIONARY_BYTES]


def _to_wire(value: Any) -> Any:
    return _UNCERTAIN if value is None else value


def _from_wire(hint: Any, value: Any) -> Any:
    if hint in (int, bytes):
        return value
    if hint is bool:
        if value > 1:
            raise MessageError(f"{value} is neither 0 nor 1")
        return bool(value)
    if hint == int | None:
        return None if value == _UNCERTAIN else value
    return hint(value)


_Field = tuple[str, Any]


def _compile(code: int, kind: type[Any], form: str) -> tuple[int, struct.Struct, list[_Field], _Field | None]:
    layout = struct.Struct("<" + form)
    count = len(layout.unpack(bytes(layout.size)))
    fields = list(get_type_hints(kind).items())
    return code, layout, fields[:count], fields[count] if len(fields) > count else None


_LAYOUT_OF = {kind: _compile(code, kind, form) for code, kind, form in _LAYOUTS}
_KIND_OF = {code: kind for code, kind, _ in _LAYOUTS}
