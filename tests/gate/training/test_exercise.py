"""What an officer did is read in the gate's own log: theirs, since the case began, with the time since they were called."""

from datetime import UTC, datetime, timedelta

import pytest

from gate.audit.log import FILE_NAME, AuditLog
from gate.outcome import Outcome
from gate.records import LaneEvent, OfficerActed
from gate.training.exercise import Log
from gate.training.session import Done, Shown

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def event(after, before="decide"):
    return LaneEvent(before=before, after=after, event="plant", entry="locked", exit="locked", occupancy=1)


def act(officer="Sari", action="secondary", **told):
    return OfficerActed(officer=officer, role="officer", action=action, reason="FACE_DOUBTFUL", **told)


@pytest.fixture
def write(tmp_path):
    log = AuditLog(tmp_path / FILE_NAME, b"k" * 32)

    def write(kind, body, after_s=0.0):
        log.append(kind, "0" * 32, body, at=AT + timedelta(seconds=after_s), boot=after_s)

    yield write
    log.close()


def shown(after_s):
    return Shown(at=AT + timedelta(seconds=after_s), outcome=Outcome.COUNTER, reasons=(), rules=(), facts={})


def test_the_officer_is_called_when_the_lane_first_needs_one_since_the_case_began(write, tmp_path):
    log = Log(tmp_path)
    write("event", event("hold"))
    mark = log.mark()
    assert log.called(mark) is None
    write("event", event("idle", before="eject_close"), 3)
    assert log.called(mark) is None
    write("event", event("no_power"), 5)
    write("event", event("hold"), 9)
    assert log.called(mark) == AT + timedelta(seconds=5)


def test_what_this_officer_ordered_counts_with_its_time_and_what_they_were_shown(write, tmp_path):
    log = Log(tmp_path)
    write("officer", act(action="close"))
    mark = log.mark()
    write("officer", act(officer="Made"), 11)
    write("officer", act(refused="too_late"), 12)
    write("officer", act(action="pass", awaits_second=True), 13)
    write("officer", act(), 14)
    called = AT + timedelta(seconds=10)
    assert log.done(mark, "Sari", called, (shown(0), shown(9), shown(13.5))) == (
        Done(action="secondary", reason="FACE_DOUBTFUL", after_s=2.0, refused="too_late", shown=1),
        Done(action="pass", reason="FACE_DOUBTFUL", after_s=3.0, refused="awaits_second", shown=1),
        Done(action="secondary", reason="FACE_DOUBTFUL", after_s=4.0, shown=2),
    )
    assert [done.action for done in log.done(mark, "Made", called)] == ["secondary"]


def test_an_order_from_the_command_line_is_nobody_s_decision(write, tmp_path):
    """``autogate lane`` writes down what its user called himself, and that is no signature."""
    log = Log(tmp_path)
    mark = log.mark()
    write("officer", OfficerActed(officer="Sari", role="command", action="eject"), 4)
    assert log.done(mark, "Sari", AT) == ()
