"""The words of the lane's table (``gate/lane.py``): states, events, actions, what guards read, and what a row is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto, unique

from hardware.controller.protocol import Leaf


@unique
class State(StrEnum):
    OUT_OF_SERVICE = auto()
    IDLE = auto()
    DOCUMENT = auto()
    ENTRY_OPEN = auto()
    ENTRY_CLOSE = auto()
    CAPTURE = auto()
    DECIDE = auto()
    """Evidence is complete; the decision is made and becomes durable."""
    EXIT_OPEN = auto()
    EXIT_CLOSE = auto()
    HOLD = auto()
    EJECT = auto()
    EJECT_CLOSE = auto()
    FAULT = auto()
    EMERGENCY = auto()
    NO_POWER = auto()
    RECOVER = auto()


@unique
class Event(StrEnum):
    DOCUMENT_PLACED = auto()
    DOCUMENT_REMOVED = auto()
    ENTRY_GRANTED = auto()
    ENTRY_REFERRED = auto()
    FACE_CHECKED = auto()
    """The face is measured, or will not be: all evidence that there will be is there."""
    EXIT_GRANTED = auto()
    """The exit decision is OPEN *and durable* (I9)."""
    EXIT_REFERRED = auto()
    PLANT = auto()
    """Telemetry came; feed it with every telemetry frame, changed or not."""
    PASSED = auto()
    """Somebody is through the exit, outwards."""
    WRONG_WAY = auto()
    """Somebody came in by the exit."""
    COMMAND_REFUSED = auto()
    """The controller refused, or let expire, a command to a *door*."""
    DEVICE_FAULT = auto()
    """The controller reports that it gave up."""
    LEASE_LAPSED = auto()
    """An opening was not renewed in time: the loop was held up. The controller has made the doors safe by itself."""
    LINK_LOST = auto()
    LINK_BACK = auto()
    TIMEOUT = auto()
    """The state's timer ran out. It starts when a state is entered and again after each TIMEOUT."""
    OFFICER_PASS = auto()
    OFFICER_EJECT = auto()
    OFFICER_RESET = auto()
    SUPERVISION_LOST = auto()
    SUPERVISION_BACK = auto()


@unique
class Action(StrEnum):
    BEGIN = auto()
    """Start a transaction."""
    ADMIT = auto()
    """Open the entry with purpose ADMIT."""
    VERDICT = auto()
    """The document verdict stands, and no door moves: what ADMIT is where there is no entry."""
    CLOSE_ENTRY = auto()
    CAPTURE = auto()
    """Have the face looked at (again)."""
    OPEN_EXIT = auto()
    CLOSE_EXIT = auto()
    EJECT = auto()
    """Open the entry with purpose EJECT."""
    VOID = auto()
    """The transaction is dead: no permit survives, running checks are dropped."""
    END = auto()
    """The transaction is over; write its record."""
    REFER = auto()
    """An officer is needed."""
    ALARM = auto()
    SIGNAL_GREEN = auto()
    SIGNAL_RED = auto()
    COUNT_DISPUTED = auto()
    """More than one person, or an uncertain count: rule on it while it is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the guards read: the newest telemetry and the lane's links. The defaults say "nothing is known", which opens nothing."""

    entry: Leaf = Leaf.RELEASED
    exit: Leaf = Leaf.RELEASED
    occupancy: int | None = None
    object_left: bool = False
    entry_clear: bool = False
    exit_clear: bool = False
    emergency: bool = False
    mains: bool = True
    linked: bool = False
    """A controller session is up and has sent telemetry since."""
    supervised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Where the lane stands. ``Lane()`` is how every process starts: nothing survives a restart (I11)."""

    state: State = State.OUT_OF_SERVICE
    open: bool = False
    """A transaction runs (BEGIN … END)."""
    live: bool = False
    """Its document verdict stands."""
    retries: int = 0
    """Repetitions in this stage."""


Guard = Callable[[Lane, View], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row. ``event`` None matches every event. ``next`` is where it leads; the first row that matches wins."""

    event: Event | None
    guard: Guard
    next: State
    actions: tuple[Action, ...] = ()
    again: bool = False
    """Counts as a repetition; ``retries`` is cleared by any other change of state."""
