"""The inventory of data (``inventory.toml``): where what lies of whom, until when, behind what. ``docs/dpia.md`` shows it as a table."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from gate.audit.retention import load_retention

FILE = Path(__file__).with_name("inventory.toml")
Words = tuple[str, str]
"""Bahasa Indonesia, English."""
Subjects = Literal["recorded", "present", "elsewhere", "nobody"]
Category = Literal["general", "specific", "none"]


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of data. ``category`` as UU 27/2022 art. 4 divides them. ``fields`` of our types and ``facts`` hold it.

    ``sealed``: which kind of personal field of the log it is (:mod:`gate.audit.fields`); empty: it is none that is sealed.
    """

    id: str
    what: Words
    category: Category
    whose: Literal["traveller", "officer", "listed", "nobody"]
    fields: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    sealed: str = ""


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that holds data. ``subjects`` says of whom: see the head of the file. ``files``: patterns of names in the state folder."""

    id: str
    name: Words
    subjects: Subjects
    files: tuple[str, ...]
    until: Words
    behind: Words
    item: tuple[Item, ...]


class NothingPersonal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was looked at and holds nothing about a person."""

    fields: tuple[str, ...]
    files: tuple[str, ...]


class Inventory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    store: tuple[Store, ...]
    nothing_personal: NothingPersonal

    def places(self, field: str) -> tuple[str, ...]:
        """Where ``Struct.field`` stands: ids of items, or ``nothing_personal``. A field's own name counts before its type's ``.*``."""
        own = tuple(self._naming(field))
        return own or tuple(self._naming(f"{field.partition('.')[0]}.*"))

    def _naming(self, name: str) -> Iterator[str]:
        yield from (item.id for store in self.store for item in store.item if name in item.fields)
        if name in self.nothing_personal.fields:
            yield "nothing_personal"

    def facts(self) -> Iterator[str]:
        """Every fact that an item names, as often as it is named."""
        return (fact for store in self.store for item in store.item for fact in item.facts)

    def file_places(self, name: str) -> tuple[str, ...]:
        """To which stores a file or folder of that name in the state folder belongs."""
        patterns = {store.id: store.files for store in self.store} | {"nothing_personal": self.nothing_personal.files}
        return tuple(place for place, files in patterns.items() if any(fnmatchcase(name, pattern) for pattern in files))


@cache
def inventory() -> Inventory:
    return msgspec.convert(tomllib.loads(FILE.read_text(encoding="utf-8")), Inventory)


def table() -> str:
    """The inventory in English, as a Markdown table. Periods are those that come with the software."""
    rows = ["| where | what | category | whose | until | behind |", "|---|---|---|---|---|---|"]
    periods = load_retention().periods
    for store in inventory().store:
        for number, item in enumerate(store.item):
            where, until, behind = (store.name[1], store.until[1], store.behind[1]) if number == 0 else ("", "", "")
            days = f"{periods[item.sealed].days} days" if item.sealed else until
            rows.append(f"| {where} | {item.what[1]} | {item.category} | {item.whose} | {days} | {behind} |")
    return "\n".join(rows)
