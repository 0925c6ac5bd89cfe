"""Who is asked for, who is listed, and how a name is reduced to what two spellings of it share.

A name becomes *tokens*: words in Latin capitals without titles and particles, each spelled in one way (``names.toml`` is the table, and
says why). ``MOCH. JUSUF`` and ``MUHAMMAD YUSUF`` have the same tokens. A *skeleton* is what is left of a token without vowels and with
like consonants as one: no two names are told to be the same by it, it only says which are worth a comparison.

The place of birth, which a list must hold as well, is not printed in the machine readable zone, so the gate has no use for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import log2
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated, Literal

import msgspec

ListName = Literal["pencegahan", "penangkalan", "wanted"]
"""Barred from leaving, barred from entering (UU 6/2011 art. 1), or wanted whichever way they go."""
UNKNOWN_BIRTH = "<<<<<<"
URGENT = timedelta(days=20)
"""An entry that a checkpoint made in a hurry lapses by law after so long (Permen Imipas 13/2025)."""
MAX_WORDS = 16
MAX_LETTERS = 39
"""What is looked at of a name, and of a word: the name field of a TD3 zone has 39 characters (Doc 9303-4 §4.2.2)."""
ASSUMED_PERSONS = 20_000
"""What the shares in the table count for beside those of a list: as if so many people had been asked."""
TABLE = Path(__file__).with_name("names.toml")

Birth = Annotated[str, msgspec.Meta(pattern="^[0-9<]{6}$", max_length=6, description="YYMMDD, unknown parts filled with <")]
Name = Annotated[str, msgspec.Meta(max_length=128)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class PersonQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A traveller as the machine readable zone shows them. ``birth``: YYMMDD, unknown parts ``<``. What is no M or F is no known sex."""

    primary_identifier: Name
    secondary_identifier: Name = ""
    birth: Birth
    sex: Annotated[str, msgspec.Meta(max_length=1)]
    issuing_state: Annotated[str, msgspec.Meta(pattern="^[A-Z<]{0,3}$", max_length=3)] = ""
    document_number: Annotated[str, msgspec.Meta(pattern="^[A-Z0-9<]{0,22}$", max_length=22)] = ""

    def __repr__(self) -> str:
        return "<PersonQuery>"  # what it holds stays out of logs and traces


class ListedDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A travel document of a listed person; ``issuing_state`` may be unknown."""

    document_number: Annotated[str, msgspec.Meta(pattern="^[A-Z0-9<]{1,22}$", max_length=22)]
    issuing_state: Annotated[str, msgspec.Meta(pattern="^[A-Z<]{0,3}$", max_length=3)] = ""


class ListedPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry of a list, in force from ``valid_from`` until just before ``valid_to``, to the second.

    ``age`` in years on the day of ``valid_from``, where no year of birth is known. An extension that was delivered in time is an entry
    of its own, or a later ``valid_to``; an ``urgent`` entry ends after :data:`URGENT` at the latest, whatever it says.
    """

    list: ListName
    primary_identifier: Name
    secondary_identifier: Name = ""
    aliases: Annotated[tuple[Name, ...], msgspec.Meta(max_length=16)] = ()
    birth: Birth = UNKNOWN_BIRTH
    age: Annotated[int, msgspec.Meta(ge=0, le=130)] | None = None
    sex: Literal["M", "F", "<"] = "<"
    documents: Annotated[tuple[ListedDocument, ...], msgspec.Meta(max_length=16)] = ()
    valid_from: Instant
    valid_to: Instant
    urgent: bool = False

    def __repr__(self) -> str:
        return "<ListedPerson>"

    @property
    def end(self) -> datetime:
        """The instant from which it is no longer in force."""
        try:
            return min(self.valid_to, self.valid_from + URGENT) if self.urgent else self.valid_to
        except OverflowError:  # it begins in the last days of the calendar
            return self.valid_to


# --- the table -----------------------------------------------------------------------------------------------------------


class _Common(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    share: float
    names: tuple[str, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    spellings: tuple[tuple[str, str], ...]
    degrees: str
    dropped: tuple[str, ...]
    prefixes: tuple[str, ...]
    families: tuple[tuple[str, ...], ...]
    rare_share: float
    initial_share: float
    common: tuple[_Common, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    spellings: Sequence[tuple[re.Pattern[str], str]]
    degrees: re.Pattern[str]
    dropped: frozenset[str]
    prefixes: re.Pattern[str]
    families: Mapping[str, str]
    bits: Mapping[str, float]
    rare_bits: float


@cache
def _table() -> _Table:
    """The file, with its own words spelled as all others are."""
    file = msgspec.toml.decode(TABLE.read_bytes(), type=_File)
    rules = [(re.compile(pattern), to) for pattern, to in file.spellings]

    def spelled(word: str) -> str:
        return _respelled(word, rules)

    families = {spelled(variant): spelled(family[0]) for family in file.families for variant in family}

    def token(word: str) -> str:
        return families.get(spelled(word), spelled(word))

    return _Table(
        spellings=rules,
        degrees=re.compile(file.degrees),
        dropped=frozenset(map(token, file.dropped)),
        prefixes=re.compile("|".join(file.prefixes)),
        families=families,
        bits={token(name): -log2(group.share) for group in file.common for name in group.names}
        | dict.fromkeys(ascii_uppercase, -log2(file.initial_share)),
        rare_bits=-log2(file.rare_share),
    )


# --- names ---------------------------------------------------------------------------------------------------------------

_APOSTROPHES = re.compile("['\"`´‘’ʻʼʾʿ]")
_WORD = re.compile("[A-Z]+")
_SKELETON = str.maketrans("FZDGX", "PSTKK", "AEIOUH")
_TWICE = re.compile(r"(.)\1+")

Words = Callable[[str], tuple[str, ...]]
"""The tokens in one word."""


def parts(word: str) -> tuple[str, ...]:
    """The tokens in one word of capitals: ``NURHAYATI`` and ``NUR HAYATI`` are the same."""
    table = _table()
    token = _respelled(word, table.spellings)
    token = table.families.get(token, token)
    prefix = table.prefixes.match(token)
    if prefix is None:
        return (token,)
    return parts(prefix[0]) + parts(token[prefix.end() :])


def tokens(name: str, words: Words = parts) -> tuple[str, ...]:
    """What counts of ``name``, which may be any text, in its order. The tokens of a name's tokens are the same again.

    Where nothing but titles would be left, they count after all; empty only for text without a letter. An initial is a token of one
    letter. Whoever reduces many names hands in a ``words`` that remembers; the gate itself remembers no traveller's.
    """
    table = _table()
    text = _latin(table.degrees.sub(" ", _APOSTROPHES.sub("", name).upper()))
    found = [token for word in _WORD.findall(text)[:MAX_WORDS] for token in words(word[:MAX_LETTERS])][:MAX_WORDS]
    return tuple([token for token in found if token not in table.dropped] or found)


def skeleton(token: str) -> str:
    """What spellings share that are too far apart for ``names.toml``: the first sound and the consonants after it."""
    first = "A" if token[0] in "AEIOU" else token[0].translate(_SKELETON) or token[0]
    return _TWICE.sub(r"\1", first + token[1:].translate(_SKELETON))


def consonants(name: Sequence[str]) -> str:
    """Those of all tokens, in alphabetical order: the same wherever one word ends and the next begins."""
    return "".join(sorted("".join(name).translate(_SKELETON)))


def bits(token: str) -> float:
    """How much it says that two people share ``token``: the binary logarithm of one in how many bear it."""
    table = _table()
    return table.bits.get(token, table.rare_bits)


def weighed(bearers: Mapping[str, int], persons: int) -> dict[str, float]:
    """:func:`bits` corrected by how many of ``persons`` on a list bear each token; what is left out is as rare as the rarest."""
    table, weights = _table(), {}
    for token in table.bits.keys() | bearers.keys():
        if len(token) == 1:
            weights[token] = bits(token)
            continue
        share = (bearers.get(token, 0) + 2 ** -bits(token) * ASSUMED_PERSONS) / (persons + ASSUMED_PERSONS)
        if -log2(share) < table.rare_bits:
            weights[token] = round(-log2(share), 2)
    return weights


def rare_bits() -> float:
    """:func:`bits` of a name that nobody knows."""
    return _table().rare_bits


def is_rare(token: str) -> bool:
    """Whether ``token`` is none of the common names."""
    return token not in _table().bits


def _respelled(word: str, rules: Sequence[tuple[re.Pattern[str], str]]) -> str:
    """All rules, again and again until none applies; each shortens the word, or moves a letter on towards one that no rule takes."""
    before = ""
    while word != before:
        before = word
        for pattern, to in rules:
            word = pattern.sub(to, word)
    return word


def _latin(text: str) -> str:
    """In letters A to Z, as a machine readable zone would spell it (Doc 9303-3 §6); letters of which the tables know nothing are lost."""
    if text.isascii():  # every zone is, so the lane never loads the tables
        return text
    from mrz.record import MrzError
    from mrz.transliteration import transliterate

    try:
        return transliterate("".join(letter if unicodedata.category(letter)[0] in "LM" else " " for letter in text))
    except MrzError:
        return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").upper()
