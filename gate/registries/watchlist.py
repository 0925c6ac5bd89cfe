"""The two national lists: *pencegahan* bars leaving, *penangkalan* bars entering. The direction picks the list; nobody else may.

``POST /watchlist/check {list, names: {primary_identifier, secondary_identifier}, birth, sex}``: ``clear``, ``possible`` or ``hit``.
``birth`` is YYMMDD as printed, unknown parts ``<``. A holder may have a primary identifier only.
"""

from __future__ import annotations

from typing import Literal, assert_never

from gate.evidence import CheckResult, Direction, Fact
from gate.registries.base import Contract, Found, NotListed, RegistryAnswer, Reply, Unavailable
from gate.registries.facts import found, unavailable

ListName = Literal["pencegahan", "penangkalan"]


class WatchlistReply(Reply, frozen=True, kw_only=True):
    """``list`` echoes which list was searched."""

    answer: Literal["clear", "possible", "hit"]
    list: ListName


CONTRACT = Contract(name="watchlist", path="/watchlist/check", reply=WatchlistReply, nothing="")
"""No ``answer`` is taken as *nothing known*: even a clear one must say which list was searched."""


def list_for(direction: Direction) -> ListName:
    """The list that a crossing in ``direction`` is checked against (UU 6/2011 art. 13, 16)."""
    match direction:
        case Direction.ARRIVAL:
            return "penangkalan"
        case Direction.DEPARTURE:
            return "pencegahan"
    assert_never(direction)


def watchlist_query(
    *, direction: Direction, primary_identifier: str, secondary_identifier: str, birth: str, sex: str
) -> dict[str, object]:
    return {
        "list": list_for(direction),
        "names": {"primary_identifier": primary_identifier, "secondary_identifier": secondary_identifier},
        "birth": birth,
        "sex": sex,
    }


_RESULTS = {"clear": CheckResult.SUCCESSFUL, "possible": CheckResult.UNDETERMINED, "hit": CheckResult.FAILED}


def watchlist_fact(answer: RegistryAnswer[WatchlistReply], direction: Direction) -> Fact:
    """The ``watchlist`` fact. An answer about the other list is no answer."""
    match answer:
        case Found(reply=reply) if reply.list == list_for(direction):
            return found(answer, reply.answer, _RESULTS[reply.answer])
        case Found() | NotListed():
            return unavailable(answer.source, "malformed")
        case Unavailable():
            return unavailable(answer.source, answer.why)
    assert_never(answer)
