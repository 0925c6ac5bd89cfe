"""The registry of crossings: append-only, durable before it says so, and never the same crossing twice."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gate.registries.crossing_record import Crossing


class Crossings:
    """Kept in the file at ``path``, a JSON object a line, in the order of arrival; None: in memory alone."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises OSError, or msgspec.MsgspecError where the file holds anything else."""
        self._path = path
        self._known: dict[str, bytes] = {}
        if path is not None and path.exists():
            for line in path.read_bytes().splitlines():
                self._known[msgspec.json.decode(line, type=Crossing).transaction] = line

    def record(self, crossing: Crossing) -> bool:
        """Keep ``crossing``. False: another one stands under its id. Raises OSError where the disk refuses."""
        line = msgspec.json.encode(crossing)
        known = self._known.get(crossing.transaction)
        if known is not None:
            return known == line
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self._known[crossing.transaction] = line
        return True
