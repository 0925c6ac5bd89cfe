"""Anything that a host may send to the interlock, judged by the plant; and the judge itself, by firmwares with a defect."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.controller.protocol import (
    Close,
    Door,
    Leaf,
    OpenEntry,
    OpenExit,
    Outcome,
    Purpose,
    SetSignal,
    Signal,
)
from hardware.sim import interlock
from hardware.sim.interlock import Interlock
from hardware.sim.people import Place

ADMIT = {"purpose": Purpose.ADMIT}
EJECT = {"purpose": Purpose.EJECT}


commands = st.sampled_from(
    [
        (OpenEntry, ADMIT),
        (OpenEntry, EJECT),
        (OpenExit, {}),
        (Close, {"door": Door.ENTRY}),
        (Close, {"door": Door.EXIT}),
        (SetSignal, {"signal": Signal.GREEN_ARROW}),
    ]
)
switches = st.sampled_from(["fire", "blind", "mains", "object_left"])
deeds = st.one_of(
    st.tuples(st.just("send"), commands),
    st.tuples(st.just("send"), commands),
    st.tuples(st.just("wait"), st.sampled_from([0.02, 0.1, 0.4, 1.0, 2.5])),
    st.tuples(st.just("arrive"), st.integers(1, 3)),
    st.tuples(st.just("visit"), st.integers(1, 2)),
    st.tuples(st.just("through"), st.just(1)),
    st.tuples(st.just("toggle"), switches),
    st.tuples(st.just("obstruct"), st.sampled_from(list(Door))),
    st.tuples(st.just("jam"), st.just(Door.EXIT)),
    st.tuples(st.just("renew"), st.booleans()),
    st.tuples(st.just("host"), st.none()),
)


def play(bench, script) -> None:
    for deed, what in script:
        match deed:
            case "send":
                if bench.host is not None and bench.host.up:
                    bench.send(what[0], **what[1])
                bench.step()
            case "wait":
                bench.run(what)
            case "arrive":
                bench.arrive(what, pushy=True)
            case "visit":
                bench.arrive(what, walk_in_s=0.5)
                if bench.host is not None and bench.host.up:
                    bench.send(OpenEntry, **ADMIT)
                    bench.run(1.6)
                if bench.host is not None and bench.host.up:
                    bench.send(Close, door=Door.ENTRY)
                bench.run(0.7)
            case "through":
                play(bench, [("visit", what), ("send", (OpenExit, {}))])
            case "toggle":
                setattr(bench.plant, what, not getattr(bench.plant, what))
            case "obstruct":
                bench.plant.leaves[what].obstructed ^= True
            case "jam":
                bench.plant.leaves[what].jammed ^= True
            case "renew":
                bench.renewing = what
            case "host":
                bench.new_host()
                bench.run(0.1)


def everything_well_but_the_host_dead(bench) -> None:
    bench.host = None
    bench.plant.fire = bench.plant.blind = False
    bench.plant.leaves[Door.ENTRY].obstructed = False  # an exit may stay as it is: nobody may be shut in by it
    bench.plant.give_up()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(deeds, max_size=14))
def test_whatever_the_host_sends_nothing_unsafe_happens_and_nobody_stays_shut_in(make_bench, script):
    bench = make_bench(tick_s=0.02).connect()
    play(bench, script)
    everything_well_but_the_host_dead(bench)
    assert bench.run(20, until=lambda: bench.inside == 0), list(bench.plant.log)
    assert bench.plant.violations == [], list(bench.plant.log)
    permits = len([event for event in bench.events if getattr(event, "outcome", None) is Outcome.EXECUTED])
    if "fire" not in [what for _, what in script]:
        assert bench.plant.count(Place.LEFT) <= permits


# --- the judge itself: each defect of the firmware must be seen ------------------------------------------------------------


def _walk_through(bench) -> None:
    """A short life with everything the defects need: a door open while the other is asked for, a body in the way, a dead host."""
    bench.arrive(2)
    bench.send(OpenEntry, **ADMIT)
    bench.run(1.6)
    bench.send(Close, door=Door.ENTRY)
    bench.send(OpenExit)
    bench.run(0.2)
    bench.plant.leaves[Door.ENTRY].obstructed = True
    bench.run(0.5)
    everything_well_but_the_host_dead(bench)
    bench.run(12)


def _safe(bench) -> bool:
    return bench.plant.violations == [] and bench.inside == 0


def test_the_sound_firmware_passes_the_walk(bench):
    _walk_through(bench)
    assert _safe(bench), list(bench.plant.log)


@pytest.mark.parametrize(
    ("name", "defect"),
    [
        ("leaf", lambda self, door: Leaf.LOCKED),
        ("_blocked", lambda self, door, state, now: False),
        ("_release_or_relock", lambda self, now: None),
    ],
    ids=["no interlock", "no light barrier", "no release"],
)
def test_a_firmware_with_a_defect_is_caught_by_the_plant(python_bench, monkeypatch, name, defect):
    bench = python_bench
    monkeypatch.setattr(Interlock, name, defect)
    if name == "leaf":
        monkeypatch.setattr(
            Interlock, "_open_exit", lambda self, command, now: self._open(Door.EXIT, 250, now) or Outcome.EXECUTED
        )
    if name == "_release_or_relock":
        monkeypatch.setattr(Interlock, "_lapse", lambda self, door, now: self._close(door, now))
    _walk_through(bench)
    assert not _safe(bench)


@pytest.mark.parametrize(("after_ms", "harm"), [(0, "both doors unlocked"), (10**9, "shut in")], ids=["at once", "never"])
def test_a_firmware_that_gives_up_an_exit_too_soon_or_never_is_caught(python_bench, monkeypatch, after_ms, harm):
    bench = python_bench
    monkeypatch.setattr(interlock, "STUCK_MS", after_ms)
    bench.hold_exit("jammed")
    bench.host = None
    bench.run(15)
    assert bench.plant.violations + ["shut in"] * bench.inside == [harm]
