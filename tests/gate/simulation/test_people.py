from __future__ import annotations

import dataclasses
from collections import Counter

import msgspec
import pytest

from gate.evidence import Direction
from gate.registries.base import Number, State
from gate.simulation.people import Day, office_factors
from gate.simulation.scenario import Choice, Scenario

NOTED = {"assumption": True, "reason": "made for a test"}


def day_of(scenario: Scenario, bank: int = 1, day: int = 0, seed: int = 1) -> Day:
    return Day(scenario=scenario, bank=scenario.bank[bank], seed=seed, day=day, factors=office_factors(scenario, seed))


@pytest.fixture(scope="module")
def crowd(packaged):
    return day_of(packaged).travellers()


def test_the_same_day_of_a_seed_has_the_same_people_and_another_day_others(packaged, crowd):
    assert day_of(packaged).travellers() == crowd
    assert day_of(packaged, day=1).travellers() != crowd
    assert day_of(packaged, seed=2).travellers() != crowd


def test_they_come_one_after_another_and_no_two_hold_the_same_book(packaged, crowd):
    arrivals = [person.arrives for person in crowd]
    assert arrivals == sorted(arrivals)
    assert arrivals[0] >= 0
    books = [(person.state, person.document_number) for person in crowd + day_of(packaged, day=1).travellers()]
    assert max(Counter(books).values()) == 1


def test_registries_can_be_asked_about_every_book(crowd):
    for person in crowd:
        msgspec.convert(person.state, State)
        msgspec.convert(person.document_number, Number)


def test_there_are_as_many_of_each_kind_as_the_scenario_says_give_or_take_chance(packaged):
    people = [person for day in range(4) for person in day_of(packaged, day=day).travellers()]
    assert len(people) >= 4 * packaged.bank[1].travellers_per_day.low
    weights = packaged.people.kind.weights
    kinds = Counter(person.kind for person in people)
    # families are ordinary and foreign: they make the others' share smaller than their weight
    assert 0.005 < kinds["service"] / len(people) < weights["service"] / sum(weights.values())
    assert kinds["ordinary"] > kinds["foreigner"] > kinds["service"] > kinds["diplomatic"]


def test_only_adults_travel_alone_and_only_citizens_have_an_office(crowd):
    assert any(person.age == "under_6" for person in crowd)
    for person in crowd:
        assert bool(person.office) == person.citizen
        if person.official:
            assert person.age == "adult"


def test_who_leaves_comes_before_the_flight_and_who_arrives_after_it(packaged):
    for bank in (0, 1):
        hours = Choice(weights={"12": 1}, **NOTED)
        at_noon = msgspec.structs.replace(packaged.bank[bank], hours=hours)
        day = dataclasses.replace(day_of(packaged, bank), bank=at_noon)
        arrivals = [person.arrives / 3600 for person in day.travellers()]
        if at_noon.direction is Direction.DEPARTURE:
            assert min(arrivals) >= 12 - 8400 / 3600
            assert max(arrivals) < 13
        else:
            assert min(arrivals) >= 12


def test_books_of_a_poor_office_fail_oftener(packaged):
    documents = msgspec.structs.replace(
        packaged.documents, chip_dead=msgspec.structs.replace(packaged.documents.chip_dead, of=0.05)
    )
    scenario = msgspec.structs.replace(packaged, documents=documents)
    factors = dict.fromkeys(office_factors(packaged, 1), 1.0) | {"Jakarta Pusat": 8.0}
    people = [
        one for number in range(3) for one in dataclasses.replace(day_of(scenario, day=number), factors=factors).travellers()
    ]
    dead = Counter((person.office == "Jakarta Pusat", person.chip == "dead") for person in people if person.citizen)
    assert dead[True, True] / (dead[True, True] + dead[True, False]) > 0.3
    assert dead[False, True] / (dead[False, True] + dead[False, False]) < 0.1


def test_offices_differ_by_the_seed_and_some_are_good(packaged):
    factors = [office_factors(packaged, seed) for seed in range(20)]
    values = [value for each in factors for value in each.values()]
    assert 0.6 < values.count(1.0) / len(values) < 0.9
    assert all(value == 1 or 3 <= value <= 6 for value in values)
