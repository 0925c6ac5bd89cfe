"""What registries are asked and what comes of it: a :class:`Contract` for each, a question in, one of three answers out.

``Found``: the registry knows something. ``NotListed``: it says that it knows nothing. ``Unavailable``: there is no answer that could
be used, and why; never the same as nothing known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

from gate.evidence import Direction

Why = Literal[
    "timeout",
    "unreachable",
    "refused",
    "rejected",
    "error",
    "malformed",
    "stale",
    "forged",
    "replayed",
    "misaddressed",
    "expired",
    "rolled_back",
    "clock",
    "circuit_open",
    "contradictory",
]
"""``refused``: the registry does not know this gate. ``rejected``: it will never take this question. ``circuit_open``: not asked, because it
failed again and again a moment ago. ``contradictory``: two registries say what cannot both be. The rest says what was wrong with an answer."""

FALLBACK: frozenset[Why] = frozenset({"timeout", "unreachable", "error", "stale", "circuit_open"})
"""The only reasons for which a snapshot may speak instead: the registry is away. Whoever sends a wrong answer is there."""

State = Annotated[str, Meta(pattern=r"^[A-Z<]{1,3}\Z", description="as in the machine readable zone")]
Number = Annotated[str, Meta(pattern=r"^[A-Z0-9<]{1,22}\Z", description="document number, as in the machine readable zone")]
Place = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="the three letters of a checkpoint")]
Office = Annotated[str, Meta(max_length=64, description="an issuing or capturing office")]
Instant = Annotated[datetime, Meta(tz=True, description="a moment, with its zone")]
Day = Annotated[date, Meta(description="a date of the calendar at the checkpoint")]
DocumentClass = Literal["ordinary", "service", "diplomatic"]


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a registry is asked. What it holds stays out of logs and traces."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class BookQuestion(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """About one travel document."""

    issuing_state: State
    document_number: Number


class CrossingQuestion(BookQuestion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """About one travel document at one border, today."""

    date: Day
    direction: Direction
    checkpoint: Place


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a registry replies: a word, and as little else as the gate needs."""

    answer: str


DEADLINE_S = 2.0
"""Seconds for one question; the chip takes longer, so a registry that keeps it costs the traveller nothing."""
MAX_ANSWER = 16_384
"""Bytes: answers are words and dates, not records."""
MAX_AGE_S = 86_400.0
"""Oldest state of a registry's data that may still speak for a traveller (design assumption: one day)."""
FRESH_S = 3_600.0
"""Data that are older are a copy, whoever answers from them: what they say in somebody's favour counts for as long as the rules let a
snapshot of that age speak, or a registry whose own copy stands still would be believed for a day where a snapshot is for some hours."""
MAX_SKEW_S = 60.0
"""How far a registry's clock may be from ours, and how far its copies behind one address may lie apart."""

R = TypeVar("R", bound=Reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[R]):
    """The registry knows something. ``as_of``: the state of its data; ``freshness_s``: how old that was when the answer came.

    ``from_snapshot``: a copy of those data said so: the gate's own, for the registry was away, or one of the registry's (:data:`FRESH_S`).
    """

    source: str
    as_of: datetime
    latency_ms: float
    freshness_s: float
    reply: R
    from_snapshot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotListed:
    """The registry answered that it knows nothing. Not the same as silence."""

    source: str
    as_of: datetime
    latency_ms: float
    freshness_s: float
    from_snapshot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """There is no answer that could be used, and why."""

    source: str
    why: Why
    latency_ms: float


RegistryAnswer = Found[R] | NotListed | Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract(Generic[R]):
    """A registry's interface: where it is asked (``POST path``), the shapes, and the ``answer`` that means *nothing known* (empty: none does).

    ``record`` is what the registry holds of one document, and ``judged`` makes the reply of all records of the document in question;
    the reference server and the gate's snapshots judge by the same function. Registries that are no list of documents have neither.
    """

    name: str
    path: str
    question: type[Question]
    reply: type[R]
    nothing: str
    record: type[msgspec.Struct] | None = None
    judged: Callable[[tuple[Any, ...], Any], R] | None = None


class Source(Protocol[R]):
    """Something that answers one contract's questions."""

    async def ask(self, question: Question) -> RegistryAnswer[R]:
        """The answer, in time. Never raises for what a registry does or fails to do."""

    async def close(self) -> None:
        """Hang up, end threads."""
