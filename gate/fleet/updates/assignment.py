"""What the director assigned to this gate: believed where it signed it for this gate, it is in force, and none newer was seen.

The newest number is remembered on the disk: an assignment of last month that somebody replays is refused, after a restart, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from gate.fleet.messages import Assignment, EnvelopeError, Keys, believed, instant
from gate.fleet.updates.targets import UpdateError
from pki.durable import read_file, write_file
from pki.errors import PkiError

MARK_FILE = "assignment-seen.json"
MOST_MARK = 1024
AHEAD = timedelta(minutes=5)
"""By so much the director's clock may be ahead of the gate's."""


class _Mark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: int
    sha256: str
    """Of what was signed: another one under the same number is refused."""


class Assignments:
    """Of ``gate``, remembered in ``folder``."""

    def __init__(self, folder: Path, gate: str, now: Callable[[], datetime]) -> None:
        self._path, self._gate, self._now = folder / MARK_FILE, gate, now

    def take(self, raw: bytes, keys: Keys) -> Assignment:
        """The assignment that travelled as ``raw``. Raises UpdateError; then the one before goes on counting."""
        try:
            told = believed(raw, Assignment, keys, "director")
        except EnvelopeError as error:
            raise UpdateError(error.code, f"assignment: {error}") from None
        if told.gate != self._gate:
            raise UpdateError("other_gate", f"assignment: for {told.gate}")
        self._check_time(told)
        self._check_forward(_Mark(number=told.number, sha256=hashlib.sha256(msgspec.msgpack.encode(told)).hexdigest()))
        return told

    def check_none(self) -> None:
        """Raises UpdateError where there was an assignment once: somebody holds it back."""
        if (seen := self._seen()) is not None:
            raise UpdateError("unreachable", f"assignment {seen.number} was here before, and now there is none")

    def _check_time(self, told: Assignment) -> None:
        now, at, until = self._now(), instant(told.at), instant(told.until)
        if at is None or until is None:
            raise UpdateError("malformed", f"assignment {told.number}: no instants")
        if now >= until or at > now + AHEAD:
            raise UpdateError(
                "expired", f"assignment {told.number}: of {told.at} until {told.until}, and it is {now.isoformat()}"
            )

    def _check_forward(self, mark: _Mark) -> None:
        seen = self._seen()
        if seen is not None and (mark.number < seen.number or (mark.number == seen.number and mark.sha256 != seen.sha256)):
            raise UpdateError("rolled_back", f"assignment {mark.number}: number {seen.number} was here before")
        if mark != seen:
            try:
                write_file(self._path, msgspec.json.encode(mark))
            except OSError as error:
                raise UpdateError("disk", f"{self._path}: {error.strerror}") from error

    def _seen(self) -> _Mark | None:
        """None on a new gate. What cannot be read must not count as forgotten: that would let old ones in."""
        if not self._path.exists():
            return None
        try:
            return msgspec.json.decode(read_file(self._path, MOST_MARK), type=_Mark)
        except (PkiError, msgspec.MsgspecError, UnicodeDecodeError):
            raise UpdateError("disk", f"{self._path}: damaged: which assignment was the newest cannot be told") from None
