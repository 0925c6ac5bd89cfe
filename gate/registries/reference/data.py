"""What the reference server knows, and how it shall misbehave: one JSON file, all of it synthetic.

The file is looked at before every question, so that replacing it changes the answers::

    {"now": null,
     "books": {"issuance": [{"issuing_state": "IDN", "document_number": "X1", "records": [{…}]}], "exit_permit": […], …},
     "watchlist": [{"list": "pencegahan", "primary_identifier": …, "valid_from": …, "valid_to": …}],
     "snapshots": {"version": 1, "lasts_s": 259200},
     "behaviour": {"issuance": {"delay_s": 0.5}}}

``now`` stops the server's clock (aware; null: the machine's). A book's records are what its registry's contract says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec

from gate.registries.base import Instant
from gate.registries.contracts import CONTRACTS
from gate.registries.names import ListedPerson
from gate.registries.snapshot import Entry

Book = tuple[str, str]
"""Issuing State and document number."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a registry answers, if not as it should. Each is an attack or a failure that a gate must see through."""

    delay_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    """Answer with this status and nothing else."""
    drip: bool = False
    """A byte at a time, for ever so long."""
    half: bool = False
    """Only the first half of the answer."""
    forge: bool = False
    """Signed with a key that nobody knows."""
    replay: bool = False
    """The answer to the question before, again."""
    misaddress: bool = False
    """Meant for another gate."""
    mix: bool = False
    """In the name of another registry."""
    expire: bool = False
    """Its word ended long ago."""
    clock_s: float = 0.0
    """Its clock goes so much ahead."""
    as_of: Instant | None = None
    """Its data are of this moment."""
    deny: bool = False
    """It knows nothing of anybody."""


class Snapshots(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``version`` null: a number that rises whenever the file is replaced. ``lasts_s``: from the state of the data on."""

    version: Annotated[int, msgspec.Meta(ge=1)] | None = None
    lasts_s: Annotated[int, msgspec.Meta(ge=1)] = 259_200


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    now: Instant | None = None
    books: dict[str, tuple[Entry, ...]] = {}
    watchlist: tuple[ListedPerson, ...] = ()
    snapshots: Snapshots = Snapshots()
    behaviour: dict[str, Behaviour] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The file's contents, each record of the shape that its contract says."""

    now: datetime | None
    entries: Mapping[str, tuple[Entry, ...]]
    records: Mapping[str, Mapping[Book, tuple[Any, ...]]]
    watchlist: tuple[ListedPerson, ...]
    snapshots: Snapshots
    behaviour: Mapping[str, Behaviour]

    def clock(self) -> datetime:
        """What time the server takes it to be."""
        return self.now or datetime.now(UTC)


class DataFile:
    """The file at ``path``, read again once it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path, self._stamp = path, (0, 0, 0)
        self._data = self.read()

    def read(self) -> Data:
        """The newest contents. Raises OSError, or msgspec.MsgspecError with the place in the file."""
        told = self._path.stat()
        stamp = (told.st_ino, told.st_mtime_ns, told.st_size)
        if stamp != self._stamp:
            self._data, self._stamp = _checked(self._path.read_bytes(), told.st_mtime_ns), stamp
        return self._data


def _checked(raw: bytes, changed_ns: int) -> Data:
    file = msgspec.json.decode(raw, type=_File)
    for name in file.books.keys() | file.behaviour.keys():
        if name not in CONTRACTS or (name in file.books and CONTRACTS[name].record is None):
            raise msgspec.ValidationError(f"no registry is called {name!r}, or it is no list of books")
    version = file.snapshots.version or changed_ns // 1000
    return Data(
        now=file.now,
        entries=file.books,
        records={name: _records(name, entries) for name, entries in file.books.items()},
        watchlist=file.watchlist,
        snapshots=msgspec.structs.replace(file.snapshots, version=version),
        behaviour=file.behaviour,
    )


def _records(name: str, entries: tuple[Entry, ...]) -> dict[Book, tuple[Any, ...]]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(CONTRACTS[name].record)
    return {
        (entry.issuing_state, entry.document_number): tuple(decoder.decode(record) for record in entry.records)
        for entry in entries
    }
