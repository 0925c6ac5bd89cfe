"""Records as they lie in the database, in the form in which the gate wrote them: for whoever proves them, cuts a log or destroys fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any, LiteralString

import psycopg

from gate.audit.chain import Row, leaf_data
from gate.audit.tree import leaf_hash

AT_ONCE = 2000
"""That are read together."""
Connection = psycopg.Connection[tuple[Any, ...]]


def records(connection: Connection, which: LiteralString, values: Mapping[str, Any]) -> Iterator[tuple[Row, bytes | None]]:
    """Those for which ``which`` holds, by their numbers; each with its leaf in the log's Merkle tree where fields of it were destroyed since.

    Within a transaction. Raises psycopg.Error.
    """
    with connection.cursor("records") as cursor:
        cursor.itersize = AT_ONCE
        cursor.execute(
            f"select seq, at, boot, transaction, kind, body, previous, hash, leaf from event where {which} order by seq",  # noqa: S608 - a literal
            values,
            binary=True,
        )
        for seq, at, boot, transaction, kind, body, previous, digest, leaf in cursor:
            text = at.astimezone(UTC).isoformat().encode()
            yield (seq, text, boot, transaction.encode(), kind.encode(), body, previous, digest), leaf


def leaf_of(row: Row, kept: bytes | None) -> bytes:
    """The record's leaf in the log's Merkle tree, as it was when the gate wrote it."""
    return kept or leaf_hash(leaf_data(row))
