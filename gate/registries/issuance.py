"""The issuance registry (Connected One): is this book on record, in force, and of which class?

``POST /issuance/status {issuing_state, document_number}``: ``found`` with the record, or ``not_listed``.
"""

from __future__ import annotations

from typing import Literal

from gate.evidence import CheckResult, Fact
from gate.registries.base import Contract, Found, RegistryAnswer, Reply
from gate.registries.facts import found, nothing_found, unavailable


class IssuanceReply(Reply, frozen=True, kw_only=True):
    """``status`` and ``document_class`` count only where ``answer`` is ``found``; a found one without them is no record."""

    answer: Literal["found", "not_listed"]
    status: Literal["active", "revoked", "lost"] | None = None
    document_class: Literal["ordinary", "service", "diplomatic"] | None = None
    office: str = ""
    biometric_recorded: bool | None = None


CONTRACT = Contract(name="issuance", path="/issuance/status", reply=IssuanceReply, nothing="not_listed")


def issuance_query(issuing_state: str, document_number: str) -> dict[str, object]:
    return {"issuing_state": issuing_state, "document_number": document_number}


def issuance_fact(answer: RegistryAnswer[IssuanceReply], expected_class: str) -> Fact:
    """The ``issuance`` fact. ``expected_class``: what the MRZ makes of the book; another class on record is a finding."""
    if not isinstance(answer, Found):
        return nothing_found(answer, "not_found", CheckResult.FAILED)
    record = answer.reply
    if record.status is None or record.document_class is None:
        return unavailable(answer.source, "malformed")
    if record.status != "active":
        return found(answer, record.status, CheckResult.FAILED)
    if record.document_class != expected_class:
        return found(answer, "class_mismatch", CheckResult.FAILED)
    return found(answer, "active", CheckResult.SUCCESSFUL)
