"""The lists of persons: *pencegahan* bars leaving, *penangkalan* bars entering, *wanted* calls for an officer whichever way. Each is asked alone.

``POST /watchlist/check``: ``clear``, ``possible`` (a namesake, as far as can be told) or ``hit``, and the list that was searched.
"""

from __future__ import annotations

from typing import Literal, assert_never

from gate.evidence import CheckResult, Fact
from gate.registries.base import Contract, Found, NotListed, Question, RegistryAnswer, Reply, Unavailable
from gate.registries.facts import found, unavailable
from gate.registries.names import ListName, PersonQuery


class WatchlistQuestion(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is this person on that list?"""

    list: ListName
    person: PersonQuery


class WatchlistReply(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``list`` echoes which list was searched."""

    answer: Literal["clear", "possible", "hit"]
    list: ListName


CONTRACT = Contract(name="watchlist", path="/watchlist/check", question=WatchlistQuestion, reply=WatchlistReply, nothing="")
"""No ``answer`` is taken as *nothing known*: even a clear one must say which list was searched."""


def watchlist_fact(answer: RegistryAnswer[WatchlistReply], asked: ListName) -> Fact:
    """The fact that bears the list's name. An answer about another list is no answer."""
    match answer:
        case Found(reply=WatchlistReply(answer="possible", list=searched)) if searched == asked:
            return Fact(value="possible", result=CheckResult.UNDETERMINED, source=answer.source, as_of=answer.as_of)
        case Found(reply=reply) if reply.list == asked:
            return found(answer, reply.answer, good=reply.answer == "clear")
        case Found() | NotListed():
            return unavailable(answer.source, "malformed")
        case Unavailable():
            return unavailable(answer.source, answer.why)
    assert_never(answer)
