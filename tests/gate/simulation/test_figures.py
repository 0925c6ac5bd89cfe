from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.evidence import Direction
from gate.outcome import Outcome
from gate.records import StageTiming, TransactionRecord
from gate.simulation.bank import Tally
from gate.simulation.figures import length, passage_of, quantiles, spread, union
from gate.simulation.lane import Visit

NOW = datetime(2026, 11, 2, tzinfo=UTC)
SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=12)


@given(SPANS)
def test_a_union_covers_each_second_once_and_only_what_was_covered(spans):
    spans = [(float(begins), float(ends)) for begins, ends in spans]
    seconds = {second for begins, ends in spans for second in range(int(begins), int(ends))}
    merged = union(spans)
    assert length(merged) == len(seconds)
    assert all(before[1] < after[0] for before, after in pairwise(merged))


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=60))
def test_percentiles_are_values_that_were_seen(values):
    seen = {round(value, 3) for value in values}
    told = spread(values)
    assert {told["p50"], told["p90"], told["p95"], told["p99"], told["max"]} <= seen
    assert told["p50"] <= told["p90"] <= told["p95"] <= told["p99"] <= told["max"] == max(seen)
    assert len(quantiles(values)) == 101


def test_nobody_has_no_quantiles():
    assert quantiles([]) == []
    assert spread([])["n"] == 0


def visit_of(stages: dict[str, tuple[float, float]], *, passed: float | None = 10.0, outcome: Outcome = Outcome.OPEN) -> Visit:
    record = TransactionRecord(
        transaction="t",
        lane="l",
        checkpoint="CGK",
        direction=Direction.ARRIVAL,
        started=NOW,
        ended=NOW,
        document_class="ordinary",
        document_key="",
        outcome=outcome,
        reasons=(),
        stages=tuple(
            StageTiming(name=name, start_ms=1000 * begins, duration_ms=1000 * takes, result="")
            for name, (begins, takes) in stages.items()
        ),
        decisions=(),
        backends={},
        demonstration=True,
    )
    visit = Visit(person=None, dice=random.Random(1), placed=100.0)  # type: ignore[arg-type] # who it is matters not
    visit.record, visit.passed = record, None if passed is None else 100.0 + passed
    return visit


def test_where_the_time_of_a_passage_went():
    """Chip 0-3 s, a registry beside it 0-2 s, walking 3-6 s with the reference behind it, door 6-7 s, pose 7-8 s, picture 8-8.5 s, out 9-10 s."""
    visit = visit_of(
        {
            "chip.DG2": (0.0, 3.0),
            "registry.issuance": (0.0, 2.0),
            "face.reference": (3.0, 1.0),
            "walk_in": (3.0, 4.0),
            "face.capture": (7.0, 1.5),
        }
    )
    visit.moving = [("human", 103.0, 106.0), ("door", 106.0, 107.0), ("human", 107.0, 108.0), ("human", 109.0, 111.0)]
    visit.pose_s, visit.allowance_s, visit.chip_told = 1.0, 2.0, 103.0
    told = passage_of(visit)
    assert told is not None
    assert (told.total_s, told.human_s, told.door_s) == (10.0, 5.0, 1.0)
    assert told.neither_s == pytest.approx(4.0)  # 3 of the chip, 0.5 of the picture, 0.5 after it
    assert told.without_allowance_s == pytest.approx(3.0)  # the registry would still have taken 2
    assert told.steps_s == pytest.approx(6.5)
    assert told.saved_s == pytest.approx(3.0)  # the registry and the reference


@pytest.mark.parametrize(("passed", "outcome"), [(None, Outcome.OPEN), (10.0, Outcome.COUNTER)])
def test_who_did_not_pass_by_the_gates_decision_has_no_passage(passed, outcome):
    assert passage_of(visit_of({"mrz": (0.0, 1.0)}, passed=passed, outcome=outcome)) is None


def test_a_bank_tells_of_each_hour_in_the_checkpoints_time(packaged):
    tally = Tally(packaged.bank[1])
    for moment, waiting in ((10.0, 1), (20.0, 2), (4000.0, 1)):
        tally.stands(moment, waiting)
    tally.waits = [(10.0, 0.0), (20.0, 400.0), (4000.0, 5.0)]
    told = tally.told(NOW)
    assert (told["arrived"], told["served"], told["longest_queue"]) == (3, 3, 2)
    assert told["within_5_min"] == pytest.approx(2 / 3, abs=1e-4)
    assert [hour["begins"] for hour in told["hours"]] == [NOW.isoformat(), (NOW + timedelta(hours=1)).isoformat()]
    assert [hour["arrived"] for hour in told["hours"]] == [2, 1]
    assert told["lengths"][0] == [NOW.isoformat(), 2]
    assert len(told["lengths"]) == 4000 // 300 + 1
    assert told["waits_s"] == [0.0, 400.0, 5.0]
