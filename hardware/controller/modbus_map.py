"""The register map of a gate controller on Modbus: what stands where, and what it means. No I/O; ``docs/modbus.md`` specifies it.

A register is 16 bits. Numbers over several registers and texts have their high word first, as Modbus has its high byte first, so a block
of registers is one big-endian structure. The two input blocks are the controller's to write, the holding block is the host's.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag, unique
from typing import Any, assert_never

from hardware.controller.messages import MessageError
from hardware.controller.protocol import (
    Close,
    CommandResult,
    Door,
    Fault,
    GateCommand,
    GateEvent,
    Leaf,
    LeaseLapsed,
    Obstruction,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    SetSignal,
    Signal,
    Telemetry,
)

MAGIC = 0x4741_5445
"""``GATE``."""
EVENTS_KEPT = 8
"""Happenings that stand in the status at once: what one passage causes, several times over."""
UNCERTAIN = 0xFFFF
"""An occupancy that nobody can vouch for."""
NEW_SESSION = 0
"""As the session of an order: begin one."""

_Layout = tuple[tuple[str, str], ...]
IDENTITY: _Layout = (("magic", "I"), ("map", "8s"), ("name", "32s"))
STATUS: _Layout = (
    ("session", "I"),
    ("beat", "H"),
    ("uptime_ms", "Q"),
    ("entry", "H"),
    ("exit", "H"),
    ("occupancy", "H"),
    ("flags", "H"),
    ("command_id", "Q"),
    ("outcome", "H"),
    ("events", "I"),
    ("event", f"{EVENTS_KEPT}H"),
)
ORDER: _Layout = (
    ("session", "I"),
    ("beat", "H"),
    ("renew_ms", "H"),
    ("command_id", "Q"),
    ("command", "H"),
    ("argument", "H"),
    ("lease_ms", "H"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that are read or written as a whole, so that all of it is of one moment. ``address`` counts from 0."""

    name: str
    address: int
    layout: _Layout

    @property
    def form(self) -> struct.Struct:
        return struct.Struct(">" + "".join(form for _, form in self.layout))

    @property
    def count(self) -> int:
        """Its length in registers."""
        return self.form.size // 2

    def fields(self) -> Iterator[tuple[int, str, int]]:
        """Address, name and length in registers of each field."""
        at = self.address
        for name, form in self.layout:
            length = struct.calcsize(">" + form) // 2
            yield at, name, length
            at += length


IDENTITY_BLOCK, STATUS_BLOCK = Block("input", 0, IDENTITY), Block("input", 100, STATUS)
ORDER_BLOCK = Block("holding", 0, ORDER)


@unique
class Flag(IntFlag):
    """The bits of ``flags``."""

    OBJECT_LEFT = 1
    ENTRY_CLEAR = 2
    EXIT_CLEAR = 4
    EMERGENCY = 8
    MAINS = 16
    LEASED = 32


@unique
class Command(IntEnum):
    """What is ordered; NONE where nothing is."""

    NONE = 0
    OPEN_ENTRY = 1
    """``argument``: a Purpose."""
    OPEN_EXIT = 2
    CLOSE = 3
    """``argument``: a Door."""
    SET_SIGNAL = 4
    """``argument``: a Signal."""


@unique
class Happening(IntEnum):
    """The high byte of an ``event``; its low byte is said beside each."""

    PASSAGE = 1
    """A Door, plus 2 where it was inwards."""
    OBSTRUCTION = 2
    """A Door."""
    LEASE_LAPSED = 3
    """A Door."""
    FAULT = 4
    """A code of :data:`FAULTS`."""


FAULTS = {1: "a leaf does not reach its end position"}


def map_text() -> str:
    """The whole map, a line for each thing: what both ends have a hash of."""
    blocks = (IDENTITY_BLOCK, STATUS_BLOCK, ORDER_BLOCK)
    lines = [f"{block.name} {at} {name} {length}" for block in blocks for at, name, length in block.fields()]
    kinds: tuple[type[IntEnum | IntFlag], ...] = (Command, Door, Flag, Happening, Leaf, Outcome, Purpose, Signal)
    return "\n".join(lines + [f"{kind.__name__} " + " ".join(f"{each.name}={each.value}" for each in kind) for kind in kinds])


def map_hash() -> bytes:
    """Eight bytes: equal on both ends, or they do not talk."""
    return hashlib.sha256(map_text().encode()).digest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    magic: int
    map: bytes
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the controller says of one moment. ``beat`` is that of the newest order it took in ``session``.

    ``event``: the last happenings in words of the lane, by their number less one, modulo :data:`EVENTS_KEPT`; ``events`` counts them.
    """

    session: int
    beat: int
    telemetry: Telemetry
    result: CommandResult
    events: int
    event: tuple[int, ...]

    def happened_since(self, seen: int) -> list[GateEvent] | None:
        """The happenings after number ``seen``; None where some are gone. Raises MessageError on one that is none."""
        fresh = (self.events - seen) % 2**32
        if fresh > EVENTS_KEPT:
            return None
        numbers = range(self.events - fresh, self.events)
        return [_happening(self.event[number % EVENTS_KEPT]) for number in numbers]


def identity_in(registers: Sequence[int]) -> Identity:
    """Read :data:`IDENTITY_BLOCK`. Raises MessageError."""
    magic, map_, name = _values(IDENTITY_BLOCK, registers)
    letters = name.rstrip(b"\x00").decode("ascii", "replace")  # anybody may have written them, and they go into logs and pages
    return Identity(magic=magic, map=map_, name="".join(each if each.isprintable() else "?" for each in letters))


def status_in(registers: Sequence[int]) -> Status:
    """Read :data:`STATUS_BLOCK`. Raises MessageError where a value is outside its vocabulary."""
    session, beat, uptime_ms, entry, exit_, occupancy, bits, command_id, outcome, events, *event = _values(
        STATUS_BLOCK, registers
    )
    try:
        flags, leaves, result = Flag(bits), (Leaf(entry), Leaf(exit_)), Outcome(outcome)
    except ValueError as error:
        raise MessageError(str(error)) from error
    if bits not in range(2 * max(Flag)):
        raise MessageError(f"flags {bits:#x}")
    telemetry = Telemetry(
        uptime_ms=uptime_ms,
        entry=leaves[0],
        exit=leaves[1],
        occupancy=None if occupancy == UNCERTAIN else occupancy,
        object_left=Flag.OBJECT_LEFT in flags,
        entry_clear=Flag.ENTRY_CLEAR in flags,
        exit_clear=Flag.EXIT_CLEAR in flags,
        emergency=Flag.EMERGENCY in flags,
        mains=Flag.MAINS in flags,
        leased=Flag.LEASED in flags,
    )
    told = CommandResult(command_id=command_id, outcome=result)
    return Status(session=session, beat=beat, telemetry=telemetry, result=told, events=events, event=tuple(event))


def order(*, session: int, beat: int, renew_ms: int = 0, command: GateCommand | None = None) -> list[int]:
    """The registers of :data:`ORDER_BLOCK`. ``renew_ms`` 0: no renewal. Raises MessageError where a value does not fit."""
    ordered = (0, Command.NONE, 0, 0) if command is None else (command.command_id, *_ordered(command))
    try:
        return _registers(ORDER_BLOCK.form.pack(session, beat, renew_ms, *ordered))
    except struct.error as error:
        raise MessageError(f"{type(command).__name__}: {error}") from error


def _ordered(command: GateCommand) -> tuple[Command, int, int]:
    match command:
        case OpenEntry():
            return Command.OPEN_ENTRY, command.purpose, command.lease_ms
        case OpenExit():
            return Command.OPEN_EXIT, 0, command.lease_ms
        case Close():
            return Command.CLOSE, command.door, 0
        case SetSignal():
            return Command.SET_SIGNAL, command.signal, 0
        case _:
            assert_never(command)


def _happening(register: int) -> GateEvent:
    try:
        kind, low = Happening(register >> 8), register & 0xFF
        match kind:
            case Happening.PASSAGE:
                return Passage(door=Door(low & ~2), inwards=bool(low & 2))
            case Happening.OBSTRUCTION:
                return Obstruction(door=Door(low))
            case Happening.LEASE_LAPSED:
                return LeaseLapsed(door=Door(low))
            case Happening.FAULT:
                return Fault(code=low, what=FAULTS.get(low, "a fault that this release does not know"))
            case _:
                assert_never(kind)
    except ValueError as error:
        raise MessageError(f"happening {register:#06x}") from error


def _values(block: Block, registers: Sequence[int]) -> tuple[Any, ...]:
    raw = b"".join(register.to_bytes(2, "big") for register in registers)
    if len(raw) != block.form.size:
        raise MessageError(f"{len(registers)} registers, {block.count} expected")
    return block.form.unpack(raw)


def _registers(raw: bytes) -> list[int]:
    return [number for (number,) in struct.iter_unpack(">H", raw)]
