"""``autogate policy check``: what a rule set lets through, found by trying it, not by reading it.

For every grant it builds evidence that just satisfies it, then changes every fact, and every pair of facts, to every other word of
the vocabulary and to ``not_performed``. Whatever still opens must lie in the region that the grant declares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations

from gate.evidence import NOT_PERFORMED, VOCABULARY, Evidence, Fact, successful
from gate.outcome import Outcome
from gate.policy.engine import decide
from gate.policy.schema import ReadyGrant, RulesError, RuleSet, load_rules

Region = dict[str, tuple[str, ...]]
"""Fact → words with which a grant opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantSurvey:
    """``opening`` is what a grant opens for; ``surprises`` are openings that it does not declare (there must be none)."""

    grant: str
    opening: Region
    tried: int
    surprises: tuple[str, ...]


def satisfying(grant: ReadyGrant, now: datetime, profile: str = "demo") -> Evidence:
    """Evidence with the first accepted word for each fact that ``grant`` requires, and nothing else."""
    facts = {need.fact: successful(min(need.accepted, key=VOCABULARY[need.fact].index)) for need in grant.requirements}
    return Evidence(
        transaction="survey",
        lane="survey",
        checkpoint=grant.entry.checkpoints[0] if grant.entry.checkpoints else "CGK",
        direction=grant.entry.direction,
        civil_date=now.date(),
        facts=facts | {"profile": successful(profile)},
    )


def changes(fact: str, evidence: Evidence) -> Iterator[Fact]:
    """Every other word for ``fact``, at its best: as if its check had succeeded."""
    here = evidence.value(fact)
    yield from (successful(word) for word in (*VOCABULARY[fact], NOT_PERFORMED) if word != here)


def survey(grant: ReadyGrant, rules: RuleSet, now: datetime, profile: str = "demo") -> GrantSurvey:
    """Try all single and double changes of the facts that ``grant`` requires."""
    clean = satisfying(grant, now, profile)
    needed = [need.fact for need in grant.requirements if need.fact != "profile"]
    declared = {each.entry.id: _declared(each, profile) for each in rules.grants}
    opening: Region = {fact: (clean.value(fact),) for fact in needed}
    surprises: list[str] = []
    cases = [changed for pair in combinations(needed, 2) for changed in _variants(clean, pair)]
    for case in cases:
        decision = decide(case, rules, now, grant.entry.stage)
        if decision.outcome is not Outcome.OPEN:
            continue
        words = {fact: case.value(fact) for fact in needed}
        allowed = declared[decision.grant or ""]
        surprises += [f"{fact}={case.value(fact)}" for fact in allowed if case.value(fact) not in allowed[fact]]
        if decision.grant == grant.entry.id:
            opening = {fact: tuple(dict.fromkeys((*opening[fact], words[fact]))) for fact in needed}
    return GrantSurvey(grant=grant.entry.id, opening=opening, tried=len(cases), surprises=tuple(dict.fromkeys(surprises)))


def _declared(grant: ReadyGrant, profile: str) -> dict[str, set[str]]:
    """Fact → words with which ``grant`` says that it opens."""
    return {
        need.fact: set(need.accepted) | {word for word, tolerance in need.tolerated.items() if profile in tolerance.profiles}
        for need in grant.requirements
    }


def _variants(clean: Evidence, pair: tuple[str, str]) -> Iterator[Evidence]:
    first, second = pair
    kept = clean.facts[second]
    for one in changes(first, clean):
        for two in (kept, *changes(second, clean)):
            yield clean.with_facts(**{first: one, second: two})
    for two in changes(second, clean):
        yield clean.with_facts(**{second: two})


def check_command(profile: str = "demo") -> int:
    """Print what the packaged rules open for under ``profile``. Returns 0; 1 with a surprise; 2 if the rules are refused."""
    try:
        rules = load_rules()
    except RulesError as error:
        print(error, file=sys.stderr)
        return 2
    now = datetime.now(UTC)
    print(f"{rules.version}\n{rules.notes[1]}\n{len(rules.grants)} grants, {len(rules.rules)} rules, profile {profile}")
    surveys = [survey(grant, rules, now, profile) for grant in rules.grants]
    for one in surveys:
        print(f"\nOPEN by {one.grant}, and only when ({one.tried:,} cases tried):")
        print("  " + ", ".join(f"{fact}={'|'.join(words)}" for fact, words in one.opening.items()))
        for surprise in one.surprises:
            print(f"  NOT DECLARED: {surprise}")
    for tolerance in rules.tolerances(profile, now):
        print(f"\ntolerated under {profile}: {tolerance.id} ({tolerance.fact}={tolerance.value}): {tolerance.note_en}")
    return 1 if any(one.surprises for one in surveys) else 0
