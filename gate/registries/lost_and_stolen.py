"""Travel documents that were reported lost or stolen (the shape of Interpol's SLTD): is this one of them?

``POST /lost-and-stolen/check``: ``clear`` or ``hit``, by the document's number. Who reported it, when and why is for officers, elsewhere.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gate.evidence import Fact
from gate.registries.base import BookQuestion, Contract, Found, RegistryAnswer, Reply
from gate.registries.facts import found, nothing_found


class LostAndStolenQuestion(BookQuestion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which book."""


class LostAndStolenRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That there is one is all there is to it."""


class LostAndStolenReply(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    answer: Literal["clear", "hit"]


def judged(records: tuple[LostAndStolenRecord, ...], _question: LostAndStolenQuestion) -> LostAndStolenReply:
    return LostAndStolenReply(answer="hit" if records else "clear")


CONTRACT = Contract(
    name="lost_and_stolen",
    path="/lost-and-stolen/check",
    question=LostAndStolenQuestion,
    reply=LostAndStolenReply,
    nothing="clear",
    record=LostAndStolenRecord,
    judged=judged,
)


def sltd_fact(answer: RegistryAnswer[LostAndStolenReply]) -> Fact:
    """The ``sltd`` fact: a book that is not listed is clear."""
    if isinstance(answer, Found):
        return found(answer, answer.reply.answer, good=answer.reply.answer == "clear")
    return nothing_found(answer, "clear", good=True)
