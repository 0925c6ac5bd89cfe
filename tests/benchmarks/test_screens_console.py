"""How a change that a lane told is found again among what its tile showed."""

from __future__ import annotations

import pytest

from benchmarks.screens_console import matched

TOLD = [("a", "idle", 1.0), ("a", "document", 2.0), ("a", "document", 2.1), ("b", "idle", 2.0), ("a", "idle", 3.0)]


def test_each_change_is_measured_to_the_first_tile_that_shows_it():
    seen = [("a", "idle", 1050.0), ("a", "document", 2040.0), ("b", "idle", 2030.0), ("a", "idle", 3020.0)]
    delays, overtaken = matched(TOLD, seen)
    assert sorted(delays) == pytest.approx([20, 30, 40, 50])
    assert overtaken == 0


def test_what_no_tile_showed_before_the_lane_said_it_again_is_overtaken_and_not_slow():
    delays, overtaken = matched(TOLD, [("a", "idle", 3020.0), ("b", "idle", 2030.0)])
    assert sorted(delays) == pytest.approx([20, 30])
    assert overtaken == 2
