"""The two pure decisions: into the mantrap, and out of it. The engine behind both is ``gate/policy/engine.py``."""

from __future__ import annotations

from datetime import datetime

from gate.evidence import Evidence, Stage
from gate.outcome import Outcome, PolicyDecision
from gate.policy.engine import decide
from gate.policy.schema import RuleSet

__all__ = ["Outcome", "PolicyDecision", "decide_entry", "decide_exit"]


def decide_entry(evidence: Evidence, rules: RuleSet, now: datetime) -> PolicyDecision:
    """May this traveller walk into the mantrap? Document, registries and the gate's own state, at ``now`` (aware)."""
    return decide(evidence, rules, now, Stage.ENTRY)


def decide_exit(evidence: Evidence, rules: RuleSet, now: datetime) -> PolicyDecision:
    """May they leave it into, or out of, the country? All of the entry's facts again, and face, PAD and occupancy."""
    return decide(evidence, rules, now, Stage.EXIT)
