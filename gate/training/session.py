"""What lasts of one exercise: a file of its own in the training folder. Travellers are invented; the officer is called what the class calls them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gate.evidence import Fact
from gate.outcome import Outcome
from gate.training.case import Gravity, Place, Words
from pki.durable import read_file, write_file
from pki.errors import PkiError

FOLDER = "sessions"
"""Within the training folder."""
MAX_SESSION = 1 << 20
OfficerName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")]


class SessionError(Exception):
    """A session's file cannot be read or written: says which and why."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the officer was shown from ``at`` on: the gate's decision with the facts that it stood on."""

    at: datetime
    outcome: Outcome
    reasons: tuple[str, ...]
    rules: tuple[str, ...]
    facts: dict[str, Fact]


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """The officer looked at something of the case's, so long after being called."""

    look: str
    after_s: float


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An act, signed by the officer. ``refused``: why the lane did not carry it out. ``shown``: which of what was shown they had before them."""

    action: str
    reason: str
    after_s: float
    refused: str = ""
    shown: int = 0


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a review. ``points``: gained, or lost where negative; ``most``: what there was to gain."""

    kind: Literal["right", "half", "missed", "wrong", "look", "look_missed", "time"]
    action: str = ""
    reason: str = ""
    why: Words = ("–", "–")
    grave: Gravity | None = None
    points: int = 0
    most: int = 0
    after_s: float | None = None


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """0 to 100. ``void``: the gate did something else than the case tells of, so nothing is scored."""

    points: int
    passed: bool
    void: bool
    lines: tuple[Line, ...]


class Session(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One officer, one case. ``called``: when the officer was needed; all times aware."""

    format: Literal[1] = 1
    exercise: Literal[True] = True
    case: str
    place: Place
    officer: OfficerName
    started: datetime
    called: datetime
    ended: datetime
    transaction: str
    outcome: Outcome
    rules_version: str
    shown: tuple[Shown, ...]
    looked: tuple[Looked, ...]
    done: tuple[Done, ...]
    score: Score

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.started:%Y%m%dT%H%M%S}-{self.officer}-{self.case}"


def write_session(session: Session, state: Path) -> Path:
    """Keep ``session``, durably and for the user alone. Raises SessionError."""
    folder = state / FOLDER
    path = folder / f"{session.name}.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(path, msgspec.json.format(msgspec.json.encode(session)) + b"\n")
    except OSError as error:
        raise SessionError(f"{path}: {error.strerror}") from error
    return path


def read_session(path: Path) -> Session:
    """Raises SessionError, nothing else."""
    try:
        return msgspec.json.decode(read_file(path, MAX_SESSION), type=Session)
    except (OSError, PkiError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SessionError(f"{path}: {error}") from None


def sessions(state: Path) -> list[Session]:
    """All sessions of a training folder, oldest first; two may begin within a second. Raises SessionError at the first that cannot be read."""
    return sorted((read_session(path) for path in sorted((state / FOLDER).glob("*.json"))), key=lambda session: session.started)
