"""The simulated sensor errs about whom it must, by the plant's own count of who is really there; and what it is unsure of opens nothing."""

from __future__ import annotations

from random import Random

import pytest

from hardware.controller.protocol import Signal
from hardware.occupancy import agreed
from hardware.sim.interlock import Drive, Outputs
from hardware.sim.occupancy import PERSONS, Company, Peak, look, seen
from hardware.sim.people import Manner, Place
from hardware.sim.plant import LaneKind, Plant

OPEN = Outputs(entry=Drive.OPEN, exit=Drive.SHUT, signal=Signal.GREEN_ARROW, turn_back=False)


def counts(company: Company, trials: int = 400) -> set[int | None]:
    dice = Random(7)
    return {agreed((seen(company, dice),)) for _ in range(trials)}


@pytest.mark.parametrize(
    ("company", "among"),
    [("", {1}), ("infant", {1, None}), ("child", {1, 2, None}), ("wheelchair", {1, None}), ("suitcase", {1, 2, None})],
)
def test_each_company_is_missed_doubled_or_doubted_as_the_table_says(company, among):
    assert counts(company) == among


def test_an_adult_at_arms_length_is_another_person_and_a_low_thing_is_none():
    assert look([Peak(height=1.7, away=0.6)]).count == 2
    assert look([Peak(height=0.4, away=0.6)]).count == 1
    assert look([Peak(height=1.0, away=0.6)]).confidence == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["mantrap", "single_door"])
def test_the_plant_knows_who_is_there_whatever_its_sensor_says(kind: LaneKind):
    plant = Plant(0.0, kind=kind, dice=Random(1))
    plant.arrive(1, 0.3, Manner(company="infant"))
    for tick in range(1, 300):
        inputs = plant.step(tick / 100, OPEN)
    assert plant.count(Place.INSIDE) == PERSONS["infant"] == 2
    assert inputs.occupancy in {1, None}


def test_a_blind_sensor_is_unsure_of_an_empty_lane_too():
    plant = Plant(0.0)
    assert plant.sense().occupancy == 0
    plant.blind = True
    assert plant.sense().occupancy is None
