"""What a record says of an ended transaction, for figures: words and numbers, as far as they lie open. Nothing sealed is opened; there is no key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from gate.audit.fields import MARK

KIND = b"transaction"
MOST_STAGES, LONGEST = 64, 64
"""Of stages in a record, and letters in one of its words: more is no record of ours."""


class _Stage(msgspec.Struct):
    name: str
    duration_ms: float


class _Body(msgspec.Struct):
    """As much of :class:`gate.records.TransactionRecord` as the figures need."""

    direction: str
    started: datetime
    ended: datetime
    document_class: str
    outcome: str
    reasons: list[str]
    stages: list[_Stage]
    demonstration: bool


class _Sealed(msgspec.Struct):
    clear: msgspec.Raw


_bodies, _boxes = msgspec.json.Decoder(_Body), msgspec.json.Decoder(_Sealed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """``document_class`` and ``reasons`` are empty where the gate sealed them."""

    direction: str
    started: datetime
    ended: datetime
    document_class: str
    outcome: str
    reasons: list[str]
    stages: dict[str, float]
    demonstration: bool

    @property
    def seconds(self) -> float:
        return (self.ended - self.started).total_seconds()


def crossing_of(body: bytes) -> Crossing | None:
    """Of a record of :data:`KIND`; None where it says nothing that could be counted. Any bytes in."""
    try:
        told = _bodies.decode(_boxes.decode(body).clear if body.startswith(MARK) else body)
        if told.started.tzinfo is None or told.ended.tzinfo is None:
            return None
        started, ended = told.started.astimezone(UTC), told.ended.astimezone(UTC)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        return None
    words = [told.direction, told.document_class, told.outcome, *told.reasons, *(stage.name for stage in told.stages)]
    if len(words) > 4 * MOST_STAGES or any(len(word) > LONGEST or "\0" in word for word in words):
        return None
    return Crossing(
        direction=told.direction,
        started=started,
        ended=ended,
        document_class=told.document_class,
        outcome=told.outcome,
        reasons=told.reasons,
        stages={stage.name: stage.duration_ms for stage in told.stages[:MOST_STAGES]},
        demonstration=told.demonstration,
    )
