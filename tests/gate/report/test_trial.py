"""The trial report: exact intervals, honest counting, nothing from outside the page."""

import re
from datetime import UTC, date, datetime, timedelta
from math import comb

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.audit.log import FILE_NAME, AuditLog
from gate.decision import Outcome, PolicyDecision
from gate.evidence import CheckResult, Direction, Evidence, Fact, Stage
from gate.records import DecisionRecord, StageTiming, TransactionRecord
from gate.report import trial_command
from gate.report.intervals import at_most, clopper_pearson, lower_bound
from gate.report.trial_page import render_trial
from gate.report.trial_times import median_transaction, stage_times
from gate.report.waterfall import GUTTER, WIDTH, hidden_ms, waterfall

STARTED = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


def stage(name="chip", start=0.0, duration=100.0, room="reader", result="successful"):
    return StageTiming(name=name, start_ms=start, duration_ms=duration, result=result, room=room)


def record(number=1, outcome=Outcome.OPEN, *reasons, seconds=8.0, stages=(), document_class="ordinary", demonstration=False):
    transaction = f"T-{number}"
    facts = {"profile": Fact(value="demo" if demonstration else "trial", result=CheckResult.SUCCESSFUL)}
    evidence = Evidence(
        transaction=transaction,
        lane="lane-1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        civil_date=date(2026, 3, 2),
        facts=facts,
    )
    decision = PolicyDecision(
        stage=Stage.EXIT, outcome=outcome, reasons=reasons, grant="g", rules=(), tolerances=(), unmet=(), rules_version="rules-1"
    )
    started = STARTED + timedelta(minutes=number)
    return TransactionRecord(
        transaction=transaction,
        lane="lane-1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        started=started,
        ended=started + timedelta(seconds=seconds),
        document_class=document_class,
        document_key="00",
        outcome=outcome,
        reasons=reasons,
        stages=stages,
        decisions=(DecisionRecord(at=started, evidence=evidence, decision=decision),),
        backends={"face": "pack"},
        demonstration=demonstration,
    )


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [  # Clopper–Pearson 95 %, as tables of the binomial distribution give them
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (1, 20, 0.0013, 0.2487),
        (50, 1000, 0.0373, 0.0654),
    ],
)
def test_intervals_equal_the_published_ones(hits, trials, low, high):
    assert clopper_pearson(hits, trials) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_nothing_in_three_thousand_bounds_a_rate_at_a_tenth_of_a_per_cent():
    assert at_most(0, 3000) == pytest.approx(1 - 0.05 ** (1 / 3000), abs=1e-8)
    assert round(100 * at_most(0, 3000), 1) == 0.1


def test_no_trials_say_nothing():
    assert clopper_pearson(0, 0) == (0, 1)


@given(st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_at_the_bound_the_tail_has_exactly_its_probability(trials, data):
    hits = data.draw(st.integers(1, trials))
    bound = lower_bound(hits, trials, 0.025)
    tail = sum(comb(trials, seen) * bound**seen * (1 - bound) ** (trials - seen) for seen in range(hits, trials + 1))
    assert tail == pytest.approx(0.025, rel=1e-5)


@given(st.integers(1, 100_000), st.data())
@settings(max_examples=40, deadline=None)
def test_an_interval_holds_its_share_at_any_size(trials, data):
    hits = data.draw(st.integers(0, trials))
    low, high = clopper_pearson(hits, trials)
    assert 0 <= low <= hits / trials <= high <= 1


@pytest.mark.parametrize("counts", [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError):
        clopper_pearson(*counts)


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.split("</style>")[1]).split())


def test_outcomes_and_reasons_are_counted_per_class_with_their_intervals():
    records = [record(n) for n in range(8)] + [
        record(8, Outcome.COUNTER, "FACE_NO_MATCH"),
        record(9, Outcome.COUNTER, "FACE_NO_MATCH", "CLOCK_DOUBTFUL"),
        record(10, document_class="service"),
    ]
    text = plain(render_trial(records, few=True))
    assert "ordinary, departure: 10 transactions" in text
    assert "OPEN 8 of 10 80.0 % 44.4–97.5 %" in text
    assert "COUNTER 2 of 10 20.0 % 2.5–55.6 %" in text
    assert "FACE_NO_MATCH 2 of 10" in text
    assert "CLOCK_DOUBTFUL 1 of 10" in text
    assert "service, departure: 1 transaction " in text


def test_what_was_not_seen_is_bounded_and_not_called_impossible():
    text = plain(render_trial([record(n) for n in range(10)]))
    assert "HOLD was not seen. 0 of 10: at most 25.9 % (one-sided, 95 %)" in text
    assert "No rate of false acceptance" in text


def test_one_demonstration_among_the_records_puts_the_banner_on_the_page():
    assert "DEMONSTRATION" not in plain(render_trial([record(1)]))
    text = plain(render_trial([record(1), record(2, demonstration=True)]))
    assert "DEMONSTRATION — 1 of 2 transactions" in text
    assert "Profile demo, trial" in text


def test_each_lane_is_named_with_its_kind():
    assert "lane-1 (mantrap)" in plain(render_trial([record(1)]))
    single = msgspec.structs.replace(record(1), kind="single_door")
    assert "lane-1 (single door)" in plain(render_trial([single]))


def test_records_that_do_not_count_are_named_with_the_reason():
    text = plain(render_trial([record(1), record(2, seconds=-1), record(1, Outcome.HOLD, "CHIP_NOT_GENUINE")], few=True))
    assert "1 counted, 2 left out" in text
    assert "lane-1 ends before it starts 1 T-2" in text
    assert "lane-1 the same transaction again; the first one counts 1 T-1" in text
    assert "CHIP_NOT_GENUINE" not in text


def test_percentiles_are_values_that_occurred():
    times = stage_times([record(n, stages=(stage(duration=float(n)),)) for n in range(1, 101)])
    assert [(row.name, row.count, row.p50, row.p95, row.longest) for row in times] == [("chip", 100, 50.0, 95.0, 100.0)]


def test_the_median_transaction_is_one_that_opened():
    records = [record(n, seconds=n) for n in (1, 5, 9)] + [record(20, Outcome.HOLD, "X", seconds=5.5)]
    assert median_transaction(records).transaction == "T-5"
    assert median_transaction([]) is None


def test_stages_that_run_together_lie_beneath_each_other_and_inside_the_drawing():
    stages = (stage(start=0, duration=2000), stage("sod", 800, 9), stage("registry", 10, 300, "lane"))
    chart = waterfall(stages)
    chip, sod = (next(bar for bar in chart.bars if bar.label.startswith(name)) for name in ("chip", "sod"))
    assert chip.x == GUTTER < sod.x < chip.x + chip.width <= WIDTH
    assert sod.y > chip.y
    assert hidden_ms(stages) == 309


texts = st.text(max_size=12)
timings = st.builds(
    StageTiming,
    name=texts,
    start_ms=st.floats(-1e6, 1e6),
    duration_ms=st.floats(0, 1e6),
    result=texts,
    room=texts,
)


@given(st.lists(timings, max_size=6), texts, texts)
@settings(max_examples=40, deadline=None)
def test_any_record_makes_a_page(stages, document_class, reason):
    page = render_trial([record(1, Outcome.COUNTER, reason, stages=tuple(stages), document_class=document_class)], few=True)
    assert page.rstrip().endswith("</html>")


def test_hostile_text_in_a_record_stays_text_and_nothing_is_fetched():
    evil = "<script>alert(1)</script>"
    odd = record(1, Outcome.COUNTER, evil, stages=(stage(evil, room=evil, result=evil),), document_class=evil)
    page = render_trial([msgspec.structs.replace(odd, backends={evil: evil})], few=True)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(src|href)=|url\(|@import|https?:", page)


def test_no_records_make_a_page_that_says_so():
    text = plain(render_trial([]))
    assert "no records" in text
    assert "No transactions." in text


def test_the_command_reads_the_audit_log(tmp_path, capsys):
    log = AuditLog(tmp_path / FILE_NAME, b"k" * 32)
    log.append("transaction", "T-1", record(1, stages=(stage(),)), STARTED, 1.0)
    log.close()
    assert trial_command([tmp_path], tmp_path / "out.html", few=True) == 0
    assert "T-1" in (tmp_path / "out.html").read_text()
    assert trial_command([tmp_path / "nowhere"], tmp_path / "out.html") == 2
    assert "there is no audit log" in capsys.readouterr().err
    assert trial_command([tmp_path], tmp_path / "no" / "out.html") == 2
    assert "--out" in capsys.readouterr().err
