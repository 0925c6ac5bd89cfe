"""What comes bad into the trial report is said, with its count and why; nothing is dropped silently."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.audit.log import FILE_NAME, AuditError, AuditLog, encode
from gate.evidence import CheckResult, Direction, Evidence, Fact, Stage
from gate.outcome import Outcome, PolicyDecision
from gate.records import DecisionRecord, LaneEvent, OfficerActed, StageTiming, TransactionRecord
from gate.report import trial_command
from gate.report.trial import trial_report
from gate.report.trial_input import ANOTHER_SCHEMA, BROKEN, UNDATED, gathered, sifted
from gate.report.trial_page import as_json, figures, render_trial
from gate.report.trial_queue import FILE_NAME as QUEUE

STARTED = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
NOW = STARTED + timedelta(days=20)


def record(number, *reasons, lane="lane-1", started=None, stages=(), demonstration=False, clock="trusted", seconds=8.0, **extra):
    begun = started or STARTED + timedelta(minutes=number)
    facts = {"profile": Fact(value="trial", result=CheckResult.SUCCESSFUL), "clock": Fact(value=clock)}
    evidence = Evidence(
        transaction=f"T-{number}",
        lane=lane,
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        civil_date=date(2026, 3, 2),
        facts=facts,
    )
    outcome = Outcome.COUNTER if reasons else Outcome.OPEN
    decision = PolicyDecision(
        stage=Stage.EXIT, outcome=outcome, reasons=reasons, grant=None, rules=(), tolerances=(), unmet=(), rules_version="rules-1"
    )
    whole = TransactionRecord(
        transaction=f"T-{number}",
        lane=lane,
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        started=begun,
        ended=begun + timedelta(seconds=seconds),
        document_class="ordinary",
        document_key="",
        outcome=outcome,
        reasons=reasons,
        stages=stages,
        decisions=(DecisionRecord(at=begun, evidence=evidence, decision=decision),),
        backends={},
        demonstration=demonstration,
    )
    return msgspec.structs.replace(whole, **extra)


def state(folder, *bodies, kind="transaction"):
    """A log in ``folder``; each body a record, or (body, wall time, boot seconds)."""
    folder.mkdir(exist_ok=True)
    log = AuditLog(folder / FILE_NAME, b"k" * 32)
    for number, each in enumerate(bodies):
        body, at, boot = each if isinstance(each, tuple) else (each, STARTED + timedelta(seconds=number), float(number))
        log.append(kind, f"T-{number}", body, at, boot)
    log.close()
    return folder


def told(material):
    return {(each.why, each.count) for each in material.left_out}


def plain(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page.split("</style>")[1]).split())


def test_a_record_of_an_older_release_is_left_out_and_said_so(tmp_path):
    old = json.loads(encode(record(2)))
    del old["document_class"]
    made = gathered([state(tmp_path / "s", record(1), json.dumps(old).encode(), b"{", b"\xff\x00", record(3))], now=NOW)
    assert [each.transaction for each in made.records] == ["T-1", "T-3"]
    assert told(made) == {(ANOTHER_SCHEMA, 1), (BROKEN, 2)}
    text = plain(render_trial(made, few=True))
    assert "2 counted, 3 left out" in text
    assert ANOTHER_SCHEMA in text
    assert "document_class" in text


def test_a_damaged_page_costs_its_records_and_no_others(tmp_path):
    folder = state(tmp_path / "s", *(record(number) for number in range(40)))
    file = folder / FILE_NAME
    raw = bytearray(file.read_bytes())
    place = raw.rfind(b'"transaction":"T-7"')
    raw[place - 60 : place + 60] = b"\x00" * 120
    file.write_bytes(raw)
    made = gathered([folder], now=NOW)
    missing = sum(each.count for each in made.left_out)
    assert 1 <= missing <= 39
    assert len(made.records) + missing == 40


@given(st.lists(st.binary(max_size=80) | st.just(encode(record(1))), max_size=5))
@settings(max_examples=25)
def test_any_bodies_make_a_report_in_which_every_record_is_counted_or_left_out(tmp_path_factory, bodies):
    made = gathered([state(tmp_path_factory.mktemp("log") / "s", *bodies)], now=NOW)
    assert len(made.records) + sum(each.count for each in made.left_out) == len(bodies)
    assert render_trial(made).rstrip().endswith("</html>")


def test_a_log_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(AuditError):
        gathered([tmp_path])


def test_a_day_without_a_traveller_is_said(tmp_path):
    records = [record(1, demonstration=True), record(2, started=STARTED + timedelta(days=2), demonstration=True)]
    assert "On 1 day in between nobody came" in plain(render_trial(records))
    empty = state(tmp_path / "s")
    assert trial_command([empty], tmp_path / "out.html", json=tmp_path / "out.json", csv=tmp_path / "out.csv") == 0
    assert "No transactions." in plain((tmp_path / "out.html").read_text())
    assert json.loads((tmp_path / "out.json").read_bytes())["counted"] == 0


def test_a_clock_that_was_set_for_a_while_takes_those_records_out_of_hours_and_no_others(tmp_path):
    hour = timedelta(hours=1)
    rows = []
    for number in range(30):
        wrong = 5 * hour if 10 <= number < 14 else timedelta()
        at = STARTED + timedelta(minutes=number) + wrong
        rows.append((record(number, started=at), at + timedelta(seconds=8), 60.0 * number))
    made = gathered([state(tmp_path / "s", *rows)], now=NOW)
    assert len(made.records) == 30
    assert {transaction for _, transaction in made.undated} == {"T-10", "T-11", "T-12", "T-13"}
    assert told(made) == {(UNDATED, 4)}
    assert trial_report(made).heat.most == 26


def test_a_new_boot_of_the_machine_is_no_jump_of_its_clock(tmp_path):
    rows = [(record(number), STARTED + timedelta(minutes=number), 60.0 * (number % 10)) for number in range(30)]
    assert not gathered([state(tmp_path / "s", *rows)], now=NOW).undated


@pytest.mark.parametrize("wrong", [timedelta(days=-400), timedelta(days=400), timedelta(days=12)])
def test_one_gate_with_another_calendar_is_counted_and_left_out_of_days(wrong):
    right = [record(number, lane=lane) for number in range(12) for lane in ("a", "b")]
    off = [record(number, lane="c", started=STARTED + wrong) for number in range(11)]
    made = sifted([*right, *off], now=NOW)
    assert {lane for lane, _ in made.undated} == {"c"}
    report = trial_report(made)
    assert report.counted == 35
    assert {gate.name for gate in report.gates} == {"CGK a", "CGK b"}
    assert report.period[1] < STARTED + timedelta(days=1)


def test_a_gate_that_doubts_its_own_clock_is_believed():
    made = sifted([record(1), record(2, clock="doubtful")], now=NOW)
    assert made.undated == {("lane-1", "T-2")}


def test_simulated_days_may_lie_ahead_and_real_ones_not():
    ahead = NOW + timedelta(days=1)
    assert not sifted([record(1, started=ahead, demonstration=True)], now=NOW).undated
    assert sifted([record(1, started=ahead)], now=NOW).undated


def test_times_without_a_zone_are_left_out():
    naive = record(1, started=datetime(2026, 3, 2))  # noqa: DTZ001 - that is the point
    assert told(sifted([naive, record(2)])) == {("its times have no zone", 1)}


def test_a_step_of_the_clock_in_the_midst_of_a_transaction_lengthens_nobodys_way():
    walked = (StageTiming(name="walk_in", start_ms=0, duration_ms=7000, result="", room="lane"),)
    report = trial_report([record(1, seconds=4000, stages=walked, demonstration=True)])
    assert report.durations[0].whole[0].value == 7000


def spread(n, p95):
    return {"n": n, "p50": 1.0, "p90": 2.0, "p95": p95, "p99": 99.0, "max": 120.0}


HOUR = {"begins": "2026-03-02T08:00:00+07:00", "arrived": 60, "longest_queue": 7, "waiting_s": spread(60, 94.0)}
BANK = {
    "name": "CGK departure",
    "lanes": ["lane-1"],
    "arrived": 100,
    "served": 99,
    "longest_queue": 7,
    "waiting_s": spread(99, 94.0),
    "within_5_min": 1.0,
    "hours": [HOUR],
}
PARTS = ("total", "human", "door", "neither", "neither_without_chip_allowance", "one_after_another", "saved_by_concurrency")
QUEUES = {
    "schema": 1,
    "simulated": True,
    "more": "is not read",
    "banks": [BANK, {**BANK, "name": "CGK arrival", "waiting_s": spread(99, 3.0)}],
    "whole_traveller": {"opened": 90, "more": 1, **{f"{part}_s": spread(90, 1.25) for part in PARTS}},
    "impostors": ["T-1"],
}


def test_a_queue_file_beside_the_states_is_read_once_and_called_simulated(tmp_path):
    states = [state(tmp_path / name, record(number, demonstration=True)) for number, name in enumerate("ab")]
    (tmp_path / QUEUE).write_text(json.dumps(QUEUES))
    made = gathered(states)
    report = trial_report(made)
    assert [(each.bank.name, each.bank.waiting_s.p95, each.heat.most) for each in report.waiting] == [
        ("CGK departure", 94.0, 7),
        ("CGK arrival", 3.0, 7),
    ]
    text = plain(render_trial(made))
    assert "Waiting in the queue, 95 % within SIMULATED 94.0 s CGK departure" in text
    assert "Neither people nor doors, median SIMULATED 1.00 s p99 99.00 s wanted: 1.5 s, p99 3 s — missed" in text
    assert made.queues.impostors == {"T-1"}
    assert json.loads(as_json(report))["waiting"][0]["bank"]["served"] == 99


def test_a_simulations_queues_say_nothing_about_other_lanes_and_its_travellers_nothing_about_real_ones(tmp_path):
    elsewhere = [state(tmp_path / "x", record(1, lane="lane-9", demonstration=True))]
    (tmp_path / QUEUE).write_text(json.dumps(QUEUES))
    made = gathered(elsewhere)
    assert made.queues.files == ()
    assert "it is about other lanes" in plain(render_trial(made))
    real = trial_report(gathered([state(tmp_path / "a", record(1))], now=NOW))
    assert real.whole_traveller is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema": 2, "simulated": true, "banks": []}',
        '{"schema": 1, "simulated": true, "banks": [{"name": "x"}]}',
        json.dumps({**QUEUES, "banks": [{**BANK, "served": -1}]}),
    ],
)
def test_a_queue_file_that_is_not_understood_is_said(tmp_path, text):
    folder = state(tmp_path / "s", record(1))
    (folder / QUEUE).write_text(text)
    assert not gathered([folder], now=NOW).queues.files
    assert "queue file left out: not readable" in plain(render_trial(gathered([folder], now=NOW)))


def test_availability_and_serial_faults_are_recounted(tmp_path):
    def event(before, after, what):
        return LaneEvent(before=before, after=after, event=what, entry="locked", exit="locked", occupancy=0)

    hours = (
        (0, event("out_of_service", "idle", "supervision_back")),
        (6, event("idle", "out_of_service", "link_lost")),
        (7, event("out_of_service", "idle", "link_back")),
        (8, event("idle", "fault", "device_fault")),
        (9, event("fault", "recover", "officer_reset")),
        (10, event("recover", "idle", "plant")),
    )
    folder = state(tmp_path / "s", *((told, STARTED + timedelta(hours=at), 3600.0 * at) for at, told in hours), kind="event")
    gate = trial_report(gathered([folder], now=NOW)).availability[0]
    assert (gate.hours, gate.per_cent) == (10, pytest.approx(70))
    assert dict(gate.down) == {"out of service": 1, "fault": 1, "recover": 1}
    assert dict(trial_report(gathered([folder], now=NOW)).serial)["controller not heard any more"] == 1


def test_a_gate_that_went_out_of_service_and_said_no_more_is_out_until_the_others_end(tmp_path):
    gone = LaneEvent(before="idle", after="out_of_service", event="link_lost", entry="locked", exit="locked", occupancy=0)
    one = state(tmp_path / "one", (gone, STARTED + timedelta(hours=2), 1.0), kind="event")
    other = state(tmp_path / "other", *((record(n), STARTED + timedelta(hours=n), 3600.0 * n) for n in (0, 10)))
    found = {gate.gate: gate for gate in trial_report(gathered([one, other], now=NOW)).availability}
    assert (found["one"].hours, found["one"].per_cent) == (8, pytest.approx(0))
    assert found["CGK lane-1"].per_cent == 100


def test_a_lane_that_died_was_out_of_service_from_its_last_record_on(tmp_path):
    back = LaneEvent(before="out_of_service", after="idle", event="supervision_back", entry="locked", exit="locked", occupancy=0)
    folder = state(tmp_path / "s", *((back, STARTED + timedelta(hours=at), 1.0) for at in (0, 4, 10)), kind="event")
    gate = trial_report(gathered([folder], now=NOW)).availability[0]
    assert gate.per_cent == pytest.approx(0)


def test_officers_orders_are_counted_and_nobody_is_named(tmp_path):
    passed = OfficerActed(officer="Sari", role="officer", action="pass", transaction="T-1")
    refused = msgspec.structs.replace(passed, refused="not watching", left_out=2)
    folder = state(tmp_path / "s", passed, refused, kind="officer")
    made = gathered([folder], now=NOW)
    assert trial_report(made).officers.orders == (("pass", 1, 3),)
    ruled = [record(number, "FACE_NO_MATCH", ruled=(passed,)) for number in range(10)]
    page = render_trial(ruled) + as_json(trial_report(ruled)).decode()
    assert "Sari" not in page
    assert "pass 10 of 10" in plain(page)


def test_the_same_records_in_any_order_make_the_same_json():
    records = [record(number, *(["FACE_NO_MATCH"] if number % 5 == 0 else []), demonstration=True) for number in range(30)]
    assert as_json(trial_report(records)) == as_json(trial_report(records[::-1]))
    assert figures(trial_report(records))["schema"] == 1
