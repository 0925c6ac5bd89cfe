"""Evidence that just satisfies a grant: where examples and random walks begin."""

from __future__ import annotations

from datetime import datetime

from gate.evidence import VOCABULARY, Evidence, successful
from gate.policy.schema import ReadyGrant


def satisfying(grant: ReadyGrant, now: datetime, profile: str = "demo") -> Evidence:
    """Evidence with the best accepted word for each fact that ``grant`` requires, and nothing else."""
    facts = {need.fact: successful(min(need.accepted, key=VOCABULARY[need.fact].index)) for need in grant.requirements}
    return Evidence(
        transaction="survey",
        lane="survey",
        checkpoint="CGK",
        direction=grant.entry.direction,
        civil_date=now.date(),
        facts=facts | {"profile": successful(profile)},
    )
