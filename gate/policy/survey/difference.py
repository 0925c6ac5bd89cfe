"""``autogate policy diff``: which travellers one rule set treats otherwise than another. Exact, at one instant each.

Two sets differ in whom they open for, whom they let try again, and in what their rules raise the outcome to. Openings gained or lost are
told as cubes; for the rest the rules are told by which somebody fares otherwise, unless a graver one speaks too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gate.outcome import Outcome
from gate.policy.entries import Entry
from gate.policy.schema import RuleSet
from gate.policy.survey.cubes import Cube, cover, intersection, largest, minus, outside
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
    """What changes from ``first`` to ``second``, graver outcomes last."""
    for one, other, gained in ((first, second, False), (second, first, True)):
        opening = [cube for region in other.regions for cube in region.cubes]
        for region in one.regions:
            if left := minus(region.cubes, opening):
                name = region.grant.entry.id
                yield Change(outcome=Outcome.OPEN, gained=gained, grant=name, cubes=tuple(cover(left)))
    for one, other, gained in ((first, second, False), (second, first, True)):
        if cubes := _retried(one, other):
            yield Change(outcome=Outcome.RETRY, gained=gained, grant="", cubes=cubes)
    for outcome in GRAVE:
        for one, other, gained in ((first, second, False), (second, first, True)):
            reaching = _reaching(other, outcome)
            if cubes := tuple(cube for cube in _reaching(one, outcome) if outside(cube, reaching)):
                yield Change(outcome=outcome, gained=gained, grant="", cubes=cubes)


def _retried(one: Survey, other: Survey) -> tuple[Cube, ...]:
    """Where somebody may try again under ``one`` alone: ``other`` has no rule that asks for it, or a graver one."""
    asked, graver = _asking(one), _reaching(one, Outcome.COUNTER)
    elsewhere, ruled = [*_asking(other), *graver], _reaching(other, Outcome.COUNTER)

    found = [ask for ask in asked if outside(ask, elsewhere)]
    found += [each for ask in asked for rule in ruled if (each := intersection(ask, rule)) and outside(each, graver)]
    return tuple(largest(found))


def _asking(survey: Survey) -> list[Cube]:
    return [cube for rule, cube in survey.spoken if rule.outcome is Outcome.RETRY]


def _reaching(survey: Survey, outcome: Outcome) -> list[Cube]:
    return [cube for rule, cube in survey.spoken if rule.outcome.severity >= outcome.severity]


def tables(first: RuleSet, second: RuleSet) -> Iterator[tuple[str, bool]]:
    """What one of the two alone says of whom gates serve, of classes, tolerances, doors and what officers are told; True: the second."""
    one, other = set(_told(first)), set(_told(second))
    yield from ((line, False) for line in sorted(one - other))
    yield from ((line, True) for line in sorted(other - one))


def _told(rules: RuleSet) -> Iterator[str]:
    for row in rules.enablement:
        gates = f" ({', '.join(row.lanes)})" if row.lanes else ""
        yield f"serves {row.document_class}, {row.nationality}, {' and '.join(row.direction)} at {row.checkpoint}{gates} {_period(row)}"
    for (state, code), books in rules.document_classes.items():
        yield from (f"takes {state} {code} {book.number_series} for {book.document_class}" for book in books)
    for grant in rules.grants:
        for let in (let for need in grant.requirements for let in need.tolerated.values()):
            age = "" if let.max_age_s is None else f", no older than {let.max_age_s} s"
            yield f"tolerates {let.fact}={let.value}{age} under {', '.join(let.profiles)} {_period(let)} in {grant.entry.id}"
    for (outcome, stage, direction), action in rules.lane_actions.items():
        doors = f"{action.doors} for {action.await_s} s" if action.await_s else action.doors
        officer = "calls an officer" if action.notify else "calls nobody"
        yield f"on {outcome} at the {stage}, {direction}: {doors}, shows {action.screen!r}, {officer}"
    for note in rules.annotations:
        when = ", ".join(f"{name}={'|'.join(words)}" for name, words in note.when.items())
        yield f"tells an officer {note.reason} when {when} {_period(note)}"


def _period(entry: Entry) -> str:
    return f"from {entry.effective_from:%Y-%m-%d %H:%M %z} until {entry.effective_to:%Y-%m-%d %H:%M %z}"
