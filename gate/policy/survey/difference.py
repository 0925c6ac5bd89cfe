"""``autogate policy diff``: which travellers one rule set treats otherwise than another. Exact, at one instant.

Two sets differ in whom they open for, whom they let try again, and in what their rules raise the outcome to. All are told as cubes: an
opening or another try gained or lost, and for each graver outcome the cases that reach it under one set alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gate.outcome import Outcome
from gate.policy.survey.cubes import Cube, cover, intersection, minus
from gate.policy.survey.regions import Survey

GRAVE = (Outcome.SECONDARY, Outcome.HOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """These cases reach ``outcome``, or something graver, under one set and not under the other; for OPEN and RETRY: that very one."""

    outcome: Outcome
    gained: bool
    """True: under the second set, not under the first."""
    grant: str
    """Which grant opens for them; empty where no opening changes."""
    cubes: tuple[Cube, ...]


def changes(first: Survey, second: Survey) -> Iterator[Change]:
    """What changes from ``first`` to ``second``, graver outcomes last. Raises ValueError where they speak of other checkpoints."""
    if first.space != second.space:
        raise ValueError("the two rule sets name different checkpoints: their cases cannot be compared")
    for one, other, gained in ((first, second, False), (second, first, True)):
        opening = [cube for region in other.regions for cube in region.cubes]
        for region in one.regions:
            if cubes := minus(region.cubes, opening):
                name = region.grant.entry.id
                yield Change(outcome=Outcome.OPEN, gained=gained, grant=name, cubes=tuple(cover(cubes)))
    for one, other, gained in ((first, second, False), (second, first, True)):
        if cubes := _retried(one, other):
            yield Change(outcome=Outcome.RETRY, gained=gained, grant="", cubes=tuple(cover(cubes)))
    for outcome in GRAVE:
        for one, other, gained in ((first, second, False), (second, first, True)):
            if cubes := minus(_reaching(one, outcome), _reaching(other, outcome)):
                yield Change(outcome=outcome, gained=gained, grant="", cubes=tuple(cover(cubes)))


def _retried(one: Survey, other: Survey) -> list[Cube]:
    """Who may try again under ``one`` alone: ``other`` has no rule that asks for it, or a graver one."""
    asked = [cube for rule, cube in one.spoken if rule.outcome is Outcome.RETRY]
    graver = _reaching(one, Outcome.COUNTER)
    ruled = minus(_reaching(other, Outcome.COUNTER), graver)
    both = (intersection(ask, rule) for ask in asked for rule in ruled)
    return minus([*minus(asked, _reaching(other, Outcome.RETRY)), *(cube for cube in both if cube)], graver)


def _reaching(survey: Survey, outcome: Outcome) -> list[Cube]:
    return [cube for rule, cube in survey.spoken if rule.outcome.severity >= outcome.severity]
