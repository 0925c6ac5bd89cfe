"""How much the agreement of two identities says, in bits.

Evidence is weighed as in record linkage (Fellegi and Sunter, 1969): what two records share says as much as it is rare among people who
have nothing to do with each other, and what they do not share says how seldom one person is written down so differently. The sum is
the binary logarithm of a likelihood ratio. All functions here are pure, and none knows who is asked about whom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from itertools import permutations
from math import inf, log2

from rapidfuzz.distance import JaroWinkler

from gate.registries.identity import Identity, born, years
from gate.registries.names import bits, skeleton

Bits = Callable[[str], float]
"""How much a token says that two people share: by the table of names, or by the list that is searched."""

CONTRADICTION_BITS = 4.0
"""Of a word for which the other name has no counterpart, though it has as many: one in sixteen entries errs so."""
MORE_BITS = 2.0
"""Of each word that one name has more than the other: names are shortened often."""
FURTHER_BITS = 2.0
"""What each word after the first says less than it would alone, for the names of one people, or one family, come together."""
ALONE_BITS = 2.8
"""That both names are a single word: one in eight is."""
ONE_WORD_ALIKE = 0.75
"""How alike two names must be of which one has a single word, and words that are one in one name and two in the other."""
UNLIKE = 0.8
"""Jaro-Winkler similarity from which on two words have nothing to do with each other."""
SAME_SKELETON = 0.85
LEAST_SKELETON = 3
"""How alike words are at least that share a skeleton of so many sounds, where their spelling is not altogether different."""
LEAST_JOINED = 6
"""Letters of two words that may stand as one."""


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


SEX_BITS = {None: 0.0, True: log2(0.99 / 0.5), False: log2(0.01 / 0.5)}


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
        return self.name + self.birth.bits + SEX_BITS[self.sex]


def agreement(one: Identity, other: Identity, said: Bits = bits) -> Agreement:
    """How they agree, by the pair of their names that agrees best. Who is asked about whom makes no difference."""
    best = max((_name(a, b, said) for a in one.names for b in other.names), default=(0.0, False, True))
    return Agreement(*best, _birth(one, other), _sex(one, other), _document(one, other))


def most_by_name(person: Identity, said: Bits = bits) -> float:
    """The bits that no name can exceed in agreeing with one of ``person``."""
    return max((sum(map(said, name)) for name in person.names), default=0.0) + ALONE_BITS


def beside_name(one: Identity, other: Identity) -> float:
    """What all but the name says of them, in bits; beyond all measure where a document is the same. It takes a third of the time."""
    return inf if _document(one, other) else _birth(one, other).bits + SEX_BITS[_sex(one, other)]


def _sex(one: Identity, other: Identity) -> bool | None:
    return one.sex == other.sex if one.sex and other.sex else None


def _document(one: Identity, other: Identity) -> bool:
    return any(_same_document(a, b) for a in one.documents for b in other.documents)


def _same_document(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one[0] == other[0] and (not one[1] or not other[1] or one[1] == other[1])


# --- names -----------------------------------------------------------------------------------------------------------------------


def _name(one: tuple[str, ...], other: tuple[str, ...], said: Bits) -> tuple[float, bool, bool]:
    """Bits of two names, whether they are equal, and whether one of them is but a single word. Below 0 where that is not alike enough."""
    alone = ALONE_BITS if len(one) == len(other) == 1 else 0.0
    if one == other:
        return sum(map(said, one)) + alone - FURTHER_BITS * (len(one) - 1), True, len(one) == 1
    shorter, longer = sorted((one, other), key=lambda name: (len(name), name))
    agreed, left, right = _equal_words(shorter, longer, said)
    one_word = len(shorter) == 1 and len(right) >= len(longer) - 1
    if one_word and left and max(alike(left[0], token) for token in right) < ONE_WORD_ALIKE:
        return -CONTRADICTION_BITS, False, True
    against = FURTHER_BITS * (len(shorter) - 1) + MORE_BITS * (len(longer) - len(shorter))
    return agreed + alone + _assigned(left, right, said) - against, False, one_word


def _equal_words(shorter: tuple[str, ...], longer: tuple[str, ...], said: Bits) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
    """The bits of the words that are equal, one by one or joined (``NURHAYATI`` and two words), and what is left of both."""
    agreed, left, right = 0.0, [], list(longer)
    for token in shorter:
        found = [token] if token in right else _joined(token, right)
        for word in found:
            right.remove(word)
        if found:
            agreed += min(said(token), sum(map(said, found)))
        else:
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
