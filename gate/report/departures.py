"""Which offices depart from the others: for each finding, has an office more of it than its books' gates and classes explain?

Every office that may be shown is asked about every finding that occurs at all; the chance of naming any office wrongly, where all
work alike, is :data:`ALPHA` at most.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gate.report.books import Book
from gate.report.causes import CAPTURED, ISSUED
from gate.report.disclosure import kept_apart
from gate.report.exact import chance_of, holm
from gate.report.intervals import Share
from gate.sop import FLAGS

ALPHA = 0.01
Role = Literal["issued", "captured"]
ASKED: Mapping[Role, tuple[str, ...]] = {"issued": (*ISSUED, *FLAGS), "captured": tuple(CAPTURED)}
"""What is asked about the office that issued a book, and about the one that took the biometrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Has ``office`` more of ``finding`` than ``others``? ``chance``: of as much by accident, asked alone."""

    office: str
    role: Role
    finding: str
    own: Share
    others: Share
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A question that was answered with yes. ``chance`` is adjusted for all that were asked."""

    question: Question
    chance: float

    @property
    def bound(self) -> str:
        """Coarse, for the exact figure depends on groups that are not shown."""
        return "< 0.001" if self.chance < 0.001 else f"≤ {ALPHA}"


def office_of(book: Book, role: Role) -> str:
    return book.issued_by if role == "issued" else book.captured_by


def departures(books: Sequence[Book]) -> tuple[tuple[Departure, ...], int]:
    """The offices that depart, and how many questions were asked."""
    asked = [question for role in ASKED for question in _questions(books, role)]
    adjusted = holm([question.chance for question in asked])
    found = (Departure(question=question, chance=chance) for question, chance in zip(asked, adjusted, strict=True))
    return tuple(each for each in found if each.chance <= ALPHA), len(asked)


def _questions(books: Sequence[Book], role: Role) -> Iterator[Question]:
    sizes = Counter(book.stratum for book in books)
    marked = Counter((found, book.stratum) for book in books for found in book.found)
    members: defaultdict[str, list[Book]] = defaultdict(list)
    for book in books:
        members[office_of(book, role)].append(book)
    totals = Counter(found for book in books for found in book.found)
    for office in sorted(kept_apart({name: len(own) for name, own in members.items()})):
        own, drawn = members[office], Counter(book.stratum for book in members[office])
        if len(own) == len(books):
            return  # there is nobody to compare it with
        hits = Counter(found for book in own for found in book.found)
        for finding in ASKED[role]:
            if totals[finding]:
                strata = [(sizes[where], marked[finding, where], count) for where, count in drawn.items()]
                others = Share(name=finding, hits=totals[finding] - hits[finding], trials=len(books) - len(own))
                yield Question(
                    office=office,
                    role=role,
                    finding=finding,
                    own=Share(name=finding, hits=hits[finding], trials=len(own)),
                    others=others,
                    chance=chance_of(hits[finding], strata),
                )
