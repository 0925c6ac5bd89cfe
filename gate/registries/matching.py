"""Whether a traveller may be a person on a list: how much their agreement says, in bits, and the word that comes of it.

Evidence is weighed as in record linkage (Fellegi and Sunter, 1969): what two records share says as much as it is rare among people who
have nothing to do with each other, and what they do not share says how seldom one person is written down so differently. The sum is
the binary logarithm of a likelihood ratio; of N persons on a list, chance lets about N / 2**bits agree so well with a given traveller.

A name alone never makes a ``hit``: it takes the number of the document, or a rare name, the whole date of birth and the sex. What is
less, and more than chance, is ``possible``, and a person looks. All functions here are pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, unique
from itertools import permutations
from math import log2
from typing import Literal

import msgspec
from rapidfuzz.distance import JaroWinkler

from gate.registries.names import ListedPerson, ListName, PersonQuery, Words, bits, parts, skeleton, tokens

Word = Literal["clear", "possible", "hit"]
Bits = Callable[[str], float]
"""How much a token says that two people share: by the table of names, or by the list that is searched."""
Code = Literal["", "document", "identity", "document_other_name", "namesake", "many_namesakes", "no_birth_month"]
"""Why: number and name agree; name, birth and sex do; the number does and the name does not; a namesake; too many of them to look at each;
a traveller without year and month of birth, whom no long list can be searched for."""

# --- what the figures are --------------------------------------------------------------------------------------------------------

CHANCE = 1 / 64
"""A traveller's namesakes count as long as chance alone would let no more than so many of the list agree as well: the one figure that was
calibrated (``python -m benchmarks.watchlist --calibrate`` on 1,000,000 entries, docs/watchlist.md)."""
LEAST_ENTRIES = 10_000
"""A list is taken to be so long at least, or a short one would make namesakes of strangers."""
HIT_NAME_BITS = 18.0
"""What an equal name of several words must say before it makes a hit with birth and sex (33 bits in all): ``MUHAMMAD ALI`` never does."""
ONE_WORD_ALIKE = 0.75
"""How alike two names must be of which one has a single word; and they need a date of birth."""
COMPATIBLE_BITS = 0.0
"""A name that speaks neither for nor against the same person: enough beside an equal document number."""

CONTRADICTION_BITS = 4.0
"""Of a word for which the other name has no counterpart, though it has as many: one in sixteen entries errs so."""
MORE_BITS = 1.0
"""Of each word that one name has more than the other: names are shortened often."""
ALONE_BITS = 2.8
"""That both names are a single word: one in eight is."""
UNLIKE = 0.8
"""Jaro-Winkler similarity from which on two words have nothing to do with each other."""
SAME_SKELETON = 0.85
LEAST_SKELETON = 3
"""How alike words are at least that share a skeleton of so many sounds, where their spelling is not altogether different."""
LEAST_JOINED = 6
"""Letters of two words that may stand as one."""
MAX_TOKENS = 5
"""Of a longer name, the words that say most."""
AGE_SLACK = 1
"""Years by which a noted age may be wrong either way."""


@unique
class BirthAgreement(Enum):
    """How two dates of birth agree: its share among two records of one person in which as much is known, and among those of two persons.
    The first are assumptions (lists err as docs/watchlist.md says), the second arithmetic over the days of sixty years.
    """

    EQUAL = (0.91, 1 / 21_915)
    MONTH = (0.95, 1 / 720)
    """Equal as far as known: year and month."""
    YEAR = (0.96, 1 / 60)
    """Equal as far as known: the year."""
    SWAPPED = (0.02, 12 / 30 / 21_915)
    OTHER_DAY = (0.02, 29 / 21_915)
    OTHER_MONTH = (0.01, 11 / 21_915)
    NEXT_YEAR = (0.02, 2 / 21_915)
    OTHER_YEAR = (0.01, 57 / 21_915)
    """Day and month are equal, the year is not."""
    AGE = (0.9, 4 / 60)
    """Born in one of the years that a noted age allows."""
    UNKNOWN = (1.0, 1.0)
    DIFFERENT = (0.01, 0.97)

    def __init__(self, same: float, others: float) -> None:
        self.bits = log2(same / others)


DATED = frozenset({BirthAgreement.EQUAL, BirthAgreement.MONTH, BirthAgreement.SWAPPED})
"""What counts as an agreeing date of birth for a name of one word."""
SEX_BITS = {True: log2(0.99 / 0.5), False: log2(0.01 / 0.5)}


# --- who is compared -------------------------------------------------------------------------------------------------------------


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """What is compared of a person. ``names`` and aliases as tokens in alphabetical order; ``birth`` YYMMDD with ``<``; ``years``: first and
    last year of birth by a noted age, or empty; ``sex`` empty if unknown; ``documents`` as number and issuing State.
    """

    names: tuple[tuple[str, ...], ...]
    birth: str
    years: tuple[int, ...]
    sex: str
    documents: tuple[tuple[str, str], ...]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A listed person, made ready; instants as seconds since 1970."""

    list: str
    identity: Identity
    valid_from: float
    valid_to: float

    def in_force(self, at: datetime) -> bool:
        """Whether it holds at the aware instant ``at``."""
        return self.valid_from <= at.timestamp() < self.valid_to


def traveller(query: PersonQuery) -> Identity:
    """The identity that is asked about."""
    return Identity(
        names=_names([f"{query.primary_identifier} {query.secondary_identifier}"], parts),
        birth=query.birth,
        years=(),
        sex=_sex(query.sex),
        documents=_documents([(query.document_number, query.issuing_state)]),
    )


def listed(person: ListedPerson, words: Words = parts) -> Entry:
    """The entry made ready. ``words``: see :func:`gate.registries.names.tokens`."""
    born = () if person.age is None else _years(person.valid_from.year - person.age)
    own = f"{person.primary_identifier} {person.secondary_identifier}"
    return Entry(
        list=person.list,
        identity=Identity(
            names=_names([own, *person.aliases], words),
            birth=person.birth,
            years=born,
            sex=_sex(person.sex),
            documents=_documents((each.document_number, each.issuing_state) for each in person.documents),
        ),
        valid_from=person.valid_from.timestamp(),
        valid_to=person.end.timestamp(),
    )


def _years(latest: int) -> tuple[int, int]:
    """Who is *a* years old on a day was born *a* or *a* + 1 calendar years before."""
    return latest - 1 - AGE_SLACK, latest + AGE_SLACK


def _names(names: Iterable[str], words: Words) -> tuple[tuple[str, ...], ...]:
    spelled = dict.fromkeys(tuple(sorted(_weightiest(tokens(name, words)))) for name in names)
    return tuple(name for name in spelled if name)


def _weightiest(name: tuple[str, ...]) -> list[str]:
    return sorted(name, key=lambda token: (-bits(token), token))[:MAX_TOKENS]


def _sex(sex: str) -> str:
    return sex if sex in {"M", "F"} else ""


def _documents(documents: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    bare = ((number.replace("<", ""), state.rstrip("<")) for number, state in documents)
    return tuple(each for each in bare if each[0])


# --- what agrees -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two identities agree. ``name`` in bits, and whether it is ``equal``, and whether one of the names has ``one_word``."""

    name: float
    equal: bool
    one_word: bool
    birth: BirthAgreement
    sex: bool | None
    document: bool

    @property
    def bits(self) -> float:
        """All but the document."""
        return self.name + self.birth.bits + (0.0 if self.sex is None else SEX_BITS[self.sex])


def agreement(one: Identity, other: Identity, said: Bits = bits) -> Agreement:
    """How they agree, by the pair of their names that agrees best. Who is asked about whom makes no difference."""
    birth = _birth(one, other)
    sex = one.sex == other.sex if one.sex and other.sex else None
    document = any(_same_document(a, b) for a in one.documents for b in other.documents)
    best = (0.0, False, True)
    compared = [_name(a, b, said) for a in one.names for b in other.names]
    if compared:
        best = max(compared)
    return Agreement(*best, birth, sex, document)


def threshold(entries: int) -> float:
    """The bits from which on a traveller is possibly one of so many persons on a list."""
    return log2(max(entries, LEAST_ENTRIES) / CHANCE)


def judged(agreed: Agreement, least: float) -> Match:
    """The word for an agreement with one entry that is in force; ``least``: the :func:`threshold` of its list."""
    if agreed.document:
        compatible = agreed.name >= COMPATIBLE_BITS
        return Match("hit" if compatible else "possible", "document" if compatible else "document_other_name", agreed.bits)
    if agreed.one_word and not (agreed.birth in DATED and agreed.name > 0):
        return Match("clear", "", agreed.bits)
    if agreed.bits < least:
        return Match("clear", "", agreed.bits)
    strong = agreed.equal and not agreed.one_word and agreed.name >= HIT_NAME_BITS
    if strong and agreed.birth is BirthAgreement.EQUAL and agreed.sex:
        return Match("hit", "identity", agreed.bits)
    return Match("possible", "namesake", agreed.bits)


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


def check(query: PersonQuery, persons: Iterable[ListedPerson], name: ListName, at: datetime) -> Match:
    """Ask the list ``name`` of ``persons`` about a traveller at the aware instant ``at``, entry by entry: the worst word of all."""
    asked, entries = traveller(query), [listed(person) for person in persons if person.list == name]
    least = threshold(len(entries))
    found = (judged(agreement(asked, entry.identity), least) for entry in entries if entry.in_force(at))
    return max(found, key=lambda match: match.rank, default=CLEAR)


def _same_document(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one[0] == other[0] and (not one[1] or not other[1] or one[1] == other[1])


# --- names -----------------------------------------------------------------------------------------------------------------------


def _name(one: tuple[str, ...], other: tuple[str, ...], said: Bits) -> tuple[float, bool, bool]:
    """Bits of two names, whether they are equal, and whether one of them is but a single word. Below 0 where that is not alike enough."""
    alone = ALONE_BITS if len(one) == len(other) == 1 else 0.0
    if one == other:
        return sum(map(said, one)) + alone, True, len(one) == 1
    shorter, longer = sorted((one, other), key=lambda name: (len(name), name))
    agreed, left, right = _equal_words(shorter, longer, said)
    one_word = len(shorter) == 1 and len(right) >= len(longer) - 1
    if one_word and left and max(alike(left[0], token) for token in right) < ONE_WORD_ALIKE:
        return -CONTRADICTION_BITS, False, True
    return agreed + alone + _assigned(left, right, said) - MORE_BITS * (len(longer) - len(shorter)), False, one_word


def _equal_words(shorter: tuple[str, ...], longer: tuple[str, ...], said: Bits) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
    """The bits of the words that are equal, one by one or joined (``NURHAYATI`` and two words), and what is left of both."""
    agreed, left, right = 0.0, [], list(longer)
    for token in shorter:
        found = [token] if token in right else _joined(token, right)
        for word in found:
            right.remove(word)
            agreed += said(word)
        if not found:
            left.append(token)
    return agreed, tuple(left), tuple(right)


def _joined(token: str, words: Sequence[str]) -> list[str]:
    """The two of ``words`` that make up ``token`` together, give or take a letter where they meet."""
    for first, second in permutations(words, 2):
        length = len(first) + len(second)
        if length >= LEAST_JOINED and abs(length - len(token)) <= 1 and alike(first + second, token) >= ONE_WORD_ALIKE:
            return [first, second]
    return []


def _assigned(left: tuple[str, ...], right: tuple[str, ...], said: Bits) -> float:
    """Bits of the best assignment of the words ``left`` over to those of ``right``, in any order, some to none."""
    if not left:
        return 0.0
    word, rest = left[0], left[1:]
    best = _assigned(rest, right, said) - CONTRADICTION_BITS
    for at, other in enumerate(right):
        likeness = alike(word, other)
        if likeness > 0:
            gain = likeness * (min(said(word), said(other)) + CONTRADICTION_BITS) - CONTRADICTION_BITS
            best = max(best, gain + _assigned(rest, right[:at] + right[at + 1 :], said))
    return best


def alike(one: str, other: str) -> float:
    """How alike two words are: 1 for equal ones and an initial, 0 for those that have nothing to do with each other."""
    if one == other:
        return 1.0
    first, second = sorted((one, other), key=lambda word: (len(word), word))  # the measure is not quite symmetric
    if len(first) == 1:
        return float(second.startswith(first))
    likeness = max(0.0, (JaroWinkler.similarity(first, second) - UNLIKE) / (1 - UNLIKE))
    sounds = skeleton(one)
    if likeness > 0 and len(sounds) >= LEAST_SKELETON and sounds == skeleton(other):
        return max(likeness, SAME_SKELETON)
    return likeness


# --- dates of birth --------------------------------------------------------------------------------------------------------------


def _birth(one: Identity, other: Identity) -> BirthAgreement:
    (year, month, day), (their_year, their_month, their_day) = born(one.birth), born(other.birth)
    if not (year and their_year):
        return _by_age(one, other)
    if year == their_year:
        return _in_one_year(month, day, their_month, their_day)
    if month and day and (month, day) == (their_month, their_day):
        apart = abs(int(year) - int(their_year))
        return BirthAgreement.NEXT_YEAR if apart in {1, 99} else BirthAgreement.OTHER_YEAR
    return BirthAgreement.DIFFERENT


def _in_one_year(month: str, day: str, their_month: str, their_day: str) -> BirthAgreement:
    other_month = bool(month and their_month) and month != their_month
    other_day = bool(day and their_day) and day != their_day
    if not (other_month or other_day):
        if not (month and their_month):
            return BirthAgreement.YEAR
        return BirthAgreement.EQUAL if day and their_day else BirthAgreement.MONTH
    if (month, day) == (their_day, their_month):
        return BirthAgreement.SWAPPED
    if other_month and other_day:
        return BirthAgreement.DIFFERENT
    if other_day:
        return BirthAgreement.OTHER_DAY if month and month == their_month else BirthAgreement.DIFFERENT
    return BirthAgreement.OTHER_MONTH if day and day == their_day else BirthAgreement.DIFFERENT


def _by_age(one: Identity, other: Identity) -> BirthAgreement:
    theirs, mine = years(one), years(other)
    if not theirs or not mine:
        return BirthAgreement.UNKNOWN
    return BirthAgreement.AGE if set(theirs) & set(mine) else BirthAgreement.DIFFERENT


def born(birth: str) -> tuple[str, str, str]:
    """Year, month and day of YYMMDD as two digits each; empty where unknown (``<<``, a month or day ``00``, or no digits)."""
    year, month, day = (
        part if len(part) == 2 and part.isascii() and part.isdigit() else "" for part in (birth[:2], birth[2:4], birth[4:6])
    )
    return year, month if month != "00" else "", day if day != "00" else ""


def years(person: Identity) -> tuple[str, ...]:
    """The years of birth that are possible, as two digits; empty where none is known."""
    year = born(person.birth)[0]
    if year:
        return (year,)
    return tuple(f"{each % 100:02d}" for each in range(person.years[0], person.years[1] + 1)) if person.years else ()
