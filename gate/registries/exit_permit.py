"""The exit permit registry (Foreign Ministry): may this service or diplomatic book be used for leaving, today, here?

``POST /exit-permits/verify``: ``valid``, ``none``, ``expired``, ``used`` (a single one, and the traveller has left on it) or
``mismatch`` (another class, checkpoint or date).
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from gate.evidence import Direction, Fact
from gate.registries.base import Contract, CrossingQuestion, Day, DocumentClass, Found, Place, RegistryAnswer, Reply
from gate.registries.facts import found, nothing_found


class ExitPermitQuestion(CrossingQuestion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    document_class: DocumentClass


class ExitPermitRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``checkpoints`` empty: any. ``used``: somebody has left on it; that ends a single one."""

    kind: Literal["single", "multiple"] = "single"
    document_class: DocumentClass
    valid_from: Day = date.min
    valid_to: Day
    checkpoints: tuple[Place, ...] = ()
    used: bool = False


class ExitPermitReply(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    answer: Literal["valid", "none", "expired", "used", "mismatch"]


def judged(records: tuple[ExitPermitRecord, ...], question: ExitPermitQuestion) -> ExitPermitReply:
    """The best word that any permit of the book earns."""
    words = {_word(record, question) for record in records}
    for word in ("valid", "used", "expired", "mismatch"):
        if word in words:
            return ExitPermitReply(answer=word)
    return ExitPermitReply(answer="none")


def _word(permit: ExitPermitRecord, question: ExitPermitQuestion) -> str:
    elsewhere = permit.checkpoints and question.checkpoint not in permit.checkpoints
    if permit.document_class != question.document_class or elsewhere or question.direction is not Direction.DEPARTURE:
        return "mismatch"
    if question.date < permit.valid_from:
        return "mismatch"
    if permit.valid_to < question.date:
        return "expired"
    return "used" if permit.used and permit.kind == "single" else "valid"


CONTRACT = Contract(
    name="exit_permit",
    path="/exit-permits/verify",
    question=ExitPermitQuestion,
    reply=ExitPermitReply,
    nothing="none",
    record=ExitPermitRecord,
    judged=judged,
)


def exit_permit_fact(answer: RegistryAnswer[ExitPermitReply]) -> Fact:
    """The ``exit_permit`` fact."""
    if not isinstance(answer, Found):
        return nothing_found(answer, "none")
    return found(answer, answer.reply.answer, good=answer.reply.answer == "valid")
