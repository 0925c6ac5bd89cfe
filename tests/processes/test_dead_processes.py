"""A process of the gate is killed or held up in the worst moment: the traveller is let out, the next one is served."""

from __future__ import annotations

import signal
import time

import pytest

pytestmark = pytest.mark.processes

CAPTURE_S = 3.0
"""How long the lane waits for a face (``conftest.py``)."""


def unmet(record) -> set[str]:
    return set(record.decisions[-1].decision.unmet)


def test_vision_killed_during_capture_costs_a_referral(gate_now):
    before = gate_now.plant()
    walk = gate_now.into_capture()
    former = gate_now.signal("vision")
    record = gate_now.ends_referred(walk, before)
    assert (record.outcome, record.reasons) == ("COUNTER", ("REQUIREMENT_UNMET",))
    assert "face=not_performed" in unmet(record)
    gate_now.started_again("vision", former)
    gate_now.passes()


def test_reader_killed_while_the_chip_is_read_costs_a_referral(gate_now):
    before = gate_now.plant()
    gate_now.stage.world.kbit_s = 24
    walk = gate_now.send()
    gate_now.until_screen("reading")
    time.sleep(0.3)
    former = gate_now.signal("reader")
    record = gate_now.ends_referred(walk, before)
    assert (record.outcome, record.reasons) == ("COUNTER", ("REQUIREMENT_UNMET",))
    gate_now.started_again("reader", former)
    gate_now.stage.world.kbit_s = None
    gate_now.passes()


def test_registries_held_up_and_killed_cost_a_referral_and_come_back(gate_now):
    before = gate_now.plant()
    former = gate_now.signal("registries", signal.SIGSTOP)
    record = gate_now.ends_referred(gate_now.send(), before)
    assert record.outcome == "COUNTER"
    assert set(record.reasons) == {"ISSUANCE_UNAVAILABLE", "WATCHLIST_UNAVAILABLE", "LOST_AND_STOLEN_UNAVAILABLE"}
    gate_now.signal("registries")
    gate_now.started_again("registries", former)
    gate_now.passes()


def test_registries_held_up_with_somebody_inside_keep_the_exit_shut(gate_now):
    """A crossing that is not written down is none."""
    before = gate_now.plant()
    walk = gate_now.into_capture()
    gate_now.signal("registries", signal.SIGSTOP)
    gate_now.turn_to_camera()
    record = gate_now.ends_referred(walk, before)
    gate_now.signal("registries", signal.SIGCONT)
    assert (record.outcome, record.reasons) == ("COUNTER", ("PERMIT_VOIDED",))
    gate_now.passes()


def test_panel_killed_while_somebody_is_inside_costs_nobody_anything(gate_now):
    gate_now.stage.world.switch_panel(tamper=True)
    walk = gate_now.into_capture()
    former = gate_now.signal("panel")
    gate_now.turn_to_camera()
    record = walk.result(30)
    assert (record.outcome, record.reasons) == ("OPEN", ())
    gate_now.stage.world.switch_panel(tamper=False)
    gate_now.started_again("panel", former)
    gate_now.stage.panel.shown()
    gate_now.passes()
    assert "blue blinking" in gate_now.stage.panel.shown()


def test_lane_killed_with_somebody_inside_lets_them_out_and_forgets_the_permit(gate_now):
    before = gate_now.plant()
    walk = gate_now.into_capture()
    interrupted = gate_now.permits()[-1].evidence.transaction
    gate_now.crash_lane()
    walk.cancel()
    gate_now.turn_to_camera()  # the face would match, had the old verdict survived
    gate_now.until_out(before)
    gate_now.stage.world.lift()
    assert gate_now.plant()["left"] == before["left"]
    assert gate_now.no_exit_permit_for(interrupted)
    assert gate_now.passes().transaction != interrupted
    closing = next(record for record in gate_now.records() if record.transaction == interrupted)
    assert (closing.outcome, closing.reasons) == ("COUNTER", ("ENDED_BY_RESTART",))


def test_lane_stopped_with_somebody_inside_loses_its_leases_and_its_permit(gate_now):
    before = gate_now.plant()
    walk = gate_now.into_capture()
    lane, over = gate_now.signal("lane", signal.SIGSTOP), time.monotonic() + CAPTURE_S
    try:
        gate_now.turn_to_camera()
        gate_now.until_out(before)  # by the controller alone
        time.sleep(max(0.0, over - time.monotonic()))
    finally:
        gate_now.signal("lane", signal.SIGCONT)
    record = gate_now.ends_referred(walk, before)
    assert record.outcome == "COUNTER"
    assert gate_now.no_exit_permit_for(record.transaction)
    assert gate_now.service.pids["lane"] == lane
    gate_now.passes()


def test_a_lane_that_wakes_with_the_answer_before_it_permits_nothing_on_what_it_saw_before(gate_now):
    """Resumed before its time for the face is up, and after its controller had given it up."""
    before = gate_now.plant()
    walk = gate_now.into_capture()
    lane = gate_now.signal("lane", signal.SIGSTOP)
    try:
        gate_now.turn_to_camera()  # vision's answer comes to lie in the lane's socket, beside the telemetry of the first second
        time.sleep(CAPTURE_S * 2 / 3)
    finally:
        gate_now.signal("lane", signal.SIGCONT)
    record = walk.result(30)
    assert record.outcome == "COUNTER"
    assert gate_now.no_exit_permit_for(record.transaction)
    gate_now.until_out(before)
    assert gate_now.plant()["left"] == before["left"]
    assert gate_now.service.pids["lane"] == lane
    gate_now.passes()


def test_without_the_officers_page_no_exit_opens(gate_now):
    before = gate_now.plant()
    walk = gate_now.into_capture()
    former = gate_now.signal("officer_screen")
    record = gate_now.ends_referred(walk, before)
    assert "supervision=absent" in unmet(record)
    gate_now.started_again("officer_screen", former)
    gate_now.passes()


def test_without_the_officers_page_an_idle_lane_takes_nobody(gate_now):
    page = gate_now.signal("officer_screen", signal.SIGKILL)
    gate_now.until_screen("closed")
    gate_now.started_again("officer_screen", page)
    gate_now.until_screen("scan")
