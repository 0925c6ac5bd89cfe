"""What the fleet page shows, as its views in the database tell it. Numbers and words of gates: nothing in here is about one traveller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

SLOT = timedelta(minutes=30)
"""As ``page_throughput`` counts (``gate/fleet/centre/schema/0200_page.sql``)."""
SLOTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate by its newest status. ``heard``: when the centre got it; None: never, and then the rest is empty."""

    gate: str
    heard: datetime | None
    state: str
    direction: str
    """Of its newest crossing; empty where there is none."""
    troubles: tuple[str, ...]
    waiting_s: float
    behind: int
    """Records that the centre has not got, or got with a gap before them."""
    versions: Mapping[str, str]
    freshness: Mapping[str, str]
    days_left: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Travellers of an airport in the :data:`SLOT` that begins at ``at``."""

    airport: str
    at: datetime
    crossings: int
    passed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """Travellers of an airport in the last sixty minutes; seconds of those who passed. ``sealed``: whose class and reasons their gate sealed."""

    airport: str
    crossings: int
    passed: int
    median_s: float | None
    p95_s: float | None
    sealed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Service and diplomatic books of an airport that came out one way, in seven days up to the last full hour; each time they came."""

    airport: str
    outcome: str
    reasons: tuple[str, ...]
    crossings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """The same of gates that seal, in seven days that are over, as each gate itself counted them; ``cause`` is empty for those who passed."""

    airport: str
    passed: bool
    cause: str
    """As :data:`gate.report.causes.OFFICIAL` names it."""
    crossings: int
    until: date
    """The newest day among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An open one. ``code``: its kind, as the collector names it; ``gate``: or the roll-out that it is about."""

    code: str
    gate: str
    opened: datetime
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All of it, ``at`` the database's own time."""

    at: datetime
    gates: tuple[Gate, ...]
    slots: tuple[Slot, ...]
    hours: tuple[Hour, ...]
    books: tuple[Books, ...]
    alerts: tuple[Alert, ...]
    collected: datetime | None
    """When a collector last said that it works; None: never."""
    tallies: tuple[Tallied, ...] = ()
