"""The entries of the rule files, as written: one struct per TOML table. What they must say beyond their shape is in ``checks.py``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from gate.evidence import Direction, Stage
from gate.outcome import Outcome

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
ReasonCode = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9_]{1,47}\Z")]
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
    """Lets ``value`` of ``fact`` pass under the profiles named. ``max_age_s``: only where the data behind it are no older."""

    id: Name
    fact: str
    value: str
    profiles: Annotated[tuple[Profile, ...], msgspec.Meta(min_length=1)]
    basis: Text
    max_age_s: Annotated[int, msgspec.Meta(ge=1, le=7 * 86_400)] | None = None


class RequirementSet(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that several grants require, with what they accept; ``stage``: at that stage alone."""

    id: Name
    require: dict[str, Words]
    stage: Stage | None = None


class GrantRow(Entry, frozen=True, kw_only=True):
    """A grant as written: OPEN for one class and direction, at both stages."""

    id: Name
    document_class: DocumentClass = msgspec.field(name="class")
    direction: Direction
    require_sets: Words
    require: dict[str, Words] = {}
    basis: Text
    tolerances: tuple[Name, ...] = ()


class Grant(GrantRow, frozen=True, kw_only=True):
    """A grant at one of the two stages; its id ends in the stage's name."""

    stage: Stage


class Spoken(Entry, frozen=True, kw_only=True):
    """Speaks when every fact in ``when`` holds one of its words."""

    id: Name
    when: Annotated[dict[str, Words], msgspec.Meta(min_length=1)]
    reason: ReasonCode
    basis: Text


class Rule(Spoken, frozen=True, kw_only=True):
    """Raises the outcome."""

    outcome: Outcome


class Annotation(Spoken, frozen=True, kw_only=True):
    """Tells an officer something beside the outcome, which it does not change."""


class LaneAction(Noted, frozen=True, kw_only=True):
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
    """``issuing_state`` ``*``: every State that has no row of its own. ``number_series``: an expression that the whole number matches;
    a State that draws its classes by series has no row without one for that code.
    """

    issuing_state: Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{1,3}|\*)\Z")]
    document_code: Annotated[tuple[Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{1,2}\Z")], ...], msgspec.Meta(min_length=1)]
    document_class: DocumentClass = msgspec.field(name="class")
    number_series: Annotated[str, msgspec.Meta(max_length=200)] = ""


class EnablementRow(Entry, frozen=True, kw_only=True):
    """Whose documents a gate serves: a class, in the directions named, at a checkpoint; at the lanes named, or at all of them."""

    checkpoint: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]
    document_class: DocumentClass = msgspec.field(name="class")
    nationality: Literal["citizen", "foreigner"]
    direction: Annotated[tuple[Direction, ...], msgspec.Meta(min_length=1)]
    lanes: tuple[Name, ...] = ()
    basis: Text


class RuleSetName(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a rule set (``rule_set.toml``)."""

    name: Name
    note_id: Text
    note_en: Text
