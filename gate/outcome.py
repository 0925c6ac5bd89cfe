"""What a decision is: an outcome, its reasons, and everything that led to it."""

from __future__ import annotations

from enum import StrEnum, unique

import msgspec

from gate.evidence import Stage


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
    annotations: tuple[str, ...] = ()
    """Codes of what an officer is told besides; they change no outcome."""
