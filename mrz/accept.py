"""The decision: whether what the model saw is read so surely that it may be taken for what is printed.

Check digits that agree do not mean "read right": they see neither names nor States, nor 52 of the 666 pairs of characters. So a
reading is accepted only if no *rival* is nearly as likely: a reading that differs in one or two characters and would pass just as
well. A check digit, an unknown State or a date that does not exist rules a rival out; where none of them looks, the picture alone
has to. The lexicon of codes never supplies a character: it can only refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, combinations, islice

import numpy as np
from numpy.typing import NDArray

from mrz.decode import Vector
from mrz.formats import FORMATS, Format
from mrz.parse import parse
from mrz.reading import Reason
from mrz.recognise import ALPHABET
from mrz.record import Correction, Finding, MrzError, MrzRecord

Block = NDArray[np.float64]
"""[lines, length, 37] log-probabilities of characters, and beside it [lines, length] log-odds that there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Log-odds that a reading needs. ``floor``: of each character over the next that may stand there. ``rival``: over any reading
    that would pass just as well. ``odd``: of each character of a field whose value is unheard of. ``repair``: of a reading with one
    correction over the next one.
    """

    floor: float
    rival: float
    odd: float
    repair: float | None


CONFIRMED = Margins(floor=0.5, rival=4.5, odd=6.0, repair=4.5)
"""Where a chip will be opened with the reading, and its signed DG1 compared with it."""
ALONE = Margins(floor=1.0, rival=5.5, odd=8.0, repair=None)
"""Where nothing comes after. Both are chosen on 200 development captures (other characters, pages and cameras than the model was
trained on): of 340 characters with a margin below 4 there 57 were wrong, of 373 from 4 to 6 and 15,769 above none.
"""
FOREIGN = 7.0
"""Log-odds by which a character that cannot stand in a field may beat those that can, before the lines are no zone. OCR-B tells 0
from O and 1 from I by shape alone, and small pictures do not show it."""
MOST_DOUBTS = 12
"""Characters with a near alternative, beyond which nothing is weighed."""
WORST_CORRECTION = 4.0
"""Log-odds that a correction may give away to the likeliest character."""
REACH = 9.0
"""Log-odds beyond which another character is not thought of: more than any margin that is asked for."""
MOST_PAIRS = 600
"""Readings with two other characters that are weighed, the likeliest of them: they take 10 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Either a ``record`` or the ``reason`` for none; ``margins`` [lines, length] and ``text`` stand in both for the overlay."""

    record: MrzRecord | None
    reason: Reason | None
    detail: str
    margins: NDArray[np.float64] = field(repr=False)
    text: tuple[str, ...] = field(repr=False)


def decide(characters: Block, presence: Block, needed: Margins) -> Decision:
    """``characters`` [lines, length, 37] and ``presence`` [lines, length] as :class:`mrz.decode.Cells` has them."""
    form = _format(characters)
    if form is None:
        return Decision(record=None, reason="no_mrz", detail="no format has so many lines", margins=presence, text=())
    within = possible(characters)
    ranks = np.argsort(-within, axis=2)
    best = np.take_along_axis(within, ranks, axis=2)
    margins = np.minimum(best[:, :, 0] - best[:, :, 1], presence)
    text = tuple("".join(ALPHABET[k] for k in line) for line in ranks[:, :, 0])

    def refused(reason: Reason, detail: str) -> Decision:
        return Decision(record=None, reason=reason, detail=detail, margins=margins, text=text)

    if (characters.max(axis=2) - best[:, :, 0]).max() > FOREIGN:
        return refused("no_mrz", f"characters that {form.name} has not in their places")
    record = _record(text)
    if record is None:
        return refused("no_mrz", f"lines that are no {form.name}")
    doubts = _doubts(within, best[:, :, 0])
    if len({doubt.place for doubt in doubts if doubt.cost < needed.rival}) > MOST_DOUBTS:
        return refused("margin", "many characters are doubtful")
    if record.check_digits_ok:
        rival = min(_others(record, doubts, needed.rival), key=lambda other: other.cost, default=None)
        if rival is not None:
            return refused("margin", _at("another reading is nearly as likely, with another character", rival.places[0]))
    elif (repaired := _repaired(record, doubts, needed)) is not None:
        record, place, margin = repaired
        margins[place] = margin
    else:
        return refused("check_digit", _wrong_digits(record))
    if margins.min() < needed.floor:
        return refused("margin", _at("a doubtful character", np.argwhere(margins < needed.floor)[0]))
    for each in _odd(record):
        of = next(f for f in form.fields if f.line == each.line and f.first <= each.column <= f.last)
        if margins[of.line - 1, of.first - 1 : of.last].min() < needed.odd:
            return refused("margin", f"{each.what}, not read surely enough")
    return Decision(record=record, reason=None, detail="", margins=margins, text=record.lines)


def possible(characters: Block) -> Block:
    """``characters`` with those ruled out that the likeliest format has not in their place."""
    form = _format(characters)
    return characters if form is None else np.where(_allowed(form), characters, -np.inf)


def plausibility(characters: Block) -> float:
    """Mean log-probability of the likeliest characters that may stand in their places; none counts for less than -8."""
    return float(np.maximum(possible(characters).max(axis=2), -REACH).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doubt:
    """Another character for a place (counted from 0), and the log-odds that it gives away."""

    place: tuple[int, int]
    character: str
    cost: float

    def applied(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        line, column = self.place
        return *lines[:line], lines[line][:column] + self.character + lines[line][column + 1 :], *lines[line + 1 :]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Other:
    """Another reading, which would pass, the places where it differs, and the log-odds that it gives away."""

    record: MrzRecord
    places: tuple[tuple[int, int], ...]
    cost: float


def _doubts(within: Block, best: Vector) -> list[_Doubt]:
    """Every other character that is within reach, the likeliest first."""
    costs = best[:, :, None] - within
    near = np.argwhere((costs > 0) & (costs < REACH) | (costs == 0) & (np.cumsum(costs == 0, axis=2) > 1))
    found = [
        _Doubt(place=(int(line), int(column)), character=ALPHABET[k], cost=float(costs[line, column, k]))
        for line, column, k in near
    ]
    return sorted(found, key=lambda doubt: doubt.cost)


def _others(record: MrzRecord, doubts: list[_Doubt], reach: float) -> Iterator[_Other]:
    """The readings that differ from ``record`` in one or two characters, are less than ``reach`` less likely and would pass: their
    check digits agree and no more about them is unheard of.
    """
    odd = len(_odd(record))
    near = [doubt for doubt in doubts if doubt.cost < reach]
    pairs = (pair for pair in combinations(near, 2) if pair[0].place != pair[1].place and pair[0].cost + pair[1].cost < reach)
    for changes in chain(((doubt,) for doubt in near), islice(pairs, MOST_PAIRS)):
        lines = record.lines
        for doubt in changes:
            lines = doubt.applied(lines)
        other = _record(lines)
        if other is not None and other.check_digits_ok and len(_odd(other)) <= odd:
            yield _Other(record=other, places=tuple(doubt.place for doubt in changes), cost=sum(doubt.cost for doubt in changes))


def _repaired(read: MrzRecord, doubts: list[_Doubt], needed: Margins) -> tuple[MrzRecord, tuple[int, int], float] | None:
    """The reading with the one other character that makes every check digit agree, if no other is nearly as likely; the place and
    the margin.

    With one wrong character in a document number, about 33 single substitutions satisfy its digits; one of them is right.
    """
    if needed.repair is None:
        return None
    reach = WORST_CORRECTION + needed.repair
    likeliest = sorted(_others(read, doubts, reach), key=lambda other: other.cost)[:2]
    if not likeliest or likeliest[0].cost > WORST_CORRECTION or len(likeliest[0].places) > 1:
        return None
    first, margin = likeliest[0], (likeliest[1].cost if len(likeliest) > 1 else reach) - likeliest[0].cost
    if margin < needed.repair:
        return None
    ((line, column),) = first.places
    made = Correction(line=line + 1, column=column + 1, found=read.lines[line][column], used=first.record.lines[line][column])
    return replace(first.record, corrections=(made,)), (line, column), margin


def _odd(record: MrzRecord) -> list[Finding]:
    """Findings that a misreading may have caused. Utopia stands on specimens and is no misreading."""
    return [each for each in record.findings if not each.what.endswith("_specimen")]


def _record(text: tuple[str, ...]) -> MrzRecord | None:
    try:
        return parse(text)
    except MrzError:
        return None


def _format(characters: Block) -> Format | None:
    """Of the formats with so many lines of so many characters the one whose document code is likelier."""
    shape = characters.shape[:2]
    forms = [form for form in FORMATS.values() if (form.lines, form.length) == shape]
    return max(forms, key=lambda form: max(characters[0, 0, ALPHABET.index(c)] for c in form.first_letters), default=None)


@cache
def _allowed(form: Format) -> NDArray[np.bool_]:
    """[lines, length, 37]: which characters may stand where. The first may be that of any format of this shape."""
    allowed = np.zeros((form.lines, form.length, len(ALPHABET)), bool)
    for place in form.fields:
        allowed[place.line - 1, place.first - 1 : place.last] = _members(f"[{place.alphabet}]")
    firsts = "".join(
        other.first_letters for other in FORMATS.values() if (other.lines, other.length) == (form.lines, form.length)
    )
    allowed[0, 0] = _members(f"[{firsts}]")
    return allowed


def _members(pattern: str) -> NDArray[np.bool_]:
    return np.array([re.fullmatch(pattern, character) is not None for character in ALPHABET])


def _wrong_digits(record: MrzRecord) -> str:
    return "check digits disagree: " + ", ".join(digit.field for digit in record.check_digits if not digit.ok)


def _at(what: str, place: tuple[int, int] | NDArray[np.intp]) -> str:
    return f"{what} in line {int(place[0]) + 1}, column {int(place[1]) + 1}"
