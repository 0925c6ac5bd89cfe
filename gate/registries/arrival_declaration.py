"""The declaration that everybody makes before arriving (All Indonesia): is there one for this book and this arrival?

``POST /arrival-declarations/verify``: ``declared`` or ``missing``. What was declared is the business of those it was declared to.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

from gate.evidence import Fact
from gate.registries.base import Contract, CrossingQuestion, Day, Found, RegistryAnswer, Reply
from gate.registries.facts import found, nothing_found

SLACK = timedelta(days=1)
"""A flight that was due before midnight may land after it (design assumption)."""


class ArrivalDeclarationQuestion(CrossingQuestion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which book, where, when."""


class ArrivalDeclarationRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    arrival: Day


class ArrivalDeclarationReply(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    answer: Literal["declared", "missing"]


def judged(records: tuple[ArrivalDeclarationRecord, ...], question: ArrivalDeclarationQuestion) -> ArrivalDeclarationReply:
    """Whether any declaration is for this day, or the one beside it."""
    fits = any(-SLACK <= record.arrival - question.date <= SLACK for record in records)
    return ArrivalDeclarationReply(answer="declared" if fits else "missing")


CONTRACT = Contract(
    name="arrival_declaration",
    path="/arrival-declarations/verify",
    question=ArrivalDeclarationQuestion,
    reply=ArrivalDeclarationReply,
    nothing="missing",
    record=ArrivalDeclarationRecord,
    judged=judged,
)


def declaration_fact(answer: RegistryAnswer[ArrivalDeclarationReply]) -> Fact:
    """The ``declaration`` fact."""
    if not isinstance(answer, Found):
        return nothing_found(answer, "missing")
    return found(answer, answer.reply.answer, good=answer.reply.answer == "declared")
