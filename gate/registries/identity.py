"""What is compared of a person, made ready once: a traveller by the zone, a listed person by the entry."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from gate.registries.names import ListedPerson, PersonQuery, Words, bits, parts, tokens

MAX_TOKENS = 5
"""Of a longer name, the words that say most."""
AGE_SLACK = 1
"""Years by which a noted age may be wrong either way."""


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
    by_age = () if person.age is None else _years(person.valid_from.year - person.age)
    own = f"{person.primary_identifier} {person.secondary_identifier}"
    return Entry(
        list=person.list,
        identity=Identity(
            names=_names([own, *person.aliases], words),
            birth=person.birth,
            years=by_age,
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


def born(birth: str) -> tuple[str, str, str]:
    """Year, month and day of YYMMDD as two digits each; empty where unknown (``<<``, a month or day ``00``, or no digits).

    Zeros throughout are a date that nobody knows, and not the year 2000: whoever is listed so would be found among those born then alone.
    """
    if birth == "000000":
        return "", "", ""
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
