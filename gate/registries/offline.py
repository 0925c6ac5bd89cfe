"""A registry that cannot be reached, and its last word: the live answer first, the signed snapshot where there is none.

Only silence lets a snapshot speak (``FALLBACK``): a registry that answers with a forgery, to somebody else, or from the past, is one that
somebody plays with, and then nobody is let through. What a snapshot says is marked as such and carries its instant; how old good
news may be is a signed tolerance of the rules, registry by registry. Bad news never is too old.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol

import msgspec

from gate.registries.base import (
    DEADLINE_S,
    FALLBACK,
    MAX_SKEW_S,
    Contract,
    Found,
    NotListed,
    Question,
    R,
    RegistryAnswer,
    Source,
    Unavailable,
)
from gate.registries.book_file import BookFile
from gate.registries.snapshot import Head, SnapshotRefused
from gate.registries.snapshot_store import WATCHLIST, SnapshotStore
from gate.registries.watchlist import WatchlistReply
from gate.registries.watchlist_index import WatchlistIndex

Wall = Callable[[], datetime]
"""Aware time that is never below the highest seen (``gate.clock.SystemClock.wall``)."""


def with_snapshot(
    live: Source[R], contract: Contract[R], store: SnapshotStore, *, wall: Wall, deadline_s: float = DEADLINE_S
) -> Source[R]:
    """``live``, and behind it the snapshot in ``store``, if there is one; both by the same deadline."""
    return WithSnapshot(live, Stored(contract, store, wall), deadline_s)


class WithSnapshot(Generic[R]):
    """A ``Source`` that asks both at once, so that the snapshot's answer waits for nobody, and believes the live one if there is one."""

    def __init__(self, live: Source[R], stored: Stored[R], deadline_s: float) -> None:
        self._live, self._stored, self._deadline_s = live, stored, deadline_s
        self._thread = ThreadPoolExecutor(1, f"snapshot-{stored.name}")
        self._thread.submit(stored.warm)

    async def ask(self, question: Question) -> RegistryAnswer[R]:
        """As ``Source.ask``. What a snapshot answered has ``from_snapshot``."""
        started = time.monotonic()
        looked_up = asyncio.get_running_loop().run_in_executor(self._thread, self._stored.answer, question)
        live = await self._live.ask(question)
        if not isinstance(live, Unavailable):
            return _never_back(live, looked_up.result() if looked_up.done() else None)
        if live.why not in FALLBACK:
            return live
        stored: RegistryAnswer[R] | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, started + self._deadline_s - time.monotonic())):
                stored = await asyncio.shield(looked_up)
        latency_ms = round((time.monotonic() - started) * 1000, 3)
        return replace(stored or live, latency_ms=latency_ms)

    async def head(self) -> Head | None:
        """Of the snapshot that speaks where the registry is silent; None where there is none, or it may not. Opens one that came into its place."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._stored.head)

    async def close(self) -> None:
        """Close both."""
        await self._live.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._stored.close)
        self._thread.shutdown()


def _never_back(live: Found[R] | NotListed, stored: RegistryAnswer[R] | None) -> RegistryAnswer[R]:
    """``live``, unless it speaks from older data than those that the registry signed for the snapshot: then they were put back."""
    if isinstance(stored, Found | NotListed) and live.as_of < stored.as_of - timedelta(seconds=MAX_SKEW_S):
        return Unavailable(source=live.source, why="rolled_back", latency_ms=live.latency_ms)
    return live


class _Open(Protocol):
    head: Head

    def reply(self, question: Any, now: datetime) -> Any: ...
    def close(self) -> None: ...


class Stored(Generic[R]):
    """The snapshot of one registry as it lies in the store at the moment; for one thread."""

    def __init__(self, contract: Contract[R], store: SnapshotStore, wall: Wall) -> None:
        self.name = contract.name
        self._contract, self._store, self._wall = contract, store, wall
        self._stamp: tuple[int, ...] | None = None
        self._open: _Open | SnapshotRefused | None = None

    def warm(self) -> None:
        """Open the file before anybody waits for it: proving a million rows takes more than a second."""
        with suppress(SnapshotRefused):
            self._current()

    def answer(self, question: Question) -> RegistryAnswer[R] | None:
        """What the snapshot says, ``Unavailable`` where it may not speak, None where there is none. Never raises."""
        now = self._wall()
        try:
            snapshot = self._current()
            if snapshot is None:
                return None
            snapshot.head.check_time(now)
            reply = snapshot.reply(question, now)
        except SnapshotRefused as refused:
            return Unavailable(source=self.name, why=refused.why, latency_ms=0.0)
        as_of, age = snapshot.head.as_of, max(0.0, (now - snapshot.head.as_of).total_seconds())
        if reply.answer == self._contract.nothing:
            return NotListed(source=self.name, as_of=as_of, latency_ms=0.0, freshness_s=age, from_snapshot=True)
        return Found(source=self.name, as_of=as_of, latency_ms=0.0, freshness_s=age, reply=reply, from_snapshot=True)

    def head(self) -> Head | None:
        """Of the snapshot; None where there is none that may speak, whenever that may be. Never raises."""
        try:
            snapshot = self._current()
        except SnapshotRefused:
            return None
        return snapshot.head if snapshot else None

    def close(self) -> None:
        """Let go of the file."""
        if self._open is not None and not isinstance(self._open, SnapshotRefused):
            self._open.close()
        self._open = self._stamp = None

    def _current(self) -> _Open | None:
        """The snapshot, opened again where another file has come into its place. Raises SnapshotRefused."""
        try:
            told = self._store.path(self.name).stat()
            stamp = (told.st_ino, told.st_mtime_ns, told.st_size)
        except OSError:
            self.close()
            return None
        if stamp != self._stamp:
            self.close()
            try:
                self._open = _open(self._contract, self._store)
            except SnapshotRefused as refused:
                self._open = refused
            self._stamp = stamp
        if isinstance(self._open, SnapshotRefused):
            raise SnapshotRefused(self._open.why, self._open.what)
        return self._open


def _open(contract: Contract[Any], store: SnapshotStore) -> _Open:
    if contract.name == WATCHLIST:
        return _Persons(*store.open_watchlist())
    return _Books(contract, store.open_books(contract.name))


class _Books:
    def __init__(self, contract: Contract[Any], file: BookFile) -> None:
        assert contract.record
        assert contract.judged
        self._judged, self._file, self.head = contract.judged, file, file.head
        self._records: msgspec.json.Decoder[Any] = msgspec.json.Decoder(tuple[contract.record, ...])  # type: ignore[name-defined] # a type at run time
        self.close = file.close

    def reply(self, question: Any, _now: datetime) -> Any:
        raw = self._file.records(question.issuing_state, question.document_number)
        try:
            return self._judged(self._records.decode(raw), question)
        except msgspec.MsgspecError as error:
            raise SnapshotRefused("malformed", f"a record: {error}") from None


class _Persons:
    def __init__(self, index: WatchlistIndex, head: Head) -> None:
        self._index, self.head = index, head
        self.close = index.close

    def reply(self, question: Any, now: datetime) -> WatchlistReply:
        return WatchlistReply(answer=self._index.check(question.person, question.list, now).word, list=question.list)
