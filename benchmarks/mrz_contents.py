"""What stands in pretend documents: machine readable zones of all five formats, plausible ones and random ones, check digits right.

Written apart from the product and from what its recogniser is trained on: the layouts stand here again (Doc 9303-4 to -7).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from mrz.checkdigit import check_digit

LETTERS, FIGURES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
STATES = (  # noqa: SIM905 - a list that can be read
    "AUS AUT BEL BGR BRA CAN CHE CHL CHN CZE D<< DNK EGY ESP EST FIN FRA GBR GRC HRV HUN IDN IND IRL ISL ISR ITA JPN KEN KOR LTU LUX "
    "LVA MAR MEX MYS NGA NLD NOR NZL PAK PER PHL POL PRT QAT ROU RUS SGP SRB SVK SVN SWE THA TUR TZA UKR USA UTO VNM XOM ZAF"
).split()
STARTS = "B BR CH D F G GR H J K KL L M N P PR R S SCH ST T TR V W Z".split()  # noqa: SIM905 - a list that can be read
VOWELS = "A A E E I O U Y AI EI OU IE".split()  # noqa: SIM905 - a list that can be read
ENDS = "N R S L M T K NG NT RD SKI SON DOTTIR EZ OV INA ELLI WATI ANTO".split()  # noqa: SIM905 - a list that can be read
CODES = {
    "TD3": ("P<", "PD", "PO", "PP", "PE"),
    "TD2": ("I<", "ID", "IP"),
    "TD1": ("I<", "ID", "IR", "AC"),
    "V": ("V<", "VA", "VC"),
}
NAME_LENGTHS = {"TD1": 30, "TD2": 31, "TD3": 39, "MRV-A": 39, "MRV-B": 31}
FORMATS = tuple(NAME_LENGTHS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """``format`` is TD1, TD2, TD3, MRV-A or MRV-B; ``lines`` as printed."""

    format: str
    lines: tuple[str, ...]


def zone(dice: random.Random, kind: str | None = None) -> Zone:
    """A document's zone; half of all are passports where ``kind`` does not say."""
    kind = kind or dice.choice(("TD3", "TD3", "TD3", "TD3", "TD1", "TD1", "TD2", "MRV-A", "MRV-B"))
    code = dice.choice(CODES["V" if kind.startswith("MRV") else kind])
    state, name = dice.choice(STATES), _name(dice, NAME_LENGTHS[kind])
    birth, expiry = _digit(_birth(dice)), _digit(f"{dice.randrange(24, 37)}{_month_day(dice)}")
    sex, nationality = dice.choice("MMMFFF<"), state if dice.random() < 0.85 else dice.choice(STATES)
    if kind == "TD1":
        upper = code + state + _long_number(dice)
        middle = birth + sex + expiry + nationality + _optional(dice, 11)
        middle += check_digit(upper[5:30] + middle[:7] + middle[8:15] + middle[18:29])
        return Zone(format=kind, lines=(upper, middle, name))
    number = _digit(_number(dice).ljust(9, "<"))
    lower = number + nationality + birth + sex + expiry + _optional(dice, {"TD3": 14, "TD2": 7, "MRV-A": 16, "MRV-B": 8}[kind])
    if kind == "TD3":
        unused = not lower[28:42].strip("<")
        lower += dice.choice("<0") if unused else check_digit(lower[28:42])
    if kind in {"TD3", "TD2"}:
        lower += check_digit(lower[:10] + lower[13:20] + lower[21:])
    return Zone(format=kind, lines=(code + state + name, lower))


def misprinted(dice: random.Random) -> Zone:
    """A passport whose document number lost a check digit: what stands there must not be "mended"."""
    honest = zone(dice, "TD3")
    lower = honest.lines[1]
    wrong = dice.choice([figure for figure in FIGURES if figure != lower[9]])
    return Zone(format="TD3", lines=(honest.lines[0], lower[:9] + wrong + lower[10:]))


def words(dice: random.Random, count: int) -> str:
    """So many invented words, parted by blanks."""
    return " ".join(_word(dice) for _ in range(count))


def _digit(text: str) -> str:
    return text + check_digit(text)


def _word(dice: random.Random) -> str:
    if dice.random() < 0.15:
        return "".join(dice.choices(LETTERS, k=dice.randint(2, 10)))
    syllables = (dice.choice(STARTS) + dice.choice(VOWELS) for _ in range(dice.randint(1, 3)))
    return "".join(syllables) + dice.choice(ENDS)


def _name(dice: random.Random, width: int) -> str:
    """Primary and secondary identifier. One that is too long is cut so that a letter stands last (Doc 9303-4 §4.2.3)."""
    while True:
        primary = "<".join(_word(dice) for _ in range(dice.choice((1, 1, 1, 2, 3))))
        secondary = "<".join(_word(dice) for _ in range(dice.choice((0, 1, 1, 2, 2, 3))))
        field = primary + "<<" + secondary if secondary else primary
        if len(field) <= width or field[width - 1] != "<":
            return field[:width].ljust(width, "<")


def _month_day(dice: random.Random) -> str:
    return f"{dice.randint(1, 12):02}{dice.randint(1, 28):02}"


def _birth(dice: random.Random) -> str:
    """One in fifty has unknown parts (Doc 9303-3 §4.8)."""
    known = f"{dice.choice((*range(30, 100), *range(16))):02}{_month_day(dice)}"
    return known[: dice.choice((2, 4))].ljust(6, "<") if dice.random() < 0.02 else known


def _number(dice: random.Random) -> str:
    if dice.random() < 0.25:
        return "".join(dice.choices(LETTERS + FIGURES, k=9))
    letters = dice.choice((0, 1, 1, 2, 2))
    return "".join(dice.choices(LETTERS, k=letters)) + "".join(dice.choices(FIGURES, k=dice.choice((6, 7, 7)) + (letters == 0)))


def _long_number(dice: random.Random) -> str:
    """Positions 6 to 30 of a card's first line; one number in ten goes on behind position 15 (Doc 9303-5 §4.2.4)."""
    if dice.random() < 0.9:
        return _digit(_number(dice).ljust(9, "<")) + _optional(dice, 15)
    number = "".join(dice.choices(LETTERS + FIGURES, k=dice.randint(10, 14)))
    return f"{number[:9]}<{number[9:]}{check_digit(number)}".ljust(25, "<")


def _optional(dice: random.Random, width: int) -> str:
    if dice.random() < 0.55:
        return "<" * width
    return "".join(dice.choices(FIGURES if dice.random() < 0.6 else LETTERS + FIGURES, k=dice.randint(4, width))).ljust(
        width, "<"
    )
