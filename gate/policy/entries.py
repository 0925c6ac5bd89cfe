"""The entries of the rule files, as written: one struct per TOML table. What they must say beyond their shape is in ``checks.py``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from gate.evidence import Direction, Stage
from gate.outcome import Outcome

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ReasonCode = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9_]{1,47}$")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A date-time with its offset: a law that begins at midnight begins at somebody's midnight."""
SourceStatus = Literal["seen", "inferred", "design_assumption"]
Profile = Literal["demo", "training", "trial"]
DocumentClass = Literal["ordinary", "service", "diplomatic"]
Doors = Literal["open", "stay_shut", "eject", "await_officer"]
Screen = Literal["enter", "open", "retry", "counter"]


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """Where an entry comes from, and what to know about it in Bahasa Indonesia and English."""

    source_status: SourceStatus
    note_id: Text
    note_en: Text


class Entry(Noted, frozen=True, kw_only=True):
    """In force from ``effective_from`` (included) to ``effective_to`` (not included)."""

    effective_from: Instant = BEGINNING
    effective_to: Instant = END

    def in_force(self, now: datetime) -> bool:
        return self.effective_from <= now < self.effective_to


class Tolerance(Entry, frozen=True, kw_only=True):
    """Lets ``value`` of ``fact`` pass under the profiles named."""

    id: Name
    fact: str
    value: str
    profiles: Annotated[tuple[Profile, ...], msgspec.Meta(min_length=1)]


class RequirementSet(msgspec.Struct, frozen=True, kw_only=True):
    id: Name
    require: dict[str, Words]


class Grant(Entry, frozen=True, kw_only=True):
    """OPEN for one class, direction and stage; at the checkpoints named, or at all where none is."""

    id: Name
    document_class: DocumentClass = msgspec.field(name="class")
    direction: Direction
    stage: Stage
    require_sets: Words
    require: dict[str, Words]
    basis: Text
    checkpoints: tuple[str, ...] = ()
    tolerances: tuple[Name, ...] = ()


class Rule(Entry, frozen=True, kw_only=True):
    """Raises the outcome when every fact in ``when`` holds one of its words."""

    id: Name
    when: Annotated[dict[str, Words], msgspec.Meta(min_length=1)]
    outcome: Outcome
    reason: ReasonCode
    basis: Text


class LaneAction(msgspec.Struct, frozen=True, kw_only=True):
    """What the doors and the traveller's screen do. ``await_s``: seconds until ``await_officer`` turns into ``eject``."""

    doors: Doors
    await_s: Annotated[int, msgspec.Meta(ge=0, le=600)]
    notify: bool
    screen: Screen
    basis: Text


class LaneActionRow(LaneAction, frozen=True, kw_only=True):
    outcome: Outcome
    stage: Stage
    direction: Annotated[tuple[Direction, ...], msgspec.Meta(min_length=1)]


class DocumentClassRow(Noted, frozen=True, kw_only=True):
    issuing_state: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{1,3}$")]
    document_code: Annotated[tuple[Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{1,2}$")], ...], msgspec.Meta(min_length=1)]
    document_class: DocumentClass = msgspec.field(name="class")


class RuleSetName(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a rule set (``rule_set.toml``)."""

    name: Name
    note_id: Text
    note_en: Text
