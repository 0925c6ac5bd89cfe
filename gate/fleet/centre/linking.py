"""How a log grows at the centre: records come in any order and more than once, and count once each continues the one before.

Pure. Between two calls a log is a number ``through``, up to which all is here and linked, that record's hash, and whatever came ahead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from gate.fleet.messages import Row


@dataclass(frozen=True, slots=True)
class Link:
    """What of a record decides whether it continues another."""

    day: date
    previous: bytes
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """The gate told ``told`` under a number where ``held`` was known, or where record ``seq`` ought to continue ``held`` and does not."""

    seq: int
    held: bytes
    told: bytes
    what: str


ANOTHER, NO_LINK = "another record of that number was here", "it does not continue the record before"


@dataclass(slots=True)
class Chain:
    """One log while a batch is taken in. ``ahead``: of what lies ahead in the database, as much as may count now."""

    through: int
    hash: bytes
    ahead: dict[int, Link] = field(default_factory=dict)
    new: dict[int, tuple[Row, date]] = field(default_factory=dict)
    """To be stored."""
    seen: list[tuple[Row, date]] = field(default_factory=list)
    """Of numbers that are linked already: to be compared with what is stored."""
    forks: list[Fork] = field(default_factory=list)
    linked: set[int] = field(default_factory=set)
    """Numbers that count from now on."""
    broken: list[tuple[int, Link]] = field(default_factory=list)
    """Were stored ahead, and turned out not to continue the log."""

    def take(self, rows: Iterable[tuple[Row, date]]) -> None:
        """Rows of one parcel or of many."""
        for row, day in rows:
            held = self.ahead.get(row.seq)
            if row.seq <= self.through:
                self.seen.append((row, day))
            elif held is None:
                self.ahead[row.seq] = Link(day, row.previous, row.hash)
                self.new[row.seq] = row, day
            elif held.hash != row.hash:
                self.forks.append(Fork(seq=row.seq, held=held.hash, told=row.hash, what=ANOTHER))

    def link(self) -> None:
        """Count what now continues the log."""
        while (link := self.ahead.pop(self.through + 1, None)) is not None:
            seq = self.through + 1
            if link.previous != self.hash:
                self.forks.append(Fork(seq=seq, held=self.hash, told=link.hash, what=NO_LINK))
                if self.new.pop(seq, None) is None:
                    self.broken.append((seq, link))
                return
            self.through, self.hash = seq, link.hash
            self.linked.add(seq)

    @property
    def waiting(self) -> list[int]:
        """New numbers that lie ahead."""
        return [seq for seq in self.new if seq not in self.linked]


class Key(NamedTuple):
    gate: str
    log: str


@dataclass(slots=True, kw_only=True)
class Log:
    """A log under its lock, and what this batch brings for it."""

    no: int
    key: Key
    start: bytes
    kept_from: int
    chain: Chain
    before: int
    evidence: dict[tuple[int, bytes], bytes] = field(default_factory=dict)
    """Number and what was told under it → the signed message in which it was."""
