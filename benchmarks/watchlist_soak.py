"""Pairs of a traveller and an entry about them, and about somebody else: what must hold of every one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.population import NOW, listing, person
from benchmarks.soak_cases import Case
from gate.registries.agreement import BirthAgreement, agreement
from gate.registries.identity import listed, traveller
from gate.registries.matching import check, judged, threshold
from gate.registries.names import tokens

LEAST = threshold(1)
MUST_SEE = frozenset({"found: possible", "found: hit", "missed", "somebody else: clear"})


@contextmanager
def pairs() -> Iterator[Case]:
    """Names reduce once, agreement has no direction, nobody is a hit by name alone, and an entry ends with its last second."""

    def case(dice: random.Random) -> str:
        other = dice.random() < 0.3
        listing_ = listing(dice)
        whom = person(dice) if other else listing_.person
        entry, asked = listed(listing_.entry), traveller(whom.query())
        for name in (" ".join(whom.words), listing_.entry.primary_identifier, _anything(dice)):
            assert tokens(" ".join(tokens(name))) == tokens(name), name
        agreed = agreement(asked, entry.identity)
        assert agreed == agreement(entry.identity, asked)
        found = judged(agreed, LEAST)
        if found.word == "hit":
            assert agreed.birth is BirthAgreement.EQUAL, agreed
        bare = msgspec.structs.replace(listing_.entry, birth="<<<<<<", age=None)
        assert judged(agreement(asked, listed(bare).identity), LEAST).word != "hit"
        assert check(whom.query(), [listing_.entry], "pencegahan", listing_.entry.end).word == "clear"
        assert check(whom.query(), [listing_.entry], "pencegahan", NOW) == found or found.word == "clear"
        if other:
            return f"somebody else: {found.word}"
        return "missed" if found.word == "clear" else f"found: {found.word}"

    yield case


def _anything(dice: random.Random) -> str:
    return "".join(map(chr, dice.choices(range(1, 0x2FF), k=dice.randrange(40))))
