"""A second opinion on the mantrap's table: the model checker Spin, on a world that was written anew, counts and finds what our search does."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from benchmarks import lane_promela
from benchmarks.lane_alone import Model
from benchmarks.lane_promela import Opinion, ask_spin, promela
from gate import lane_guards as g
from gate.lane import TABLE, Event, State

pytestmark = pytest.mark.timeout(120)  # compiles what Spin writes, a long program


@pytest.fixture(autouse=True)
def spin_with_one_retry(monkeypatch):
    monkeypatch.setattr(g, "RETRIES", 1)
    if absent := lane_promela.missing():
        what = f"not installed: {', '.join(absent)}"
        pytest.fail(what) if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip(what)


def test_spin_reaches_as_many_states_by_as_many_transitions_and_breaks_no_invariant():
    ours = Model(fault_budget=1)
    assert ours.run() is None
    assert ask_spin(promela(faults=1)) == Opinion(states=len(ours.parent), transitions=ours.transitions, broken="")


def test_spin_notices_a_defect_of_the_table():
    """The entry opens for admission whoever stands inside."""
    rows = tuple(
        replace(row, guard=g.always) if (row.event, row.guard) == (Event.ENTRY_GRANTED, g.ready) else row
        for row in TABLE[State.DOCUMENT]
    )
    assert rows != TABLE[State.DOCUMENT]
    assert ask_spin(promela({**TABLE, State.DOCUMENT: rows}, faults=1)).broken
