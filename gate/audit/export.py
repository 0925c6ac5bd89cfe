"""Records with their proofs, for whoever shall check them without the gate, its software or its secret key (docs/audit.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gate.audit.chain import AuditError, AuditReader, Row, leaf_data
from gate.audit.note import Checkpoint, Note, VerifierKey
from gate.audit.store import Kept, TreeStore
from gate.audit.tree import inclusion, is_included, leaf_hash

FORMAT = "autogate audit export 1"


def proof(log: AuditReader, tree: TreeStore, seq: int) -> dict[str, Any]:
    """Record ``seq`` with its path to the root of a checkpoint, proven before it is handed out. Raises AuditError where it cannot be."""
    kept = tree.covering(seq)
    if kept is None:
        raise AuditError(f"record {seq} is part of no checkpoint yet")
    return {"format": FORMAT, "checkpoint": kept.note} | _proven(log, tree, kept, seq)


def export(
    log: AuditReader, tree: TreeStore, keys: tuple[VerifierKey, ...], wanted: Iterator[int] | range
) -> Iterator[dict[str, Any]]:
    """A line that says under which checkpoint and whose keys, and one for each record, all under the same checkpoint. Raises AuditError."""
    kept = tree.witnessed() or tree.newest()
    if kept is None:
        raise AuditError("there is no checkpoint yet")
    yield {"format": FORMAT, "checkpoint": kept.note, "keys": [str(key) for key in keys]}
    for seq in wanted:
        if seq > kept.size:
            raise AuditError(f"record {seq} is behind the checkpoint of {kept.size} records")
        yield _proven(log, tree, kept, seq)


def _proven(log: AuditReader, tree: TreeStore, kept: Kept, seq: int) -> dict[str, Any]:
    row = log.row(seq)
    if row is None:
        raise AuditError(f"there is no record {seq}")
    path = inclusion(tree.node, seq - 1, kept.size)
    if not is_included(leaf_hash(leaf_data(row)), seq - 1, kept.size, path, Checkpoint.parse(Note.parse(kept.note).text).root):
        raise AuditError(f"record {seq} is not the one that was signed for: autogate audit verify")
    return {"record": _told(row), "path": [each.hex() for each in path]}


def _told(row: Row) -> dict[str, Any]:
    """A record's columns, the body as the text that it is: its very bytes are in the tree."""
    try:
        return {
            "seq": row[0],
            "at": row[1].decode(),
            "boot": row[2],
            "transaction": row[3].decode(),
            "kind": row[4].decode(),
            "body": row[5].decode(),
            "previous": row[6].hex(),
            "hash": row[7].hex(),
        }
    except UnicodeDecodeError as error:
        raise AuditError(f"record {row[0]} is no text: autogate audit verify") from error


def lines(told: Iterator[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(each, ensure_ascii=False, sort_keys=True) for each in told)
