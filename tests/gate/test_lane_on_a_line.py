"""A slice of the long suite: the real tables, session, firmware, plant and people over a bad line; the plant never does what it must not."""

from __future__ import annotations

import random

import pytest

from benchmarks.soak_gate import lane_on_a_line
from hardware.controller.protocol import LaneKind


@pytest.mark.parametrize("kind", ["mantrap", "single_door"])
def test_the_plant_of_each_kind_of_lane_stays_safe_on_a_bad_line(kind: LaneKind):
    with lane_on_a_line(kind) as case:
        seen = {case(random.Random(f"{kind} {number}")) for number in range(25)}
    assert seen == {"an exit opened", "nothing opened"}
