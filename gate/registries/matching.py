"""Whether a traveller may be a person on a list: the word that comes of their agreement (``agreement.py``).

Of N persons on a list, chance lets about N / 2**bits agree so well with a given traveller: that is what the threshold is set by. A name
alone never makes a ``hit``: it takes the number of the document, or a rare name, the whole date of birth and the sex. What is less,
and more than chance, is ``possible``, and a person looks. All functions here are pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import log2
from typing import Literal

from gate.registries.agreement import Agreement, BirthAgreement, agreement
from gate.registries.identity import Identity, born, listed, traveller
from gate.registries.names import ListedPerson, ListName, PersonQuery

Word = Literal["clear", "possible", "hit"]
Code = Literal["", "document", "identity", "document_other_person", "namesake", "many_namesakes", "no_name", "no_birth_month"]
"""Why: number and name agree; name, birth and sex do; the number does, and name, birth or sex speak of somebody else; a namesake; too many of
them to look at each; a traveller without a name, or without year and month of birth, whom no long list can be searched for."""

CHANCE = 1 / 16
"""A traveller's namesakes count as long as chance alone would let no more than so many of the list agree as well. The one figure that was
calibrated: ``python -m benchmarks.watchlist --calibrate --seed 1 --entries 100000``, for one in a hundred travellers sent to an officer
for nothing (docs/watchlist.md).
"""
LEAST_ENTRIES = 10_000
"""A list is taken to be so long at least, or a short one would make namesakes of strangers."""
HIT_NAME_BITS = 16.0
"""What an equal name of several words must say before it makes a hit with birth and sex (31 bits in all): ``MUHAMMAD ALI`` never does."""
DATED = frozenset({BirthAgreement.EQUAL, BirthAgreement.MONTH, BirthAgreement.SWAPPED})
"""What counts as an agreeing date of birth for a name of one word, which must have one."""


@dataclass(frozen=True, slots=True)
class Match:
    """The word for a traveller, why, and the bits of the entry that it is about."""

    word: Word
    code: Code
    score: float

    @property
    def rank(self) -> tuple[int, float]:
        """The greater, the worse."""
        return ("clear", "possible", "hit").index(self.word), self.score


CLEAR = Match("clear", "", 0.0)


def threshold(entries: int) -> float:
    """The bits from which on a traveller is possibly one of so many persons on a list."""
    return log2(max(entries, LEAST_ENTRIES) / CHANCE)


def unsearchable(asked: Identity) -> Match:
    """The least word for a traveller for whom no list can be searched by name; clear for all others."""
    if not asked.names:
        return Match("possible", "no_name", 0.0)
    if not all(born(asked.birth)[:2]):
        return Match("possible", "no_birth_month", 0.0)
    return CLEAR


def judged(agreed: Agreement, least: float) -> Match:
    """The word for an agreement with one entry that is in force; ``least``: the :func:`threshold` of its list.

    States give out the same numbers, and a list may not know the State: a number alone holds nobody whose name says nothing, or
    whose birth or sex is another's.
    """
    if agreed.document:
        compatible = agreed.name > 0 and agreed.birth is not BirthAgreement.DIFFERENT and agreed.sex is not False
        return Match("hit" if compatible else "possible", "document" if compatible else "document_other_person", agreed.bits)
    if agreed.one_word and not (agreed.birth in DATED and agreed.name > 0):
        return Match("clear", "", agreed.bits)
    if agreed.bits < least:
        return Match("clear", "", agreed.bits)
    strong = agreed.equal and not agreed.one_word and agreed.name >= HIT_NAME_BITS
    if strong and agreed.birth is BirthAgreement.EQUAL and agreed.sex:
        return Match("hit", "identity", agreed.bits)
    return Match("possible", "namesake", agreed.bits)


def check(query: PersonQuery, persons: Iterable[ListedPerson], name: ListName, at: datetime) -> Match:
    """Ask the list ``name`` of ``persons`` about a traveller at the aware instant ``at``, entry by entry: the worst word of all."""
    asked, entries = traveller(query), [listed(person) for person in persons if person.list == name]
    least = threshold(len(entries))
    found = (judged(agreement(asked, entry.identity), least) for entry in entries if entry.in_force(at))
    return max((unsearchable(asked), *found), key=lambda match: match.rank)
