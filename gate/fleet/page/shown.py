"""What stands on the page, in words and tones; :mod:`gate.fleet.page.board` makes it, the templates place it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from gate.fleet.page.figures import Hour, Slot
from gate.ui.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One gate. ``waits_since``, ``heard``: Unix seconds, for the page's clocks."""

    gate: str
    name: str
    tone: str
    state: Words
    lane: Words
    """The state that its lane last told, in its own words."""
    heard: int | None
    waits_since: int | None
    behind: str
    version: str
    differs: tuple[Words, ...]
    """In what it goes by something else than most gates do."""
    troubles: tuple[Words, ...]
    versions: tuple[tuple[Words, str], ...]
    days_left: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankShown:
    """Gates of an airport whose names differ in their number alone."""

    airport: str
    name: str
    directions: tuple[Words, ...]
    serving: int
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    name: Words
    count: int
    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksShown:
    """Official books of an airport; None: fewer than :data:`gate.report.disclosure.K`, not to be told."""

    airport: str
    crossings: int | None
    passed: float | None
    """Per cent; None where those who did not pass, or who did, are too few to be told."""
    causes: tuple[Cause, ...]
    until: date | None = None
    """Of the gates that seal, whole days up to this one are in it; None: none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The oldest copy of a list at an airport, and the gate that has it."""

    as_of: int
    tone: str
    gate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListShown:
    """A list as gates hold it; ``held`` in the order of the page's airports, None where none of its gates has told."""

    name: str
    held: tuple[Held | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionShown:
    """How many gates have what in force; the most frequent first."""

    name: Words
    found: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertShown:
    words: Words
    gate: str
    opened: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Airport:
    """The last hour's figures, the throughput, and how it stands."""

    name: str
    hour: Hour
    slots: tuple[Slot, ...]
    banks: tuple[BankShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that stands on the page."""

    at: datetime
    gates: int
    serving: int
    waiting: int
    longest_since: int | None
    behind: int
    crossings: int
    passed: float | None
    airports: tuple[Airport, ...]
    books: tuple[BooksShown, ...]
    sealed: int
    """Travellers of the last hour whose class and reasons cannot be read here: their gates count them once the day is over."""
    lists: tuple[ListShown, ...]
    versions: tuple[VersionShown, ...]
    uncollected: int | None
    """Since when no collector works, 0 for ever; None: one does."""
    alerts: tuple[AlertShown, ...]
    alerts_left_out: int
