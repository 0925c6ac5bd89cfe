"""Which entries of a long list are worth comparing with a traveller: those that share a block with them.

A block is a few words that say so much together that few people share them. An entry lies in all blocks of its own, a traveller is looked
for in all of theirs, and a difference in one part of a name or a date still leaves another block in common. What no common block finds is
missed: ``benchmarks/watchlist.py`` counts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from gate.registries.matching import Identity, born, years
from gate.registries.names import consonants, is_rare, skeleton

Block = tuple[str, ...]
"""Its kind and its words."""
NO_YEAR = "??"
"""Of entries without birth and age."""


def document_blocks(person: Identity) -> set[Block]:
    """By the numbers of the person's documents; the issuing State may be unknown on either side."""
    return {("number", number) for number, _ in person.documents}


def entry_blocks(person: Identity) -> set[Block]:
    """Where an entry lies, by name and birth. A noted age puts it into the blocks of each year that it allows."""
    return set(_blocks(person, years(person) or (NO_YEAR,)))


def traveller_blocks(person: Identity) -> set[Block]:
    """Where a traveller is looked for, by name and birth. The year of birth must be known, or nothing would be found."""
    return set(_blocks(person, (*years(person), NO_YEAR)))


def _blocks(person: Identity, possible: tuple[str, ...]) -> Iterator[Block]:
    year, month, day = born(person.birth)
    dated = month and day
    for name in person.names:
        sounds = [skeleton(token) for token in name]
        for pair in combinations(sorted(sounds), 2):
            yield from (("pair", *pair, each) for each in possible)  # whatever is wrong with month and day
            if dated:
                yield ("pair", *pair, month + day)  # whatever is wrong with the year
        for token in filter(is_rare, name):
            yield from (("word", token, each) for each in possible)  # whatever became of the other words
        yield from (("letters", consonants(name), each) for each in possible)  # wherever the words end
        if len(sounds) == 1:
            yield from (("alone", sounds[0], each) for each in possible)
        if year and dated:
            yield from (("born", year + month + day, sound[0]) for sound in sounds)  # however the words are spelled
