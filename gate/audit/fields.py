"""Personal fields of the log's records: which they are, how they are taken out of a record, and how they come back.

A record that has some is written with blanks in their place, and beside them one sealed part for each kind of field, under a key of its own::

    {"sealed":1,"clear":{…},"parts":{"findings":{"key":17,"box":"…"},"scores":{"key":23,"box":"…"}}}

The chain hashes this text, so it holds whether the keys are there or not. A part that is ``null`` could not be sealed when the record was
written, and was left out. Before it is sealed a part is made longer, with spaces: what was asked about a book would tell its class by length alone.
Which fields, and of what kind, says ``personal.toml``. No cryptography here: the lane loads this module.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

FILE = Path(__file__).with_name("personal.toml")
MARK = b'{"sealed":1,'
"""How a body begins that has sealed parts."""
EVERY = "*"
LEAST_LENGTH, LONG = 128, 4096
"""Octets of a part: the next power of two, and above :data:`LONG` the next multiple of it."""
T = TypeVar("T")
Unseal = Callable[[int, bytes, bytes], bytes | None]
"""Number of the key, box, place → what was sealed; None where there is no such key any more. Raises ValueError for a box that was changed."""


class PersonalField(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of the table."""

    kind: str
    records: tuple[str, ...]
    path: str
    blank: list[Any] | dict[str, Any] | str | msgspec.UnsetType = msgspec.UNSET


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sealed part, and the number of the key that opens it."""

    key: int
    box: bytes


class SealedBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record's body, as it is written."""

    sealed: Literal[1] = 1
    clear: msgspec.Raw
    parts: dict[str, Box | None]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    field: tuple[PersonalField, ...]


@cache
def table() -> tuple[PersonalField, ...]:
    """All personal fields, in the order in which they are taken."""
    return msgspec.convert(tomllib.loads(FILE.read_text(encoding="utf-8")), _Table).field


def kinds() -> tuple[str, ...]:
    """The kinds of field, each once."""
    return tuple(dict.fromkeys(row.kind for row in table()))


@cache
def _rows(record: str) -> tuple[tuple[PersonalField, list[str]], ...]:
    return tuple((row, row.path.split(".")) for row in table() if record in row.records)


def taken(record: str, body: bytes) -> tuple[bytes, dict[str, bytes]]:
    """``body`` of a record of that kind with blanks for its personal fields, and those fields, by their kind. Nothing to take: no kinds."""
    rows = _rows(record)
    if not rows:
        return body, {}
    whole = msgspec.json.decode(body)
    found: dict[str, list[tuple[list[str | int], Any]]] = {}
    for row, path in rows:
        for node, last, place in _places(whole, path):
            if node[last] is not None and node[last] != row.blank:
                found.setdefault(row.kind, []).append((place, node[last]))
                _put(node, last, row.blank)
    if not found:
        return body, {}
    return msgspec.json.encode(whole, order="deterministic"), {
        kind: _lengthened(msgspec.json.encode(fields, order="deterministic")) for kind, fields in found.items()
    }


def _lengthened(part: bytes) -> bytes:
    """With spaces behind it, which are nothing in JSON."""
    if len(part) > LONG:
        return part.ljust(-(-len(part) // LONG) * LONG)
    return part.ljust(max(LEAST_LENGTH, 1 << (len(part) - 1).bit_length()))


def _places(node: Any, path: list[str], at: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any, list[str | int]]]:
    """Every place in ``node`` that ``path`` leads to: what holds it, its name or number there, the whole way."""
    head, *rest = path
    if isinstance(node, list):
        names: list[Any] = list(range(len(node))) if head == EVERY else []
    elif isinstance(node, dict):
        names = list(node) if head == EVERY else [head] if head in node else []
    else:
        names = []
    for name in names:
        if rest:
            yield from _places(node[name], rest, (*at, name))
        else:
            yield node, name, [*at, name]


def _put(node: Any, name: Any, blank: Any) -> None:
    if blank is msgspec.UNSET:
        del node[name]
    else:
        node[name] = blank


def place(transaction: str, record: str, kind: str, key: int) -> bytes:
    """Where alone a box can be opened: associated data of its seal."""
    return msgspec.json.encode(("autogate record 1", transaction, record, kind, key))


def sealed(clear: bytes, parts: Mapping[str, Box | None]) -> bytes:
    """The body to be written."""
    return msgspec.json.encode(SealedBody(clear=msgspec.Raw(clear), parts=dict(parts)), order=None)


def parts_of(body: bytes) -> dict[str, Box | None]:
    """The sealed parts of a body, none where it has none. Raises ValueError where it only looks like one that has."""
    return _parsed(body).parts if body.startswith(MARK) else {}


def opened(transaction: str, record: str, body: bytes, unseal: Unseal | None) -> tuple[bytes, tuple[str, ...]]:
    """``body`` with all that ``unseal`` opens in its place, and the kinds of field that it does not. Raises ValueError where it was changed."""
    if not body.startswith(MARK):
        return body, ()
    parsed, gone = _parsed(body), list[str]()
    found: list[tuple[list[str | int], Any]] = []
    for kind, part in parsed.parts.items():
        plain = unseal(part.key, part.box, place(transaction, record, kind, part.key)) if part and unseal else None
        if plain is None:
            gone.append(kind)
        else:
            found += _decoded(plain, list[tuple[list[str | int], Any]])
    whole = _decoded(parsed.clear, object)
    for where, value in sorted(found, key=lambda field: len(field[0])):  # a whole before its parts
        _restore(whole, where, value)
    return msgspec.json.encode(whole, order="deterministic"), tuple(gone)


def _restore(node: Any, where: list[str | int], value: Any) -> None:
    """Put ``value`` back; where what held it is gone, it stays away."""
    *way, last = where
    try:
        for name in way:
            node = node[name]
        node[last] = value
    except (KeyError, IndexError, TypeError):
        return


def _parsed(body: bytes) -> SealedBody:
    return _decoded(body, SealedBody)


def _decoded(raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a sealed record: {error}") from error
