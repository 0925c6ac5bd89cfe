"""The independent reader finds every change to what the centre holds; and what retention and orders take away, it knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.audit.chain import AuditError
from gate.audit.order import DestructionOrder, SignedOrder
from gate.fleet.centre.arrivals import arrival
from gate.fleet.centre.collector import connect
from gate.fleet.centre.destruction import destroy, thinned
from gate.fleet.centre.partitions import Partitions
from gate.fleet.centre.retention import drop, due
from gate.fleet.centre.store import days, prepare, store
from gate.fleet.centre.verify import Report, verify
from gate.outcome import Outcome

Take = Callable[..., Any]


@pytest.fixture
def take(centre: str, keys: Any) -> Take:
    """Store messages of a gate."""

    async def take(gate: Any, **messages: list[bytes]) -> None:
        connection = await connect(centre, "test")
        await prepare(connection)
        now = lambda: datetime.now(UTC)
        came = [arrival(gate.subject(kind), raw, now(), keys, now) for kind, raws in messages.items() for raw in raws]
        await Partitions().ensure(connection, days(came))
        await store(connection, came)
        await connection.close()

    return take


def change(dsn: str, statement: str, *values: Any) -> None:
    with psycopg.connect(dsn) as connection:
        assert connection.execute(statement, values).rowcount > 0  # type: ignore[arg-type]


def kinds(report: Report) -> set[str]:
    return {each.kind for each in report.findings}


@pytest.fixture
async def honest(gate: Any, take: Take) -> Any:
    """A gate of ten records and two checkpoints."""
    gate.write(3)
    gate.cross("t1")
    gate.write(2)
    first = gate.note()
    gate.cross("t2", Outcome.COUNTER, "diplomatic")
    gate.write(3)
    await take(gate, record=[gate.parcel(gate.rows)], checkpoint=[first, gate.note()])
    return gate


async def test_an_honest_centre_has_no_findings(honest: Any, centre: str) -> None:
    report = verify(centre, lambda _: (honest.audit_key,))
    assert report.good
    assert (report.gates, report.events, report.checkpoints, report.unsigned) == (1, 10, 2, 0)
    assert verify(centre).unsigned == 2


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("delete from event where seq = 5", "gap"),
        ("delete from event where seq = 10", "gap"),
        ("update event set body = '{}' where seq = 4", "root"),
        ("update event set at = at + interval '1 second' where seq = 2", "root"),
        ("update event set kind = 'decision' where seq = 9", "root"),
        ("update event set hash = sha256('x') where seq = 6", "fork"),
        ("update event set previous = sha256('x') where seq = 6", "fork"),
        ("update gate_log set through = 9", "gap"),
        ("update gate_log set through = 12", "gap"),
        (
            "insert into event select log_no, seq, '0001-01-01', at, boot, transaction, kind, body, previous, hash from event where seq = 7",
            "fork",
        ),
        ("update checkpoint set note = replace(note, 'at ', 'at') where size = 6", "signature"),
        ("update event set log_no = 99 where seq > 8", "progress"),
    ],
)
async def test_every_change_is_found(honest: Any, centre: str, statement: str, kind: str) -> None:
    with psycopg.connect(centre, autocommit=True) as connection:
        connection.execute(
            "create table if not exists event_odd partition of event for values from ('0001-01-01') to ('0001-01-02')"
        )
    change(centre, statement)
    assert kind in kinds(verify(centre, lambda _: (honest.audit_key,)))


async def test_a_checkpoint_by_another_key_is_found(honest: Any, make_gate: Any, centre: str) -> None:
    assert kinds(verify(centre, lambda _: (make_gate().audit_key,))) == {"signature"}


async def test_a_record_that_waits_is_a_gap_when_it_waits_too_long(gate: Any, take: Take, centre: str) -> None:
    gate.write(3)
    await take(gate, crossing=[gate.parcel(gate.rows[2:])])
    assert (verify(centre).good, verify(centre).waiting) == (True, 1)
    assert kinds(verify(centre, grace_s=0)) == {"gap"}


async def test_what_was_dropped_in_time_is_no_gap_and_the_rest_still_proves_itself(gate: Any, take: Take, centre: str) -> None:
    gate.at -= timedelta(days=9)
    for _ in range(10):
        gate.write(3)
        gate.at += timedelta(days=1)
    await take(gate, record=[gate.parcel(gate.rows)], checkpoint=[gate.note(7), gate.note()])
    today = datetime.now(UTC).date()
    with psycopg.connect(centre, autocommit=True) as connection:
        for back, left in ((7, 24), (4, 15)):
            before = today - timedelta(days=back)
            assert due(connection, before)[0] > 0
            drop(connection, before)
            assert connection.execute("select count(*) from event").fetchone() == (left,)
            report = verify(centre, lambda _: (gate.audit_key,))
            assert (report.findings, report.events, report.dropped) == ([], left, 30 - left)
        assert drop(connection, before) == 0
        assert due(connection, before) == (0, [])
    change(centre, "update event set body = '{}' where seq = 25")
    assert kinds(verify(centre)) == {"root"}


async def test_a_retention_that_is_only_half_done_is_no_finding(
    gate: Any, take: Take, centre: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs are cut first and days dropped then: in between, or where that was killed, records lie before a log's beginning."""
    gate.at -= timedelta(days=5)
    gate.write(3)
    gate.at += timedelta(days=5)
    gate.write(3)
    await take(gate, record=[gate.parcel(gate.rows)], checkpoint=[gate.note(2), gate.note(3), gate.note(5), gate.note()])
    with psycopg.connect(centre, autocommit=True) as connection:
        with monkeypatch.context() as killed:
            killed.setattr("gate.fleet.centre.retention._days", lambda *_: [])
            assert drop(connection, datetime.now(UTC).date() - timedelta(days=2)) == 3
        assert connection.execute("select count(*) from event").fetchone() == (6,)
        assert verify(centre, lambda _: (gate.audit_key,)).good
        drop(connection, datetime.now(UTC).date() - timedelta(days=2))
        assert connection.execute("select count(*) from event").fetchone() == (3,)
        assert connection.execute("select size from checkpoint order by size").fetchall() == [(3,), (5,), (6,)]
    assert verify(centre, lambda _: (gate.audit_key,)).good


async def test_dropping_gives_up_where_somebody_reads_for_long_and_goes_on_the_next_time(
    gate: Any, take: Take, centre: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Collectors wait behind it meanwhile."""
    monkeypatch.setattr("gate.fleet.centre.retention.LOCK_WAIT", "50ms")
    gate.at -= timedelta(days=5)
    gate.write(3)
    gate.at += timedelta(days=5)
    gate.write(1)
    await take(gate, record=[gate.parcel(gate.rows)], checkpoint=[gate.note()])
    before = datetime.now(UTC).date() - timedelta(days=2)
    with psycopg.connect(centre) as reader, psycopg.connect(centre, autocommit=True) as connection:
        reader.execute("select count(*) from event")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            drop(connection, before)
        reader.rollback()
        drop(connection, before)
        assert connection.execute("select count(*) from event").fetchone() == (1,)
    assert verify(centre, lambda _: (gate.audit_key,)).good


async def test_records_of_a_clock_that_was_behind_stay_while_their_neighbours_do(gate: Any, take: Take, centre: str) -> None:
    gate.write(2)
    gate.at -= timedelta(days=20)
    gate.write(2)
    gate.at += timedelta(days=20)
    gate.write(1)
    await take(gate, record=[gate.parcel(gate.rows)])
    with psycopg.connect(centre, autocommit=True) as connection:
        assert drop(connection, datetime.now(UTC).date() - timedelta(days=3)) == 0
    assert verify(centre).events == 5


def order(gate: Any, people: list[Ed25519PrivateKey], **what: Any) -> SignedOrder:
    told = DestructionOrder(**{"log": gate.log, "kinds": ("findings",), "because": "asked for", "date": "2026-11-23"} | what)
    signed = SignedOrder(order=told)
    for key in people:
        signed = signed.signed_with(key)
    return signed


async def test_an_order_of_two_people_destroys_personal_fields_here_too(honest: Any, centre: str) -> None:
    people = [Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()]
    signers = {key.public_key().public_bytes_raw().hex(): f"person{n}" for n, key in enumerate(people)}
    with psycopg.connect(centre, autocommit=True) as connection:
        with pytest.raises(AuditError, match="1 of 2"):
            destroy(connection, order(honest, people[:1], transactions=("t2",)), signers)
        assert destroy(connection, order(honest, people, transactions=("t2",)), signers) == 1
        assert destroy(connection, order(honest, people, transactions=("t2",)), signers) == 0
        told = connection.execute("select transaction, class, reasons from crossing order by transaction").fetchall()
        assert told == [("t1", "ordinary", []), ("t2", "", [])]
        [(body,)] = connection.execute("select body from event where transaction = 't2'").fetchall()
        assert json.loads(body)["reasons"] == []
        assert json.loads(body)["document_key"] == "9f" * 16  # of another kind
        assert destroy(connection, order(honest, people, kinds=("document",), until=f"{datetime.now(UTC).date()}"), signers) == 2
        assert connection.execute("select records, people from destruction order by at").fetchall()[0] == (
            1,
            ["person0", "person1"],
        )
    report = verify(centre, lambda _: (honest.audit_key,))
    assert (report.findings, report.destroyed) == ([], 2)


def test_thinning_takes_the_ordered_kinds_and_nothing_else(gate: Any) -> None:
    from gate.audit.fields import Box, parts_of, sealed, taken

    row = gate.cross(outcome=Outcome.COUNTER)
    clear, parts = taken("transaction", row.body)
    shut = sealed(clear, {kind: Box(key=n, box=part) for n, (kind, part) in enumerate(parts.items())})
    gone = thinned("t1", "transaction", shut, {"findings"})
    assert gone is not None
    assert {kind for kind, part in parts_of(gone).items() if part is None} == {"findings"}
    assert thinned("t1", "transaction", gone, {"findings"}) is None
    assert thinned("t1", "event", b"{}", {"findings"}) is None
    assert thinned("t1", "transaction", b"no JSON", {"findings"}) is None
    whole = thinned("t1", "transaction", row.body, {"findings", "document"})
    assert whole is not None
    assert taken("transaction", whole)[1] == {}
