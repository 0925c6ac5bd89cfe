"""The service is stopped with somebody inside; a worker is away; the gate controller lies: nobody stays inside, and the page says why."""

from __future__ import annotations

import signal

import pytest

from gate.lane_command import lane_command
from gate.processes.messages import OfficerView

pytestmark = pytest.mark.processes


def stop_lane(gate):
    """SIGTERM to the lane, as a service that is stopped sends it; the process, which is started again once it has ended."""
    lane = next(process for process in gate.service._processes if process.name == "lane")
    running = lane.running
    running.send_signal(signal.SIGTERM)
    return running


def ended_well(gate, running) -> None:
    gate.until(lambda: running.returncode is not None, "the lane ends")
    assert running.returncode == 0


def warnings(gate, *, with_cause: str) -> tuple[str, ...]:
    """What stands on the officer's page once it names ``with_cause``."""
    officer = gate.peer("officer_screen")
    try:
        while True:
            said = officer.hear(OfficerView).warnings
            if any(line.startswith(f"{with_cause}: ") for line in said):
                return said
    finally:
        officer.leave()


def test_whoever_is_inside_when_the_service_is_stopped_is_served_to_the_end(gate_now):
    before = gate_now.plant()
    walk = gate_now.into_capture()
    lane = stop_lane(gate_now)
    assert any(line.startswith("stopping: ") for line in warnings(gate_now, with_cause="stopping"))
    gate_now.turn_to_camera()
    record = walk.result(30)
    assert (record.outcome, record.reasons) == ("OPEN", ())
    assert gate_now.plant()["left"] == before["left"] + 1
    ended_well(gate_now, lane)
    assert record == next(each for each in gate_now.records() if each.transaction == record.transaction)
    gate_now.passes()


def test_whoever_is_inside_and_not_recognised_is_let_out_and_the_books_are_closed(gate_now):
    before = gate_now.plant()
    walk = gate_now.into_capture()
    lane = stop_lane(gate_now)
    record = gate_now.ends_referred(walk, before)
    assert record.outcome == "COUNTER"
    assert record.reasons in {("NO_PROBE",), ("REQUIREMENT_UNMET",)}, "the latter where the camera's answer came too late"
    ended_well(gate_now, lane)


def test_told_to_hurry_the_lane_closes_its_books_and_the_controller_lets_out_whoever_is_inside(gate_now):
    before = gate_now.plant()
    walk = gate_now.into_capture()
    entered = gate_now.permits()[-1].evidence.transaction
    lane = stop_lane(gate_now)
    gate_now.service.hurry()
    ended_well(gate_now, lane)
    walk.cancel()
    gate_now.until_out(before)
    (record,) = [each for each in gate_now.records() if each.transaction == entered]
    assert (record.outcome, record.reasons) == ("COUNTER", ("DEVICE_LOST",))
    gate_now.stage.world.lift()
    gate_now.passes()


def test_a_worker_that_is_away_takes_the_lane_out_of_service_with_its_last_words(gate_now):
    gate_now.until_ready()
    former = gate_now.signal("vision")
    found = warnings(gate_now, with_cause="vision")
    assert any(line.startswith("vision: ") for line in found)
    gate_now.started_again("vision", former)
    gate_now.until_ready()


def test_a_controller_that_reports_a_door_locked_through_which_somebody_walks_is_out_of_service(gate_now):
    """The entry jams open while its bolt switch says "bolted"; then a second person walks in, past the light barrier."""
    gate_now.until_ready()
    before = gate_now.plant()
    walk = gate_now.send(face="nobody")
    gate_now.until(lambda: gate_now.plant()["entry"]["position"] >= 1, "the entry is open")
    for order in ("jam", "lie"):
        gate_now.plant_order(order, door="entry", on=True)
    gate_now.until_stage("entry_close")
    gate_now.plant_order("arrive", people=1, walk_in_s=0.5)
    said = warnings(gate_now, with_cause="controller")
    assert "controller: the entry was reported locked while somebody walked through it" in said
    gate_now.until_screen("closed")
    record = walk.result(30)
    assert record.outcome != "OPEN"
    assert gate_now.no_exit_permit_for(record.transaction)
    gate_now.until(lambda: gate_now.plant()["inside"] == 0, "let out by the controller alone")
    assert gate_now.plant()["left"] == before["left"]
    assert lane_command(gate_now.stage.state, "eject") == 1, "a lane in fault opens nothing"
    for order in ("jam", "lie"):
        gate_now.plant_order(order, door="entry", on=False)
    assert lane_command(gate_now.stage.state, "reset") == 0
    gate_now.passes()
