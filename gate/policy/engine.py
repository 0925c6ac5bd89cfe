"""The engine: evidence and rules in, a decision out. Pure: no clock, no file, no memory; the same input always decides the same.

It opens if and only if a grant for the direction and stage is satisfied *and* no rule fired. Otherwise the gravest rule speaks;
where no rule fired either, the traveller goes to the counter, and the decision names what the nearest grant lacked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gate.evidence import NOT_PERFORMED, VOCABULARY, CheckResult, Evidence, Stage
from gate.outcome import Outcome, PolicyDecision
from gate.policy.entries import Rule
from gate.policy.schema import ReadyGrant, RuleSet

REQUIREMENT_UNMET = "REQUIREMENT_UNMET"
"""No rule fired and no grant is satisfied: something that must be known is not."""


def decide(evidence: Evidence, rules: RuleSet, now: datetime, stage: Stage) -> PolicyDecision:
    """Judge ``evidence`` at the instant ``now`` (aware; a naive one raises ValueError)."""
    if now.tzinfo is None:
        raise ValueError("now must carry its zone")
    words = {fact: evidence.value(fact) for fact in VOCABULARY}
    fired = _fired({**words, "direction": evidence.direction, "stage": stage}, rules, now)
    grant, unmet, used = _nearest(words, evidence, rules, now, stage)
    opens = grant is not None and not unmet and not fired
    return PolicyDecision(
        stage=stage,
        outcome=fired[0].outcome if fired else Outcome.OPEN if opens else Outcome.COUNTER,
        reasons=tuple(dict.fromkeys(rule.reason for rule in fired)) or (() if opens else (REQUIREMENT_UNMET,)),
        grant=grant.entry.id if grant and opens else None,
        rules=tuple(rule.id for rule in fired),
        tolerances=used if opens else (),
        unmet=unmet,
        rules_version=rules.version,
    )


def _fired(words: Mapping[str, str], rules: RuleSet, now: datetime) -> list[Rule]:
    """Rules whose every condition holds, gravest first, else in the order of the file."""
    fired = [
        rule
        for fact, waiting in rules.rules_on
        for rule in waiting.get(words[fact], ())
        if rule.in_force(now) and all(words[name] in wanted for name, wanted in rule.when.items())
    ]
    return sorted(fired, key=lambda rule: -rule.outcome.severity)


_Attempt = tuple[ReadyGrant | None, tuple[str, ...], tuple[str, ...]]


def _nearest(words: Mapping[str, str], evidence: Evidence, rules: RuleSet, now: datetime, stage: Stage) -> _Attempt:
    """Of the grants for the book's class, else of all, the one that lacks least; what it lacks; the tolerances it would use."""
    grants = rules.grants_at[evidence.direction, stage]
    own = [grant for grant in grants if grant.entry.document_class == words["document_class"]]
    attempts = [(grant, *_try(grant, words, evidence, now)) for grant in own or grants]
    return min(attempts, key=lambda attempt: len(attempt[1]), default=(None, ("grant=none",), ()))


def _try(
    grant: ReadyGrant, words: Mapping[str, str], evidence: Evidence, now: datetime
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    unmet: list[str] = []
    used: list[str] = []
    if not grant.entry.in_force(now):
        unmet.append("grant=not_in_force")
    if grant.entry.checkpoints and evidence.checkpoint not in grant.entry.checkpoints:
        unmet.append(f"checkpoint={evidence.checkpoint}")
    profile = words.get("profile", NOT_PERFORMED)
    for need in grant.requirements:
        word = words[need.fact]
        if word in need.accepted and evidence.facts[need.fact].result is CheckResult.SUCCESSFUL:
            continue  # a good word whose check did not end successfully is a contradiction, and opens nothing
        tolerance = need.tolerated.get(word)
        if tolerance is not None and profile in tolerance.profiles and tolerance.in_force(now):
            used.append(tolerance.id)
        else:
            unmet.append(f"{need.fact}={word}")
    return tuple(unmet), tuple(used)
