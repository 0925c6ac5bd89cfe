"""An attacker who knows the rule, subtracts and solves equations learns no group of fewer than k."""

import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import product

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.evidence import Direction
from gate.outcome import Outcome
from gate.records import SopTrail, TransactionRecord
from gate.report.disclosure import K, kept_apart, shown
from gate.report.sop import figures, page, sop_report
from gate.sop import SPPT_2014

NAMES = "ABCD"
MOST = 9
"""Books of all worlds that are tried together: no page on so few has a world behind it that is not tried."""


def worlds():
    for sizes in product(range(MOST + 1), repeat=len(NAMES)):
        if sum(sizes) <= MOST:
            yield {name: size for name, size in zip(NAMES, sizes, strict=True) if size}


def learned(least, rule=kept_apart, *, knows_who_is_there=False):
    """(page, group) wherever a group smaller than ``least`` has the same size in every world that makes this page."""
    behind = defaultdict(list)
    for counts in worlds():
        apart = rule(counts, least)
        page_ = (sum(counts.values()), frozenset((name, counts[name]) for name in apart))
        if page_[0] >= least and (apart or not knows_who_is_there):
            behind[page_, frozenset(counts) if knows_who_is_there else None].append(counts)
    for (page_, _), possible in behind.items():
        for name in NAMES:
            sizes = {counts.get(name, 0) for counts in possible}
            if len(sizes) == 1 and 0 < max(sizes) < least:
                yield page_, name


@pytest.mark.parametrize("least", [2, 3, 4])
@pytest.mark.parametrize("knows_who_is_there", [False, True])
def test_no_size_of_a_small_group_follows_from_the_page_even_for_one_who_knows_the_rule(least, knows_who_is_there):
    assert list(learned(least, knows_who_is_there=knows_who_is_there)) == []


def small_ones_alone(counts, least):
    return frozenset(name for name, count in counts.items() if count >= least)


def one_of_the_smallest_with_them(counts, least):
    """Complementary suppression as it is often done: of equals, the first by name."""
    apart = small_ones_alone(counts, least)
    return apart - {min(apart, key=lambda name: (counts[name], name))} if apart and len(apart) < len(counts) else apart


@pytest.mark.parametrize("rule", [small_ones_alone, one_of_the_smallest_with_them])
def test_simpler_rules_give_small_groups_away(rule):
    assert list(learned(3, rule, knows_who_is_there=True))


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 40)))
@settings(max_examples=60, deadline=None)
def test_the_others_together_are_none_or_k_or_all_there_is(counts):
    apart = kept_apart(counts)
    others = sum(count for name, count in counts.items() if name not in apart)
    assert all(counts[name] >= K for name in apart)
    assert others == 0 or others >= K or not apart


def test_counts_that_may_be_shown():
    assert [shown(count) for count in (0, 1, 9, 10, 11)] == [0, None, None, 10, 11]


# --- the whole report

OFFICES, GATES = ("Ambon", "Bogor", "Cirebon", "Dumai", "Ende"), (("CGK", "g1"), ("CGK", "g2"), ("CGK", "g3"), ("DPS", "g4"))
CELLS = list(product(OFFICES, GATES))
NAMED = {"Ambon", "Bogor", "Cirebon", "Dumai", "Ende", "CGK", "DPS", "g1", "g2", "g3", "g4"}
STARTED = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


def record(number, office, checkpoint, lane, *reasons):
    trail = SopTrail(sop_version=SPPT_2014 if number % 3 else "?", issuing_office=office, stages=(), distinct_approver=True)
    return TransactionRecord(
        transaction=f"T{number}",
        lane=lane,
        checkpoint=checkpoint,
        direction=Direction.DEPARTURE,
        started=STARTED + timedelta(minutes=number),
        ended=STARTED + timedelta(minutes=number, seconds=9),
        document_class=("service", "diplomatic", "ordinary")[number % 3],
        document_key=f"K{number}",
        outcome=Outcome.COUNTER if reasons else Outcome.OPEN,
        reasons=reasons,
        stages=(),
        decisions=(),
        backends={},
        demonstration=False,
        trail=trail,
    )


def report_on(sizes):
    cells = [cell for cell, size in zip(CELLS, sizes, strict=True) for _ in range(size)]
    reasons = ((), ("CHIP_UNREADABLE",), (), ("NO_BIOMETRIC_RECORD", "FACE_NO_MATCH"), ())
    return sop_report(record(n, office, *gate, *reasons[n % 5]) for n, (office, gate) in enumerate(cells))


def divided(lines, name_of, here=lambda cell: True):
    """Lines that divide some books, as equations: (which cells are in the line, how many books). Who is not named is in the rest."""
    alone = {line["name"] for line in lines} & NAMED
    for line in lines:
        rest = line["name"] not in NAMED
        cells = [here(cell) and (name_of(cell) not in alone if rest else name_of(cell) == line["name"]) for cell in CELLS]
        yield np.array(cells, dtype=float), line["books"]


def equations(told):
    """Every line of the JSON. The attacker knows which offices and gates there are."""
    places, issuers = told["tables"]["places"], told["tables"]["issuers"]
    yield np.ones(len(CELLS)), places["total"]["books"]
    yield np.ones(len(CELLS)), issuers["total"]["books"]
    yield from divided(issuers["lines"], lambda cell: cell[0])
    yield from divided(places["lines"], lambda cell: cell[1][0])
    for line in places["lines"]:
        yield from divided(
            line.get("parts", []), lambda cell: cell[1][1], lambda cell, airport=line["name"]: cell[1][0] == airport
        )


def groups():
    """Everybody whom a small figure could point to: offices, airports, gates, and any crossing of them."""
    keys = (
        lambda cell: cell[0],
        lambda cell: cell[1][0],
        lambda cell: cell[1],
        lambda cell: (cell[0], cell[1][0]),
        lambda cell: cell,
    )
    for key in keys:
        for name in dict.fromkeys(map(key, CELLS)):
            yield np.array([key(cell) == name for cell in CELLS], dtype=float)


sizes = st.lists(st.sampled_from([0, 0, 0, 1, 2, 5, 9, 10, 11, 14]), min_size=len(CELLS), max_size=len(CELLS))


@given(sizes)
@settings(max_examples=25, deadline=None)
def test_an_attacker_who_subtracts_rows_columns_and_totals_learns_no_small_cell(sizes):
    told = json.loads(msgspec.json.encode(figures(report_on(sizes))))
    if not told["tables"]:
        assert sum(sizes) < K
        return
    lines, books = zip(*equations(told), strict=True)
    known, counts = np.array(lines), np.array(sizes, dtype=float)
    assert np.allclose(known @ counts, books)  # the attacker reads the page rightly
    rank = np.linalg.matrix_rank(known)
    for group in groups():
        if 0 < group @ counts < K:
            assert np.linalg.matrix_rank(np.vstack([known, group])) > rank


def walk(told):
    for name, value in told.items() if isinstance(told, dict) else enumerate(told):
        if isinstance(value, dict | list):
            yield from walk(value)
        else:
            yield name, value


@given(sizes)
@settings(max_examples=25, deadline=None)
def test_no_figure_is_about_fewer_than_k_books(sizes):
    report = report_on(sizes)
    told = json.loads(msgspec.json.encode(figures(report)))
    assert all(value is None or value >= K or value == 0 for name, value in walk(told) if name in {"books", "trials"})
    html = page(report)
    assert all(int(trials) >= K for trials in re.findall(r"\d+ of (\d+)", html))
    alone = Counter(office for (office, _), size in zip(CELLS, sizes, strict=True) for _ in range(size))
    for office in OFFICES:
        if 0 < alone[office] < K:
            assert office not in html
            assert office not in json.dumps(told)


def test_no_cell_of_office_class_and_gate_is_told():
    """Whatever is told of an office is told of all its books, at whichever gate and of whichever class."""
    sizes = [12] * len(CELLS)
    told = json.loads(msgspec.json.encode(figures(report_on(sizes))))
    for line in told["tables"]["issuers"]["lines"]:
        assert line["books"] == 12 * len(GATES)
        assert "parts" not in line
    words = page(report_on(sizes)).split("</style>")[1]
    assert not re.search(r"diplomatic|service", words.replace("service and diplomatic books", ""))


def test_few_books_of_everybody_are_told_of_nobody():
    told = figures(report_on([1] * 9 + [0] * (len(CELLS) - 9)))
    assert told["books"] is None
    assert told["tables"] == {}
    assert told["period"] is None
    assert "fewer than 10" in page(report_on([1] * 9 + [0] * (len(CELLS) - 9)))
