"""The registry of crossings: who crossed where, and on what. Append-only, and told by the gate alone.

``POST /crossings``, idempotent by transaction: the same crossing told again is ``recorded`` again; another one under its id is rejected (409).
"""

from __future__ import annotations

from typing import Literal

from gate.evidence import Direction
from gate.registries.base import Contract, Instant, Number, Place, Question, Reply, State

Ended = Literal["passed", "uncertain"]
End = Ended | Literal["voided"]
"""What becomes of a permit: somebody passed, or nobody can say, or nobody did, and there is no crossing."""


class Crossing(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One crossing by one book. ``transaction``, globally unique, is its id.

    ``ended``: somebody passed, at ``ended_at``; or nobody can say, since then. The gate fills both in when it tells the registry.
    """

    transaction: str
    gate: str
    checkpoint: Place
    direction: Direction
    issuing_state: State
    document_number: Number
    document_class: str
    permitted_at: Instant
    rules_version: str
    tolerances: tuple[str, ...] = ()
    """What was let pass; for an answer out of a snapshot among them the registry can say whether it was right."""
    ended: Ended = "uncertain"
    ended_at: Instant | None = None


class CrossingReply(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It stands in the registry, durably."""

    answer: Literal["recorded"]


CONTRACT = Contract(name="crossing", path="/crossings", question=Crossing, reply=CrossingReply, nothing="")
