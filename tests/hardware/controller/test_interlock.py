"""The doors, judged by the plant: what must never happen, and what must happen without anybody (facts of the lane, I1 … I8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hardware.controller.protocol import (
    Close,
    Door,
    Fault,
    Leaf,
    LeaseLapsed,
    Obstruction,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    Telemetry,
)
from hardware.sim.interlock import LeafSensors
from hardware.sim.people import Place

ADMIT = {"purpose": Purpose.ADMIT}
EJECT = {"purpose": Purpose.EJECT}


def newest(bench) -> Telemetry:
    return next(event for event in reversed(bench.events) if isinstance(event, Telemetry))


# --- one passage ---------------------------------------------------------------------------------------------------------


def test_a_traveller_goes_through_and_both_doors_are_locked_again(bench):
    bench.admit()
    bench.let_out()
    assert bench.run(5, until=lambda: bench.plant.count(Place.LEFT) == 1)
    assert bench.run(3, until=lambda: newest(bench).exit is Leaf.LOCKED)  # by itself: one permit, one passage
    assert bench.plant.violations == []
    assert not [event for event in bench.events if isinstance(event, LeaseLapsed)]


def test_one_permit_lets_one_person_out_however_long_it_is_renewed(bench):
    bench.admit()
    bench.let_out()
    bench.run(8)
    assert len(bench.said("exit opening")) == 1
    assert len(bench.said("passage exit out")) == 1


@pytest.mark.parametrize("people", [2, 3])
def test_the_exit_does_not_open_for_a_party(bench, people):
    bench.admit(people)
    assert bench.do(OpenExit) is Outcome.REFUSED_OCCUPIED


def test_the_exit_does_not_open_for_an_uncertain_count_or_a_left_object(bench):
    bench.admit()
    bench.plant.blind = True
    bench.step()
    assert bench.do(OpenExit) is Outcome.REFUSED_OCCUPIED
    bench.plant.blind, bench.plant.object_left = False, True
    bench.step()
    assert bench.do(OpenExit) is Outcome.REFUSED_OCCUPIED


def test_nobody_is_admitted_to_somebody_inside_but_can_be_let_back(bench):
    bench.admit()
    assert bench.do(OpenEntry, **ADMIT) is Outcome.REFUSED_OCCUPIED
    assert bench.do(OpenEntry, **EJECT) is Outcome.EXECUTED
    assert bench.run(5, until=lambda: bench.plant.count(Place.EJECTED) == 1)


def test_the_two_doors_exclude_each_other(bench):
    bench.arrive()
    assert bench.do(OpenEntry, **ADMIT) is Outcome.EXECUTED
    assert bench.do(OpenExit) is Outcome.REFUSED_INTERLOCK
    bench.run(4, until=lambda: bench.inside == 1)
    bench.do(Close, door=Door.ENTRY)
    assert bench.do(OpenExit) is Outcome.REFUSED_INTERLOCK  # closing is not locked
    bench.run(2, until=lambda: newest(bench).entry is Leaf.LOCKED)
    bench.let_out()
    assert bench.do(OpenEntry, **EJECT) is Outcome.REFUSED_INTERLOCK


@pytest.mark.parametrize(
    ("opens", "shuts", "then_opens"),
    [((OpenExit, {}), Door.EXIT, (OpenEntry, EJECT)), ((OpenEntry, EJECT), Door.ENTRY, (OpenExit, {}))],
    ids=["exit first", "entry first"],
)
def test_a_bolt_that_was_read_before_the_leaf_was_driven_open_proves_nothing_after_it(bench, opens, shuts, then_opens):
    bench.admit()
    assert bench.do(opens[0], **opens[1]) is Outcome.EXECUTED
    closing, other = bench.send(Close, door=shuts), bench.send(then_opens[0], **then_opens[1])
    bench.step()  # the drive is told to open on pins that still say bolted; both commands come before the next look at them
    assert bench.outcomes(closing) == [Outcome.EXECUTED]
    assert bench.outcomes(other) == [Outcome.REFUSED_INTERLOCK]
    bench.run(2)
    assert bench.plant.violations == []


def test_a_slow_bolt_that_still_shows_under_the_drive_to_open_proves_nothing(bench, monkeypatch):
    bench.admit()
    assert bench.do(OpenExit) is Outcome.EXECUTED
    bench.send(Close, door=Door.EXIT)
    bench.step()
    look = bench.plant.step
    bolted = LeafSensors(bolted=True, wide=False, clear=True)
    monkeypatch.setattr(bench.plant, "step", lambda now, outputs: replace(look(now, outputs), exit=bolted))
    early = bench.send(OpenEntry, **EJECT)
    bench.step()  # this reading was taken while the drive was still to open; the next one will not be
    assert bench.outcomes(early) == [Outcome.REFUSED_INTERLOCK]
    assert bench.do(OpenEntry, **EJECT) is Outcome.EXECUTED


# --- leases --------------------------------------------------------------------------------------------------------------


def test_an_opening_exit_turns_back_when_the_lane_loop_stops(bench):
    bench.admit()
    bench.let_out()
    bench.run(0.2)
    bench.renewing = False
    stopped = bench.now
    assert bench.run(3, until=lambda: len(bench.said("exit locked")) == 2)
    (closing,) = bench.said("exit closing")
    assert closing - stopped <= 0.3
    assert bench.said("exit open") == []  # it never came to the end
    assert bench.said("exit locked")[1] - stopped <= 1.0
    assert LeaseLapsed(door=Door.EXIT) in bench.events


def test_a_renewal_that_comes_too_late_reopens_nothing(bench):
    bench.arrive()
    bench.do(OpenEntry, **ADMIT)
    bench.renewing = False
    bench.run(0.4)
    bench.renewing = True
    bench.run(2)
    assert newest(bench).entry is Leaf.LOCKED


def test_no_host_can_lease_for_longer_than_the_protocol_says(bench):
    bench.renewing = False
    bench.do(OpenEntry, **ADMIT, lease_ms=60_000)
    bench.host.renew(60_000)
    bench.run(0.5)
    assert LeaseLapsed(door=Door.ENTRY) in bench.events


def test_a_new_host_inherits_no_opening(bench):
    bench.admit()
    bench.let_out()
    bench.run(0.1)
    bench.connect()
    assert bench.run(0.1, until=lambda: bench.said("exit closing") != [])


def test_one_shut_in_by_a_dead_host_gets_out_by_the_entry_and_the_exit_stays_shut(bench):
    bench.admit()
    bench.host, died = None, bench.now
    assert bench.run(10, until=lambda: bench.plant.count(Place.EJECTED) == 1)
    assert 1.9 <= bench.said("entry released")[0] - died <= 2.5
    assert bench.said("exit opening") == []
    assert bench.run(3, until=lambda: bench.plant.leaves[Door.ENTRY].locked)


def test_an_entry_that_lapses_on_somebody_inside_is_released_and_not_shut_on_them(bench):
    bench.arrive()
    bench.do(OpenEntry, **ADMIT)
    assert bench.run(4, until=lambda: bench.inside == 1)
    bench.host = None
    assert bench.run(4, until=lambda: bench.plant.count(Place.EJECTED) == 1)
    assert bench.said("entry closing") == []


@pytest.mark.parametrize("how", ["obstructed", "jammed"])
def test_an_exit_that_cannot_shut_keeps_the_entry_locked_for_five_seconds_and_then_no_longer(bench, how):
    bench.hold_exit(how)
    bench.host = None
    lapsed = bench.said("exit closing" if how == "jammed" else "exit stopped")[0]
    assert not bench.run(4.6, until=lambda: not bench.plant.leaves[Door.ENTRY].locked)
    assert bench.run(1, until=lambda: not bench.plant.leaves[Door.ENTRY].locked)
    assert 4.9 <= bench.said("entry released")[0] - lapsed <= 5.1
    assert bench.run(4, until=lambda: bench.plant.count(Place.EJECTED) == 1)
    assert bench.run(2, until=lambda: bench.plant.leaves[Door.ENTRY].locked)  # empty: nothing speaks against the lock
    assert bench.plant.violations == []


def test_an_exit_that_shuts_after_all_is_no_longer_given_up(bench):
    bench.hold_exit("obstructed")
    bench.host = None
    bench.run(3)
    bench.plant.leaves[Door.EXIT].obstructed = False
    assert bench.run(2, until=lambda: bench.said("entry released") != [])
    assert bench.plant.leaves[Door.EXIT].locked
    assert bench.plant.violations == []


def test_a_host_that_works_may_eject_past_an_exit_that_was_given_up_but_admit_nobody(bench):
    bench.hold_exit("jammed")
    bench.run(4)
    assert bench.do(OpenEntry, **EJECT) is Outcome.REFUSED_INTERLOCK
    bench.run(1.5)
    assert bench.said("entry released") == []  # whoever renews decides
    assert bench.do(OpenEntry, **ADMIT) is Outcome.REFUSED_INTERLOCK
    assert bench.do(OpenEntry, **EJECT) is Outcome.EXECUTED
    assert bench.run(4, until=lambda: bench.plant.count(Place.EJECTED) == 1)
    bench.do(Close, door=Door.ENTRY)
    bench.run(2)
    assert bench.plant.leaves[Door.ENTRY].locked
    assert bench.do(OpenEntry, **ADMIT) is Outcome.REFUSED_INTERLOCK
    assert bench.plant.violations == []


def test_who_is_shut_in_beside_an_exit_that_a_fire_left_free_and_jammed_gets_out_by_the_entry(bench):
    bench.admit()
    bench.plant.leaves[Door.EXIT].jammed = bench.plant.fire = True
    bench.run(0.05)
    bench.plant.fire = False
    bench.step()
    assert bench.do(Close, door=Door.ENTRY) is Outcome.EXECUTED
    bench.run(0.1)
    bench.host = None
    assert bench.plant.leaves[Door.ENTRY].locked
    assert bench.run(6, until=lambda: bench.plant.count(Place.EJECTED) == 1)
    assert bench.plant.violations == []


def test_an_exit_that_was_given_up_and_is_to_open_again_keeps_the_entry_locked(bench):
    bench.hold_exit("jammed")
    bench.run(5.5)
    bench.plant.leaves[Door.EXIT].jammed = False
    again, other = bench.send(OpenExit), bench.send(OpenEntry, **EJECT)
    bench.step()
    assert bench.outcomes(again) == [Outcome.EXECUTED]
    assert bench.outcomes(other) == [Outcome.REFUSED_INTERLOCK]
    bench.run(2)
    assert bench.plant.violations == []


def test_an_exit_that_was_given_up_is_not_so_any_more_once_it_was_told_otherwise(bench):
    bench.hold_exit("jammed")
    bench.run(5.5)
    bench.send(OpenExit)
    bench.send(Close, door=Door.EXIT)
    other = bench.send(OpenEntry, **EJECT)
    bench.step()
    assert bench.outcomes(other) == [Outcome.REFUSED_INTERLOCK]
    assert bench.run(6, until=lambda: bench.now - bench.said("exit closing")[0] > 11)
    assert bench.do(OpenEntry, **EJECT) is Outcome.EXECUTED


def test_what_passes_the_exit_does_not_prolong_the_lease_of_the_entry(bench, monkeypatch):
    assert bench.do(OpenEntry, **ADMIT) is Outcome.EXECUTED
    bench.renewing = False
    look, out = bench.plant.step, Passage(door=Door.EXIT, inwards=False)
    monkeypatch.setattr(bench.plant, "step", lambda now, outputs: replace(look(now, outputs), crossings=(out,)))
    assert bench.run(0.3, until=lambda: bench.said("entry closing") != [])


def test_a_host_that_renews_is_not_taken_for_dead(bench):
    bench.admit()
    bench.run(6)
    assert bench.said("entry released") == []


def test_without_power_the_occupied_trap_is_released_and_the_empty_one_stays_locked(bench):
    bench.plant.mains = False
    bench.run(3)
    assert bench.said("entry released") == []
    assert bench.do(OpenEntry, **ADMIT) is Outcome.REFUSED_INTERLOCK
    bench.plant.mains = True
    bench.run(0.1)
    bench.admit()
    bench.plant.mains = False
    assert bench.run(4, until=lambda: bench.plant.count(Place.EJECTED) == 1)


def test_a_power_failure_ends_an_opening_that_is_still_renewed(bench):
    bench.admit()
    bench.let_out()
    bench.run(0.2)
    bench.plant.mains = False
    assert bench.run(0.3, until=lambda: bench.said("exit closing") != [])


# --- obstruction, fire, jam ----------------------------------------------------------------------------------------------


def test_a_leaf_waits_for_its_threshold_and_locks_once_it_is_clear(bench):
    bench.do(OpenEntry, **ADMIT)
    bench.run(1)
    entry = bench.plant.leaves[Door.ENTRY]
    bench.do(Close, door=Door.ENTRY)
    bench.run(0.2)
    entry.obstructed, standing = True, entry.position
    bench.run(2)
    assert entry.word == "stopped"
    assert standing - entry.position < 0.1
    assert bench.events.count(Obstruction(door=Door.ENTRY)) == 1
    assert bench.do(Close, door=Door.ENTRY) is Outcome.REFUSED_OBSTRUCTED
    entry.obstructed = False
    assert bench.run(2, until=lambda: entry.locked)
    assert bench.plant.violations == []


def test_fire_frees_both_doors_and_nothing_shuts_them_until_the_host_says_so(bench):
    bench.admit()
    bench.plant.fire = True
    bench.run(3)
    assert bench.plant.count(Place.LEFT) == 1
    assert bench.do(OpenEntry, **EJECT) is Outcome.REFUSED_EMERGENCY
    assert bench.do(Close, door=Door.EXIT) is Outcome.REFUSED_EMERGENCY
    bench.plant.fire = False
    bench.run(3)
    assert (newest(bench).entry, newest(bench).exit) == (Leaf.RELEASED, Leaf.RELEASED)
    for door in Door:
        assert bench.do(Close, door=door) is Outcome.EXECUTED
    assert bench.run(2, until=lambda: (newest(bench).entry, newest(bench).exit) == (Leaf.LOCKED, Leaf.LOCKED))
    assert bench.plant.violations == []


def test_fire_at_start_frees_both_doors(make_bench):
    bench = make_bench()
    bench.plant.fire = True
    bench.run(0.05)
    assert {leaf.word for leaf in bench.plant.leaves.values()} == {"released"}


def test_a_jammed_leaf_is_a_fault_told_once(bench):
    bench.plant.leaves[Door.ENTRY].jammed = True
    bench.do(OpenEntry, **ADMIT)
    bench.run(8)
    faults = [event for event in bench.events if isinstance(event, Fault)]
    assert [(fault.code, fault.what) for fault in faults] == [(1, "entry leaf does not reach its end position")]


def test_luggage_that_stays_behind_is_seen(bench):
    bench.arrive(luggage=True)
    bench.do(OpenEntry, **ADMIT)
    bench.run(5, until=lambda: bench.inside == 1)
    bench.do(OpenEntry, **EJECT)
    assert bench.run(5, until=lambda: bench.plant.count(Place.EJECTED) == 1)
    bench.step()
    assert newest(bench).object_left
    assert bench.do(OpenEntry, **ADMIT) is Outcome.REFUSED_OCCUPIED
