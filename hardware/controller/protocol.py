"""What the lane and the gate controller say to each other (the language; frames are in ``frame.py``, the session in ``link.py``).

A command carries a 64-bit id; the controller executes an id once and reports the outcome. Opening is a *lease*: it lasts
``lease_ms`` unless renewed. When it lapses the controller alone stops or reverses a moving leaf, re-locks the exit once its
threshold is clear, and after :data:`RELEASE_AFTER_S` with somebody inside releases the *entry*.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Literal

LEASE_MS = 250
"""How long an opening lasts without renewal: klipper's figure; short enough that doors are safe ≤ 300 ms after the host died."""
RENEW_EVERY_MS = 50
"""Renewal period: four renewals may be lost before a lease lapses."""
TELEMETRY_HZ = 20
RELEASE_AFTER_S = 2.0
"""Without a host and with somebody inside, the controller releases the entry after this long: nobody is shut in by a dead computer."""
COMMS_LOST_S = 1.0
"""No frame from the controller for this long means that it is lost (20 telemetry frames missed)."""


LaneKind = Literal["mantrap", "single_door"]
"""What the controller stands at. A single door has no entry: its inputs are strapped to "bolted" (``docs/gate-link.md``, section 8)."""


@unique
class Door(IntEnum):
    """The two leaves of a mantrap lane."""

    ENTRY = 0
    EXIT = 1


@unique
class Leaf(IntEnum):
    """Position of a leaf as the controller's own sensors see it. Only LOCKED is shut."""

    LOCKED = 0
    OPENING = 1
    OPEN = 2
    CLOSING = 3
    RELEASED = 4
    """Unlocked and free to be pushed: the egress position without drive."""


@unique
class Purpose(IntEnum):
    """Why the entry opens. The controller itself refuses ADMIT while somebody is inside (I8)."""

    ADMIT = 0
    EJECT = 1


@unique
class Signal(IntEnum):
    """The lamp over the entry."""

    RED_CROSS = 0
    GREEN_ARROW = 1


# --- host → controller -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEntry:
    command_id: int
    purpose: Purpose
    lease_ms: int = LEASE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenExit:
    """Opens the exit for one passage. Refused unless the entry is locked."""

    command_id: int
    lease_ms: int = LEASE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Drive a leaf shut and lock it. Refused on an obstruction (I5)."""

    command_id: int
    door: Door


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSignal:
    command_id: int
    signal: Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    """The lane loop works: renews the lease of the opening that is in force and holds off the release. Idempotent, no id."""

    lease_ms: int = LEASE_MS


GateCommand = OpenEntry | OpenExit | Close | SetSignal
"""Commands with an effect; ``Renew`` has none of its own."""


# --- controller → host -------------------------------------------------------------------------------------------------


@unique
class Outcome(IntEnum):
    """What became of a command id."""

    EXECUTED = 0
    REFUSED_INTERLOCK = 1
    REFUSED_OBSTRUCTED = 2
    REFUSED_EMERGENCY = 3
    REFUSED_OCCUPIED = 4
    EXPIRED = 5
    """Never sent, or overtaken by a newer session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    command_id: int
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """State of the plant, sent :data:`TELEMETRY_HZ` times a second and at each change.

    ``occupancy`` is the number of persons between the doors, None when the sensor is uncertain or disputed (that is not 1).
    """

    uptime_ms: int
    entry: Leaf
    exit: Leaf
    occupancy: int | None
    object_left: bool
    entry_clear: bool
    exit_clear: bool
    emergency: bool
    mains: bool
    leased: bool
    """A lease is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One person crossed a threshold."""

    door: Door
    inwards: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstruction:
    door: Door


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLapsed:
    door: Door


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The controller gave up (``code`` from its table, ``what`` in words)."""

    code: int
    what: str


GateEvent = CommandResult | Telemetry | Passage | Obstruction | LeaseLapsed | Fault
