"""What the fleet page makes of its figures: tones, banks, what differs, and that few people are never told of by themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.fleet.page.board import bank_of, board
from gate.fleet.page.chart import HEIGHT, TOP, WIDTH, throughput
from gate.fleet.page.figures import SLOT, SLOTS, Alert, Books, Fleet, Gate, Slot, Tallied
from gate.fleet.page.parts import Encoder, layout, markup
from gate.fleet.page.shown import Board
from gate.fleet.page.words import CAUSES, VERSIONS
from gate.report.causes import OFFICIAL, OTHER
from gate.report.disclosure import K
from gate.ui.words import STATES

NOW = datetime(2026, 11, 23, 8, 12, 5, tzinfo=UTC)
EMPTY = Fleet(at=NOW, gates=(), slots=(), hours=(), books=(), alerts=(), collected=NOW)


def gate(name: str, **changes) -> Gate:
    made = Gate(
        gate=name,
        heard=NOW,
        state="IDLE",
        direction="departure",
        troubles=(),
        waiting_s=0.0,
        behind=0,
        versions={"rules": "7", "software": "1.0"},
        freshness={},
        days_left=None,
    )
    return replace(made, **changes)


def shown(*gates: Gate) -> Board:
    return board(replace(EMPTY, gates=gates))


def tile(each: Gate):
    return shown(each).airports[0].banks[0].tiles[0]


def books(**stopped: int) -> tuple[Books, ...]:
    found = [Books(airport="CGK", outcome="OPEN", reasons=(), crossings=stopped.pop("passed", 50))]
    return (
        *found,
        *(Books(airport="CGK", outcome="COUNTER", reasons=(code,), crossings=count) for code, count in stopped.items()),
    )


@pytest.mark.parametrize(
    ("name", "bank"),
    [("CGK.D07", "D"), ("CGK.D10", "D"), ("DPS.arr-2", "arr"), ("CGK.CGK-dep-1", "dep"), ("CGK.CGK", "CGK"), ("CGK.7", "7")],
)
def test_gates_whose_names_differ_in_their_number_make_a_bank(name, bank):
    assert bank_of(name) == bank


def test_ten_comes_after_nine():
    bank = shown(*(gate(f"CGK.D{number}") for number in (10, 9, 1))).airports[0].banks[0]
    assert [tile.name for tile in bank.tiles] == ["D1", "D9", "D10"]


@pytest.mark.parametrize(
    ("changes", "tone", "serves"),
    [
        ({}, "good", 1),
        ({"state": "CAPTURE"}, "busy", 1),
        ({"state": "HOLD"}, "warn", 0),
        ({"state": "FAULT"}, "bad", 0),
        ({"state": ""}, "bad", 0),
        ({"heard": NOW - timedelta(seconds=61)}, "bad", 0),
        ({"heard": None, "state": ""}, "bad", 0),
    ],
)
def test_a_gate_serves_only_while_it_is_heard_and_its_lane_works(changes, tone, serves):
    told = shown(gate("CGK.D1", **changes))
    assert (told.airports[0].banks[0].tiles[0].tone, told.serving) == (tone, serves)


def test_every_state_of_a_lane_has_its_words():
    for state, words in STATES.items():
        assert tile(gate("CGK.D1", state=state.upper())).lane == words


def test_a_tile_does_not_change_with_every_step_of_a_traveller():
    assert tile(gate("CGK.D1", state="DOCUMENT")) == replace(tile(gate("CGK.D1", state="EXIT_OPEN")), lane=STATES["document"])


def test_who_waits_is_counted_while_the_gate_is_heard_and_not_afterwards():
    waiting = {"state": "HOLD", "waiting_s": 40.0}
    told = shown(gate("CGK.D1", **waiting), gate("CGK.D2", **waiting, heard=NOW - timedelta(hours=1)))
    assert (told.waiting, told.longest_since) == (1, int(NOW.timestamp()) - 40)


def test_a_gate_that_works_with_another_version_than_most_is_marked():
    other = gate("CGK.D3", versions={"rules": "6", "software": "1.0"})
    told = shown(gate("CGK.D1"), gate("CGK.D2"), other)
    assert [tile.differs for tile in told.airports[0].banks[0].tiles] == [(), (), (VERSIONS["rules"],)]
    assert told.versions[1].found == (("7", 2), ("6", 1))


def test_a_configuration_of_its_own_is_no_difference():
    told = shown(gate("CGK.D1", versions={"config": "a"}), gate("CGK.D2", versions={"config": "b"}))
    assert not any(tile.differs for tile in told.airports[0].banks[0].tiles)
    assert "config" not in VERSIONS


def test_the_oldest_list_is_the_one_that_is_shown_and_an_instant_that_is_none_is_left_out():
    def held(hours: int) -> dict[str, str]:
        return {"watchlist": (NOW - timedelta(hours=hours)).isoformat(), "odd": "yesterday", "naive": "2026-11-23T00:00:00"}

    told = shown(gate("CGK.D1", freshness=held(1)), gate("CGK.D2", freshness=held(80)), gate("DPS.D1", freshness=held(30)))
    (watchlist,) = told.lists
    assert watchlist.name == "watchlist"
    assert [(held.tone, held.gate) for held in watchlist.held] == [("bad", "D2"), ("warn", "D1")]


@pytest.mark.parametrize(
    ("version", "badge"), [("draft-1@0b44f1227b", "@0b44f12"), ("000012-5f0c2a1b", "000012-5f0"), ("7", "7"), ("", "")]
)
def test_a_version_is_short_on_a_tile(version, badge):
    assert tile(gate("CGK.D1", versions={"rules": version})).version == badge


@pytest.mark.parametrize(
    ("collected", "since"),
    [(NOW - timedelta(seconds=59), None), (NOW - timedelta(seconds=90), int(NOW.timestamp()) - 90), (None, 0)],
)
def test_that_no_collector_works_is_said_by_the_page_itself(collected, since):
    told = board(replace(EMPTY, collected=collected))
    assert told.uncollected == since
    assert ("No collector works" in markup(told)["alerts"]) is (since is not None)


# --- few people -------------------------------------------------------------------------------------------------------------------


@given(
    st.dictionaries(
        st.sampled_from(["CHIPLESS_BOOK", "NO_TRUST_ANCHOR", "NO_BIOMETRIC_RECORD", "EXIT_PERMIT_MISSING", "UNHEARD_OF"]),
        st.integers(1, 40),
    ),
    st.integers(0, 60),
)
def test_no_figure_on_official_books_is_of_fewer_than_ten(stopped, passed):
    (told,) = board(replace(EMPTY, books=books(passed=passed, **stopped))).books
    not_passed, crossings = sum(stopped.values()), passed + sum(stopped.values())
    assert told.crossings == (crossings if crossings >= K else None)
    assert all(cause.count >= K for cause in told.causes)
    if told.causes:
        assert sum(cause.count for cause in told.causes) == not_passed
    if told.passed is not None:
        assert all(number == 0 or number >= K for number in (passed, not_passed))


def test_the_most_frequent_cause_is_first_and_those_of_few_are_one_line():
    (told,) = board(
        replace(EMPTY, books=books(NO_BIOMETRIC_RECORD=14, EXIT_PERMIT_MISSING=21, CHIPLESS_BOOK=3, NO_TRUST_ANCHOR=12))
    ).books
    assert [(cause.name[1], cause.count) for cause in told.causes] == [
        ("No valid exit permit", 21),
        ("No biometric record", 14),
        ("Rare causes, together", 15),
    ]


def tallied(passed: bool, crossings: int, cause: str = "", day: int = 22) -> Tallied:
    return Tallied(airport="CGK", passed=passed, cause=cause, crossings=crossings, until=date(2026, 11, day))


def test_what_gates_count_and_what_lies_open_are_one_figure_before_few_people_are_left_out():
    tallies = (tallied(True, 40), tallied(False, 8, "no chip in the book", 21), tallied(False, 12, "no exit permit", 20))
    (told,) = board(replace(EMPTY, books=books(passed=3, CHIPLESS_BOOK=7), tallies=tallies)).books
    assert (told.crossings, told.until) == (70, date(2026, 11, 22))
    assert told.passed == pytest.approx(100 * 43 / 70)
    assert [(cause.name[1], cause.count) for cause in told.causes] == [("No chip in the book", 15), ("No valid exit permit", 12)]


@given(st.dictionaries(st.sampled_from([*OFFICIAL, OTHER]), st.integers(1, 40)), st.integers(0, 60))
def test_no_figure_out_of_gates_own_counts_is_of_fewer_than_ten(stopped, passed):
    tallies = (tallied(True, passed), *(tallied(False, count, cause) for cause, count in stopped.items()))
    (told,) = board(replace(EMPTY, tallies=tallies)).books
    assert told.crossings is None or told.crossings >= K
    assert all(cause.count >= K for cause in told.causes)


def test_the_page_says_up_to_which_day_gates_counted():
    assert "up to</span> 2026-11-22" in markup(board(replace(EMPTY, tallies=(tallied(True, 40),))))["books"]
    assert "up to</span>" not in markup(board(replace(EMPTY, books=books())))["books"]


def test_every_cause_has_its_words():
    assert CAUSES.keys() == {*OFFICIAL, OTHER}


# --- drawing ----------------------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(-3, SLOTS + 3), st.integers(0, 4000), st.floats(0, 1)), max_size=SLOTS, unique_by=lambda one: one[0]
    )
)
def test_bars_stay_within_the_drawing(counts):
    begin = NOW.replace(minute=0, second=0)
    slots = [
        Slot(airport="CGK", at=begin - back * SLOT, crossings=count, passed=int(count * share)) for back, count, share in counts
    ]
    chart = throughput(slots, NOW, "CGK")
    for bar in chart.bars:
        assert 0 <= bar.x < bar.x + bar.width <= WIDTH
        assert TOP - 1e-6 <= bar.other_y <= bar.passed_y <= TOP + HEIGHT + 1e-6
        assert bar.other_height >= 0 <= bar.passed_height


def test_the_axis_shows_the_airports_own_clock():
    ticks = {airport: [words for _, words in throughput([], NOW, airport).ticks] for airport in ("CGK", "DPS")}
    assert ticks["CGK"][-2:] == ["12:00", "14:00"]  # 08:12 UTC is 15:12 in Jakarta
    assert throughput([], NOW, "CGK").ticks[-1][0] - throughput([], NOW, "DPS").ticks[-1][0] == WIDTH / SLOTS * 2, (
        "16:12 in Denpasar"
    )


# --- markup -----------------------------------------------------------------------------------------------------------------------


def test_what_did_not_change_is_not_sent_again():
    encode = Encoder()
    before = dict(encode(replace(EMPTY, gates=(gate("CGK.D1"), gate("DPS.D1")))))
    later = replace(EMPTY, at=NOW + timedelta(seconds=2), gates=(gate("CGK.D1"), gate("DPS.D1", state="FAULT")))
    assert {name for name, part in encode(later).items() if before[name] != part} == {"reach", "cards", "bank1-0"}
    assert encode(None) == {"reach": b"0"}


@settings(max_examples=30)
@given(st.text(max_size=40))
def test_no_word_of_a_gate_becomes_markup(text):
    hostile = f"<b>{text}"
    told = gate("CGK.D1", state=hostile, troubles=(hostile,), versions={hostile: hostile}, freshness={hostile: NOW.isoformat()})
    alert = Alert(code=hostile, gate="CGK.D1", opened=NOW, detail=hostile)
    shown = board(replace(EMPTY, gates=(told,), alerts=(alert,)))
    parts = markup(shown)
    assert all(part.count("<b>") == part.count("<b>D1</b>") + part.count("<b>CGK.D1</b>") for part in parts.values())
    assert layout(shown) == '[["CGK", "D"]]'
