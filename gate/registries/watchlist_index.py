"""A list of a million persons on a gate's disk: sealed, and searched in milliseconds without ever being held in memory.

``person`` holds each entry, sealed for its number. ``bucket`` holds the blocks (``blocking.py``) that entries lie in: a block is known by
64 bits of its keyed hash, of which the first 16 tell the bucket and the rest stands in it, beside the entry's number. Buckets are
sealed whole, so a stolen disk does not even show who shares a block with whom. The sealed head tells how many entries there are and
which buckets: a row that was taken out, put elsewhere or brought from another file is missed or does not open, when it is asked for.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Self

import msgspec

from gate.registries.agreement import agreement, beside_name, most_by_name
from gate.registries.blocking import Block, document_blocks, entry_blocks, traveller_blocks
from gate.registries.identity import Entry, listed, traveller
from gate.registries.matching import CLEAR, Match, judged, threshold, unsearchable
from gate.registries.names import ListedPerson, ListName, PersonQuery, parts, rare_bits, weighed
from gate.registries.sealed import SealBroken, SnapshotKey, new_salt
from gate.registries.snapshot import SnapshotRefused

MAX_ENTRIES = 4_000_000
"""Building takes some 120 bytes of memory an entry, for the buckets."""
MAX_CANDIDATES = 400
"""Entries that are looked at for one traveller, some 10 µs each; whoever has more namesakes than that goes to a person."""
WORDS_REMEMBERED = 65_536
"""While building: names are made of few words."""

_SCHEMA = (
    "CREATE TABLE person (number INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
    "CREATE TABLE head (salt BLOB NOT NULL, sealed BLOB NOT NULL) STRICT",
    "CREATE TABLE bucket (number INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
)
_BUCKETS = 1 << 16
_TAG, _NUMBER = 6, 4
_POSTING = _TAG + _NUMBER
"""Bytes: the rest of a block's hash, and the number of an entry in it."""
_DAMAGE = (sqlite3.Error, msgspec.MsgspecError, OSError, TypeError, ValueError, MemoryError, OverflowError)
"""What a damaged file raises on its way through SQLite."""


class _Head(msgspec.Struct, frozen=True, array_like=True):
    head: bytes
    entries: dict[str, int]
    """How many, by list."""
    buckets: bytes
    """A bit for each, the lowest first."""
    bits: dict[str, float]
    """How much the list's common names say; all others say as much as the rarest."""


class WatchlistIndex:
    """An open file; for one thread at a time. ``head``: what it was built with. Methods raise SnapshotRefused where it is damaged."""

    def __init__(self, file: sqlite3.Connection, key: SnapshotKey, head: _Head) -> None:
        self._file, self._key, self._head = file, key, head
        self._entries = msgspec.msgpack.Decoder(Entry)
        self._rare_bits = rare_bits()  # reads the table of names now, and not while a traveller waits

    @property
    def head(self) -> bytes:
        return self._head.head

    @property
    def entries(self) -> int:
        """How many persons it holds."""
        return sum(self._head.entries.values())

    @classmethod
    def build(cls, path: Path, key: SnapshotKey, persons: Iterable[ListedPerson], *, head: bytes = b"") -> int:
        """Make the file ``path``, which must not exist; gives the number of entries. Not durable yet (``book_file.put_in_place``).

        ``head`` is kept with it, authenticated. Raises SnapshotRefused beyond :data:`MAX_ENTRIES`, and whatever ``persons`` raises;
        OSError or sqlite3.Error for the disk.
        """
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            return _write(file, key, persons, head)

    @classmethod
    def open(cls, path: Path, key: SnapshotKey) -> Self:
        """Open ``path``, at once: each part proves itself when it is read. ``key`` is the gate's, not the file's."""
        file = None
        try:
            # The file is replaced and never changed, so SQLite need not look for locks, journals or changes.
            file = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
            salt, sealed = file.execute("SELECT salt, sealed FROM head").fetchone()
            own = key.for_file(salt)
            return cls(file, own, msgspec.msgpack.decode(own.open(sealed, b"head"), type=_Head))
        except (SealBroken, *_DAMAGE) as error:
            if file is not None:
                file.close()
            raise _refused(error, str(path)) from None

    def check(self, query: PersonQuery, name: ListName, at: datetime) -> Match:
        """Ask the list ``name`` about a traveller at the aware instant ``at``: the worst word of all entries in force.

        Whoever has no name, no year and month of birth, or more namesakes than can be looked at, is at least ``possible``.
        """
        asked, least = traveller(query), threshold(self._head.entries.get(name, 0))
        most = most_by_name(asked, self._bits)

        def judge(blocks: Iterable[Block]) -> Match:
            numbers = sorted(self._numbers(name, blocks))
            entries = (entry.identity for entry in self._persons(numbers[:MAX_CANDIDATES]) if entry.in_force(at))
            worth = (identity for identity in entries if most + beside_name(asked, identity) >= least)
            found = [judged(agreement(asked, identity, self._bits), least) for identity in worth]
            crowd = Match("possible", "many_namesakes", 0.0) if len(numbers) > MAX_CANDIDATES else CLEAR
            return max((*found, crowd), key=lambda match: match.rank)

        unsearched = unsearchable(asked)
        by_name = judge(traveller_blocks(asked)) if unsearched is CLEAR else unsearched
        return max(judge(document_blocks(asked)), by_name, key=lambda match: match.rank)

    def close(self) -> None:
        self._file.close()

    # --- within ------------------------------------------------------------------------------------------------------------------

    def _bits(self, token: str) -> float:
        return self._head.bits.get(token, self._rare_bits)

    def _persons(self, numbers: Collection[int]) -> Iterator[Entry]:
        for _, raw in self._opened("person", numbers):
            try:
                yield self._entries.decode(raw)
            except msgspec.MsgspecError as error:
                raise _refused(error, "an entry") from None

    def _numbers(self, name: ListName, blocks: Iterable[Block]) -> set[int]:
        """The entries that lie in one of ``blocks``."""
        tags: dict[int, list[bytes]] = {}
        for block in blocks:
            bucket, tag = _place(self._key, name, block)
            if self._head.buckets[bucket // 8] >> bucket % 8 & 1:
                tags.setdefault(bucket, []).append(tag)
        return {
            each for bucket, raw in self._opened("bucket", tags.keys()) for tag in tags[bucket] for each in _postings(raw, tag)
        }

    def _opened(self, table: str, numbers: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """Rows of a table, of which none may be missing."""
        marks = ",".join("?" * len(numbers))
        try:
            rows = self._file.execute(f"SELECT number, sealed FROM {table} WHERE number IN ({marks})", [*numbers]).fetchall()  # noqa: S608 - of marks
            opened = [(number, self._key.open(sealed, _aad(table, number))) for number, sealed in rows]
        except (SealBroken, *_DAMAGE) as error:
            raise _refused(error, table) from None
        if len(opened) != len(numbers):
            raise SnapshotRefused("forged", f"rows of {table} are gone")
        yield from opened


# --- writing ---------------------------------------------------------------------------------------------------------------------


def _write(file: sqlite3.Connection, key: SnapshotKey, persons: Iterable[ListedPerson], head: bytes) -> int:
    file.execute("PRAGMA journal_mode = OFF")
    file.execute("PRAGMA synchronous = OFF")
    for table in _SCHEMA:
        file.execute(table)
    salt = new_salt()
    own = key.for_file(salt)
    told = _Told()
    file.execute("BEGIN")
    file.executemany("INSERT INTO person VALUES (?, ?)", _rows(own, persons, told))
    bits = bytearray(_BUCKETS // 8)
    for number in told.buckets:
        bits[number // 8] |= 1 << number % 8
    file.executemany(
        "INSERT INTO bucket VALUES (?, ?)",
        ((number, own.seal(bytes(told.buckets[number]), _aad("bucket", number))) for number in sorted(told.buckets)),
    )
    sealed = msgspec.msgpack.encode(_Head(head, dict(told.entries), bytes(bits), weighed(told.bearers, told.entries.total())))
    file.execute("INSERT INTO head VALUES (?, ?)", (salt, own.seal(sealed, b"head")))
    file.execute("COMMIT")
    return told.entries.total()


@dataclass(slots=True)
class _Told:
    """What is gathered while entries are written: blocks by bucket, how many bear a name, how many are on a list."""

    buckets: dict[int, bytearray] = field(default_factory=dict)
    bearers: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)


def _rows(key: SnapshotKey, persons: Iterable[ListedPerson], told: _Told) -> Iterator[tuple[int, bytes]]:
    """The entries, sealed."""
    words: Callable[[str], tuple[str, ...]] = lru_cache(WORDS_REMEMBERED)(parts)
    encode = msgspec.msgpack.Encoder().encode
    for number, person in enumerate(persons):
        if number >= MAX_ENTRIES:
            raise SnapshotRefused("malformed", f"it has more than {MAX_ENTRIES} entries")
        entry = listed(person, words)
        told.entries[person.list] += 1
        told.bearers.update({token for name in entry.identity.names for token in name})
        for block in document_blocks(entry.identity) | entry_blocks(entry.identity):
            bucket, tag = _place(key, person.list, block)
            told.buckets.setdefault(bucket, bytearray()).extend(tag + number.to_bytes(_NUMBER, "big"))
        yield number, key.seal(encode(entry), _aad("person", number))


# --- both ------------------------------------------------------------------------------------------------------------------------


def _place(key: SnapshotKey, name: ListName, block: Block) -> tuple[int, bytes]:
    """The bucket of a block, and its tag therein."""
    known = key.hash(" ".join((name, *block)))  # no part has a blank
    return int.from_bytes(known[:2], "big"), known[2 : 2 + _TAG]


def _postings(bucket: bytes, tag: bytes) -> Iterator[int]:
    at = bucket.find(tag)
    while at >= 0:
        if at % _POSTING == 0:
            yield int.from_bytes(bucket[at + _TAG : at + _POSTING], "big")
        at = bucket.find(tag, at + 1)


def _aad(table: str, number: int) -> bytes:
    return table.encode() + number.to_bytes(8, "big")


def _refused(error: Exception, what: str) -> SnapshotRefused:
    if isinstance(error, SnapshotRefused):
        return error
    return SnapshotRefused("forged" if isinstance(error, SealBroken) else "malformed", f"{what}: {error}")
