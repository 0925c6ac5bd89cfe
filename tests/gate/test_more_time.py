"""Whoever asks for more time is waited for longer, and nothing else changes: no door, no decision, no record, no other traveller."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.audit.log import FILE_NAME, open_readonly
from gate.lane import TIMEOUT_KEY, State
from gate.processes import messages as m
from gate.processes.patience import KEPT_S, REQUEST_EVERY_S, REQUESTS, WAITS, Patience
from hardware.controller.protocol import Leaf

Hand = Any
"""``tests/gate/conftest.py`` makes it."""
ASK = m.MoreTime()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


# --- who is waited for --------------------------------------------------------------------------------------------------


def test_no_limit_that_keeps_anybody_safe_ever_grows(clock):
    patience = Patience(3.0, clock)
    assert patience.ask("t")
    assert {state for state in State if patience.seconds(state, 7.0, "t") != 7.0} == WAITS
    assert {TIMEOUT_KEY[state] for state in WAITS}.isdisjoint({"entry_s", "await_officer_s"})
    assert all(patience.seconds(state, 7.0, "t") == 21.0 for state in WAITS)


def test_whoever_asks_before_the_document_lies_there_is_the_next_one_and_nobody_after(clock):
    patience = Patience(2.0, clock)
    assert patience.ask("")
    assert not patience.ask(""), "pressed twice"
    patience.begin("first")
    assert patience.given("first")
    assert not patience.given("")
    patience.begin("second")
    assert not patience.given("second")


def test_a_request_that_nobody_came_for_is_forgotten(clock):
    patience = Patience(2.0, clock)
    patience.ask("")
    assert not patience.lapsed()
    clock.now += KEPT_S
    assert patience.lapsed()
    assert not patience.lapsed(), "told once"
    patience.begin("later")
    assert not patience.given("later")


def test_a_screen_that_asks_for_everybody_slows_no_more_than_its_budget(clock):
    patience = Patience(2.0, clock)
    assert sum(patience.ask(f"traveller {number}") for number in range(1000)) == REQUESTS
    clock.now += REQUEST_EVERY_S
    assert sum(patience.ask(f"later {number}") for number in range(1000)) == 1


@given(st.lists(st.tuples(st.sampled_from(["ask", "begin", "wait", "end"]), st.floats(0, 100)), max_size=40))
def test_never_is_more_than_one_traveller_waited_for_longer(steps):
    clock = Clock()
    patience, running = Patience(2.0, clock), ""
    for number, (what, seconds) in enumerate(steps):
        clock.now += seconds
        if what == "ask":
            patience.ask(running)
        elif what == "begin":
            running = str(number)
            patience.begin(running)
        elif what == "end":
            running = ""
        assert sum(map(patience.given, ["", *map(str, range(len(steps)))])) <= 1


# --- in the lane ---------------------------------------------------------------------------------------------------------


def due(hand: Hand) -> float:
    """When the running wait ends."""
    return hand.actor._timer.when()


def shown(hand: Hand) -> m.TravellerView:
    return [message for _, message in hand.told if isinstance(message, m.TravellerView)][-1]


async def outside(hand: Hand) -> None:
    await hand.document()
    await hand.until(lambda: hand.state is State.ENTRY_OPEN)


async def test_what_is_waited_for_now_grows_once_and_the_screen_says_so(patient: Hand):
    await outside(patient)
    before = due(patient)
    assert not shown(patient).more_time
    await patient.say("traveller_screen", ASK)
    await patient.say("traveller_screen", ASK)
    assert due(patient) - before == pytest.approx(20.0, abs=0.1)
    assert shown(patient).more_time


async def test_the_camera_looks_longer_for_whoever_asked_before_and_for_nobody_else(patient: Hand):
    async def deadline() -> float:
        return [message.deadline_s for _, message in patient.told if isinstance(message, m.StartCapture)][-1]

    async def goes_through() -> None:
        await patient.face()
        await patient.until(lambda: patient.state is State.EXIT_OPEN)
        await patient.plant(exit=Leaf.OPEN)
        await patient.plant(occupancy=0)
        await patient.plant(exit=Leaf.LOCKED)
        await patient.record()
        await patient.say("reader", m.DocumentRemoved())

    await patient.say("traveller_screen", ASK)
    assert shown(patient).more_time, "the next one"
    await patient.inside()
    assert await deadline() == 39.5
    await goes_through()
    assert not shown(patient).more_time
    await patient.inside()
    assert await deadline() == 19.5


async def test_a_look_that_has_begun_goes_on_longer_once_and_so_does_the_lane(patient: Hand):
    def told() -> list[m.LookLonger]:
        return [message for role, message in patient.told if role == "vision" and isinstance(message, m.LookLonger)]

    await patient.inside()
    before = due(patient)
    await patient.say("traveller_screen", ASK)
    await patient.say("traveller_screen", ASK)
    assert due(patient) - before == pytest.approx(20.0, abs=0.1)
    assert told() == [m.LookLonger(transaction=patient.transaction, deadline_s=39.5)]


async def test_whoever_asks_before_the_camera_looks_needs_no_second_word_to_it(patient: Hand):
    await outside(patient)
    await patient.say("traveller_screen", ASK)
    assert not any(isinstance(message, m.LookLonger) for _, message in patient.told)


async def test_a_hurried_traveller_is_served_as_before(patient: Hand):
    await patient.say("traveller_screen", ASK)
    await patient.inside()
    await patient.face()
    await patient.until(lambda: patient.state is State.EXIT_OPEN)
    assert patient.opened_exit()


async def test_where_the_reader_has_a_button_it_asks_too(patient: Hand):
    await outside(patient)
    before = due(patient)
    await patient.say("panel", m.PanelReport(assistance=True))
    assert due(patient) - before == pytest.approx(20.0, abs=0.1)


@pytest.mark.parametrize("role", ["reader", "vision", "officer_screen", "console", "director", "health"])
async def test_nobody_else_asks_for_a_traveller(patient: Hand, role: str):
    await outside(patient)
    before = due(patient)
    await patient.say(role, ASK)
    assert due(patient) == before
    assert not shown(patient).more_time


async def test_a_lane_that_is_not_told_to_gives_none(hand: Hand):
    await hand.say("traveller_screen", ASK)
    assert not shown(hand).more_time


async def test_whoever_is_held_waits_no_longer_for_an_officer(patient: Hand):
    await patient.inside()
    await patient.plant(occupancy=0)
    assert patient.state is State.HOLD
    before = due(patient)
    await patient.say("traveller_screen", ASK)
    assert due(patient) == before


async def test_no_record_tells_who_needed_time(patient: Hand):
    await patient.document(passive_authentication="no_trust_anchor")
    plain = await patient.record()
    await patient.say("reader", m.DocumentRemoved())
    await patient.say("traveller_screen", ASK)
    await patient.document(passive_authentication="no_trust_anchor")
    asked = await patient.record()
    assert [stage.name for stage in asked.stages] == [stage.name for stage in plain.stages]
    with open_readonly(patient.folder / FILE_NAME) as log:
        written = list(log.records())
    kinds = lambda of: [record.kind for record in written if record.transaction == of.transaction]
    assert kinds(asked) == kinds(plain) != [], "nothing is written that would not have been"
    assert len(written) == len([record for record in written if record.kind == "event"]) + 2 * len(kinds(plain))
