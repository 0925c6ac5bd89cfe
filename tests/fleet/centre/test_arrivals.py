"""Whatever comes from the broker is believed or refused with a word for it; nothing of it raises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gate.audit.fields import Box, sealed, taken
from gate.fleet.centre.arrivals import CheckpointCame, ParcelCame, Refused, StatusCame, arrival, refused
from gate.fleet.centre.crossings import crossing_of
from gate.fleet.centre.partitions import AHEAD, ODD, PAST, day_of
from gate.fleet.messages import REFUSALS, CheckpointNote
from gate.fleet.messages import sealed as sealed_message
from gate.outcome import Outcome

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
NOW = datetime.now(UTC)


def came(gate: Any, keys: Any, kind: str, raw: bytes, subject: str = "") -> Any:
    return arrival(subject or gate.subject(kind), raw, NOW, keys, lambda: datetime.now(UTC))


def test_what_an_honest_gate_tells_is_believed(gate: Any, keys: Any) -> None:
    gate.write(2)
    assert isinstance(came(gate, keys, "record", gate.parcel(gate.rows)), ParcelCame)
    assert isinstance(came(gate, keys, "crossing", gate.parcel(gate.rows)), ParcelCame)
    assert isinstance(came(gate, keys, "checkpoint", gate.note()), CheckpointCame)
    assert isinstance(came(gate, keys, "status", gate.status()), StatusCame)


@SHARED
@given(st.binary(max_size=400), st.text(max_size=40))
def test_any_bytes_under_any_subject_are_refused(gate: Any, keys: Any, raw: bytes, subject: str) -> None:
    found = came(gate, keys, "record", raw, subject)
    assert isinstance(found, Refused)
    assert found.code in REFUSALS
    assert found.what.isprintable()


@SHARED
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_message_with_a_changed_byte_is_refused(gate: Any, keys: Any, place: int, flip: int) -> None:
    raw = bytearray(gate.parcel(gate.rows or gate.write(1)))
    raw[place % len(raw)] ^= flip
    assert isinstance(came(gate, keys, "record", bytes(raw)), Refused)


@pytest.mark.parametrize(
    "change",
    [
        {"at": b"2026-11-23 00:00:00+00:00"},
        {"at": b"2026-11-23T07:00:00+07:00"},
        {"at": b"0001-01-01T00:00:00+14:00"},
        {"at": b"\xff"},
        {"kind": "événement".encode()},
        {"kind": b"x" * 65},
        {"transaction": b"a\0b"},
        {"seq": 0},
    ],
)
def test_a_record_that_no_log_writes_is_refused_though_signed(gate: Any, keys: Any, change: dict[str, Any]) -> None:
    [row] = gate.write(1)
    found = came(gate, keys, "record", gate.parcel([msgspec.structs.replace(row, **change)]))
    assert isinstance(found, Refused)
    assert found.code == "malformed"


def test_numbers_that_do_not_ascend_are_refused(gate: Any, keys: Any) -> None:
    gate.write(3)
    for rows in (gate.rows[::-1], [gate.rows[0], gate.rows[0]]):
        assert came(gate, keys, "record", gate.parcel(rows)).code == "malformed"


def test_a_gate_cannot_speak_under_anothers_subject(gate: Any, make_gate: Any, keys: Any) -> None:
    other = make_gate("DPS.A01", "ee" * 8)
    gate.write(1)
    assert came(other, keys, "record", gate.parcel(gate.rows)).code == "other_gate"
    assert came(gate, keys, "record", gate.parcel(gate.rows, gate=other.name), other.subject("record")).code == "other_gate"


def test_a_checkpoint_of_another_log_is_refused(gate: Any, keys: Any) -> None:
    gate.write(1)
    note = gate.note()
    gate.log = "dd" * 8
    foreign = gate.note()
    for raw in (note, foreign):
        assert isinstance(came(gate, keys, "checkpoint", raw), CheckpointCame)
    lying = sealed_message(
        gate.signer, CheckpointNote(gate=gate.name, log="ab" * 8, note=came(gate, keys, "checkpoint", note).told.note)
    )
    assert came(gate, keys, "checkpoint", lying).code == "malformed"
    torn = sealed_message(gate.signer, CheckpointNote(gate=gate.name, log=gate.log, note="no note"))
    assert came(gate, keys, "checkpoint", torn).code == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        {"at": "yesterday"},
        {"at": "2026-11-23T00:00:00"},
        {"state": "a\0b"},
        {"waiting_s": float("nan")},
        {"freshness": {"sltd": "soon"}},
    ],
)
def test_a_status_that_cannot_be_is_refused(gate: Any, keys: Any, change: dict[str, Any]) -> None:
    assert came(gate, keys, "status", gate.status(**change)).code == "malformed"


def test_what_the_database_cannot_take_becomes_a_refusal_of_its_gate(gate: Any, keys: Any) -> None:
    gate.write(1)
    for kind, raw in (("record", gate.parcel(gate.rows)), ("checkpoint", gate.note()), ("status", gate.status())):
        found = refused(came(gate, keys, kind, raw), "no\0t so")
        assert (found.gate, found.code, found.what) == (gate.name, "malformed", "no?t so")


def test_only_days_that_can_be_right_have_partitions_of_their_own() -> None:
    assert day_of(NOW, NOW) == NOW.date()
    assert day_of(NOW - PAST, NOW) != ODD != day_of(NOW + AHEAD, NOW)
    assert day_of(NOW - PAST - timedelta(seconds=1), NOW) == ODD == day_of(NOW + AHEAD + timedelta(seconds=1), NOW)


def test_a_crossing_says_what_lies_open_and_nothing_of_what_is_sealed(gate: Any) -> None:
    row = gate.cross(outcome=Outcome.COUNTER, document_class="diplomatic")
    clear, parts = taken("transaction", row.body)
    whole = crossing_of(row.body)
    shut = crossing_of(sealed(clear, {kind: Box(key=1, box=b"box") for kind in parts}))
    assert whole is not None
    assert shut is not None
    assert (whole.outcome, whole.document_class, whole.reasons) == ("COUNTER", "diplomatic", ["face_no_match"])
    assert (shut.outcome, shut.document_class, shut.reasons, shut.seconds) == ("COUNTER", "", [], 9.0)


@given(st.binary(max_size=300) | st.builds(lambda raw: b'{"sealed":1,' + raw, st.binary(max_size=100)))
def test_any_body_is_a_crossing_or_none(body: bytes) -> None:
    assert crossing_of(body) is None
