"""The cases of a rule set as cubes: which a rule speaks to, which a grant is satisfied by, and for which the gate opens.

A case is a word for every fact of the vocabulary, whether the check behind the word ended successfully, a direction and a stage; and an
instant, which is chosen beforehand, because what is in force changes only at the dates of the entries. A word from a snapshot is taken as
young enough: how old it may be stands in its tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain

from gate.evidence import NOT_PERFORMED, VOCABULARY, CheckResult, Direction, Evidence, Fact, Stage
from gate.outcome import Outcome
from gate.policy.entries import BEGINNING, END, Rule
from gate.policy.schema import ReadyGrant, RuleSet
from gate.policy.survey.cubes import Cube, Space, contains, cover, meets, minus

UNPROVEN = "?"
"""Behind a word: said, but by a check that did not end successfully."""


def both(words: Iterable[str]) -> set[str]:
    """``words``, however their checks ended."""
    return set(chain.from_iterable((word, word + UNPROVEN) for word in words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """The cases that a grant opens for: ``cubes`` as few and as large as can be."""

    grant: ReadyGrant
    cubes: tuple[Cube, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A rule set at one instant."""

    rules: RuleSet
    now: datetime
    space: Space
    spoken: tuple[tuple[Rule, Cube], ...]
    """The rules in force."""
    regions: tuple[Region, ...]
    """One for each grant in force, in the order of the file."""

    def opens(self, case: Cube) -> bool:
        return any(contains(cube, case) for region in self.regions for cube in region.cubes)

    def outcome(self, case: Cube) -> Outcome:
        """What the gate does in a single case."""
        fired = [rule.outcome for rule, cube in self.spoken if meets(cube, case)]
        return max(fired, key=lambda outcome: outcome.severity, default=Outcome.OPEN if self.opens(case) else Outcome.COUNTER)

    def case(self, evidence: Evidence, stage: Stage) -> Cube:
        """``evidence`` as a single case of the space."""
        words = {fact: (_value(evidence, fact),) for fact in VOCABULARY}
        return self.space.cube(words | {"direction": (evidence.direction,), "stage": (stage,)})

    def evidence(self, case: Cube) -> tuple[Evidence, Stage]:
        """Evidence for one case out of ``case``: the first value on every axis."""
        words = {
            axis: next(value for place, value in enumerate(values) if mask >> place & 1)
            for (axis, values), mask in zip(self.space.axes.items(), case, strict=True)
        }
        return Evidence(
            transaction="survey",
            lane="survey",
            checkpoint="CGK",
            direction=Direction(words["direction"]),
            civil_date=date(self.now.year, self.now.month, self.now.day),
            facts={fact: _fact(words[fact], self.now) for fact in VOCABULARY},
        ), Stage(words["stage"])


def survey(rules: RuleSet, now: datetime) -> Survey:
    """``rules`` at the instant ``now`` (aware)."""
    space = _space()
    spoken = tuple((rule, _spoken(space, rule)) for rule in rules.rules if rule.in_force(now))
    rules_cubes = [cube for _, cube in spoken]
    return Survey(
        rules=rules,
        now=now,
        space=space,
        spoken=spoken,
        regions=tuple(
            Region(grant=grant, cubes=tuple(cover(minus(satisfied(space, grant, now), rules_cubes))))
            for grant in rules.grants
            if grant.entry.in_force(now)
        ),
    )


def turning_points(rules: RuleSet) -> list[datetime]:
    """The instants at which something begins or ends to be in force, the first being the beginning of time."""
    tolerances = [tolerance for grant in rules.grants for need in grant.requirements for tolerance in need.tolerated.values()]
    dated = [*(grant.entry for grant in rules.grants), *rules.rules, *rules.annotations, *rules.enablement, *tolerances]
    instants = {
        at.astimezone(UTC) for entry in dated for at in (entry.effective_from, entry.effective_to) if BEGINNING < at < END
    }
    return [BEGINNING, *sorted(instants)]


def satisfied(space: Space, grant: ReadyGrant, now: datetime) -> Iterator[Cube]:
    """The cases in which ``grant`` lacks nothing: one cube for each profile, as tolerances hang on it."""
    scope = {"direction": (grant.entry.direction,), "stage": (grant.entry.stage,)}
    for profile in VOCABULARY["profile"]:
        needs = {need.fact: set(need.accepted) for need in grant.requirements}
        for need in grant.requirements:
            passing = (word for word, let in need.tolerated.items() if profile in let.profiles and let.in_force(now))
            needs[need.fact] |= both(passing)
        needs["profile"] = needs.get("profile", both(VOCABULARY["profile"])) & both((profile,))
        if needs["profile"]:
            yield space.cube({**needs, **scope})


def _space() -> Space:
    facts = {fact: (*words, NOT_PERFORMED, *(word + UNPROVEN for word in words)) for fact, words in VOCABULARY.items()}
    return Space({**facts, "direction": tuple(Direction), "stage": tuple(Stage)})


def _spoken(space: Space, rule: Rule) -> Cube:
    """A rule listens to the word alone."""
    return space.cube({axis: both(words) if axis in VOCABULARY else words for axis, words in rule.when.items()})


def _value(evidence: Evidence, fact: str) -> str:
    word = evidence.value(fact)
    if word == NOT_PERFORMED or evidence.facts[fact].result is CheckResult.SUCCESSFUL:
        return word
    return word + UNPROVEN


def _fact(value: str, now: datetime) -> Fact:
    if value == NOT_PERFORMED:
        return Fact()
    word = value.removesuffix(UNPROVEN)
    return Fact(value=word, result=CheckResult.SUCCESSFUL if word == value else CheckResult.UNDETERMINED, as_of=now)
