"""The judge of the kill test: it passes a controller that looks after people alone, and sees each way in which one may fail to."""

from __future__ import annotations

import random

import pytest

from benchmarks.fire_test import egress
from benchmarks.kill_judge import MOTION_S, OUT_S, Death, Line, Verdict, judge
from benchmarks.kill_test import plan
from benchmarks.virtual_lane import VirtualLane
from hardware.controller.protocol import Close, Door, OpenEntry, OpenExit, Purpose
from hardware.sim import interlock
from hardware.sim.people import Manner, Place


class Fate:
    """A lane in virtual time whose host falls silent."""

    def __init__(self) -> None:
        self.lane = VirtualLane(random.Random(1))
        for line in (self.lane._to_device, self.lane._to_host):
            line.loss = line.doubling = line.flips = line.noise = 0.0
        self.lane.connect()
        self.lane.run(0.5)
        self._ids = 0

    def do(self, kind: type, **fields: object) -> None:
        self._ids += 1
        assert self.lane.submit(kind(command_id=self._ids, **fields))

    def admit(self) -> None:
        self.lane.plant.arrive(1, 0.0, Manner())
        self.do(OpenEntry, purpose=Purpose.ADMIT)
        self.lane.run(2.5)
        self.do(Close, door=Door.ENTRY)
        self.lane.run(1.0)
        assert self.lane.plant.count(Place.INSIDE) == 1

    def die(self, watched_s: float = 13.0) -> Verdict:
        self.lane.renewing = False
        death = self.lane.now
        self.lane.run(watched_s)
        lines = [Line(boot=line["t"], what=line["what"]) for line in self.lane.plant.log]
        return judge(lines, Death(at=death, renewed=death, watched=self.lane.now))


def test_an_empty_lane_at_rest_is_passed():
    verdict = Fate().die()
    assert (verdict.moment, verdict.motion, verdict.rest, verdict.out, verdict.findings) == ("empty", 0, 0, None, ())


def test_an_occupant_is_seen_to_leave_by_the_entry():
    fate = Fate()
    fate.admit()
    verdict = fate.die()
    assert (verdict.moment, verdict.left_by, verdict.findings) == ("occupied", "entry", ())
    assert 2.0 < verdict.out < OUT_S


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5])
def test_a_leaf_that_opens_is_seen_to_turn_back_in_time(seconds):
    fate = Fate()
    fate.admit()
    fate.do(OpenExit)
    fate.lane.run(seconds)
    verdict = fate.die()
    assert (verdict.moment, verdict.findings) == ("moving", ())
    assert 0.2 < verdict.motion <= MOTION_S


def test_a_lease_that_lasts_too_long_is_found(monkeypatch):
    monkeypatch.setattr(interlock, "LEASE_MS", 600)
    monkeypatch.setattr(interlock.Interlock, "renew", lambda self, _lease, now: _renewed(self, now))
    fate = Fate()
    fate.do(OpenEntry, purpose=Purpose.ADMIT, lease_ms=600)
    fate.lane.run(0.3)
    assert any("driven open" in finding for finding in fate.die().findings)


def _renewed(controller: interlock.Interlock, now: int) -> None:
    controller._host_until = controller._lease_until = now + 600


def test_a_controller_that_never_releases_the_entry_is_found(monkeypatch):
    monkeypatch.setattr(interlock, "RELEASE_AFTER_S", 1e6)
    fate = Fate()
    fate.admit()
    assert fate.die().findings == ("somebody was shut in for 10 s",)


def test_a_slow_leaf_is_found():
    fate = Fate()
    for leaf in fate.lane.plant.leaves.values():
        leaf.travel_s = 2.0
    fate.do(OpenEntry, purpose=Purpose.ADMIT)
    fate.lane.run(1.5)
    assert any("moved" in finding for finding in fate.die().findings)


def test_an_exit_that_opens_after_the_death_is_found(monkeypatch):
    fate = Fate()
    fate.admit()
    monkeypatch.setattr(fate.lane, "renewing", False)
    fate.lane.run(0.2)
    death = fate.lane.now
    fate.lane.run(0.1)
    fate.do(OpenExit)  # what a host would have to send that is not dead
    fate.lane.run(8.0)
    lines = [Line(boot=line["t"], what=line["what"]) for line in fate.lane.plant.log]
    verdict = judge(lines, Death(at=death, renewed=death, watched=fate.lane.now))
    assert any(finding.startswith("exit opening") for finding in verdict.findings)


def test_what_the_plant_itself_calls_a_violation_is_a_finding():
    lines = [Line(boot=1.0, what="VIOLATION both doors unlocked")]
    assert judge(lines, Death(at=0.5, renewed=0.5, watched=2.0)).findings == ("VIOLATION both doors unlocked",)


def test_whoever_slips_in_after_the_death_counts_as_an_occupant():
    lines = [Line(boot=0.0, what="entry opening"), Line(boot=1.0, what="passage entry in")]
    assert "somebody was shut in for 10 s" in judge(lines, Death(at=0.9, renewed=0.9, watched=13.0)).findings


def test_a_leaf_that_waits_for_its_threshold_is_at_rest_meanwhile():
    words = ("entry opening", "entry closing", "entry stopped", "entry closing", "entry locked")
    times = (0.0, 0.3, 0.4, 2.0, 2.5)
    lines = [Line(boot=at, what=what) for at, what in zip(times, words, strict=True)]
    verdict = judge(lines, Death(at=0.1, renewed=0.1, watched=3.0))
    assert (verdict.waited, verdict.findings) == (True, ())
    assert verdict.rest == pytest.approx(0.5)


def test_the_plan_gives_each_kind_of_moment_its_third_and_load_to_half():
    trials = plan(300, seed=1)
    moving = sum(trial.place not in {"idle", "capture"} for trial in trials)
    assert (sum(trial.place == "idle" for trial in trials), moving) == (100, 100)
    assert sum(trial.loaded for trial in trials) == 150
    assert 100 < sum(trial.signal == "SIGSTOP" for trial in trials) < 200
    assert plan(300, seed=1) == trials != plan(300, seed=2)


def test_fire_is_judged_by_when_the_second_door_is_free():
    lines = [Line(boot=1.0, what="fire on"), Line(boot=1.01, what="entry released"), Line(boot=1.04, what="exit released")]
    assert egress(lines) == pytest.approx(0.04)
    assert egress(lines[:2]) is None
    assert egress([*lines, Line(boot=1.05, what="exit closing")]) is None
    assert egress([Line(boot=0.5, what="entry released"), *lines[::2]]) == pytest.approx(0.04)
    assert egress(lines[1:]) is None
