"""From an outcome to what the lane does: a table, complete by the check at loading."""

from __future__ import annotations

from gate.evidence import Direction
from gate.outcome import PolicyDecision
from gate.policy.entries import LaneAction
from gate.policy.schema import RuleSet

__all__ = ["LaneAction", "lane_action"]


def lane_action(rules: RuleSet, decision: PolicyDecision, direction: Direction) -> LaneAction:
    """What doors and screen do for ``decision``. Defined for every outcome, stage and direction."""
    return rules.lane_actions[decision.outcome, decision.stage, direction]
