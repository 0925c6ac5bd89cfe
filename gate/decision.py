"""The two pure decisions: into the mantrap, and out of it. The engine behind both is ``gate/policy/engine.py``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum, unique
from typing import TYPE_CHECKING

import msgspec

from gate.evidence import Evidence, Stage

if TYPE_CHECKING:
    from gate.policy.schema import RuleSet


@unique
class Outcome(StrEnum):
    """What the gate does, from mild to grave. None of them refuses a traveller: that is an officer's act (UU 6/2011 art. 13)."""

    OPEN = "OPEN"
    RETRY = "RETRY"
    COUNTER = "COUNTER"
    SECONDARY = "SECONDARY"
    HOLD = "HOLD"

    @property
    def severity(self) -> int:
        return _ORDER[self]


_ORDER = {outcome: rank for rank, outcome in enumerate(Outcome)}


class PolicyDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What was ruled, and everything that led to it."""

    stage: Stage
    outcome: Outcome
    reasons: tuple[str, ...]
    """Reason codes, gravest first; empty only for OPEN."""
    grant: str | None
    """Id of the grant that opened; None unless OPEN."""
    rules: tuple[str, ...]
    """Ids of all rules that fired."""
    tolerances: tuple[str, ...]
    """Ids of the tolerances that were used."""
    unmet: tuple[str, ...]
    """``fact=value`` pairs that kept the nearest grant from opening."""
    rules_version: str


def decide_entry(evidence: Evidence, rules: RuleSet, now: datetime) -> PolicyDecision:
    """May this traveller walk into the mantrap? Document, registries and the gate's own state, at ``now`` (aware)."""
    from gate.policy.engine import decide  # the engine imports the types above

    return decide(evidence, rules, now, Stage.ENTRY)


def decide_exit(evidence: Evidence, rules: RuleSet, now: datetime) -> PolicyDecision:
    """May they leave it into, or out of, the country? All of the entry's facts again, and face, PAD and occupancy."""
    from gate.policy.engine import decide

    return decide(evidence, rules, now, Stage.EXIT)
