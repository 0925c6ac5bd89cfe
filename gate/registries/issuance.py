"""The issuance registry: is this book on record, in force, of which class, with a chip, and by which steps was it issued?

``POST /issuance/status``. The steps (SPPT's stage log) go into the record of the transaction and decide nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gate.evidence import CheckResult, Fact
from gate.records import SopStage, SopTrail
from gate.registries.answers import unanswered
from gate.registries.base import BookQuestion, Contract, DocumentClass, Found, Instant, Office, RegistryAnswer, Reply, Unavailable
from gate.registries.facts import found, nothing_found, unavailable

Word = Annotated[str, Meta(max_length=32)]


class IssuanceQuestion(BookQuestion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which book."""


class IssuanceStage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stage of the procedure that the book went through; ``at`` is null where it was not logged."""

    name: Word
    at: Instant | None = None
    office: Office = ""


class IssuanceRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``chip``: whether the book was made with one, null: not known. ``distinct_approver``: whether another officer approved than entered."""

    status: Literal["active", "revoked", "lost"]
    document_class: DocumentClass
    replaced: bool = False
    office: Office = ""
    chip: bool | None = None
    sop_version: Word = ""
    stages: Annotated[tuple[IssuanceStage, ...], Meta(max_length=24)] = ()
    distinct_approver: bool | None = None


class IssuanceReply(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A found one without its record is no answer."""

    answer: Literal["found", "not_listed"]
    record: IssuanceRecord | None = None


def judged(records: tuple[IssuanceRecord, ...], _question: IssuanceQuestion) -> IssuanceReply:
    """The record of the book. Of several the first that speaks against it."""
    if not records:
        return IssuanceReply(answer="not_listed")
    worst = next((each for each in records if each.status != "active" or each.replaced), records[0])
    return IssuanceReply(answer="found", record=worst)


CONTRACT = Contract(
    name="issuance",
    path="/issuance/status",
    question=IssuanceQuestion,
    reply=IssuanceReply,
    nothing="not_listed",
    record=IssuanceRecord,
    judged=judged,
)


def issuance_fact(answer: RegistryAnswer[IssuanceReply], expected_class: str) -> Fact:
    """The ``issuance`` fact. ``expected_class``: what the MRZ makes of the book; another class on record is a finding."""
    if not isinstance(answer, Found):
        return nothing_found(answer, "not_found")
    record = answer.reply.record
    if record is None:
        return unavailable(answer.source, "malformed")
    word = book_word(record.status, record.document_class, expected_class, replaced=record.replaced)
    return found(answer, word, good=word == "active")


def book_word(status: str, document_class: str, expected_class: str, *, replaced: bool) -> str:
    """What a record makes of the ``issuance`` fact: the gravest that it says."""
    if status != "active":
        return status
    if replaced:
        return "replaced"
    return "active" if document_class == expected_class else "class_mismatch"


def document_model_fact(answer: RegistryAnswer[IssuanceReply]) -> Fact:
    """The ``document_model`` fact: only the issuer can say that a book has no chip; a dead chip looks the same to a reader."""
    if isinstance(answer, Unavailable):
        return unanswered("document_model", answer.source, answer.why)
    chip = answer.reply.record.chip if isinstance(answer, Found) and answer.reply.record else None
    if chip is None:
        return Fact(value="unknown", result=CheckResult.UNDETERMINED, source=answer.source, as_of=answer.as_of)
    word = "chip_expected" if chip else "chipless"
    return Fact(value=word, result=CheckResult.SUCCESSFUL, source=answer.source, as_of=answer.as_of)


def trail(answer: RegistryAnswer[IssuanceReply], capturing_office: str = "") -> SopTrail | None:
    """The stage log, for the record. None where the issuer holds none."""
    record = answer.reply.record if isinstance(answer, Found) else None
    if record is None or not record.sop_version:
        return None
    stages = tuple(SopStage(name=each.name, at=each.at, office=each.office) for each in record.stages)
    return SopTrail(
        sop_version=record.sop_version,
        issuing_office=record.office,
        capturing_office=capturing_office,
        stages=stages,
        distinct_approver=record.distinct_approver,
    )
