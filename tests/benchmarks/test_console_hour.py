"""Minutes of the compressed hour; the whole one is `python -m benchmarks.console_hour`, and a case of the soak. And whether its judge sees anything."""

from __future__ import annotations

import copy
import dataclasses

import msgspec
import pytest

from benchmarks.console_hour import WRONG, judged, played

MINUTES = 6


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    return played(tmp_path_factory.mktemp("hour"), MINUTES, seed=7)


def test_three_officers_at_two_lanes_lose_and_double_no_decision(hour):
    told = judged(*hour)
    assert {wrong: told[wrong] for wrong in WRONG} == dict.fromkeys(WRONG, 0), told["findings"]
    assert told["travellers"] > 2 * MINUTES
    assert told["answers"].keys() >= {"carried out", "too_late"}, "they got into one another's way; an hour must see more of it"
    assert told["passed"] < told["travellers"], "some were let out by the entry"


@pytest.fixture
def spoilt(hour):
    """The same, to be spoilt."""
    lanes, orders = hour
    seen = [lane.seen for lane in lanes]
    for lane in lanes:
        lane.seen = copy.deepcopy(lane.seen)
    yield lanes, [*orders]
    for lane, whole in zip(lanes, seen, strict=True):
        lane.seen = whole


def test_an_order_that_is_in_no_log_is_found(spoilt):
    lanes, orders = spoilt
    one = next(order for order in orders if order.carried_out)
    act = msgspec.structs.replace(one.act, nonce=bytes(32))
    assert judged(lanes, [*orders, dataclasses.replace(one, act=act)])["lost"] == 1


def test_an_order_that_nobody_was_told_of_is_found(spoilt):
    lanes, orders = spoilt
    orders.remove(next(order for order in orders if order.carried_out and order.act.action == "counter"))
    assert judged(lanes, orders)["unfounded"] == 1


def test_an_exit_that_opened_twice_or_for_nobody_is_found(spoilt):
    lanes, orders = spoilt
    seen = lanes[0].seen
    seen.exits.append(seen.exits[0])
    seen.out += 1
    assert judged(lanes, orders)["doubled"] == 1
    seen.exits[-1] = "nobody"
    told = judged(lanes, orders)
    assert (told["doubled"], told["unfounded"], told["lost"]) == (0, 1, 1), "nor was a crossing written down"


def test_a_traveller_who_stands_nowhere_is_found(spoilt):
    lanes, orders = spoilt
    lanes[1].seen.begun.append("somebody")
    assert judged(lanes, orders)["lost"] == 1
