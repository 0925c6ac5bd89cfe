"""What the centre and the officers hear of a gate: true, bounded, and nothing of a traveller."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from edge_gate import GATE, GATE_SIGNER, START, TwoKeys
from hypothesis import given
from hypothesis import strategies as st

from gate.fleet.messages import Status, believed, sealed
from gate.fleet.status import ENDS_SOON, LATE_S, Lane, Place, bytes_per_day, days_left, problem, status
from gate.fleet.updates.standing import standing
from gate.processes.messages import LAST_SECOND, Histogram, LaneHealth

EMPTY = Histogram(bounds=(), counts=(0,), total=0.0)
HEALTH = LaneHealth(
    state="hold",
    in_service=True,
    causes=("link: lost",),
    stuck="",
    outcomes={"OPEN": 3},
    stages={},
    link_losses={},
    damaged_frames=0,
    loop_lag=EMPTY,
    queue=0,
    clock_trusted=True,
    devices={},
    joins={},
    uptime_s=1.0,
    trust_problem="statement 4 is older than 5",
    audit_problem="the witness does not answer",
    fleet_problem="the centre lacks 3",
    waiting_s=12.34,
    versions={"rules": "R1", "trust": "T1"},
)


def told(gate, outbox, lane: Lane) -> Status:
    raw = sealed(
        GATE_SIGNER, status(Place(gate=GATE, folder=gate.folder), outbox, lane, at=START, boot=5.0, refused={"expired": 2})
    )
    return believed(raw, Status, TwoKeys(), "gate")


def test_a_status_says_how_the_lane_and_the_log_stand(gate):
    gate.write(["event"] * 9)
    outbox = gate.outbox()
    outbox.received(gate.receipt(4))
    outbox.received(b"lies")
    found = told(gate, outbox, Lane.of(HEALTH, {"rules.statement": "2"}, "updates: none"))
    assert (found.state, found.head, found.receipted, found.waiting_s) == ("hold", 9, 4, 12.3)
    assert found.troubles == (
        "link: lost",
        "updates: none",
        "trust: statement 4 is older than 5",
        "audit: the witness does not answer",
    )
    assert found.versions.keys() == {"software", "rules", "trust", "rules.statement"}
    assert found.refused == {"malformed": 1, "expired": 2}


def test_a_lane_that_does_not_answer_is_said_to_be_away(gate):
    gate.write([])
    found = told(gate, gate.outbox(), Lane.of(None, {}))
    assert (found.state, found.troubles) == ("", ("the lane does not answer",))


@given(
    st.text(max_size=400),
    st.lists(st.text(max_size=400), max_size=50),
    st.dictionaries(st.text(max_size=300), st.text(max_size=300), max_size=50),
)
def test_whatever_a_lane_says_is_cut_to_what_travels(state, causes, versions):
    lane = Lane.of(msgspec.structs.replace(HEALTH, state=state, causes=tuple(causes), versions=versions), {})
    sent = Status(
        gate=GATE,
        at="",
        boot=0.0,
        log="0" * 16,
        head=0,
        receipted=0,
        state=lane.state,
        troubles=lane.troubles,
        versions={"software": "1", **lane.versions},
    )
    assert believed(sealed(GATE_SIGNER, sent), Status, TwoKeys(), "gate") == sent


def test_only_what_changes_makes_a_status_go_at_once():
    waited = msgspec.structs.replace(HEALTH, waiting_s=99.0)
    assert Lane.of(HEALTH, {}) == Lane.of(waited, {})
    assert Lane.of(HEALTH, {}) != Lane.of(msgspec.structs.replace(HEALTH, state="idle"), {})


def test_the_pace_of_a_log_is_that_of_its_last_week(gate):
    gate.start = START - timedelta(days=30)
    gate.write(["event"] * 100)
    gate.start = START - timedelta(days=4, seconds=100)
    gate.write(["event"] * 100)
    with gate.outbox().log as log:
        assert bytes_per_day(log, 200_000, START) == pytest.approx(100_000 / 4, rel=0.01)
        assert days_left(gate.folder, log, 200_000, START) > 0


@pytest.mark.parametrize("count", [0, 5])
def test_an_hour_old_log_has_no_pace_yet(gate, count):
    gate.start = START - timedelta(minutes=30)
    gate.write(["event"] * count)
    assert bytes_per_day(gate.outbox().log, 1000, START) is None


def test_officers_hear_what_the_centre_lacks_once_it_is_late(gate):
    gate.start = START - timedelta(seconds=LATE_S - 10)
    gate.write(["event"] * 3)
    outbox = gate.outbox()

    def heard(after_s: float = 0.0, **how) -> str:
        named = {"why": "no answer", "certificate_ends": None} | how
        return problem(outbox, now=START + timedelta(seconds=after_s), **named)

    assert heard() == ""
    assert heard(20) == f"3 records not received since {gate.start:%Y-%m-%d %H:%M} UTC (no answer)"
    outbox.received(gate.receipt(3))
    assert heard(9999) == ""
    assert "ends on" in heard(certificate_ends=START + ENDS_SOON / 2)
    assert "ended on" in heard(certificate_ends=START)
    assert heard(certificate_ends=START + 2 * ENDS_SOON) == ""
    outbox.received(gate.receipt(2, hash=b"\1" * 32))
    assert "record 2 is not the one" in heard()


@given(st.dictionaries(st.text(max_size=300), st.integers(0, LAST_SECOND), max_size=50))
def test_as_of_when_lists_speak_is_told_as_instants_that_the_centre_can_read(freshness):
    lane = Lane.of(msgspec.structs.replace(HEALTH, freshness=freshness), {})
    assert len(lane.freshness) <= 32
    assert all(datetime.fromisoformat(at).utcoffset() == timedelta() and len(at) <= 40 for at in lane.freshness.values())
    assert Lane.of(None, {}).freshness == {}, "of a lane that is away nothing is known"


def test_the_snapshot_key_of_a_gate_that_takes_no_lists_from_its_centre_is_not_read_here(gate):
    """Neither it nor the folder is so much as looked for."""
    config = SimpleNamespace(state_dir=gate.folder, fleet=SimpleNamespace(updates=None))
    assert standing(config, "ab" * 32) == {"config.file": "ab" * 8}
