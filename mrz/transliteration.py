"""National letters to those of the machine readable zone (Doc 9303-3 §6), for comparing printed and registered names with it.

Where the standard recommends several spellings, the first is the default, a State may have another (``_NATIONAL``), and a comparison
lets each of them stand. Latin (table A) and Cyrillic (table B); Arabic names reach the zone in a Latin spelling of the issuing State's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from itertools import chain

from mrz.record import MrzError, MrzRecord

_LATIN = {
    "Ä": ("AE", "A"), "Å": ("AA", "A"), "Æ": ("AE",), "Đ": ("D",), "Ð": ("D",), "Ħ": ("H",), "Ĳ": ("IJ",), "Ŀ": ("L",), "Ł": ("L",),
    "Ñ": ("N", "NXX"), "Ŋ": ("N",), "Ö": ("OE", "O"), "Ø": ("OE",), "Œ": ("OE",), "Þ": ("TH",), "Ŧ": ("T",), "Ü": ("UE", "UXX", "U"),
    "ẞ": ("SS",),
}  # fmt: skip
"""Table A, less the letters that only lose their marks. Letters that it lacks lose theirs likewise (Romanian Ș, Vietnamese Ơ)."""
_CYRILLIC = {
    "А": "A", "Б": "B", "В": "V", "Г": "G", "Д": "D", "Е": "E", "Ё": "E", "Ж": "ZH", "З": "Z", "И": "I", "Й": "I", "К": "K", "Л": "L",
    "М": "M", "Н": "N", "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "У": "U", "Ф": "F", "Х": "KH", "Ц": "TS", "Ч": "CH",
    "Ш": "SH", "Щ": "SHCH", "Ъ": "IE", "Ы": "Y", "Ь": "", "Э": "E", "Ю": "IU", "Я": "IA", "Ђ": "D", "Є": "IE", "Ѕ": "DZ", "І": "I",
    "Ї": "I", "Ј": "J", "Љ": "LJ", "Њ": "NJ", "Ћ": "C", "Ќ": "K", "Ў": "U", "Џ": "DZ", "Ѓ": "G", "Ѫ": "U", "Ѵ": "Y", "Ґ": "G", "Ғ": "G",
    "Һ": "C",
}  # fmt: skip
"""Table B. It has no soft sign, which is not written, and no Ћ, whose Latin form Ć loses its mark."""
_NATIONAL = {
    "BGR": {"Щ": "SHT"},
    "BLR": {"Г": "H", "Ё": "IO"},
    "ESP": {"Ü": "U"},
    "MKD": {"Ѓ": "GJ", "Ќ": "KJ", "Х": "H", "Ц": "C", "Џ": "DJ"},
    "SRB": {"Г": "H", "Ж": "Z", "Х": "H", "Ц": "C", "Ч": "C", "Ш": "S"},
    "TUR": {"Ö": "O", "Ü": "U"},
    "UKR": {"Г": "H", "И": "Y"},
}
"""Exceptions of table B, and choices within table A that the State's passports are known for."""
_FIRST_IN_UKRAINE = {"Є": "YE", "Ї": "YI", "Й": "Y", "Ю": "YU", "Я": "YA"}
"""At the beginning of a word, in Ukrainian (table B)."""

_WORD_BREAKS = re.compile(r"[\s\-‐‑–—,<]+")
"""What parts two words (Doc 9303-3 §4.6); all other punctuation is left out."""


class NameAgreement(StrEnum):
    """How a printed or registered name and the name of a zone agree."""

    EQUAL = "equal"
    """The same words in the same order; of a holder with one name (no secondary identifier) in any order."""
    TRUNCATED = "truncated"
    """The zone has no room for more, and what it has is the beginning of each word in turn (Doc 9303-4 §4.2.3)."""
    REORDERED = "reordered"
    """The same words, but in another order or parted otherwise into identifiers."""
    DIFFERENT = "different"


def transliterate(name: str, state: str = "") -> str:
    """``name`` in capital letters A to Z, its words parted by one blank, as ``state`` (issuing State, without fillers) would write it.

    Apostrophes and the like are left out; hyphens, blanks and commas part words (Doc 9303-3 §4.6). Raises MrzError (column: the
    character's, from 1) for a digit and for a letter of which the tables know nothing.
    """
    return " ".join("".join(options[0] for options in word) for word in _words(name, state))


def same_name(printed: str, record: MrzRecord) -> NameAgreement:
    """Compare a name as printed, booked or registered with the one in the zone; any recommended spelling will do.

    ``printed`` is ``PRIMARY, SECONDARY`` or, without a comma, all words in the order of the zone. Raises MrzError as
    :func:`transliterate` does.
    """
    primary, comma, secondary = printed.partition(",")
    parts = [_words(primary, record.issuing_state), _words(secondary, record.issuing_state)]
    zone = [record.primary_identifier.split(), record.secondary_identifier.split()]
    if not comma:
        parts, zone = [parts[0]], [zone[0] + zone[1]]
    if all(map(_equal, parts, zone)):
        return NameAgreement.EQUAL
    if _same_words([*chain(*parts)], [*chain(*zone)]):
        return NameAgreement.REORDERED if record.secondary_identifier else NameAgreement.EQUAL
    if record.name_truncated and _cut_short(parts, zone):
        return NameAgreement.TRUNCATED
    return NameAgreement.DIFFERENT


# --- letters -----------------------------------------------------------------------------------------------------------

_Word = list[tuple[str, ...]]
"""For each letter its spellings, the usual one first."""


def _words(name: str, state: str) -> list[_Word]:
    words: list[_Word] = [[]]
    for column, character in enumerate(unicodedata.normalize("NFC", name), 1):
        if _WORD_BREAKS.fullmatch(character):
            words.append([])
        else:
            words[-1] += _spellings(character, state, column, first=not words[-1])
    return [word for word in words if word]


def _spellings(character: str, state: str, column: int, *, first: bool) -> _Word:
    spellings: _Word = []
    for letter in "ẞ" if character == "ß" else character.upper():
        if (
            unicodedata.category(letter)[0] in "PSM" or unicodedata.category(letter) == "Lm"
        ):  # also the apostrophe that is a letter
            continue
        usual = _usual(letter)
        national = _FIRST_IN_UKRAINE.get(letter) if first and state == "UKR" else None
        national = national or _NATIONAL.get(state, {}).get(letter)
        if not usual:
            raise MrzError(f"{letter!a} in a name", column=column, expected="a letter of Doc 9303-3 §6 A or B")
        spellings.append((national, *(each for each in usual if each != national)) if national else usual)
    return spellings


def _usual(letter: str) -> tuple[str, ...]:
    if letter in _LATIN:
        return _LATIN[letter]
    if letter in _CYRILLIC:
        return (_CYRILLIC[letter],)
    base = unicodedata.normalize("NFD", letter)[0]
    return (base,) if "A" <= base <= "Z" else ()


# --- comparison --------------------------------------------------------------------------------------------------------


def _spells(word: _Word, text: str, *, beginning: bool) -> bool:
    """Whether ``text`` spells ``word``; with ``beginning``, the beginning of it."""
    reached = {0}
    for options in word:
        if beginning and any(at == len(text) or option.startswith(text[at:]) for at in reached for option in options):
            return True
        reached = {at + len(option) for at in reached for option in options if text.startswith(option, at)}
    return len(text) in reached


def _equal(words: Sequence[_Word], texts: Sequence[str]) -> bool:
    return len(words) == len(texts) and all(_spells(*pair, beginning=False) for pair in zip(words, texts, strict=True))


def _same_words(words: Sequence[_Word], texts: Sequence[str]) -> bool:
    left = list(texts)
    for word in words:
        text = next((each for each in left if _spells(word, each, beginning=False)), None)
        if text is None:
            return False
        left.remove(text)
    return not left


def _cut_short(parts: Sequence[Sequence[_Word]], zone: Sequence[Sequence[str]]) -> bool:
    """Each identifier word by word; only the last that the zone has may lack words at its end."""
    *whole, last = (pair for pair in zip(parts, zone, strict=True) if pair[1])
    if any(len(words) != len(texts) for words, texts in whole) or len(last[0]) < len(last[1]):
        return False
    return all(
        _spells(word, text, beginning=True) for words, texts in (*whole, last) for word, text in zip(words, texts, strict=False)
    )
