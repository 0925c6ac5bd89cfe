"""Which clauses of standards this software claims to keep, as a table of the trial report: made by ``make conformity``, packaged with the software."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("conformity.json")


class ClauseShown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One clause; ``positive``, ``negative`` and ``defect`` are numbers of tests, ``result`` is how the worst of them ended last."""

    source: str
    name: str
    title: str
    positive: int
    negative: int
    defect: int
    result: str


class NotClaimed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a standard is not claimed, and why."""

    source: str
    what: str
    why: str


class Conformity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``last_run``: when the tests ran, on which commit, in a sentence."""

    last_run: str
    clauses: tuple[ClauseShown, ...]
    not_claimed: tuple[NotClaimed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """The clauses of one document."""

    name: str
    clauses: tuple[ClauseShown, ...]

    @property
    def shown(self) -> int:
        return sum(clause.result == "passed" for clause in self.clauses)


def load_conformity(path: Path = FILE) -> Conformity:
    """Raises OSError, msgspec.MsgspecError."""
    return msgspec.json.decode(path.read_bytes(), type=Conformity)


def standards(told: Conformity) -> list[Standard]:
    """The clauses by document, in the file's order."""
    groups = groupby(told.clauses, key=lambda clause: clause.source)
    return [Standard(name=name, clauses=tuple(clauses)) for name, clauses in groups]
