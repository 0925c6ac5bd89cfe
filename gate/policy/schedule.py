"""Which rule set judges, and from which instant another one will: loaded, and proven where a signed store says so.

The lane process loads no cryptography. It has :mod:`gate.policy.examiner` examine the store in a process of its own, and then believes the
files only where what it read of them is what was signed: the content of a rule set is hashed as it was parsed, not as it lies there.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

from gate.config import Config
from gate.policy.entries import BEGINNING
from gate.policy.schema import Fault, RulesError, RuleSet, load_rules

SIGNED = "+"
"""In a version, before the digest of the statement by which the set is in force: ``name@digest of the files+digest of the statement``."""
DIGITS = 32
"""Of that digest."""
EXAMINER = "gate.policy.examiner"
EXAMINED_S = 60.0
"""A machine that takes longer for a dozen small files and signatures is not fit to judge anybody."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """To the examiner: what is in force in ``store`` at ``at``, of what these people signed, for a gate of this profile?"""

    store: str
    signers: tuple[str, ...]
    state_dir: str
    profile: str
    at: datetime

    @classmethod
    def of(cls, config: Config, at: datetime) -> Question:
        rules = config.rules
        return cls(store=str(rules.store), signers=rules.signers, state_dir=str(config.state_dir), profile=config.profile, at=at)


class SignedSet(msgspec.Struct, frozen=True, kw_only=True):
    """A version that two people put into force from ``begins`` on. ``rules``: what its files must turn out to be when they are loaded."""

    folder: str
    rules: str
    version: int
    sequence: int
    statement: str
    people: tuple[str, ...]
    begins: datetime


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """``sets`` newest first, the last one had begun; empty where none may be used. ``problem``: why the store is not gone by."""

    sets: tuple[SignedSet, ...] = ()
    problem: str = ""


Mark = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """``rules`` judge from ``begins`` on. ``people`` signed that, nobody for an unsigned set."""

    rules: RuleSet
    begins: datetime
    folder: Path | None
    people: tuple[str, ...] = ()
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """``periods`` newest first, one at least. ``problem``: why what the store says now is not gone by; empty where it is.

    ``mark``: of the store when it was looked at (:func:`store_mark`).
    """

    periods: tuple[Period, ...]
    problem: str = ""
    mark: Mark | None = None

    @classmethod
    def unsigned(cls, rules: RuleSet, folder: Path | None = None) -> Schedule:
        """These rules, always."""
        return cls(periods=(Period(rules=rules, begins=BEGINNING, folder=folder),))

    def at(self, now: datetime) -> Period:
        """Whose rules judge whoever begins at ``now`` (aware): the newest that has begun; what had begun once is never before its time."""
        return next((period for period in self.periods if period.begins <= now), self.periods[-1])


def read_schedule(config: Config, at: datetime) -> Schedule:
    """What ``[rules]`` names, as of ``at``. Raises RulesError, also where nobody signed it or it was changed; OSError."""
    if config.rules.store is None:
        return Schedule.unsigned(load_rules(config.rules.folder), config.rules.folder)
    mark, answer = store_mark(config.rules.store), _examined(config, at)
    if not answer.sets:
        raise _refused(str(config.rules.store), answer.problem)
    return Schedule(periods=tuple(map(_loaded, answer.sets)), problem=answer.problem, mark=mark)


def store_mark(store: Path) -> Mark | None:
    """Another one after another statement was brought into force: the file that holds it is replaced as a whole."""
    with suppress(OSError):
        told = (store / "active").stat()
        return told.st_ino, told.st_mtime_ns, told.st_size
    return None


def _examined(config: Config, at: datetime) -> Answer:
    question = msgspec.json.encode(Question.of(config, at))
    command = [sys.executable, "-m", EXAMINER]
    try:
        examined = subprocess.run(command, input=question, capture_output=True, timeout=EXAMINED_S, check=False)
        return msgspec.json.decode(examined.stdout, type=Answer)
    except subprocess.TimeoutExpired:
        return Answer(problem=f"could not be examined within {EXAMINED_S:.0f} s")
    except msgspec.MsgspecError:
        why = examined.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return Answer(problem=f"could not be examined: {why}")


def _loaded(one: SignedSet) -> Period:
    folder = Path(one.folder)
    rules = load_rules(folder)
    if rules.version != one.rules:
        raise _refused(one.folder, "holds other rules than were signed")
    signed = replace(rules, version=f"{rules.version}{SIGNED}{one.statement[:DIGITS]}")
    return Period(rules=signed, begins=one.begins, folder=folder, people=one.people, sequence=one.sequence)


def _refused(where: str, what: str) -> RulesError:
    return RulesError([Fault(file=where, line=0, entry="rule set in force", what=what)])
