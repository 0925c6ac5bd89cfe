"""Text for training lines: documents made by the grammars of Doc 9303-4 to -7, and uniformly random characters.

Names, States and numbers are drawn character by character, so that no neighbour says anything about a character.
"""

from __future__ import annotations

from random import Random

from mrz.checkdigit import check_digit
from mrz.training.glyphs import ALPHABET

LETTERS = ALPHABET[10:36]
LETTERS_DIGITS = ALPHABET[:36]
RANDOM_SHARE = 0.4
"""Share of lines that follow no grammar: the names of documents hold few digits, their numbers few letters."""
ALIKE = "0ODQ1I2Z5S8B6GCUMNHWVY"
"""Characters that are easily taken for one another: a third of the random lines hold nothing else."""
LENGTHS = (30, 36, 44)
_WORD_LENGTHS = range(1, 13)


def document(random: Random) -> tuple[str, ...]:
    """The lines of a well-formed TD1, TD2, TD3, MRV-A or MRV-B with right check digits."""
    return random.choice((_td3, _td3, _td2, _td1, _visa_a, _visa_b))(random)


def line(random: Random) -> str:
    """One line: of a document, or of random characters."""
    if random.random() < RANDOM_SHARE:
        return "".join(random.choices(random.choice((ALPHABET, ALPHABET, ALIKE)), k=random.choice(LENGTHS)))
    return random.choice(document(random))


def _td3(random: Random) -> tuple[str, ...]:
    number, birth, expiry = _number(random), _date(random), _date(random)
    optional = _optional(random, 14)
    optional += check_digit(optional) if optional.strip("<") else random.choice("<0")
    composite = check_digit(number + birth + expiry + optional)
    return _upper(random, "P", 39), f"{number}{_state(random)}{birth}{_sex(random)}{expiry}{optional}{composite}"


def _td2(random: Random) -> tuple[str, ...]:
    number, birth, expiry, optional = _number(random), _date(random), _date(random), _optional(random, 7)
    composite = check_digit(number + birth + expiry + optional)
    return _upper(random, "I", 31), f"{number}{_state(random)}{birth}{_sex(random)}{expiry}{optional}{composite}"


def _td1(random: Random) -> tuple[str, ...]:
    number, birth, expiry = _number(random), _date(random), _date(random)
    optional, optional_2 = _optional(random, 15), _optional(random, 11)
    composite = check_digit(number + optional + birth + expiry + optional_2)
    return (
        f"I{_second_letter(random)}{_state(random)}{number}{optional}",
        f"{birth}{_sex(random)}{expiry}{_state(random)}{optional_2}{composite}",
        _name(random, 30),
    )


def _visa_a(random: Random) -> tuple[str, ...]:
    return _upper(random, "V", 39), _visa_lower(random) + _optional(random, 16)


def _visa_b(random: Random) -> tuple[str, ...]:
    return _upper(random, "V", 31), _visa_lower(random) + _optional(random, 8)


def _visa_lower(random: Random) -> str:
    return f"{_number(random)}{_state(random)}{_date(random)}{_sex(random)}{_date(random)}"


def _upper(random: Random, code: str, name_length: int) -> str:
    return f"{code}{_second_letter(random)}{_state(random)}{_name(random, name_length)}"


def _second_letter(random: Random) -> str:
    return random.choice("<<<DEMPRST")


def _state(random: Random) -> str:
    return random.choice(("D<<", *("".join(random.choices(LETTERS, k=3)) for _ in range(9))))


def _name(random: Random, length: int) -> str:
    """Words of random letters, filled or cut to ``length``; the first identifier ends at ``<<``."""
    words = ["".join(random.choices(LETTERS, k=random.choice(_WORD_LENGTHS))) for _ in range(random.randint(1, 5))]
    first = random.randint(1, len(words))
    return "<<".join(filter(None, ("<".join(words[:first]), "<".join(words[first:]))))[:length].ljust(length, "<")


def _number(random: Random) -> str:
    length = random.choice((6, 7, 8, 9, 9, 9))
    number = "".join(random.choices(random.choice((LETTERS_DIGITS, ALPHABET[:10])), k=length)).ljust(9, "<")
    return number + check_digit(number)


def _date(random: Random) -> str:
    date = f"{random.randint(0, 99):02}{random.randint(1, 12):02}{random.randint(1, 28):02}"
    return date + check_digit(date)


def _sex(random: Random) -> str:
    return random.choice("MF<")


def _optional(random: Random, length: int) -> str:
    return "".join(random.choices(LETTERS_DIGITS, k=random.choice((0, random.randint(1, length))))).ljust(length, "<")
