"""The gate's folder of snapshots: one sealed file for each registry, and beside it the newest version that was ever imported.

An import replaces the file of a registry as a whole, or leaves it as it was. What is older than the newest version is refused, on
import and on opening, so that neither a registry nor a copy of the disk can bring back what was true last week.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from joserfc.jwk import OKPKey

from gate.registries.base import Contract
from gate.registries.book_file import BookFile, put_in_place, write_books
from gate.registries.names import ListedPerson
from gate.registries.sealed import SealBroken, SnapshotKey
from gate.registries.snapshot import Entry, Head, SnapshotRefused, entries, signed_head
from gate.registries.watchlist_index import WatchlistIndex

WATCHLIST = "watchlist"
"""The one registry whose snapshot holds persons and no books."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The newest snapshot of a registry that was ever imported."""

    version: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotStore:
    """The snapshots in ``folder``, of the gate ``gate``, under its ``key``."""

    folder: Path
    key: SnapshotKey = field(repr=False)
    gate: str

    def path(self, registry: str) -> Path:
        """Where the snapshot of ``registry`` lies, if there is one."""
        return self.folder / f"{registry}.snapshot"

    def take(self, contract: Contract[Any], stream: BinaryIO, signer: OKPKey, now: datetime) -> Head:
        """Import the snapshot in ``stream``, signed by ``signer``, the registry; durable when this returns. ``now``: wall time, which never goes back.

        Raises SnapshotRefused, and then the snapshot of before goes on speaking; OSError, sqlite3.Error where disk or stream fail.
        """
        head = signed_head(stream, signer, registry=contract.name, gate=self.gate, now=now)
        with self._alone():
            mark = self.mark(contract.name)
            self._refuse_older(head, mark)
            fresh = self.path(contract.name).with_suffix(".part")
            fresh.unlink(missing_ok=True)
            try:
                self._write(contract, fresh, head, stream)
                if mark is None:
                    self._set_mark(head)  # whoever opens the first snapshot before its mark is there would take it for an old one
                put_in_place(fresh, self.path(contract.name))
            finally:
                fresh.unlink(missing_ok=True)
            self._set_mark(head)
        return head

    def open_books(self, registry: str) -> BookFile:
        """The snapshot of a registry of books. Raises SnapshotRefused where it may not speak, whenever that may be."""
        file = BookFile.open(self.path(registry), self.key)
        try:
            self._check(file.head, registry)
        except SnapshotRefused:
            file.close()
            raise
        return file

    def open_watchlist(self) -> tuple[WatchlistIndex, Head]:
        """The snapshot of the watchlist. Raises SnapshotRefused where it may not speak, whenever that may be."""
        index = WatchlistIndex.open(self.path(WATCHLIST), self.key)
        try:
            head = msgspec.json.decode(index.head, type=Head)
            self._check(head, WATCHLIST)
        except msgspec.MsgspecError as error:
            index.close()
            raise SnapshotRefused("malformed", f"{self.path(WATCHLIST)}: {error}") from None
        except SnapshotRefused:
            index.close()
            raise
        return index, head

    def mark(self, registry: str) -> Mark | None:
        """The newest version ever imported; None on a new gate. Raises SnapshotRefused where the file cannot be believed."""
        try:
            raw = self._mark_path(registry).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SnapshotRefused("rolled_back", f"{self._mark_path(registry)}: {error.strerror}") from None
        try:
            return msgspec.json.decode(self.key.open(raw, _mark_place(registry)), type=Mark)
        except (SealBroken, msgspec.MsgspecError):
            raise SnapshotRefused("rolled_back", f"{self._mark_path(registry)}: the newest version cannot be told") from None

    # --- within ------------------------------------------------------------------------------------------------------------------

    def _write(self, contract: Contract[Any], fresh: Path, head: Head, stream: BinaryIO) -> None:
        if contract.name == WATCHLIST:
            WatchlistIndex.build(fresh, self.key, entries(stream, head, ListedPerson), head=msgspec.json.encode(head))
        else:
            write_books(fresh, self.key, head, _checked(contract, entries(stream, head, Entry)))

    def _check(self, head: Head, registry: str) -> None:
        if (head.registry, head.gate) != (registry, self.gate):
            raise SnapshotRefused("misaddressed", f"it is of {head.registry!r} for the gate {head.gate!r}")
        mark = self.mark(registry)
        if mark is None or head.version < mark.version:
            raise SnapshotRefused("rolled_back", f"it is version {head.version}, and there was a newer one")

    @staticmethod
    def _refuse_older(head: Head, mark: Mark | None) -> None:
        if mark is None or head.version > mark.version:
            return
        if head.version < mark.version:
            raise SnapshotRefused("rolled_back", f"it is version {head.version}, and version {mark.version} was here before")
        if head.sha256 != mark.sha256:
            raise SnapshotRefused("contradictory", f"it is another version {head.version} than the one that was here before")

    def _set_mark(self, head: Head) -> None:
        path = self._mark_path(head.registry)
        fresh = path.with_suffix(".mark.part")
        mark = msgspec.json.encode(Mark(version=head.version, sha256=head.sha256))
        fresh.write_bytes(self.key.seal(mark, _mark_place(head.registry)))
        put_in_place(fresh, path)

    def _mark_path(self, registry: str) -> Path:
        return self.folder / f"{registry}.mark"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One import at a time, by whom the folder belongs to. Raises OSError (BlockingIOError where another one is at work)."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.stat().st_uid != os.geteuid():
            raise PermissionError(
                f"{self.folder} is another user's: what is put there the gate could not read; run this as the gate"
            )
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(lock)


def _mark_place(registry: str) -> bytes:
    return b"newest of " + registry.encode()


def _checked(contract: Contract[Any], read: Iterator[Entry]) -> Iterator[Entry]:
    """The entries, each with records of the shape that ``contract`` gives them."""
    assert contract.record
    decoder = msgspec.json.Decoder(contract.record)
    for entry in read:
        try:
            for record in entry.records:
                decoder.decode(record)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SnapshotRefused("malformed", f"a record of {contract.name}: {error}") from None
        yield entry
