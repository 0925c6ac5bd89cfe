"""The exit permit registry (Foreign Ministry): may this service or diplomatic book be used for leaving today, here?

``POST /exit-permits/verify {issuing_state, document_number, document_class, date, direction, checkpoint}``:
``valid``, ``none``, ``expired`` or ``mismatch`` (another class or checkpoint).
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from gate.evidence import CheckResult, Direction, Fact
from gate.registries.base import Contract, Found, RegistryAnswer, Reply
from gate.registries.facts import found, nothing_found


class ExitPermitReply(Reply, frozen=True, kw_only=True):
    answer: Literal["valid", "none", "expired", "mismatch"]
    valid_to: date | None = None


CONTRACT = Contract(name="exit_permit", path="/exit-permits/verify", reply=ExitPermitReply, nothing="none")


def exit_permit_query(
    *, issuing_state: str, document_number: str, document_class: str, civil_date: date, direction: Direction, checkpoint: str
) -> dict[str, object]:
    """``civil_date``: the date at the checkpoint."""
    return {
        "issuing_state": issuing_state,
        "document_number": document_number,
        "document_class": document_class,
        "date": civil_date,
        "direction": direction,
        "checkpoint": checkpoint,
    }


def exit_permit_fact(answer: RegistryAnswer[ExitPermitReply]) -> Fact:
    """The ``exit_permit`` fact."""
    if not isinstance(answer, Found):
        return nothing_found(answer, "none", CheckResult.FAILED)
    word = answer.reply.answer
    return found(answer, word, CheckResult.SUCCESSFUL if word == "valid" else CheckResult.FAILED)
