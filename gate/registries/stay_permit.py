"""Visas and stay permits of foreigners: may the holder of this book enter or leave on what was granted for it?

``POST /stay-permits/verify``: ``valid``, ``none``, ``no_reentry`` (a limited or permanent stay permit without permission to come back),
``overstay``, or ``abtc`` (an APEC business card, which an officer stamps).
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from gate.evidence import Direction, Fact
from gate.registries.base import Contract, CrossingQuestion, Day, Found, RegistryAnswer, Reply
from gate.registries.facts import found, nothing_found


class StayPermitQuestion(CrossingQuestion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which book, where, when."""


class StayPermitRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``valid_to``: last day of entry (before) or of stay (after it). ``re_entry_to``: of an ITAS or ITAP, last day to come back; null: never."""

    kind: Literal["e_voa", "e_visa", "visa_free", "itas", "itap", "abtc"]
    valid_from: Day = date.min
    valid_to: Day
    re_entry_to: Day | None = None


class StayPermitReply(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    answer: Literal["valid", "none", "no_reentry", "overstay", "abtc"]


def judged(records: tuple[StayPermitRecord, ...], question: StayPermitQuestion) -> StayPermitReply:
    """The best word that any permit of the book earns; an old permit beside a valid one is no overstay."""
    words = {_word(record, question) for record in records}
    for word in ("valid", "abtc", "no_reentry", "overstay"):
        if word in words:
            return StayPermitReply(answer=word)
    return StayPermitReply(answer="none")


def _word(permit: StayPermitRecord, question: StayPermitQuestion) -> str:
    if permit.kind == "abtc":
        return "abtc"
    if question.date < permit.valid_from:
        return "none"
    if permit.valid_to < question.date:
        return "overstay" if question.direction is Direction.DEPARTURE else "none"
    resident = permit.kind in {"itas", "itap"}
    return "no_reentry" if resident and (permit.re_entry_to or date.min) < question.date else "valid"


CONTRACT = Contract(
    name="stay_permit",
    path="/stay-permits/verify",
    question=StayPermitQuestion,
    reply=StayPermitReply,
    nothing="none",
    record=StayPermitRecord,
    judged=judged,
)


def stay_permit_fact(answer: RegistryAnswer[StayPermitReply]) -> Fact:
    """The ``stay_permit`` fact."""
    if not isinstance(answer, Found):
        return nothing_found(answer, "none")
    return found(answer, answer.reply.answer, good=answer.reply.answer == "valid")
