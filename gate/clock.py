"""Boot time for deadlines, wall time for validity, civil dates of the checkpoint.

A wall clock that was set back would make expired documents and revoked signers valid again. So wall time never goes back here, the
highest time seen outlives a restart on disk, and a clock that lies behind it is *doubtful*: the gate refers, it does not guess.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

BUILD_DATE = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right shows less: this software did not exist before."""

WALL_FLOOR_FILE = "highest-wall-time"
"""Name of the highest time seen within the state folder."""

CHECKPOINT_ZONES = {"CGK": timedelta(hours=7), "SUB": timedelta(hours=7), "DPS": timedelta(hours=8)}
"""Offset from UTC by checkpoint: WIB at Soekarno-Hatta and Juanda, WITA at Ngurah Rai. Indonesia has no summer time."""


def civil_date(wall: datetime, checkpoint: str) -> date:
    """The date that the calendar at ``checkpoint`` shows at the moment ``wall``. Raises ValueError for a naive time or an unknown place."""
    return civil_time(wall, checkpoint).date()


def civil_time(wall: datetime, checkpoint: str) -> datetime:
    """What calendar and clock at ``checkpoint`` show at the moment ``wall``, without zone. Raises ValueError as :func:`civil_date` does."""
    if wall.tzinfo is None:
        raise ValueError("a time without zone has no civil date")
    if checkpoint not in CHECKPOINT_ZONES:
        raise ValueError(f"no zone is known for checkpoint {checkpoint!r}")
    return (wall.astimezone(UTC) + CHECKPOINT_ZONES[checkpoint]).replace(tzinfo=None)


class WallFloor:
    """The highest time seen, kept in a small text file. Creating it reads the file and never fails.

    A lane raises it to its own clock with each record it makes durable, and to signed times that it verified.
    A file that cannot be read or understood leaves the clock doubtful until somebody looks: forgetting it silently would be the way
    to set the clock back. A missing one is a new gate.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._highest = _stored(path)

    @property
    def readable(self) -> bool:
        """False where the file is there and holds no time."""
        return self._highest is not None

    @property
    def highest(self) -> datetime:
        """The highest time seen, :data:`BUILD_DATE` at least."""
        return self._highest or BUILD_DATE

    def trusted(self, now: datetime) -> bool:
        """Whether the *raw* clock reading ``now`` is neither behind the highest time seen nor before :data:`BUILD_DATE`."""
        return self._highest is not None and now >= self._highest

    def raise_to(self, seen: datetime) -> None:
        """Remember ``seen`` (aware) durably if it is the highest yet. Raises OSError when the disk refuses."""
        with self._lock:
            if self._highest is None or seen <= self._highest:
                return
            write_durably(self._path, seen.astimezone(UTC).isoformat() + "\n")
            self._highest = seen


class SystemClock:
    """The machine's clocks as a ``Clock`` (hardware.ports); for any thread.

    Ask :meth:`trusted`, not ``floor.trusted(clock.wall())``: what :meth:`wall` hands out was already lifted to the highest time seen.
    """

    def __init__(self, floor: WallFloor | None = None) -> None:
        self._floor = floor
        self._lock = threading.Lock()
        self._highest = BUILD_DATE

    def boot(self) -> float:
        """Seconds since boot, suspended time included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> datetime:
        """Aware UTC time, never below the highest seen."""
        now = datetime.now(UTC)
        with self._lock:
            self._highest = max(self._highest, now, *self._floors())
            return self._highest

    def trusted(self) -> bool:
        """Whether the machine's own reading has not gone back behind anything seen."""
        now = datetime.now(UTC)
        with self._lock:
            return now >= self._highest and (self._floor is None or self._floor.trusted(now))

    def _floors(self) -> tuple[datetime, ...]:
        return () if self._floor is None else (self._floor.highest,)


def _stored(path: Path) -> datetime | None:
    try:
        stored = datetime.fromisoformat(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return BUILD_DATE
    except (OSError, ValueError):
        return None
    return max(stored, BUILD_DATE) if stored.tzinfo is not None else None


def write_durably(path: Path, text: str) -> None:
    """Replace ``path`` as a whole: after a crash, and where the disk refuses, it holds the old text or the new one. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
