"""The outbox: every record goes, crossings first, in parcels that travel; a start begins behind the newest receipt."""

from __future__ import annotations

from typing import get_args

import pytest
from edge_gate import GATE, GATE_SIGNER, Gate, TwoKeys, numbers
from hypothesis import given
from hypothesis import strategies as st

from gate.audit.log import MAX_BODY, AuditError
from gate.audit.log import Kind as RecordKind
from gate.fleet.messages import MOST_MESSAGE, MOST_PARCEL, Parcel, believed, sealed
from gate.fleet.outbox import CROSSING, Outbox

KINDS = st.lists(st.sampled_from(get_args(RecordKind)), max_size=60)


def drained(outbox: Outbox) -> list[Parcel]:
    """All that goes where the broker takes everything and no receipt comes."""
    parcels = []
    while True:
        if parcel := outbox.crossings():
            outbox.went(parcel, crossings=True)
        elif parcel := outbox.rest():
            outbox.went(parcel)
        else:
            return parcels
        parcels.append(parcel)


@given(KINDS)
def test_every_record_goes_once_and_ended_transactions_go_first(tmp_path_factory, kinds):
    gate = Gate(tmp_path_factory.mktemp("log"))
    gate.write(kinds)
    outbox = gate.outbox()
    parcels = drained(outbox)
    gate.close()
    assert sorted(numbers(parcels)) == list(range(1, len(kinds) + 1))
    sent = [row.kind == CROSSING.encode() for parcel in parcels for row in parcel.rows]
    assert sent == sorted(sent, reverse=True)
    assert all([row.seq for row in parcel.rows] == sorted(row.seq for row in parcel.rows) for parcel in parcels)
    assert {tuple(row) for row in gate.rows()} == {
        (row.seq, row.at, row.boot, row.transaction, row.kind, row.body, row.previous, row.hash)
        for parcel in parcels
        for row in parcel.rows
    }


@given(st.lists(st.tuples(KINDS, st.sampled_from(["crossings", "rest", "behind", "receipt", "start"])), max_size=12), st.data())
def test_whatever_comes_between_nothing_is_left_out(tmp_path_factory, steps, data):
    gate = Gate(tmp_path_factory.mktemp("log"))
    gate.write([])
    outbox, held = gate.outbox(), set[int]()
    for kinds, step in steps:
        gate.write(kinds)
        if step == "receipt":
            through = next(number for number in range(1, len(held) + 2) if number not in held) - 1
            outbox.received(gate.receipt(data.draw(st.integers(0, through))))
        elif step == "start":
            outbox = gate.outbox()
        elif parcel := getattr(outbox, step)():
            outbox.went(parcel, crossings=step == "crossings")
            held |= set(numbers([parcel]))
    held |= set(numbers(drained(outbox)))
    gate.close()
    assert held == set(range(1, gate.written + 1))


def test_after_a_start_all_that_is_not_acknowledged_goes_again_and_nothing_else(gate):
    gate.write(["permit", "event", CROSSING] * 4)
    outbox = gate.outbox()
    assert len(numbers(drained(outbox))) == 12
    assert outbox.received(gate.receipt(5))
    assert drained(outbox) == []
    assert sorted(numbers(drained(gate.outbox()))) == list(range(6, 13))


def test_a_parcel_travels_however_long_its_records_are(gate):
    gate.write(["event", "event", CROSSING], body=bytes(MAX_BODY))
    gate.write(["event"] * 40, body=bytes(20_000))
    for parcel in drained(gate.outbox()):
        raw = sealed(GATE_SIGNER, parcel)
        assert len(raw) <= MOST_MESSAGE
        assert len(parcel.rows) == 1 or sum(len(row.body) for row in parcel.rows) <= MOST_PARCEL
        assert believed(raw, Parcel, TwoKeys(), "gate") == parcel


def test_what_is_behind_the_receipt_is_whole_and_starts_there(gate):
    gate.write([CROSSING, "event"] * 3)
    outbox = gate.outbox()
    drained(outbox)
    outbox.received(gate.receipt(2))
    assert numbers([outbox.behind()]) == [3, 4, 5, 6]
    outbox.received(gate.receipt(6))
    assert outbox.behind() is None


def test_records_that_are_written_later_go_then(gate):
    gate.write(["event"])
    outbox = gate.outbox()
    assert numbers(drained(outbox)) == [1]
    gate.write([CROSSING, "event", CROSSING])
    assert numbers(drained(outbox)) == [2, 4, 3]


def test_without_a_log_there_is_no_outbox(tmp_path):
    with pytest.raises(AuditError, match="no audit log"):
        Outbox(tmp_path / "audit.sqlite3", tmp_path / "fleet-receipt", GATE, TwoKeys())
