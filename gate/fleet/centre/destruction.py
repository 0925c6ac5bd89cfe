"""Personal fields are destroyed here, too, when two people ordered it (:mod:`gate.audit.order`), although there is no key to them here.

What a record says besides stays, and its hash as it was stays beside it, so that links and checkpoints still hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

import msgspec

from gate.audit.chain import Row
from gate.audit.fields import MARK, Box, SealedBody, opened, sealed, taken
from gate.audit.order import DestructionOrder, SignedOrder
from gate.fleet.centre.records import AT_ONCE, Connection, leaf_of, records

FIGURES = "findings"
"""Of this kind are the fields that a crossing's row shows."""


def thinned(transaction: str, record: str, body: bytes, kinds: Collection[str]) -> bytes | None:
    """``body`` without its personal fields of ``kinds``, sealed or in the clear; None where it has none of them. Any bytes in."""
    try:
        if body.startswith(MARK):
            whole = msgspec.json.decode(body, type=SealedBody)
            parts = {kind: None if kind in kinds else box for kind, box in whole.parts.items()}
            return sealed(bytes(whole.clear), parts) if parts != whole.parts else None
        clear, found = taken(record, body)
        if not found.keys() & set(kinds):
            return None
        names = list(found)
        boxes = sealed(clear, {kind: Box(key=names.index(kind), box=found[kind]) for kind in names})
        return opened(transaction, record, boxes, lambda number, box, _: None if names[number] in kinds else box)[0]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def destroy(connection: Connection, signed: SignedOrder, signers: Mapping[str, str]) -> int:
    """Carry out the order; returns how many records lost something. A connection in autocommit mode. Raises AuditError, psycopg.Error."""
    people, order = signed.enough(signers), signed.order
    with connection.transaction():
        logs = [no for (no,) in connection.execute("select no from gate_log where log = %s for update", (order.log,)).fetchall()]
        count = sum(_thin(connection, no, order) for no in logs)
        connection.execute("update fork set evidence = '' where log_no = any(%s)", (logs,))
        connection.execute(
            "insert into destruction (digest, log, because, people, records) values (%s, %s, %s, %s, %s) "
            "on conflict (digest) do update set records = destruction.records + excluded.records",
            (order.digest, order.log, order.because, list(people), count),
        )
    if count:
        connection.execute("vacuum event, crossing, fork")  # what was overwritten lies in the files until then
    return count


def _thin(connection: Connection, no: int, order: DestructionOrder) -> int:
    which = "log_no = %(no)s and " + (
        "(at at time zone 'UTC')::date <= %(until)s" if order.until else "transaction = any(%(transactions)s)"
    )
    rows = records(connection, which, {"no": no, "transactions": list(order.transactions), "until": order.until or None})
    count = 0
    while some := list(islice(rows, AT_ONCE)):
        changed = [
            (row, leaf_of(row, leaf), body)
            for row, leaf in some
            if (body := thinned(row[3].decode(), row[4].decode(), row[5], order.kinds)) is not None
        ]
        _replace(connection, no, changed, figures=FIGURES in order.kinds)
        count += len(changed)
    return count


def _replace(connection: Connection, no: int, changed: list[tuple[Row, bytes, bytes]], *, figures: bool) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "update event set body = %s, leaf = %s where log_no = %s and seq = %s",
            [(body, leaf, no, row[0]) for row, leaf, body in changed],
        )
        if figures:
            cursor.executemany(
                "update crossing set class = '', reasons = '{}' where log_no = %s and seq = %s",
                [(no, row[0]) for row, _, _ in changed],
            )
