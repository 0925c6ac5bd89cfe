"""The report on issuing offices: exactly those with a deviation, figures recounted by another way, real logs of several gates."""

import json
import random
import re
from collections import Counter
from itertools import combinations
from math import comb

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sop_data import BAD_READER, CODES, named, world, write_logs
from gate.__main__ import main
from gate.audit.log import FILE_NAME, AuditLog
from gate.outcome import Outcome
from gate.report import sop_command
from gate.report.books import books_of
from gate.report.causes import OFFICIAL, causes_of
from gate.report.departures import departures
from gate.report.disclosure import K
from gate.report.exact import chance_of, holm
from gate.report.sop import figures, page, sop_report
from gate.sop import flags


@pytest.mark.parametrize("seed", range(4))
def test_exactly_the_three_offices_that_were_given_a_deviation_are_named(seed):
    made = world(random.Random(f"three/{seed}"))
    assert len(made.planted) == 3
    assert named(made.records) == set(made.planted.items())


@pytest.mark.parametrize("seed", range(2))
def test_where_no_office_departs_none_is_named(seed):
    assert named(world(random.Random(f"none/{seed}"), planted=False).records) == set()


def test_a_bad_reader_is_held_against_no_office():
    """Pooled over all gates the office that uses the bad one would stand out; within gates it does not."""
    made = world(random.Random("reader"), planted=False)
    books, _ = books_of(made.records)
    most = Counter(book.issued_by for book in books if book.lane == BAD_READER).most_common(1)[0][0]
    crowded = [book for book in books if book.issued_by != most or book.lane == BAD_READER]
    own = [book for book in crowded if book.issued_by == most]
    bad = [book for book in crowded if "chip" in book.found]
    pooled = chance_of(len([book for book in own if "chip" in book.found]), [(len(crowded), len(bad), len(own))])
    assert pooled < 0.01
    found, _ = departures(crowded)
    assert (most, "chip") not in {(each.question.office, each.question.finding) for each in found}


# --- the test itself


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=2), st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_the_chance_is_that_of_all_ways_to_draw(raw, hits):
    strata = [(total, min(total, marked), min(total, drawn)) for total, marked, drawn in raw]
    ways = Counter({0: 1})
    for total, marked, drawn in strata:
        drawings = Counter(sum(each < marked for each in draw) for draw in combinations(range(total), drawn))
        both = Counter()
        for before, count in ways.items():
            for more, times in drawings.items():
                both[before + more] += count * times
        ways = both
    all_ways = 1
    for total, _, drawn in strata:
        all_ways *= comb(total, drawn)
    expected = sum(count for seen, count in ways.items() if seen >= hits) / all_ways
    assert chance_of(hits, strata) == pytest.approx(expected, abs=1e-12)


def test_large_counts_keep_their_precision():
    exact = sum(comb(500, seen) * comb(99_500, 300 - seen) for seen in range(12, 301)) / comb(100_000, 300)
    assert chance_of(12, [(100_000, 500, 300)]) == pytest.approx(exact, rel=1e-6)


def test_holm_rejects_step_by_step():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


# --- the figures


def recount(records):
    """Books by office, and their findings, counted by another way: over all records, first crossing per gate and book."""
    first = {}
    for record in sorted(records, key=lambda record: record.started):
        first.setdefault((record.lane, record.document_key), record)
    told = {}
    for record in first.values():
        line = told.setdefault(record.trail.issuing_office, Counter())
        line["books"] += 1
        line["not passed"] += record.outcome != Outcome.OPEN
        for cause in ("chip", "electronic proof", "exit permit", "registry silent"):
            line[cause] += CODES[cause] in record.reasons
        line["any audit flag"] += bool(flags(record.trail))
        line.update(flags(record.trail))
    return told


def test_the_command_reads_the_logs_of_all_gates_and_tells_what_is_in_them(tmp_path, capsys):
    made = world(random.Random("command"), offices=12)
    states = write_logs(made.records, tmp_path / "gates")
    assert len(states) == 5
    out = tmp_path / "sop.html"
    assert main(["report", "sop", "--state", *map(str, states), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    expected = recount(made.records)
    lines = {line["name"]: line for line in told["tables"]["issuers"]["lines"]}
    named_offices = lines.keys() & expected.keys()
    assert len(named_offices) > 5
    for name in named_offices:
        assert lines[name]["books"] == expected[name]["books"] >= K
        for finding, share in lines[name]["shares"].items():
            assert share["hits"] == expected[name][finding], (name, finding)
    assert told["tables"]["issuers"]["total"]["books"] == sum(each["books"] for each in expected.values())
    assert {(each["office"], each["finding"]) for each in told["departures"]} == set(made.planted.items())
    html = out.read_text(encoding="utf-8")
    for office in made.planted:
        assert f'class="departs">{office}' in html
    assert "DEMONSTRATION" not in html


def test_every_line_and_its_gates_add_up():
    told = figures(sop_report(world(random.Random("sums")).records))
    for table in told["tables"].values():
        assert sum(line["books"] for line in table["lines"]) == table["total"]["books"]
        for name, share in table["total"]["shares"].items():
            parts = [line["shares"][name]["hits"] for line in table["lines"] if name in line["shares"]]
            assert sum(parts) == share["hits"], name
    for line in told["tables"]["places"]["lines"]:
        assert sum(part["books"] for part in line["parts"]) == line["books"]


def test_the_office_that_took_the_biometrics_answers_for_them():
    """One ministry issues all books: the office that took no biometrics is found all the same."""
    made = world(random.Random("capture"), planted=False).records
    guilty = Counter(record.trail.issuing_office for record in made if record.document_class != "ordinary").most_common(1)[0][0]

    def captured(record):
        office = record.trail.issuing_office
        trail = msgspec.structs.replace(record.trail, issuing_office="Ministry", capturing_office=office)
        if office != guilty or record.document_class == "ordinary":
            return msgspec.structs.replace(record, trail=trail)
        return msgspec.structs.replace(record, trail=trail, outcome=Outcome.COUNTER, reasons=("NO_BIOMETRIC_RECORD",))

    report = sop_report(map(captured, made))
    assert [line.name for line in report.tables["issuers"].lines] == ["Ministry"]
    found = {(each.question.office, each.question.role, each.question.finding) for each in report.departures}
    assert found == {(guilty, "captured", "biometric record")}


def test_a_book_whose_capture_is_not_told_is_held_against_nobody():
    made = world(random.Random("untold"), offices=6, planted=False).records
    trails = [msgspec.structs.replace(record.trail, capturing_office="") for record in made]
    books, _ = books_of(msgspec.structs.replace(record, trail=trail) for record, trail in zip(made, trails, strict=True))
    for book in books:
        assert book.captured_by == (book.issued_by if "ordinary" in book.stratum else "(office not named)")


def test_whoever_tries_again_counts_once():
    made = world(random.Random("again"), offices=3, planted=False)
    once, left = books_of(made.records)
    again, twice = books_of([*made.records, *made.records])
    assert sorted(book.at for book in again) == sorted(book.at for book in once)
    assert twice["seen before at that gate"] == left["seen before at that gate"] + len(made.records)


def test_records_without_a_trail_are_left_out_and_said_to_be():
    made = world(random.Random("old"), offices=3, planted=False)
    old = [msgspec.structs.replace(record, trail=None) for record in made.records]
    told = figures(sop_report(old))
    assert told["books"] == 0
    assert told["tables"] == {}
    assert told["left_out"]["no issuance trail"] == len(old)
    assert figures(sop_report([]))["left_out"] == {"no issuance trail": 0, "document not read": 0, "seen before at that gate": 0}
    assert "nothing to compare" in page(sop_report([]))


def test_an_empty_log_makes_a_page_and_a_missing_one_an_error(tmp_path, capsys):
    AuditLog(tmp_path / FILE_NAME, b"k" * 32).close()
    out = tmp_path / "out.html"
    assert sop_command([tmp_path], out) == 0
    assert out.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert sop_command([tmp_path / "nowhere"], out) == 2
    assert "there is no audit log" in capsys.readouterr().err


def test_one_demonstration_among_the_books_puts_the_banner_on_the_page():
    made = list(world(random.Random("banner"), offices=3, planted=False).records)
    made[0] = msgspec.structs.replace(made[0], demonstration=True)
    assert "DEMONSTRATION — fewer than 10 of" in page(sop_report(made))


def test_hostile_words_of_a_registry_stay_text_and_nothing_is_fetched():
    evil = "<script>alert(1)</script>"
    made = world(random.Random("evil"), offices=4, planted=False).records
    odd = [msgspec.structs.replace(each, trail=msgspec.structs.replace(each.trail, issuing_office=evil)) for each in made]
    html = page(sop_report(odd))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"(src|href)=|url\(|@import|https?:", html)


def test_a_referral_may_have_several_causes_and_an_unknown_one_is_other():
    assert causes_of(("EXIT_PERMIT_USED", "CHIP_LEFT_FIELD"), OFFICIAL) == ["chip unread", "no exit permit"]
    assert causes_of(("CLOCK_DOUBTFUL",), OFFICIAL) == ["other"]
    assert causes_of((), OFFICIAL) == ["other"]
