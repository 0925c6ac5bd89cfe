"""The lane's table on the controller's own safety logic, plant and people: every reachable state, and defects of the controller."""

from __future__ import annotations

import pytest

from benchmarks.lane_defects import CONTROLLERS, TABLE
from benchmarks.lane_model import Lanes
from benchmarks.model_check import noticed
from gate.lane import State


def test_all_invariants_hold_on_the_real_safety_logic_under_a_fault():
    search = Lanes(faults=1, late=False)
    assert (broken := search.run()) is None, f"\n{broken}"
    print(f"{len(search.keys)} states, {search.transitions} transitions")
    lanes = search.parts[0].values
    low = (1 << 24) - 1
    assert {lanes[key & low].state for key in search.keys} == set(State)


@pytest.mark.parametrize("name", [name for name, (_, under) in CONTROLLERS.items() if under != TABLE])
def test_a_defect_of_the_controller_is_noticed(name: str):
    assert noticed(name), name
