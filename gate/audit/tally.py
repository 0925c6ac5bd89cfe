"""A gate's tally: with how many service and diplomatic books travellers came, and why they did not pass, told a day at a time.

What a transaction's record says of that is sealed, and the centre of a fleet has no key. So the gate counts, and tells its count as a record of
its own: no transaction, no time of day, nobody. But the centre knows when each traveller was done, which way they went and whether they passed.
A count says: so many of these. Hence a gate speaks of those who went one way (direction, passed or not) once they are :data:`LEAST` or more, and
until then keeps them for a later day's tally: each count is then of :data:`~gate.report.disclosure.K` people or hides among as many others.
Whether it speaks depends on their number alone, which the centre knows. No cryptography here: the lane loads this module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import msgspec

from gate.evidence import Direction
from gate.outcome import Outcome
from gate.records import Tally, TallyCount
from gate.registries.answers import OFFICIAL_CLASSES
from gate.report.causes import OFFICIAL, OTHER, causes_of
from gate.report.disclosure import K

KIND = "tally"
"""The record's."""
LEAST = 2 * K
"""Travellers. Of so many, any part is :data:`K` people at least, or all the others are."""
DAYS = 14
"""For so long travellers are kept for a later day's tally; and for so many days that are over a gate makes up what it did not tell."""
MOST_TRAVELLERS = 50_000
"""Of a lane in :data:`DAYS`: one every half minute, day and night, are forty thousand."""
MOST_COUNTS = 64
"""In a tally; all that there can be are forty-four."""
_CAUSES = frozenset({*OFFICIAL, OTHER})
_DAY = timedelta(days=1)
Way = tuple[Direction, bool]
"""Direction, and whether they passed by the gate."""
WAYS: tuple[Way, ...] = tuple((direction, passed) for direction in Direction for passed in (True, False))


class Crossed(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a transaction's record as is counted."""

    direction: Direction
    document_class: str
    outcome: Outcome
    reasons: tuple[str, ...]
    demonstration: bool


@dataclass(slots=True)
class Day:
    """Travellers of one day. ``unread``: those of whom nothing could be opened."""

    travellers: Counter[Way] = field(default_factory=Counter)
    books: Counter[tuple[Way, str, str]] = field(default_factory=Counter)
    """By way, class and cause."""
    unread: int = 0

    def add(self, crossed: Crossed) -> None:
        """Count one. ``RETRY`` counts for nothing: another try follows."""
        if crossed.outcome is Outcome.RETRY:
            return
        passed = crossed.outcome is Outcome.OPEN
        way = crossed.direction, passed
        self.travellers[way] += 1
        if crossed.document_class in OFFICIAL_CLASSES:
            cause = "" if passed else causes_of(crossed.reasons, OFFICIAL)[0]
            self.books[way, crossed.document_class, cause] += 1


def tally_of(day: date, days: Mapping[date, Day], told: Iterable[Tally], *, demonstration: bool) -> Tally:
    """The tally of ``day``, which is over. ``days``: as many before it as are known; ``told``: the tallies of those."""
    last = {
        (count.direction, count.passed): earlier.day
        for earlier in sorted(told, key=lambda each: each.day)
        for count in earlier.counts
    }
    since = {way: max(last.get(way, date.min) + _DAY, day - (DAYS - 1) * _DAY) for way in WAYS}
    counts = [count for way in WAYS for count in _counts(way, since[way], day, days)]
    return Tally(day=day, demonstration=demonstration, unread=days[day].unread if day in days else 0, counts=tuple(counts))


def _counts(way: Way, since: date, day: date, days: Mapping[date, Day]) -> list[TallyCount]:
    """All who went that way from ``since`` to ``day``, and those of them with official books; nothing where they are too few to be told of."""
    own = {at: each for at, each in days.items() if since <= at <= day and each.travellers[way]}
    travellers = sum(each.travellers[way] for each in own.values())
    if travellers < LEAST:
        return []
    books: Counter[tuple[str, str]] = Counter()
    for each in own.values():
        books.update({(name, cause): count for (its, name, cause), count in each.books.items() if its == way})
    told = [(("", ""), travellers), *sorted(books.items())]
    return [
        TallyCount(direction=way[0], passed=way[1], since=min(own), document_class=name, cause=cause, count=count)
        for (name, cause), count in told
    ]


def fault(tally: Tally, newest: date) -> str:
    """Why nothing of it is to be counted; empty: it can be what it says. ``newest``: the last day that may have been over when it was told."""
    if not timedelta() <= newest - tally.day <= DAYS * _DAY:
        return "of a day that it cannot be about"
    if len(tally.counts) > MOST_COUNTS or not 0 <= tally.unread <= MOST_TRAVELLERS:
        return "it says more than there can be"
    if len({_what(each) for each in tally.counts}) < len(tally.counts):
        return "it says one thing twice"
    return next((why for each in tally.counts if (why := _fault(each, tally.day))), "") or _sums(tally.counts)


def _what(count: TallyCount) -> tuple[Direction, bool, str, str]:
    return count.direction, count.passed, count.document_class, count.cause


def _fault(count: TallyCount, day: date) -> str:
    """What is wrong with one of its counts."""
    if not 0 < count.count <= MOST_TRAVELLERS:
        return "a number that cannot be"
    if not timedelta() <= day - count.since < DAYS * _DAY:
        return "days that it cannot be about"
    if count.document_class not in OFFICIAL_CLASSES | {""}:
        return "a class that is not told"
    wants_cause = count.document_class != "" and not count.passed
    return "" if (count.cause in _CAUSES if wants_cause else count.cause == "") else "a cause that there is not"


def _sums(counts: Iterable[TallyCount]) -> str:
    """Whether those with official books are part of all, and all are enough to be told of."""
    everybody: Counter[tuple[Direction, bool, date]] = Counter()
    books: Counter[tuple[Direction, bool, date]] = Counter()
    for each in counts:
        (books if each.document_class else everybody)[each.direction, each.passed, each.since] += each.count
    if any(count < LEAST for count in everybody.values()):
        return "too few people to be told of"
    return "more books than people" if any(count > everybody[way] for way, count in books.items()) else ""


class ToldTallies:
    """The lane's end: what the audit's process counted is taken once a day, and only where it can be."""

    def __init__(self) -> None:
        self._days: set[date] = set()

    def taken(self, tally: Tally, today: date) -> bool:
        """Whether it is to be logged now. ``today``: the checkpoint's."""
        if tally.day in self._days or fault(tally, today - _DAY):
            return False
        self._days = {day for day in self._days if today - day <= 2 * DAYS * _DAY} | {tally.day}
        return True

    def lost(self, tally: Tally) -> None:
        """The log did not take it: the next time it is told it is taken."""
        self._days.discard(tally.day)
