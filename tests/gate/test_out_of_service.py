"""Why the lane takes nobody stands on the officer's page, and nobody inside is left there for it."""

from __future__ import annotations

from typing import Any

import pytest

from gate.lane import State
from gate.processes import messages as m
from hardware.controller.link import DownReason, LinkDown, LinkUp
from hardware.controller.protocol import Door, Fault, Leaf, OpenEntry, Passage

Hand = Any
"""``tests/gate/conftest.py`` makes it."""


def warnings(hand: Hand) -> tuple[str, ...]:
    return [message.warnings for role, message in hand.told if role == "officer_screen" and isinstance(message, m.OfficerView)][
        -1
    ]


@pytest.mark.parametrize("role", ["reader", "vision"])
async def test_without_a_worker_an_idle_lane_takes_nobody_and_says_why(hand: Hand, role: str):
    await hand.ready()
    await hand.peer(role, joined=False)
    hand.actor.process_ended(role, f"{role}: device: gone (plug it in)")
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE
    assert not hand.actor.in_service
    assert f"{role}: {role}: device: gone (plug it in)" in warnings(hand)
    await hand.peer(role)
    await hand.plant()
    assert hand.state is State.IDLE
    assert not any(line.startswith(f"{role}: ") for line in warnings(hand))


async def test_without_vision_a_document_that_is_being_read_admits_nobody(hand: Hand):
    await hand.ready()
    await hand.say("reader", m.DocumentPlaced(boot=0.0))
    await hand.peer("vision", joined=False)
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE
    assert not any(isinstance(command, OpenEntry) for command in hand.commands)
    assert hand.case.ended[0].outcome != "OPEN"


def orders(hand: Hand) -> list[m.ReadDocument]:
    return [message for _, message in hand.told if isinstance(message, m.ReadDocument)]


async def test_a_document_laid_down_while_nobody_is_taken_is_read_as_soon_as_the_lane_serves_with_all_the_time_there_is(
    hand: Hand,
):
    await hand.peer("vision", joined=False)
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE
    await hand.say("reader", m.DocumentPlaced(boot=hand.clock.boot()))
    assert orders(hand) == []
    served = hand.clock.boot()
    await hand.peer("vision")
    await hand.plant()
    assert hand.state is State.DOCUMENT
    (order,) = orders(hand)
    assert order.zero >= served


async def test_a_document_laid_down_while_somebody_is_inside_is_read_after_them_with_all_the_time_there_is(hand: Hand):
    await hand.inside()
    await hand.say("reader", m.DocumentRemoved())
    await hand.say("reader", m.DocumentPlaced(boot=hand.clock.boot()))
    await hand.plant(entry=Leaf.OPEN)
    await hand.plant(occupancy=0)
    free = hand.clock.boot()
    await hand.plant(entry=Leaf.LOCKED)
    assert hand.state is State.DOCUMENT
    assert [order.zero >= free for order in orders(hand)] == [False, True]


async def test_before_a_single_door_a_document_laid_down_beside_a_bag_is_read_once_that_is_gone(single: Hand):
    await single.plant(object_left=True)
    await single.say("reader", m.DocumentPlaced(boot=0.0))
    assert single.state is State.IDLE
    await single.plant(object_left=False)
    assert single.state is State.DOCUMENT


async def test_a_document_that_was_referred_is_not_read_again_however_often_the_lane_comes_back(hand: Hand):
    await hand.document(passive_authentication="no_trust_anchor")
    await hand.record()
    await hand.peer("vision", joined=False)
    await hand.plant()
    await hand.peer("vision")
    await hand.plant()
    assert hand.state is State.IDLE
    assert len(orders(hand)) == 1


async def test_a_withdrawn_lane_rests_once_it_is_empty_and_takes_nobody(hand: Hand):
    await hand.ready()
    hand.actor.withdraw()
    assert not hand.actor.rested.is_set()
    await hand.say("reader", m.DocumentPlaced(boot=0.0))
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE
    assert hand.actor.rested.is_set()
    assert not hand.case.running


async def test_a_log_that_is_not_witnessed_is_told_of_and_one_that_was_changed_takes_nobody(hand: Hand):
    await hand.ready()
    await hand.say("audit", m.AuditReport(problem="the witness does not answer"))
    assert hand.state is State.IDLE
    assert "audit: the witness does not answer" in warnings(hand)
    await hand.say("audit", m.AuditReport())
    assert not any(line.startswith("audit: ") for line in warnings(hand))
    await hand.say("reader", m.AuditReport(problem="a lie", bent=True))
    assert hand.actor.in_service, "that is not the reader's business"
    await hand.say("audit", m.AuditReport(problem="record 7 is not the one it was " + "x" * 999, bent=True))
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE
    assert "log: record 7 is not the one it was" in "".join(warnings(hand))
    assert max(map(len, warnings(hand))) < 250
    await hand.say("audit", m.AuditReport())
    assert not hand.actor.in_service, "what was changed stays changed"


async def test_what_the_centre_of_a_fleet_lacks_is_told_of_and_keeps_nobody(hand: Hand):
    await hand.ready()
    await hand.peer("fleet")
    await hand.say("fleet", m.FleetReport(problem="7 records not received\x1b[2J" + "x" * 999))
    assert (hand.state, hand.actor.in_service) == (State.IDLE, True)
    (told,) = (line for line in warnings(hand) if line.startswith("fleet: "))
    assert told.startswith("fleet: 7 records not received?[2J")
    assert len(told) < 250
    await hand.say("vision", m.FleetReport())
    assert told in warnings(hand), "that is not the vision's business"
    await hand.say("fleet", m.FleetReport())
    assert not any(line.startswith("fleet: ") for line in warnings(hand))
    await hand.peer("fleet", joined=False)
    assert (hand.state, hand.actor.in_service) == (State.IDLE, True)
    assert any("its process is not running" in line for line in warnings(hand))


async def test_a_gate_that_stands_alone_misses_no_centre(hand: Hand):
    await hand.ready()
    assert not any(line.startswith("fleet: ") for line in warnings(hand))


async def test_how_long_somebody_waits_for_an_officer_is_known(patient: Hand):
    assert patient.actor.waiting_s == 0.0
    await patient.inside()
    await patient.plant(occupancy=0)
    assert patient.state is State.HOLD
    await patient.until(lambda: 0 < patient.actor.waiting_s < 60)


@pytest.mark.parametrize("what", ["leaf does not reach its end position", "x" * 5000])
async def test_why_the_controller_gave_up_stands_on_the_officers_page_until_the_reset(hand: Hand, what: str):
    await hand.ready()
    await hand.controller(Fault(code=1, what=what))
    assert hand.state is State.FAULT
    assert f"controller: {what}"[:150] in "".join(warnings(hand))
    assert max(map(len, warnings(hand))) < 250
    hand.actor.post(lambda: hand.actor.order("reset"))
    await hand.settle()
    assert not any(line.startswith("controller: ") for line in warnings(hand))


async def test_why_the_controller_is_away_stands_on_the_officers_page_until_it_is_back(hand: Hand):
    await hand.ready()
    await hand.controller(LinkDown(reason=DownReason.SILENT, what="no valid frame for 1 s"))
    assert "link: lost (silent): no valid frame for 1 s" in warnings(hand)
    hand.actor.post(lambda: hand.actor.order("reset"))
    await hand.settle()
    assert "link: lost (silent): no valid frame for 1 s" in warnings(hand), "an order brings no controller back"
    await hand.controller(LinkUp(firmware="firmware"))
    await hand.plant()
    assert not any(line.startswith("link: ") for line in warnings(hand))


async def test_a_controller_that_was_caught_lying_wipes_off_no_reason_by_going_and_coming_back(hand: Hand):
    await hand.ready()
    await hand.controller(Fault(code=1, what="contradicted itself"))
    await hand.controller(LinkDown(reason=DownReason.SILENT, what="no valid frame for 1 s"))
    await hand.controller(LinkUp(firmware="firmware"))
    await hand.plant()
    assert hand.state is State.FAULT
    assert "controller: contradicted itself" in warnings(hand)


async def test_whoever_slips_out_behind_a_traveller_of_a_single_door_closes_it_until_somebody_looked(single: Hand):
    await single.document()
    await single.face()
    await single.until(single.opened_exit)
    await single.plant(exit=Leaf.OPEN)
    await single.controller(Passage(door=Door.EXIT, inwards=False))
    assert single.state is State.EXIT_CLOSE
    await single.controller(Passage(door=Door.EXIT, inwards=False))
    assert single.state is State.FAULT
    assert "controller: a second person went out by the exit before it was locked again" in warnings(single)
    assert single.case.ended[0].outcome == "OPEN", "the traveller's own way was right"


@pytest.mark.parametrize("absent", ["reader", "vision"])
async def test_before_each_worker_has_come_once_the_lane_takes_nobody(hand: Hand, tmp_path, absent: str):
    (tmp_path / "started").mkdir()
    hand = type(hand)(tmp_path / "started")
    await hand.controller(LinkUp(firmware="firmware"))
    for role in {"reader", "vision", "officer_screen"} - {absent}:
        await hand.peer(role)
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE
    assert not hand.actor.in_service
    assert any(line.startswith(f"{absent}: ") for line in warnings(hand))
    await hand.peer(absent)
    await hand.plant()
    assert hand.state is State.IDLE
    await hand.close()


@pytest.mark.parametrize("role", ["reader", "vision"])
async def test_a_word_of_a_workers_end_that_comes_after_its_successor_joined_closes_nothing(hand: Hand, role: str):
    await hand.ready()
    await hand.peer(role, joined=False)
    await hand.peer(role)
    hand.actor.process_ended(role, f"{role} gave up")
    await hand.plant()
    assert hand.state is State.IDLE
    assert not any(line.startswith(f"{role}: ") for line in warnings(hand))


async def test_why_the_newest_trust_store_is_not_gone_by_is_told_of_and_keeps_nobody(hand: Hand):
    await hand.ready()
    await hand.say(
        "reader", m.TrustReport(trust="version 1", problem="statement 2 is signed by 1 of 2 people\x1b[2J" + "x" * 999)
    )
    assert (hand.state, hand.actor.in_service) == (State.IDLE, True)
    (told,) = (line for line in warnings(hand) if line.startswith("trust: "))
    assert told.startswith("trust: statement 2 is signed by 1 of 2 people?[2J")
    assert len(told) < 250
    await hand.say("vision", m.TrustReport(trust="version 9"))
    assert told in warnings(hand), "that is not the vision's business"
    await hand.say("reader", m.TrustReport(trust="version 2"))
    assert not any(line.startswith("trust: ") for line in warnings(hand))
    await hand.say("reader", m.TrustReport(trust="version 2", problem="gone"))
    await hand.peer("reader", joined=False)
    await hand.peer("reader", trust="version 2")
    assert not any(line.startswith("trust: ") for line in warnings(hand)), "a reader that comes opened what is in force"


async def test_a_record_names_the_trust_store_that_judged_whatever_came_into_force_since(hand: Hand):
    await hand.peer("reader", trust="version 1")
    await hand.document(trust="version 1")
    await hand.say("reader", m.TrustReport(trust="version 2"))
    assert hand.case.backends["trust"] == "version 2"
    await hand.controller(LinkDown(reason=DownReason.SILENT, what="no valid frame for 1 s"))
    assert (await hand.record()).backends["trust"] == "version 1"
