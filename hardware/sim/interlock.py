"""The safety logic of the simulated gate controller, as firmware would have it: sensors and commands in, drives out.

It believes its own sensors and nobody's word. Two leaves, each with one of three orders: shut (drive shut and bolt), open, free
(unbolted, no drive, to be pushed). What holds, whatever the host sends or fails to send (facts of the lane, I1 … I8):

- A door is unlocked only while the other one is bolted; fire unlocks both (I1, I4), and so may the last rule. A bolt counts once it was
  read under a drive that was already shut: commands come between two readings, and what was read before an order proves nothing after it.
- The exit opens for exactly one person counted inside and no object left, and for one passage (I2, I3).
- No leaf is driven shut while its threshold is not clear (I5): it stops, and goes on by itself once the threshold stayed clear.
- The entry opens on an occupied trap only to eject (I8).
- An opening is a lease. When it lapses the leaf stops opening; an exit re-locks, an entry re-locks on an empty trap and is released
  on an occupied one. Two seconds without a host and with somebody inside, a locked entry is released too (I6, I7), even where a fire
  left the exit free: it may be jammed.
- An exit that was to lock and for five seconds did not is given up. It is driven shut on, but no longer keeps the entry from being released
  or opened to eject: whoever stands behind an exit that jammed half shut would otherwise stay shut in. Nothing else unlocks both doors.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto, unique
from typing import assert_never

from hardware.controller.protocol import (
    LEASE_MS,
    RELEASE_AFTER_S,
    Close,
    Door,
    Fault,
    GateCommand,
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

CLEAR_AGAIN_MS = 300
"""A threshold must stay clear this long before a stopped leaf moves on: a person's second foot."""
EMPTY_AGAIN_MS = 500
"""A trap must stay empty this long before a released entry is locked again."""
STUCK_MS = 5_000
"""A leaf that is driven this long without reaching its end (0.6 s is normal) is jammed; an exit that does not lock so long is given up."""
FAULT_STUCK = 1
FAULTS = {FAULT_STUCK: "leaf does not reach its end position"}


@unique
class Drive(Enum):
    """What a leaf's motor and bolt are told."""

    SHUT = auto()
    """Drive shut; the bolt falls at the end."""
    OPEN = auto()
    STOP = auto()
    """Hold still."""
    FREE = auto()
    """Bolt withdrawn, motor off: can be pushed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafSensors:
    """Bolt switch and end switch of a leaf, and the light barrier of its threshold."""

    bolted: bool
    wide: bool
    clear: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that the controller's pins say at one moment. ``crossings`` are those since the last tick."""

    entry: LeafSensors
    exit: LeafSensors
    occupancy: int | None
    object_left: bool
    fire: bool
    mains: bool
    crossings: tuple[Passage, ...] = ()

    def leaf(self, door: Door) -> LeafSensors:
        return self.entry if door is Door.ENTRY else self.exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """``turn_back`` is the lamp inside over the entry: "please leave this way"."""

    entry: Drive
    exit: Drive
    signal: Signal
    turn_back: bool


@unique
class _Want(Enum):
    SHUT = auto()
    OPEN = auto()
    FREE = auto()


@dataclass(slots=True, kw_only=True)
class _Door:
    want: _Want = _Want.SHUT
    since: int = 0
    """When its present journey began, for the jam alarm."""
    blocked_at: int | None = None
    """Last moment at which the threshold was not clear while the leaf was to shut."""
    faulty: bool = False
    driven_shut: bool = False
    """Under its present order the last tick drove it shut."""
    proven: bool = False
    """Its switches were read under that drive. A leaf that was told to open a moment ago may show its bolt for another moment."""


class Interlock:
    """State of the two doors. ``now`` is milliseconds since the controller started, and never goes back."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._doors = {door: _Door(driven_shut=True, proven=True) for door in Door}
        self._signal = Signal.RED_CROSS
        self._leased: Door | None = None
        self._lease_until = 0
        self._host_until = 0
        self._ejecting = False
        self._refuge = False
        """The entry is free because somebody was shut in, not because of a fire."""
        self._occupied_at = 0
        self._exit_settled_at = 0
        """Last moment at which the exit was locked, or not meant to be, or got another order."""
        self.happenings: list[Passage | Obstruction | LeaseLapsed | Fault] = []
        """What is to be reported; the caller takes and clears it."""

    # --- from the host ---------------------------------------------------------------------------------------------------

    def execute(self, command: GateCommand, now: int) -> Outcome:
        """Carry out ``command`` if the interlocks allow it."""
        match command:
            case SetSignal():
                self._signal = command.signal
                return Outcome.EXECUTED
            case Close():
                return self._close(command.door, now)
            case OpenEntry():
                return self._open_entry(command, now)
            case OpenExit():
                return self._open_exit(command, now)
            case _:
                assert_never(command)

    def renew(self, lease_ms: int, now: int) -> None:
        """The host works: keep open what is open, hold off the release. A lease that lapsed does not come back."""
        self._host_until = now + min(lease_ms, LEASE_MS)
        self._lease_until = self._host_until

    def new_host(self, now: int) -> None:
        """A new host came: what the one before opened is not its opening."""
        if self._leased is not None:
            self._lapse(self._leased, now)

    def _open_entry(self, command: OpenEntry, now: int) -> Outcome:
        admit = command.purpose is Purpose.ADMIT
        if self._inputs.fire:
            return Outcome.REFUSED_EMERGENCY
        exit_out_of_play = self.leaf(Door.EXIT) is Leaf.LOCKED or (not admit and self._exit_given_up(now))
        if not exit_out_of_play or not self._inputs.mains:
            return Outcome.REFUSED_INTERLOCK
        if admit and (self._inputs.occupancy != 0 or self._inputs.object_left):
            return Outcome.REFUSED_OCCUPIED
        self._open(Door.ENTRY, command.lease_ms, now)
        self._ejecting = not admit
        return Outcome.EXECUTED

    def _open_exit(self, command: OpenExit, now: int) -> Outcome:
        if self._inputs.fire:
            return Outcome.REFUSED_EMERGENCY
        if self.leaf(Door.ENTRY) is not Leaf.LOCKED or not self._inputs.mains:
            return Outcome.REFUSED_INTERLOCK
        if self._inputs.occupancy != 1 or self._inputs.object_left:
            return Outcome.REFUSED_OCCUPIED
        self._open(Door.EXIT, command.lease_ms, now)
        return Outcome.EXECUTED

    def _close(self, door: Door, now: int) -> Outcome:
        if self._inputs.fire:
            return Outcome.REFUSED_EMERGENCY
        sensors = self._inputs.leaf(door)
        if not sensors.bolted and not sensors.clear:
            return Outcome.REFUSED_OBSTRUCTED
        self._order(door, _Want.SHUT, now)
        return Outcome.EXECUTED

    def _open(self, door: Door, lease_ms: int, now: int) -> None:
        self.renew(lease_ms, now)
        self._order(door, _Want.OPEN, now)
        self._leased = door

    # --- by itself -------------------------------------------------------------------------------------------------------

    def tick(self, now: int, inputs: Inputs) -> Outputs:
        """Look at the sensors, do what is due by itself, say what the drives shall do."""
        self._inputs = inputs
        for state in self._doors.values():
            state.proven = state.driven_shut
        self.happenings += inputs.crossings
        if inputs.occupancy != 0:
            self._occupied_at = now
        if inputs.fire:
            self._free_all(now)
        else:
            self._end_lease(now)
        if self.leaf(Door.EXIT) is not Leaf.CLOSING:
            self._exit_settled_at = now
        if not inputs.fire:
            self._release_or_relock(now)
        return Outputs(
            entry=self._drive(Door.ENTRY, now),
            exit=self._drive(Door.EXIT, now),
            signal=self._signal,
            turn_back=self._doors[Door.ENTRY].want is _Want.FREE or self._ejecting,
        )

    def _free_all(self, now: int) -> None:
        for door in Door:
            self._order(door, _Want.FREE, now)
        self._refuge = False  # stays free until the host shuts it (an officer's reset)

    def _end_lease(self, now: int) -> None:
        door = self._leased
        if door is None:
            return
        if door is Door.EXIT and Passage(door=door, inwards=False) in self._inputs.crossings:
            self._order(door, _Want.SHUT, now)  # one permit, one passage
        elif now >= self._lease_until or not self._inputs.mains:
            self._lapse(door, now)

    def _lapse(self, door: Door, now: int) -> None:
        self.happenings.append(LeaseLapsed(door=door))
        refuge = door is Door.ENTRY and self._inputs.occupancy != 0
        self._order(door, _Want.FREE if refuge else _Want.SHUT, now)
        self._refuge = refuge

    def _release_or_relock(self, now: int) -> None:
        hostless = now >= self._host_until + RELEASE_AFTER_S * 1000 or not self._inputs.mains
        entry_shut = self._doors[Door.ENTRY].want is _Want.SHUT
        exit_out_of_play = self.leaf(Door.EXIT) in {Leaf.LOCKED, Leaf.RELEASED} or self._exit_given_up(now)
        if entry_shut and hostless and self._inputs.occupancy != 0 and exit_out_of_play:
            self._order(Door.ENTRY, _Want.FREE, now)
            self._refuge = True
        elif self._refuge and self._inputs.entry.clear and now - self._occupied_at >= EMPTY_AGAIN_MS:
            self._order(Door.ENTRY, _Want.SHUT, now)

    def _exit_given_up(self, now: int) -> bool:
        return self.leaf(Door.EXIT) is Leaf.CLOSING and now - self._exit_settled_at > STUCK_MS

    def _order(self, door: Door, want: _Want, now: int) -> None:
        """Give ``door`` a new order; only an opening keeps its lease, only the entry's keeps its purpose."""
        state = self._doors[door]
        if state.want is not want:
            self._doors[door] = _Door(want=want, since=now)
            if door is Door.EXIT:
                self._exit_settled_at = now
        if self._leased is door:
            self._leased = None
        if door is Door.ENTRY:
            self._ejecting = self._refuge = False

    def _drive(self, door: Door, now: int) -> Drive:
        drive = self._due(door, now)
        self._doors[door].driven_shut = drive is Drive.SHUT
        return drive

    def _due(self, door: Door, now: int) -> Drive:
        state, sensors = self._doors[door], self._inputs.leaf(door)
        if state.want is _Want.FREE:
            return Drive.FREE
        arrived = sensors.wide if state.want is _Want.OPEN else sensors.bolted
        if arrived:
            state.since, state.faulty, state.blocked_at = now, False, None
        elif state.want is _Want.SHUT and self._blocked(door, state, now):
            state.since = now
            return Drive.STOP
        elif now - state.since > STUCK_MS and not state.faulty:
            state.faulty = True
            self.happenings.append(Fault(code=FAULT_STUCK, what=f"{door.name.lower()} {FAULTS[FAULT_STUCK]}"))
        return Drive.OPEN if state.want is _Want.OPEN else Drive.SHUT

    def _blocked(self, door: Door, state: _Door, now: int) -> bool:
        if not self._inputs.leaf(door).clear:
            if state.blocked_at is None:
                self.happenings.append(Obstruction(door=door))
            state.blocked_at = now
        return state.blocked_at is not None and now - state.blocked_at < CLEAR_AGAIN_MS

    # --- what it sees ----------------------------------------------------------------------------------------------------

    def leaf(self, door: Door) -> Leaf:
        """Where ``door`` is, by its own switches and its present order; locked only by a bolt that was read under the drive to shut."""
        sensors, state = self._inputs.leaf(door), self._doors[door]
        match state.want:
            case _Want.FREE:
                return Leaf.RELEASED
            case _Want.OPEN:
                return Leaf.OPEN if sensors.wide else Leaf.OPENING
            case _Want.SHUT:
                return Leaf.LOCKED if sensors.bolted and state.proven else Leaf.CLOSING

    def telemetry(self, now: int) -> Telemetry:
        return Telemetry(
            uptime_ms=now,
            entry=self.leaf(Door.ENTRY),
            exit=self.leaf(Door.EXIT),
            occupancy=self._inputs.occupancy,
            object_left=self._inputs.object_left,
            entry_clear=self._inputs.entry.clear,
            exit_clear=self._inputs.exit.clear,
            emergency=self._inputs.fire,
            mains=self._inputs.mains,
            leased=self._leased is not None,
        )
