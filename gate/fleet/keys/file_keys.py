"""A key directory in a file that others replace: an approved update, a demonstration, or the command that revokes a key."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gate.fleet.keys.directory import KeyDirectory, KeysError, read_directory


class FileKeys:
    """:class:`gate.fleet.messages.Keys` out of a file. One that is away, malformed, older, or brings back what was revoked is not taken: the
    directory before stays in force, and ``trouble`` says why.
    """

    def __init__(
        self,
        path: Path,
        *,
        people: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``people`` as :class:`KeyDirectory` takes them; None: a demonstration's. Raises KeysError where there is no directory yet."""
        self._path, self._people, self._now = path, people, now
        self.trouble = ""
        self._stamp = self._stamped()
        self._directory = self._read()

    def public(self, key: bytes, gate: str, purpose: Literal["gate", "collector", "director"]) -> bytes:
        """:meth:`gate.fleet.messages.Keys.public`."""
        return self.directory().public(key, gate, purpose)

    def directory(self) -> KeyDirectory:
        """The one in force. The file's instant of change is looked at each time, in microseconds: a revocation counts from the next message."""
        if (stamp := self._stamped()) != self._stamp:
            self._stamp = stamp
            self._take()
        return self._directory

    def _take(self) -> None:
        try:
            found = self._read()
            found.check_follows(self._directory)
        except KeysError as error:
            self.trouble = str(error)
            print(f"keys: {error}: the directory before stays in force", file=sys.stderr, flush=True)
        else:
            self._directory, self.trouble = found, ""

    def _read(self) -> KeyDirectory:
        return KeyDirectory(read_directory(self._path), people=self._people, now=self._now)

    def _stamped(self) -> tuple[int, int]:
        """What changes when the file is replaced."""
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino
