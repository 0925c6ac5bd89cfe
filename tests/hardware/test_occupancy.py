"""A count is one only where every sensor is sure of it and none disputes it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.occupancy import SURE, agreed
from hardware.ports import Occupancy

readings = st.builds(Occupancy, count=st.integers(-3, 5), confidence=st.one_of(st.floats(), st.floats(0.9, 1.0)))


def told(count: int, confidence: float = 1.0) -> Occupancy:
    return Occupancy(count=count, confidence=confidence)


def test_sensors_that_are_sure_and_agree_have_counted():
    assert agreed([told(1)]) == 1
    assert agreed([told(2), told(2, SURE)]) == 2


@pytest.mark.parametrize(
    "sensors",
    [
        [],
        [told(1, 0.94)],
        [told(1, math.nan)],
        [told(1, 1.01)],
        [told(-1)],
        [told(1), told(2)],
        [told(1), told(0)],
        [told(1), told(1, 0.5)],
        [told(0, 0.5), told(0, 0.5)],
    ],
    ids=["nobody looked", "unsure", "no number", "too sure", "below none", "more", "fewer", "one unsure", "both unsure"],
)
def test_uncertain_or_disputed_is_no_count(sensors):
    assert agreed(sensors) is None


@given(st.lists(readings, max_size=4))
def test_whatever_sensors_say_a_count_is_that_of_each_of_them(sensors):
    count = agreed(sensors)
    assert count is None or (sensors and all(each.count == count >= 0 and SURE <= each.confidence <= 1 for each in sensors))
