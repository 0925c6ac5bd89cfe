"""What the lane learns from the registries, and what it expects of whom: the part that the lane process itself loads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from gate.evidence import CheckResult, Direction, Fact
from gate.processes.bounds import bounded_facts, bounded_trail
from gate.records import SopTrail

HOME_STATE = "IDN"
OFFICIAL_CLASSES = frozenset({"service", "diplomatic"})
"""Classes that travel on an exit permit of the Foreign Ministry (without it the book may not be used)."""
LISTS: Mapping[Direction, Literal["pencegahan", "penangkalan"]] = {
    Direction.ARRIVAL: "penangkalan",
    Direction.DEPARTURE: "pencegahan",
}
"""Which of the two national lists bars whom: the direction picks it, nobody else may (UU 6/2011 art. 13, 16)."""
WANTED: Final = "wanted"
SHA256 = re.compile("[0-9a-f]{64}")


class Answers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one registry (or the two of one kind) had to say. ``portrait_sha256``: hex digest of the DG2 that the issuer holds; empty: none given."""

    facts: dict[str, Fact]
    trail: SopTrail | None = None
    portrait_sha256: str = ""


def is_home_book(issuing_state: str) -> bool:
    """Whether Indonesia issued the book."""
    return issuing_state.rstrip("<") == HOME_STATE


def is_citizen(facts: Mapping[str, Fact]) -> bool:
    """Whether the page says so; whoever is of no known nationality is asked for a permit like a foreigner."""
    return facts.get("nationality", Fact()).value == "citizen"


def facts_asked(*, home_book: bool, citizen: bool, document_class: str, direction: Direction) -> dict[str, tuple[str, ...]]:
    """By registry, the facts that it is asked for: whose book it is and who travels decides. What is not asked stays ``not_performed``."""
    official = home_book and document_class in OFFICIAL_CLASSES
    asked: dict[str, tuple[str, ...]] = {"lost_and_stolen": ("sltd",), "watchlist": (LISTS[direction], WANTED)}
    if home_book:
        asked["issuance"] = ("issuance", "document_model", *(("biometric_record",) if official else ()))
    if official and direction is Direction.DEPARTURE:
        asked["exit_permit"] = ("exit_permit",)
    if not citizen:
        asked["stay_permit"] = ("stay_permit",)
    if direction is Direction.ARRIVAL:
        asked["arrival_declaration"] = ("declaration",)
    return asked


def silence(names: tuple[str, ...], source: str, why: str) -> Answers:
    """What is known of the facts ``names`` where no answer came."""
    return Answers(facts={name: unanswered(name, source, why) for name in names})


def unanswered(name: str, source: str, why: str) -> Fact:
    """The fact ``name`` without an answer: a check that was begun and did not end (TR-03135 §3.5)."""
    value = "unknown" if name == "document_model" else "unavailable"
    return Fact(value=value, result=CheckResult.ABORTED, code=why, source=source)


def expected(told: Answers, names: tuple[str, ...]) -> Answers:
    """``told``, cut to the facts that were asked for, to a digest that is one, and to size. What is missing was not performed."""
    return Answers(
        facts=bounded_facts({name: told.facts[name] for name in names if name in told.facts}),
        trail=bounded_trail(told.trail) if told.trail else None,
        portrait_sha256=told.portrait_sha256 if SHA256.fullmatch(told.portrait_sha256) else "",
    )
