"""A lane that was held up permits nothing by what it saw before: not when it decides, not when the permit is durable, not by an officer's word."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.audit.log import FILE_NAME, decode, open_readonly
from gate.lane import Event, State
from gate.processes.messages import DocumentPlaced, DocumentRemoved
from gate.processes.sight import LATELY_S, OLDEST_S, Sight
from gate.records import DecisionRecord
from hardware.controller.link import DownReason, LinkDown
from hardware.controller.protocol import (
    COMMS_LOST_S,
    TELEMETRY_HZ,
    Door,
    Leaf,
    LeaseLapsed,
    OpenEntry,
    OpenExit,
    Purpose,
    Telemetry,
)

Hand = Any
"""``tests/gate/conftest.py`` makes it."""
SHORT_S, LONG_S = 0.6, COMMS_LOST_S + 0.5
"""Held up for so long: too long to go by what was seen before; so long that nobody knows who came and went."""


def permits(hand: Hand, stage: str) -> int:
    """How many are in the log."""
    with open_readonly(hand.folder / FILE_NAME) as log:
        return [decode(record, DecisionRecord).decision.stage for record in log.records("permit")].count(stage)


def admissions(hand: Hand) -> int:
    return sum(isinstance(command, OpenEntry) and command.purpose is Purpose.ADMIT for command in hand.commands)


# --- the lane ----------------------------------------------------------------------------------------------------------------


async def test_an_answer_that_lay_there_when_the_lane_woke_permits_nothing_until_the_doors_are_seen_again(stoppable: Hand):
    hand = stoppable
    await hand.inside()
    hand.clock.boot_s += SHORT_S
    await hand.face()
    assert (hand.state, permits(hand, "exit")) == (State.DECIDE, 0)
    await hand.plant(late_s=SHORT_S - 0.1)  # what had been told meanwhile is heard first
    await hand.plant(late_s=OLDEST_S + 0.1)
    assert (hand.state, permits(hand, "exit")) == (State.DECIDE, 0)
    await hand.plant()
    await hand.until(lambda: hand.state is State.EXIT_OPEN)
    assert permits(hand, "exit") == 1


NO_LONGER_SO = {
    "nobody is inside": {"occupancy": 0},
    "two are inside": {"occupancy": 2},
    "nobody can say how many": {"occupancy": None},
    "the entry was released": {"entry": Leaf.RELEASED},
    "the exit was forced": {"exit": Leaf.OPEN},
    "fire": {"emergency": True},
    "no mains": {"mains": False},
}


@pytest.mark.parametrize("what", NO_LONGER_SO)
async def test_what_is_seen_after_it_woke_decides(stoppable: Hand, what: str):
    hand = stoppable
    await hand.inside()
    hand.clock.boot_s += SHORT_S
    await hand.face()
    await hand.plant(**NO_LONGER_SO[what])
    assert hand.state is not State.DECIDE
    await hand.plant()
    assert (hand.opened_exit(), permits(hand, "exit")) == (False, 0)


@pytest.mark.parametrize("what", [None, *NO_LONGER_SO])
async def test_a_permit_that_became_durable_while_the_lane_was_stopped_is_sent_once_the_doors_are_seen(
    stoppable: Hand, what: str | None
):
    hand = stoppable
    await hand.inside()
    hand.log.gate.clear()
    await hand.face()
    hand.clock.boot_s += SHORT_S
    hand.log.gate.set()
    await hand.until(lambda: permits(hand, "exit") == 1)
    await hand.settle()
    assert (hand.state, hand.opened_exit()) == (State.DECIDE, False)
    await hand.plant(late_s=OLDEST_S + 0.1)
    assert not hand.opened_exit()
    await hand.plant(**NO_LONGER_SO[what] if what else {})
    await hand.plant()
    assert hand.opened_exit() == (what is None)


async def test_nobody_is_let_in_by_what_was_seen_before(stoppable: Hand):
    hand = stoppable
    hand.clock.boot_s += SHORT_S
    await hand.document()
    assert (hand.state, permits(hand, "entry")) == (State.DOCUMENT, 0)
    await hand.plant()
    await hand.until(lambda: permits(hand, "entry") == 1 and hand.state is State.ENTRY_OPEN)
    assert admissions(hand) == 1


async def test_nobody_is_let_in_by_a_permit_of_whoever_took_their_document_away_meanwhile(stoppable: Hand):
    hand = stoppable
    hand.log.gate.clear()
    await hand.document()
    first = hand.transaction
    hand.clock.boot_s += SHORT_S
    hand.log.gate.set()
    await hand.until(lambda: permits(hand, "entry") == 1)
    await hand.settle()
    await hand.say("reader", DocumentRemoved())
    await hand.say("reader", DocumentPlaced(boot=0.0))
    assert hand.case.traveller not in {"", first}
    await hand.plant()
    assert (hand.state, admissions(hand)) == (State.DOCUMENT, 0)


async def test_a_line_that_is_lost_before_the_doors_are_seen_again_ends_it(stoppable: Hand):
    hand = stoppable
    await hand.inside()
    hand.clock.boot_s += SHORT_S
    await hand.face()
    await hand.controller(LinkDown(reason=DownReason.SILENT, what="no valid frame"))
    record = await hand.record()
    assert (record.outcome, record.reasons) == ("COUNTER", ("DEVICE_LOST",))
    assert (hand.opened_exit(), permits(hand, "exit")) == (False, 0)


async def test_who_stands_there_after_nobody_looked_for_longer_than_a_line_may_be_silent_may_be_somebody_else(stoppable: Hand):
    hand = stoppable
    await hand.inside()
    await hand.plant()
    hand.clock.boot_s += LONG_S
    await hand.face()
    await hand.plant()  # one person between locked doors, as before
    record = await hand.record()
    assert (record.outcome, record.reasons) == ("COUNTER", ("DEVICE_LOST",))
    assert (hand.opened_exit(), permits(hand, "exit")) == (False, 0)
    assert hand.state in {State.HOLD, State.EJECT}


async def test_a_face_that_is_waited_for_beyond_its_time_refers_and_the_record_says_that_the_controller_was_away(stoppable: Hand):
    hand = stoppable
    await hand.inside()
    hand.clock.boot_s += SHORT_S
    await hand.face()
    hand.actor._apply(Event.TIMEOUT)
    assert hand.state in {State.HOLD, State.EJECT}
    assert hand.case.running.last_decision.reasons == ("DEVICE_LOST",)
    await hand.plant()
    assert (hand.opened_exit(), permits(hand, "exit")) == (False, 0)


async def test_a_lapsed_entry_opens_again_once_it_is_seen_that_nobody_walked_in(stoppable: Hand):
    hand = stoppable
    await hand.document()
    await hand.until(lambda: hand.state is State.ENTRY_OPEN)
    await hand.plant(entry=Leaf.OPEN)
    hand.clock.boot_s += SHORT_S
    await hand.controller(LeaseLapsed(door=Door.ENTRY))
    assert admissions(hand) == 1
    await hand.plant(entry=Leaf.LOCKED)
    assert (hand.state, admissions(hand)) == (State.ENTRY_OPEN, 2)


async def test_an_officers_pass_counts_for_what_is_seen_now(stoppable: Hand):
    hand = stoppable
    await hand.inside()
    hand.actor.hold()
    assert hand.actor.passable
    hand.clock.boot_s += SHORT_S
    assert not hand.actor.passable
    assert not hand.actor.officer(Event.OFFICER_PASS)
    asked = []
    hand.actor.when_seen(lambda: asked.append(hand.actor.officer(Event.OFFICER_PASS)))
    assert asked == []
    await hand.plant()
    assert (asked, hand.opened_exit()) == ([True], True)


@pytest.mark.parametrize("seed", range(8))
async def test_however_it_is_held_up_no_permit_is_written_or_sent_on_anything_older(stoppable: Hand, seed: int):
    """The moment at which the controller told what counts is known here; it is asked for at each permit and at each opening."""
    hand, dice, ages = stoppable, random.Random(seed), []
    told_at = hand.clock.boot()
    append, command = hand.log.append, hand.command

    async def appended(kind: str, *rest: Any, **named: Any) -> int:
        if kind == "permit":
            ages.append(hand.clock.boot() - told_at)
        return await append(kind, *rest, **named)

    def commanded(order: Any) -> None:
        if isinstance(order, OpenExit) or (isinstance(order, OpenEntry) and order.purpose is Purpose.ADMIT):
            ages.append(hand.clock.boot() - told_at)
        command(order)

    async def plant(**changes: Any) -> None:
        nonlocal told_at
        told_at = max(told_at, hand.clock.boot() - dice.choice((0.0, 0.0, 0.1, 0.3)))
        await hand.plant(late_s=hand.clock.boot() - told_at, **changes)

    async def held_up() -> None:
        hand.clock.boot_s += dice.choice((0.0, 0.0, 0.05, 0.2, 0.4))

    hand.log.append, hand.command = appended, commanded
    await hand.document()
    for changes in ({}, {"entry": Leaf.OPEN}, {"occupancy": 1}, {"entry": Leaf.LOCKED}, {}, {}):
        for _ in range(3):
            await held_up()
            await plant(**changes)
        if hand.state is State.CAPTURE:
            await held_up()
            await hand.face()
    for _ in range(5):
        await held_up()
        await plant()
    assert ages
    assert max(ages) <= OLDEST_S + 1e-6


# --- the age of telemetry ------------------------------------------------------------------------------------------------------


def told(uptime_s: float) -> Telemetry:
    return Telemetry(
        uptime_ms=int(uptime_s * 1000),
        entry=Leaf.LOCKED,
        exit=Leaf.LOCKED,
        occupancy=1,
        object_left=False,
        entry_clear=True,
        exit_clear=True,
        emergency=False,
        mains=True,
        leased=False,
    )


LATENCY_S, JITTER_S, DRIFT = 0.03, 0.05, 0.02


@given(
    st.floats(-DRIFT, DRIFT),
    st.floats(0, 1e6),
    st.floats(0, LATENCY_S),
    st.lists(st.floats(0, JITTER_S), min_size=1, max_size=9),
    st.dictionaries(st.integers(1, 199), st.floats(0, 20), max_size=4),
)
def test_telemetry_is_as_old_as_it_is_whatever_the_line_the_clocks_and_the_lane_do(drift, since, latency, jitter, stops):
    """Of 200 reports in a row; ``stops``: upon which the lane is held up, and for how long."""
    boot, awake, sampled = [0.0], 0.0, None
    sight = Sight(lambda: boot[0])
    unsure = LATENCY_S + JITTER_S + 2 * DRIFT * (1 + sum(stops.values()))

    def no_older() -> None:
        assert sight.stale or boot[0] - sampled <= OLDEST_S + unsure

    for number in range(200):
        at = number / TELEMETRY_HZ
        heard = at + latency + jitter[number % len(jitter)]
        late = awake > heard
        awake = max(awake, heard) + stops.get(number, 0.0)
        boot[0] = awake
        if sampled is not None:
            no_older()
        sight.telemetry(told(since + at * (1 + drift)))
        sampled = at
        no_older()
        if not late and number not in stops:
            assert not sight.stale, "nothing held it up"


@given(st.floats(0, 1e6), st.floats(0.3, 60))
def test_all_that_lay_in_a_buffer_is_old_but_the_newest(since, stopped_s):
    boot = [since]
    sight = Sight(lambda: boot[0])
    for _ in range(40):
        boot[0] += 1 / TELEMETRY_HZ
        sight.telemetry(told(boot[0]))
        assert not sight.stale
    slept = boot[0]
    boot[0] += stopped_s
    assert sight.stale
    for number in range(int(stopped_s * TELEMETRY_HZ)):
        at = slept + number / TELEMETRY_HZ
        sight.telemetry(told(at))
        assert sight.stale == (boot[0] - at > OLDEST_S) or abs(boot[0] - at - OLDEST_S) < 0.01


def test_before_the_first_telemetry_and_after_the_line_nothing_is_seen():
    sight = Sight(lambda: 5.0)
    assert sight.stale
    sight.telemetry(told(1.0))
    assert not sight.stale
    sight.forget()
    assert sight.stale


@pytest.mark.parametrize(("gap_s", "seen"), [(0.05, True), (0.9, True), (1.1, False), (60.0, False)])
def test_a_gap_in_what_the_controller_told_is_noticed(gap_s: float, seen: bool):
    sight = Sight(lambda: 100.0)
    assert sight.telemetry(told(1.0))
    assert sight.telemetry(told(1.0 + gap_s)) is seen


@pytest.mark.parametrize("lost_s", [0.3, 0.9, 60.0])
def test_a_controller_whose_clock_lost_time_is_not_believed_at_once_but_after_a_second(lost_s: float):
    boot, stale = [100.0], []
    sight = Sight(lambda: boot[0])
    for number in range(60):
        boot[0] += 1 / TELEMETRY_HZ
        sight.telemetry(told(boot[0] - 20.0 - (lost_s if number >= 20 else 0.0)))
        stale.append(sight.stale)
    assert stale[19:21] == [False, True]
    assert LATELY_S * TELEMETRY_HZ <= sum(stale) <= 2 * LATELY_S * TELEMETRY_HZ + 2
    assert not stale[-1]
