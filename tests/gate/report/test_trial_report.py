"""What the trial report says of times, faces and few people: recounted by hand, and hidden where it would name somebody."""

import csv
import io
import json
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.evidence import CheckResult, Direction, Evidence, Fact, Stage
from gate.outcome import Outcome, PolicyDecision
from gate.records import DecisionRecord, OfficerActed, SopTrail, StageTiming, TransactionRecord
from gate.report.disclosure import K
from gate.report.official import official_offices, official_places
from gate.report.trial import trial_report
from gate.report.trial_face import faces
from gate.report.trial_outcomes import OTHERS, class_tables, gate_table, heat_map
from gate.report.trial_page import as_csv, as_json, render_trial
from gate.report.trial_times import hidden_stages, saved_ms, split_of

STARTED = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


def stage(name, start, duration, room="lane"):
    return StageTiming(name=name, start_ms=start, duration_ms=duration, result="", room=room)


def record(
    number,
    *reasons,
    lane="lane-1",
    checkpoint="CGK",
    document_class="ordinary",
    seconds=8.0,
    stages=(),
    demonstration=False,
    rules="rules-1",
    ruled=(),
    office="",
    **facts,
):
    outcome, started = Outcome.COUNTER if reasons else Outcome.OPEN, STARTED + timedelta(minutes=number)
    evidence = Evidence(
        transaction=f"T-{number}",
        lane=lane,
        checkpoint=checkpoint,
        direction=Direction.DEPARTURE,
        civil_date=date(2026, 3, 2),
        facts=facts,
    )
    decision = PolicyDecision(
        stage=Stage.EXIT, outcome=outcome, reasons=reasons, grant=None, rules=(), tolerances=(), unmet=(), rules_version=rules
    )
    return TransactionRecord(
        transaction=f"T-{number}",
        lane=lane,
        checkpoint=checkpoint,
        direction=Direction.DEPARTURE,
        started=started,
        ended=started + timedelta(seconds=seconds),
        document_class=document_class,
        document_key="",
        outcome=outcome,
        reasons=reasons,
        stages=tuple(stages),
        decisions=(DecisionRecord(at=started, evidence=evidence, decision=decision),),
        backends={"face": "pack A"},
        demonstration=demonstration,
        trail=SopTrail(sop_version="SPPT-2014", issuing_office=office, stages=()) if office else None,
        ruled=ruled,
    )


def face(value, score, threshold=0.5):
    return Fact(value=value, result=CheckResult.SUCCESSFUL, score=score, threshold=threshold)


def plain(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page.split("</style>")[1]).split())


# --- times


def test_people_doors_and_machine_make_up_the_whole_and_nothing_counts_twice():
    stages = (
        stage("chip.DG2", 0, 2000, "reader"),
        stage("walk_in", 2000, 1500),
        stage("entry_close", 3000, 1000),  # half of it while somebody still walks
        stage("human.turn", 4000, 500, "traveller"),
        stage("face.features", 4100, 600, "vision"),
        stage("walk_out", 5000, 1000),
        stage("exit_close", 6000, 2000),
    )
    split = split_of(record(1, stages=stages, seconds=8))
    assert (split.human, split.doors, split.machine) == (3000, 2500, 2500)
    assert split.whole == 8000


def test_each_stage_is_told_by_what_ran_beside_it():
    stages = (
        stage("chip.DG2", 0, 300, "reader"),
        stage("registry.watchlist", 100, 100),
        stage("walk_in", 300, 1000),
        stage("face.reference", 250, 150, "vision"),
        stage("capture", 1300, 200),
        stage("face.comparison", 1300, 200, "vision"),
        stage("face.features", 1350, 100, "vision"),
    )
    found = {row.name: (row.behind_people, row.behind_work, row.alone) for row in hidden_stages([record(1, stages=stages)])}
    assert found["chip.DG2"] == (0, 150, 150)
    assert found["registry.watchlist"] == (0, 100, 0)
    assert found["face.reference"] == (100, 50, 0)
    assert found["face.features"] == (0, 0, 100)
    assert saved_ms([record(1, stages=stages)]) == 100 + 50 + 100  # beside the chip twice, beside walking once
    assert saved_ms([record(1)]) is None


timings = st.builds(
    StageTiming,
    name=st.sampled_from(["chip.DG1", "chip.DG2", "walk_in", "entry_close", "capture", "face.features", "human.turn"]),
    start_ms=st.floats(-1e5, 1e5),
    duration_ms=st.floats(0, 1e5),
    result=st.just(""),
    room=st.sampled_from(["lane", "reader"]),
)


@given(st.lists(timings, max_size=8), st.floats(0, 200))
@settings(max_examples=80)
def test_no_part_of_a_transaction_is_negative_or_longer_than_it(stages, seconds):
    told = record(1, stages=stages, seconds=seconds)
    split = split_of(told)
    assert min(split.human, split.doors, split.machine) >= -1e-6
    assert max(split.human, split.doors, split.machine) <= split.whole + 1e-6
    for row in hidden_stages([told]):
        assert min(row.behind_people, row.behind_work, row.alone) >= 0


def test_field_and_simulated_times_never_share_an_axis_and_what_is_published_stands_beside_the_field_alone():
    field = [record(number, seconds=12 + number % 5) for number in range(20)]
    played = [record(100 + number, seconds=4, demonstration=True) for number in range(20)]
    both = render_trial([*field, *played])
    assert both.count("solid") - both.split("</style>")[0].count("solid") >= 2
    assert [each.field for each in trial_report([*field, *played]).durations] == [True, False]
    assert both.count("published: 15–25 s") == 1
    assert "published" not in render_trial(played).split("</style>")[1]
    assert "SIMULATED" in plain(render_trial(played))
    assert "SIMULATED" not in plain(render_trial(field))


def test_the_wanted_share_of_the_machine_is_said_met_or_missed():
    quick = [record(number, seconds=3, stages=(stage("walk_in", 0, 2000),), demonstration=True) for number in range(5)]
    slow = [record(number, seconds=8, stages=(stage("walk_in", 0, 2000),), demonstration=True) for number in range(5)]
    assert "wanted: 1.5 s, p99 3 s — met" in plain(render_trial(quick))
    assert "wanted: 1.5 s, p99 3 s — missed" in plain(render_trial(slow))


# --- few people


def people(sizes, **extra):
    """(name, how many) → records; ``name`` becomes whatever ``extra`` says."""
    field = extra.pop("field")
    return [
        record(index * 50 + number, **{field: name, **extra})
        for index, (name, size) in enumerate(sizes)
        for number in range(size)
    ]


groups = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@given(groups)
@settings(max_examples=60)
def test_no_table_tells_of_fewer_than_ten_nor_lets_them_be_subtracted(sizes):
    records = people([(f"g{index}", size) for index, size in enumerate(sizes)], field="lane")
    told = gate_table(records, few=False)
    assert all(gate.transactions >= K for gate in told)
    assert len(records) - sum(gate.transactions for gate in told) in {0, *range(K, 1000)} or not told
    by_class = people([(f"c{index}", size) for index, size in enumerate(sizes)], field="document_class")
    assert all(table.trials >= K for table in class_tables(by_class, few=False))


@given(groups, groups)
@settings(max_examples=40)
def test_no_airport_gate_or_office_of_official_books_is_told_of_fewer_than_ten(first, second):
    records = [
        record(number, lane=f"{airport}-{lane}", checkpoint=airport, document_class="service", office=f"Kanim {airport}-{lane}")
        for airport, sizes in (("CGK", first), ("DPS", second))
        for lane, size in enumerate(sizes)
        for number in range(size)
    ]
    places = official_places(records, few=False)
    assert all(place.crossings >= K for place in places)
    for airport in (place for place in places if not place.is_gate):
        gates = sum(place.crossings for place in places if place.is_gate and place.name.startswith(airport.name))
        assert airport.crossings - gates in {0, airport.crossings} or airport.crossings - gates >= K
    assert all(place.crossings >= K for place in official_offices(records, few=False))


def test_cells_of_the_heat_map_are_hidden_with_the_smallest_that_could_be_shown():
    hours = {0: 40, 1: 25, 2: 12, 3: 4}
    records = [record(60 * hour + number / 2) for hour, size in hours.items() for number in range(size)]
    cells = [cell for row in heat_map(records, few=False).cells for cell in row if cell != 0]
    assert cells == [40, 25, None, None]
    assert [cell for row in heat_map(records).cells for cell in row if cell] == [40, 25, 12, 4]


def test_nine_real_travellers_make_a_page_without_a_figure_about_them_and_nine_played_ones_do():
    real = [record(number, "FACE_NO_MATCH", document_class="diplomatic") for number in range(9)]
    page = render_trial(real)
    assert "FACE_NO_MATCH" not in page
    assert "diplomatic," not in page
    assert "T-4" not in page
    assert "Fewer than 10" in plain(page)
    told = json.loads(as_json(trial_report(real)))
    assert (told["classes"], told["official"], told["gates"], told["reasons"]) == ([], [], [], [])
    assert "FACE_NO_MATCH" in render_trial([record(number, "FACE_NO_MATCH", demonstration=True) for number in range(9)])


def test_small_classes_are_told_together():
    records = [*people([("ordinary", 50), ("service", 30), ("diplomatic", 3)], field="document_class")]
    names = [table.name for table in class_tables(records, few=False)]
    assert names == ["ordinary, departure", OTHERS]
    assert "diplomatic, departure" in plain(render_trial(records, few=True))
    assert "diplomatic, departure" not in plain(render_trial(records))


# --- faces


def test_faces_are_estimated_from_what_the_gate_wrote_down():
    passed = OfficerActed(officer="x", role="officer", action="pass")
    records = [
        *(record(number, face=face("match", 0.6 + number / 1000)) for number in range(16)),
        record(20, "FACE_NO_MATCH", face=face("no_match", 0.42), ruled=(passed,)),
        record(21, "FACE_NO_MATCH", face=face("no_match", 0.1)),
        record(22, "FACE_POOR_QUALITY", face=Fact(value="no_probe", result=CheckResult.FAILED)),
        record(23, "CHIP_UNREADABLE", face=Fact(code="timeout")),
    ]
    found = faces(records)
    assert (found.acquired.hits, found.acquired.trials) == (1, 19)
    assert (found.non_match.hits, found.non_match.trials) == (2, 18)
    assert (found.passed.hits, found.passed.trials) == (1, 2)
    by_threshold = {each.threshold: each.missed.hits for each in found.packs[0].shadows}
    assert by_threshold[0.5] == 2
    assert by_threshold[0.4] == 1
    assert by_threshold[0.6] == 2
    assert found.packs[0].det == ()
    text = plain(render_trial(records))
    assert "FMR not measured." in text
    assert "two persons signed" in text


def test_scores_of_different_packs_or_thresholds_are_never_laid_together():
    records = [record(number, face=face("match", 0.9, threshold)) for number, threshold in enumerate((0.5, 0.5, 0.6))]
    assert [(pack.threshold, pack.shadows[0].missed.trials) for pack in faces(records).packs] == [(0.5, 2), (0.6, 1)]


def test_a_det_curve_is_drawn_only_where_the_impostors_are_known():
    records = [record(number, face=face("match", 0.5 + number / 100), demonstration=True) for number in range(20)]
    assert faces(records).packs[0].det == ()
    pack = faces(records, frozenset({"T-0", "T-1"})).packs[0]
    assert pack.non_mated == 2
    assert pack.det[0][0] == 1
    assert pack.shadows[0].missed.trials == 18
    assert "Detection error trade-off" not in plain(render_trial(records))


# --- comparisons, CSV, JSON


def test_two_versions_of_the_rules_are_compared_and_no_difference_is_called_from_few():
    first = [record(number, *(["X"] if number % 10 == 0 else []), rules="rules-1") for number in range(40)]
    second = [record(100 + number, *(["X"] if number % 8 == 0 else []), rules="rules-2") for number in range(40)]
    (found,) = trial_report([*first, *second]).comparisons
    assert [side.name for side in found.sides] == ["rules-1", "rules-2"]
    assert [side.stopped.hits for side in found.sides] == [4, 5]
    assert not found.called
    assert found.interval[0] < 0 < found.interval[1]
    assert "No difference can be called" in plain(render_trial([*first, *second]))


def test_periods_are_compared_where_they_are_split_and_a_gross_difference_is_called():
    records = [record(number, *(["X"] if number >= 100 and number % 2 else [])) for number in range(200)]
    (found,) = trial_report(records, split=STARTED + timedelta(minutes=100)).comparisons
    assert found.what == "periods"
    assert (found.sides[0].stopped.hits, found.sides[1].stopped.hits) == (0, 50)
    assert found.called
    needed = dict(found.needed)
    assert needed[0.005] > needed[0.01] > needed[0.02] > needed[0.5]


def test_a_side_of_fewer_than_ten_is_compared_with_nobody():
    records = [record(number) for number in range(40)]
    assert trial_report(records, split=STARTED + timedelta(minutes=5)).comparisons == ()


def test_the_table_has_every_share_of_the_json_with_its_interval_and_no_formula():
    evil = "=HYPERLINK(1)"
    records = [record(number, evil, document_class=evil, demonstration=True) for number in range(12)]
    rows = list(csv.DictReader(io.StringIO(as_csv(trial_report(records)))))
    assert not [value for row in rows for value in row.values() if value and value[0] in "=+@"]
    told = {row["figure"]: row for row in rows}
    assert (told["passed"]["hits"], told["passed"]["trials"]) == ("0", "12")
    assert float(told["passed"]["high"]) == pytest.approx(26.46, abs=0.01)
    shares = Counter()

    def count(value):
        if isinstance(value, dict):
            shares["all"] += "percent" in value and "interval" in value
            list(map(count, value.values()))
        elif isinstance(value, list):
            list(map(count, value))

    count(json.loads(as_json(trial_report(records))))
    assert shares["all"] == sum(bool(row["percent"]) for row in rows)


def test_nobody_at_all_makes_json_and_table():
    assert json.loads(as_json(trial_report([])))["counted"] == 0
    assert as_csv(trial_report([])).startswith("figure,value,hits")
