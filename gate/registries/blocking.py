"""Which entries of a long list are worth comparing with a traveller: those that share a block with them.

A block is a few words that say so much together that few people share them. An entry lies in all blocks of its own, a traveller is looked
for in all of theirs, and a difference in one part of a name or a date still leaves another block in common. What no common block finds is
missed: ``benchmarks/watchlist.py`` counts it. Only blocks that say little of the name tell the sexes apart, so that a wrong one hides nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from gate.registries.identity import Identity, born, years
from gate.registries.names import consonants, is_rare, skeleton

Block = tuple[str, ...]
"""Its kind and its words."""
NO_YEAR = "??"
"""In the place of a date, of entries without birth and age."""


def document_blocks(person: Identity) -> set[Block]:
    """By the numbers of the person's documents; the issuing State may be unknown on either side."""
    return {("number", number) for number, _ in person.documents}


def entry_blocks(person: Identity) -> set[Block]:
    """Where an entry lies, by name and birth. A noted age puts it into the blocks of each year that it allows."""
    year, month, day = born(person.birth)
    if not (year and month):
        return _blocks(person, years(person) or (NO_YEAR,), (), day="")
    return _blocks(person, [f"{year}{month}--"], [f"{year}--{day}", f"--{month}{day}"] if day else (), day)


def traveller_blocks(person: Identity) -> set[Block]:
    """Where a traveller is looked for, by name and birth. Year and month of birth must be known, or nearly nothing would be found.

    Looked for are entries with the same year and month, with a year or an age alone, and with neither; and for the slips of whoever wrote
    the entry, with the same year and day, the same month and day, and month and day in each other's place.
    """
    year, month, day = born(person.birth)
    slips = [f"{year}--{day}", f"--{month}{day}", f"{year}{day}--"] if day else ()
    return _blocks(person, [f"{year}{month}--", year, NO_YEAR], slips, day)


def _blocks(person: Identity, dates: Sequence[str], slips: Sequence[str], day: str) -> set[Block]:
    found: set[Block] = set()
    for name in person.names:
        sounds = [skeleton(token) for token in name]
        words: set[Block] = {("pair", *pair) for pair in combinations(sorted(sounds), 2)}
        words.add(("letters", consonants(name)))  # wherever the words end
        if len(sounds) == 1:
            words.add(("alone", sounds[0]))
        found |= {(*each, date) for each in words for date in (*dates, *slips)}
        for sex in person.sex or "MF":
            # Whatever became of the other words, and however all are spelled.
            found |= {("word", token, date, sex) for token in name if is_rare(token) for date in dates}
            found |= {("born", person.birth, sound[0], sex) for sound in sounds if day}
    return found
