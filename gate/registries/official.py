"""A service or diplomatic passport stands in two registries, Connected One and the issuance record: what both together say.

Bad news of either counts. Good news counts only from both, and only if they agree on status and class: where two live answers
cannot both be true, there is no answer (``contradictory``). A snapshot is older than a live answer and may rightly differ from it.
"""

from __future__ import annotations

from gate.evidence import CheckResult, Fact
from gate.registries.answers import Answers
from gate.registries.base import Found, NotListed, RegistryAnswer
from gate.registries.connected_one import ConnectedOneReply, biometric_record_fact
from gate.registries.facts import found, nothing_found, unavailable
from gate.registries.issuance import IssuanceReply, book_word, document_model_fact, issuance_fact, trail

SOURCE = "issuance, connected_one"


def official_answers(
    issued: RegistryAnswer[IssuanceReply], captured: RegistryAnswer[ConnectedOneReply], expected_class: str
) -> Answers:
    """All facts of an official book, its trail, and the digest of the portrait that the issuer holds."""
    record = captured.reply.record if isinstance(captured, Found) else None
    return Answers(
        facts={
            "issuance": _both(issued, captured, expected_class),
            "document_model": document_model_fact(issued),
            "biometric_record": biometric_record_fact(captured),
        },
        trail=trail(issued, record.capturing_office if record else ""),
        portrait_sha256=(record.dg2_sha256 or "") if record else "",
    )


def _both(issued: RegistryAnswer[IssuanceReply], captured: RegistryAnswer[ConnectedOneReply], expected_class: str) -> Fact:
    facts = (issuance_fact(issued, expected_class), _captured_fact(captured, expected_class))
    if _contradict(issued, captured):
        return unavailable(SOURCE, "contradictory")
    bad = next((fact for fact in facts if fact.result is CheckResult.FAILED), None)
    silent = next((fact for fact in facts if fact.result is not CheckResult.SUCCESSFUL), None)
    if bad or silent:
        return bad or silent or Fact()
    return min(facts, key=lambda fact: (fact.value == "active", fact.as_of))


def _captured_fact(answer: RegistryAnswer[ConnectedOneReply], expected_class: str) -> Fact:
    if not isinstance(answer, Found):
        return nothing_found(answer, "not_found")
    record = answer.reply.record
    if record is None:
        return unavailable(answer.source, "malformed")
    word = book_word(record.status, record.document_class, expected_class, replaced=record.replaced)
    return found(answer, word, good=word == "active")


def _contradict(issued: RegistryAnswer[IssuanceReply], captured: RegistryAnswer[ConnectedOneReply]) -> bool:
    """Whether two live answers tell two stories of one book."""
    if not isinstance(issued, Found | NotListed) or not isinstance(captured, Found | NotListed):
        return False
    if issued.from_snapshot or captured.from_snapshot:
        return False
    return _story(issued) != _story(captured)


def _story(answer: Found[IssuanceReply] | Found[ConnectedOneReply] | NotListed) -> tuple[object, ...]:
    record = answer.reply.record if isinstance(answer, Found) else None
    return (record.status, record.document_class, record.replaced) if record else ()
