"""Service and diplomatic books in the trial report: six faults stay apart, counts are recounted, few are marked, sources are told."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.evidence import CheckResult, Direction, Evidence, Fact, Stage
from gate.outcome import Outcome, PolicyDecision
from gate.records import DecisionRecord, SopTrail, TransactionRecord
from gate.report.intervals import clopper_pearson, trials_needed
from gate.report.official import SOURCES, official_places, outcomes_by_source, registries_by_source
from gate.report.trial_page import render_trial

STARTED = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
FAULTS = {
    "CHIP_UNREADABLE": "chip unread",
    "NO_TRUST_ANCHOR": "no trust anchor",
    "NO_BIOMETRIC_RECORD": "no biometric record",
    "CLASS_NOT_ENABLED": "class not enabled",
    "EXIT_PERMIT_MISSING": "no exit permit",
    "CONNECTED_ONE_UNAVAILABLE": "issuer down",
}


def record(number, *reasons, document_class="service", checkpoint="CGK", lane="lane-1", **words):
    facts = {name: Fact(value=word, result=CheckResult.SUCCESSFUL) for name, word in {"profile": "trial", **words}.items()}
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
        stage=Stage.EXIT, outcome=outcome, reasons=reasons, grant=None, rules=(), tolerances=(), unmet=(), rules_version="rules-1"
    )
    return TransactionRecord(
        transaction=f"T-{number}",
        lane=lane,
        checkpoint=checkpoint,
        direction=Direction.DEPARTURE,
        started=started,
        ended=started + timedelta(seconds=8),
        document_class=document_class,
        document_key=f"{number:02}",
        outcome=outcome,
        reasons=reasons,
        stages=(),
        decisions=(DecisionRecord(at=started, evidence=evidence, decision=decision),),
        backends={},
        demonstration=False,
        trail=SopTrail(sop_version="SPPT-2014", issuing_office="Kanim Hidden", capturing_office="Kanim Hidden", stages=()),
    )


def plain(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page.split("</style>")[1]).split())


def test_six_official_books_fail_apart_each_under_its_own_cause_and_code():
    records = [record(number, code) for number, code in enumerate(FAULTS)]
    text = plain(render_trial(records, few=True))
    airport, gate = official_places(records)
    for code, cause in FAULTS.items():
        for place in (airport, gate):
            assert {share.name: share.hits for share in place.causes}[cause] == 1
        low, high = clopper_pearson(1, 6)
        assert f"{cause} 1 of 6 16.7 % {100 * low:.1f}–{100 * high:.1f} %" in text
        assert f"{code} 1" in text
    assert {share.name: share.hits for share in gate.causes}["other"] == 0
    assert gate.passed.hits == 0


@pytest.mark.parametrize("code", ["EXIT_PERMIT_MISSING", "EXIT_PERMIT_EXPIRED", "EXIT_PERMIT_USED", "EXIT_PERMIT_MISMATCH"])
def test_each_fault_of_a_permit_keeps_its_code(code):
    text = plain(render_trial([record(1, code)], few=True))
    assert "no exit permit 1 of 1" in text
    assert f"Reason codes: {code} 1." in text


crossings = st.lists(
    st.tuples(
        st.sampled_from(["service", "diplomatic", "ordinary"]),
        st.sampled_from([("CGK", "a"), ("CGK", "b"), ("DPS", "a")]),
        st.lists(st.sampled_from([*FAULTS, "CLOCK_DOUBTFUL"]), max_size=2, unique=True),
    ),
    max_size=30,
)


@given(crossings)
@settings(max_examples=40, deadline=None)
def test_every_airport_and_gate_is_counted_rightly(drawn):
    records = [
        record(number, *reasons, document_class=document_class, checkpoint=checkpoint, lane=lane)
        for number, (document_class, (checkpoint, lane), reasons) in enumerate(drawn)
    ]
    expected = Counter()
    for document_class, (checkpoint, lane), reasons in drawn:
        if document_class != "ordinary":
            for name in (checkpoint, f"{checkpoint} {lane}"):
                expected[name, "crossings"] += 1
                expected[name, "passed"] += not reasons
                known = {FAULTS[code] for code in reasons if code in FAULTS}
                expected.update((name, cause) for cause in known or ({"other"} if reasons else ()))
    places = official_places(records)
    assert {place.name for place in places} == {name for name, _ in expected}
    for place in places:
        assert place.crossings == expected[place.name, "crossings"]
        assert place.passed.hits == expected[place.name, "passed"]
        for share in place.causes:
            assert (share.hits, share.trials) == (expected[place.name, share.name], place.crossings)


def test_a_few_official_crossings_are_marked_as_not_for_publication_and_many_are_not():
    few = [record(number) for number in range(9)]
    assert (
        "Not for publication: figures on fewer than 10 crossings may point to a person (service, departure; CGK; CGK lane-1)"
        in plain(render_trial(few, few=True))
    )
    assert "Not for publication" not in plain(render_trial([*few, record(9)], few=True))


def test_official_books_are_told_by_gate_without_their_class_and_their_office():
    text = plain(
        render_trial([record(number, document_class=("service", "diplomatic")[number % 2]) for number in range(9)], few=True)
    )
    assert "Kanim Hidden" not in text
    text = plain(
        render_trial([record(number, document_class=("service", "diplomatic")[number % 2]) for number in range(40)], few=True)
    )
    section = text.split("Service and diplomatic books")[-1].split("Faces")[0]
    assert "CGK lane-1 40" in section
    assert " 20 " not in section


def test_ordinary_books_alone_make_no_table_of_official_ones():
    assert "Service and diplomatic books" not in plain(render_trial([record(1, document_class="ordinary")]))


def test_how_many_crossings_a_claim_takes():
    """Two and a half per cent to half a point and to one point: the planning figures for the trial."""
    assert trials_needed(0.025, 0.005) == 3746
    assert trials_needed(0.025, 0.01) == 937
    assert "3,746 crossings, to ±1 after 937" in plain(render_trial([record(1)], few=True))


def test_decisions_are_told_by_the_least_sure_answer_they_rest_on():
    live = {"issuance": "active", "exit_permit": "valid"}
    records = [
        record(1, **live),
        record(2, **live, sltd="clear_in_snapshot"),
        record(3, "ISSUANCE_UNAVAILABLE", issuance="unavailable", exit_permit="valid_in_snapshot"),
        record(4, "CHIP_UNREADABLE", issuance="not_performed"),
        record(5, "EXIT_PERMIT_MISSING", issuance="active", exit_permit="none"),
    ]
    assert SOURCES == ("live", "snapshot", "none", "not asked")
    assert {row.name: row.counts for row in outcomes_by_source(records)} == {"OPEN": (1, 1, 0, 0), "COUNTER": (1, 0, 1, 1)}
    by_registry = {row.name: row.counts for row in registries_by_source(records)}
    assert by_registry == {"issuance": (3, 0, 1, 1), "exit_permit": (3, 1, 0, 0), "sltd": (0, 1, 0, 0)}
    text = plain(render_trial(records, few=True))
    assert "OPEN 1 1 0 0" in text
    assert "sltd 0 1 0 0" in text


def test_a_record_without_a_decision_asked_nobody():
    undecided = TransactionRecord(
        **{name: getattr(record(1), name) for name in TransactionRecord.__struct_fields__} | {"decisions": ()}
    )
    assert outcomes_by_source([undecided])[0].counts == (0, 0, 0, 1)
