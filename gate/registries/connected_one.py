"""Connected One: what Immigration and the Foreign Ministry hold together of a service or diplomatic passport.

``POST /connected-one/status``: is the book in force, of which class, was its holder's biometric data recorded, and is the chip's
portrait the one that was recorded (as a digest: the picture itself stays where it is).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gate.evidence import Fact
from gate.registries.base import BookQuestion, Contract, DocumentClass, Found, Office, RegistryAnswer, Reply
from gate.registries.facts import found, nothing_found, unavailable

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="SHA-256 of data group 2, in hexadecimal")]


class ConnectedOneQuestion(BookQuestion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which book."""


class ConnectedOneRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``replaced``: another book was issued in its stead; which one is nobody's business at a gate."""

    status: Literal["active", "revoked", "lost"]
    document_class: DocumentClass
    biometric_recorded: bool
    dg2_sha256: Sha256 | None = None
    replaced: bool = False
    capturing_office: Office = ""


class ConnectedOneReply(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A found one without its record is no answer."""

    answer: Literal["found", "not_listed"]
    record: ConnectedOneRecord | None = None


def judged(records: tuple[ConnectedOneRecord, ...], _question: ConnectedOneQuestion) -> ConnectedOneReply:
    """The record of the book. Of several the first that speaks against it."""
    if not records:
        return ConnectedOneReply(answer="not_listed")
    worst = next((each for each in records if each.status != "active" or each.replaced), records[0])
    return ConnectedOneReply(answer="found", record=worst)


CONTRACT = Contract(
    name="connected_one",
    path="/connected-one/status",
    question=ConnectedOneQuestion,
    reply=ConnectedOneReply,
    nothing="not_listed",
    record=ConnectedOneRecord,
    judged=judged,
)


def biometric_record_fact(answer: RegistryAnswer[ConnectedOneReply]) -> Fact:
    """The ``biometric_record`` fact: were the holder's biometric data recorded when the book was applied for?"""
    if not isinstance(answer, Found):
        return nothing_found(answer, "none")
    if answer.reply.record is None:
        return unavailable(answer.source, "malformed")
    recorded = answer.reply.record.biometric_recorded
    return found(answer, "recorded" if recorded else "none", good=recorded)
