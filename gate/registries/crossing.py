"""The outbox of crossings: what the registry of crossings is owed, even if it takes days to reach it.

A permit for the exit is written down before the exit opens, and ended when the traveller passed or the permit was voided. Where
neither was written before the power went, nobody can say whether somebody crossed, and the record says just that: ``uncertain``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from gate.registries.crossing_file import CrossingFile, OutboxError, Pending, Standing
from gate.registries.crossing_record import CONTRACT, Crossing, CrossingReply, Ended
from gate.registries.sealed import SnapshotKey

__all__ = ["CONTRACT", "FILE_NAME", "Crossing", "CrossingOutbox", "CrossingReply", "OutboxError", "Pending", "Standing"]

FILE_NAME = "crossings.sqlite3"
"""Name of the outbox within a state folder."""

T = TypeVar("T")


class CrossingOutbox:
    """The crossings that the registry does not have yet, for a loop: the disk is one thread's business.

    Each method returns once it is durable, and raises OutboxError where the disk refuses. They keep the order in which they were called.
    """

    def __init__(self, file: CrossingFile) -> None:
        self._file, self._thread = file, ThreadPoolExecutor(1, "crossings")
        self.more = asyncio.Event()
        """Set when there may be something to send."""

    @classmethod
    def open(cls, path: Path, key: SnapshotKey, now: datetime) -> Self:
        """Open or create the file. What was permitted before and never ended is ``uncertain`` since ``now``. Raises OutboxError."""
        return cls(CrossingFile(path, key, now))

    async def permitted(self, crossing: Crossing) -> None:
        """Before the exit opens. A permit of before that never ended is ``uncertain`` from then on: the lane takes one at a time.

        Where this raises OutboxError nothing is recorded, and the exit has to stay shut.
        """
        plain, at = msgspec.json.encode(crossing), crossing.permitted_at
        await self._do(lambda: self._file.permitted(crossing.transaction, plain, at))
        self.more.set()

    async def passed(self, transaction: str, at: datetime) -> None:
        """The traveller went through."""
        await self.ended(transaction, "passed", at)

    async def ended(self, transaction: str, end: Ended, at: datetime) -> None:
        """The traveller went through, or the exit was opened for them and nobody can say."""
        await self._do(lambda: self._file.ended(transaction, end, at))
        self.more.set()

    async def voided(self, transaction: str) -> None:
        """Nobody went through: there is no crossing, and nothing of it is kept."""
        await self._do(lambda: self._file.dropped(transaction, "permitted"))

    async def next(self) -> Pending | None:
        """The oldest crossing that ended and is not set aside."""
        return await self._do(self._file.next)

    async def acknowledged(self, transaction: str) -> None:
        """The registry has it: forget who it was."""
        await self._do(lambda: self._file.dropped(transaction, "passed", "uncertain"))

    async def set_aside(self, transaction: str, why: str) -> None:
        """The registry will not take it, or it cannot be read: go on with the next, and try this one again after the next start."""
        await self._do(lambda: self._file.set_aside(transaction, why))

    async def standing(self) -> Standing:
        """How many there are of each kind."""
        return await self._do(self._file.standing)

    async def close(self) -> None:
        """Finish what was asked for, then close the file."""
        await self._do(self._file.close)
        self._thread.shutdown()

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def told(pending: Pending) -> Crossing:
    """The crossing as it is told to the registry. Raises msgspec.MsgspecError where the file held something else."""
    crossing = msgspec.json.decode(pending.plain, type=Crossing)
    return msgspec.structs.replace(crossing, ended=pending.ended, ended_at=pending.ended_at)
