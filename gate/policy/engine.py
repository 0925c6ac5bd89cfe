"""The engine: evidence and rules in, a decision out. Pure: no clock, no file, no memory; the same input always decides the same.

It opens if and only if a grant for the direction and stage is satisfied *and* no rule fired. Otherwise the gravest rule speaks;
where no rule fired either, the traveller goes to the counter, and the decision names what the nearest grant lacked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gate.evidence import IN_SNAPSHOT, NOT_PERFORMED, VOCABULARY, CheckResult, Evidence, Fact, Stage
from gate.outcome import Outcome, PolicyDecision
from gate.policy.entries import Rule, Spoken, Tolerance
from gate.policy.schema import ReadyGrant, RuleSet

REQUIREMENT_UNMET = "REQUIREMENT_UNMET"
"""No rule fired and no grant is satisfied: something that must be known is not."""
SNAPSHOT_TOO_OLD = "SNAPSHOT_TOO_OLD"
"""The same, where all that is lacking is a younger copy of what a registry knows."""
MAX_SKEW_S = 60.0
"""How far ahead of ours the clock of a registry may be."""


def decide(evidence: Evidence, rules: RuleSet, now: datetime, stage: Stage) -> PolicyDecision:
    """Judge ``evidence`` at the instant ``now`` (aware; a naive one raises ValueError)."""
    if now.tzinfo is None:
        raise ValueError("now must carry its zone")
    words = {fact: evidence.value(fact) for fact in VOCABULARY}
    situation = {**words, "direction": evidence.direction, "stage": stage}
    fired = _fired(situation, rules, now)
    grant, unmet, used = _nearest(words, evidence, rules, now, stage)
    opens = grant is not None and not unmet and not fired
    return PolicyDecision(
        stage=stage,
        outcome=fired[0].outcome if fired else Outcome.OPEN if opens else Outcome.COUNTER,
        reasons=tuple(dict.fromkeys(rule.reason for rule in fired)) or (() if opens else (_lacking(unmet),)),
        grant=grant.entry.id if grant and opens else None,
        rules=tuple(rule.id for rule in fired),
        tolerances=used if opens else (),
        unmet=unmet,
        rules_version=rules.version,
        annotations=tuple(note.reason for note in rules.annotations if _speaks(note, situation, now)),
    )


def _lacking(unmet: tuple[str, ...]) -> str:
    return SNAPSHOT_TOO_OLD if unmet and all(each.endswith(IN_SNAPSHOT) for each in unmet) else REQUIREMENT_UNMET


def _speaks(entry: Spoken, words: Mapping[str, str], now: datetime) -> bool:
    return entry.in_force(now) and all(words[name] in wanted for name, wanted in entry.when.items())


def _fired(words: Mapping[str, str], rules: RuleSet, now: datetime) -> list[Rule]:
    """Rules whose every condition holds, gravest first, else in the order of the file."""
    fired = [rule for fact, waiting in rules.rules_on for rule in waiting.get(words[fact], ()) if _speaks(rule, words, now)]
    return sorted(fired, key=lambda rule: -rule.outcome.severity)


_Attempt = tuple[ReadyGrant | None, tuple[str, ...], tuple[str, ...]]


def _nearest(words: Mapping[str, str], evidence: Evidence, rules: RuleSet, now: datetime, stage: Stage) -> _Attempt:
    """Of the grants for the book's class, else of all, the one that lacks least; what it lacks; the tolerances it would use."""
    grants = rules.grants_at[evidence.direction, stage]
    own = [grant for grant in grants if grant.entry.document_class == words["document_class"]]
    nearest: _Attempt = (None, ("grant=none",), ())
    for grant in own or grants:
        unmet, used = _try(grant, words, evidence, now)
        if not unmet:
            return grant, unmet, used
        if nearest[0] is None or len(unmet) < len(nearest[1]):
            nearest = (grant, unmet, used)
    return nearest


def _try(
    grant: ReadyGrant, words: Mapping[str, str], evidence: Evidence, now: datetime
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    unmet: list[str] = []
    used: list[str] = []
    if not grant.entry.in_force(now):
        unmet.append("grant=not_in_force")
    profile = words.get("profile", NOT_PERFORMED)
    for need in grant.requirements:
        word = words[need.fact]
        if word in need.accepted and evidence.facts[need.fact].result is CheckResult.SUCCESSFUL:
            continue  # a good word whose check did not end successfully is a contradiction, and opens nothing
        tolerance = need.tolerated.get(word)
        if tolerance is not None and lets_pass(tolerance, evidence.facts[need.fact], profile, now):
            used.append(tolerance.id)
        else:
            unmet.append(f"{need.fact}={word}")
    return tuple(unmet), tuple(used)


def lets_pass(tolerance: Tolerance, fact: Fact, profile: str, now: datetime) -> bool:
    """Whether ``tolerance`` covers ``fact`` under ``profile``. Data whose age nobody tells, or of a time to come, have no age to tolerate."""
    if profile not in tolerance.profiles or not tolerance.in_force(now):
        return False
    if tolerance.max_age_s is None:
        return True
    if fact.as_of is None or fact.as_of.tzinfo is None:
        return False
    return -MAX_SKEW_S <= (now - fact.as_of).total_seconds() <= tolerance.max_age_s
