"""A gate with a single door on a mantrap's firmware, in Python and in C: its entry inputs are strapped, and nothing stands there to move."""

from __future__ import annotations

from random import Random

import pytest

from hardware.controller.protocol import Close, Door, Leaf, OpenExit, Outcome, Passage, Telemetry
from hardware.sim.people import Manner, Place
from hardware.sim.plant import Plant


@pytest.fixture
def single(make_bench):
    """A bench whose plant has one door, before its controller is connected."""
    bench = make_bench()
    bench.plant = Plant(bench.now, kind="single_door")
    return bench.connect()


def walk_up(bench, people: int = 1) -> None:
    bench.plant.arrive(people, 0.3, Manner())
    assert bench.run(6, until=lambda: bench.inside == people)


def told(bench) -> Telemetry:
    return [event for event in bench.events if isinstance(event, Telemetry)][-1]


def test_a_traveller_walks_up_and_through(single):
    walk_up(single)
    assert not [event for event in single.events if isinstance(event, Passage)], "no barrier of light stands on the open side"
    assert single.do(OpenExit) is Outcome.EXECUTED
    assert single.run(6, until=lambda: single.plant.count(Place.LEFT) == 1)
    assert single.run(3, until=lambda: single.plant.leaves[Door.EXIT].locked)
    assert [event for event in single.events if isinstance(event, Passage)] == [Passage(door=Door.EXIT, inwards=False)]
    assert single.plant.violations == []


@pytest.mark.parametrize("people", [0, 2])
def test_the_door_opens_for_exactly_one(single, people):
    if people:
        walk_up(single, people)
    assert single.do(OpenExit) is Outcome.REFUSED_OCCUPIED


def test_whoever_is_sent_away_walks_away(single):
    walk_up(single)
    single.plant.give_up()
    assert single.run(6, until=lambda: single.inside == 0)
    assert single.plant.count(Place.EJECTED) == 1


def test_a_dead_host_leaves_the_door_shut_and_the_next_one_puts_the_strap_back(single):
    walk_up(single)
    single.renewing = False
    assert single.run(5, until=lambda: told(single).entry is Leaf.RELEASED), "the controller frees what it takes for an entry"
    assert single.plant.leaves[Door.EXIT].locked
    single.renewing = True
    single.run(0.1)
    assert single.do(Close, door=Door.ENTRY) is Outcome.EXECUTED
    assert single.run(1, until=lambda: told(single).entry is Leaf.LOCKED)
    assert single.do(OpenExit) is Outcome.EXECUTED
    assert single.plant.violations == []


@pytest.mark.parametrize("company", ["child", "infant", "suitcase", "wheelchair"])
def test_whoever_is_counted_without_certainty_finds_the_door_shut(make_bench, company):
    """Twenty seeds each: the door opens exactly where the count is a certain one."""
    outcomes = set()
    for seed in range(20):
        bench = make_bench()
        bench.plant = Plant(bench.now, kind="single_door", dice=Random(f"{company} {seed}"))
        bench.connect()
        bench.plant.arrive(1, 0.3, Manner(company=company, walk_in_s=0.2))
        assert bench.run(6, until=lambda bench=bench: bench.inside > 0)
        bench.run(0.1)
        counted, outcome = told(bench).occupancy, bench.do(OpenExit)
        assert outcome is (Outcome.EXECUTED if counted == 1 else Outcome.REFUSED_OCCUPIED)
        outcomes.add(counted)
    assert None in outcomes
