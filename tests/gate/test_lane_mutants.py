"""A slice of the systematic defects of the mantrap's table: each breaks an invariant, or changes nothing that anybody could tell."""

from __future__ import annotations

import pytest

from benchmarks.lane_mutants import Watched, judged, mutants
from gate import lane_guards as g
from gate.lane import TABLE

OF = 48


def test_small_defects_of_the_table_are_killed_or_change_nothing(monkeypatch: pytest.MonkeyPatch):
    """Every ten rows one; ``python -m benchmarks.lane_mutants`` tries all."""
    monkeypatch.setattr(g, "RETRIES", 1)
    right = Watched(TABLE)
    assert right.run() is None
    all_of_them = list(mutants())
    assert len(all_of_them) > 400
    found = {name: judged(table, right.edges) for name, table in all_of_them[::OF]}
    assert set(found.values()) == {"killed", "the same"}, found
