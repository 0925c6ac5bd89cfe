"""The lane's actor and casework, with the real table, rules and log, and a hand that plays controller and workers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from gate.audit.log import FILE_NAME, decode, open_readonly
from gate.evidence import Fact, successful
from gate.lane import State
from gate.processes import messages as m
from gate.processes.lag import BOUNDS_MS
from gate.records import LaneEvent, PanelEvent, StageTiming
from hardware.controller.link import DownReason, LinkDown, LinkUp
from hardware.controller.protocol import (
    Close,
    Door,
    Fault,
    Leaf,
    LeaseLapsed,
    OpenEntry,
    OpenExit,
    Passage,
    Purpose,
)

Hand = Any
"""``tests/gate/conftest.py`` makes it."""
CHECKS = ("access", "card_access", "chip", "chip_authenticity", "dg1_mrz", "passive_authentication", "revocation")


def facts(**words: str) -> dict[str, Fact]:
    return {name: successful(word) for name, word in words.items()}


@pytest.mark.conforms("TR-03121-3 §2.5", "positive")
@pytest.mark.conforms("TR-03121-3 §2.5.1", "positive")
async def test_an_honest_traveller_goes_through(hand: Hand):
    await hand.inside()
    await hand.face()
    await hand.until(lambda: hand.state is State.EXIT_OPEN)
    await hand.plant(exit=Leaf.OPEN)
    await hand.plant(occupancy=0)
    await hand.plant(exit=Leaf.LOCKED)
    record = await hand.record()
    assert (record.outcome, record.reasons) == ("OPEN", ())


async def test_no_door_is_commanded_before_its_permit_is_durable(hand: Hand):
    hand.log.gate.clear()
    await hand.document()
    await asyncio.sleep(0.1)
    assert not any(isinstance(command, OpenEntry) for command in hand.commands)
    hand.log.gate.set()
    await hand.until(lambda: hand.state is State.ENTRY_OPEN)
    await hand.plant(entry=Leaf.OPEN)
    await hand.plant(occupancy=1)
    await hand.plant(entry=Leaf.LOCKED)
    hand.log.gate.clear()
    await hand.face()
    await asyncio.sleep(0.1)
    assert not hand.opened_exit()
    hand.log.gate.set()
    await hand.until(hand.opened_exit)


async def test_a_permit_that_the_disk_refuses_opens_nothing_and_is_no_open_record(hand: Hand):
    await hand.inside()
    hand.log.full = True
    await hand.face()
    await hand.until(lambda: hand.state in {State.HOLD, State.EJECT})
    hand.log.full = False
    assert not hand.opened_exit()
    await hand.until(lambda: hand.state is State.EJECT)
    await hand.plant(entry=Leaf.OPEN)
    await hand.plant(occupancy=0)
    await hand.plant(entry=Leaf.LOCKED)
    assert (await hand.record()).outcome != "OPEN"


async def test_whoever_goes_through_is_told_of_before_and_after(hand: Hand):
    await hand.inside()
    assert hand.crossings == []
    this = hand.transaction
    await hand.face()
    await hand.until(lambda: hand.state is State.EXIT_OPEN)
    assert hand.crossings == [(this, "permitted")]
    await hand.plant(exit=Leaf.OPEN)
    await hand.plant(occupancy=0)
    await hand.plant(exit=Leaf.LOCKED)
    await hand.record()
    assert hand.crossings == [(this, "permitted"), (this, "passed")]


async def test_of_whom_sight_was_lost_at_the_open_exit_nobody_says_that_they_did_not_cross(hand: Hand):
    await hand.inside()
    await hand.face()
    await hand.until(lambda: hand.state is State.EXIT_OPEN)
    await hand.plant(exit=Leaf.OPEN)
    await hand.controller(LinkDown(reason=DownReason.SILENT, what="cut"))
    await hand.record()
    assert [word for _, word in hand.crossings] == ["permitted", "uncertain"]


async def test_a_crossing_that_cannot_be_written_down_opens_nothing(hand: Hand):
    await hand.inside()
    hand.crossing_durable = False
    await hand.face()
    await hand.until(lambda: hand.state in {State.HOLD, State.EJECT})
    assert not hand.opened_exit()
    await hand.until(lambda: hand.state is State.EJECT)
    await hand.plant(entry=Leaf.OPEN)
    await hand.plant(occupancy=0)
    await hand.plant(entry=Leaf.LOCKED)
    assert (await hand.record()).outcome != "OPEN"
    assert [word for _, word in hand.crossings] == ["permitted", "voided"]


@pytest.mark.parametrize(
    ("issued", "read", "word"),
    [("aa", "aa", "same"), ("", "aa", "not_given"), ("aa", "bb", "different"), ("aa", "\u00e4", "different"), ("aa", "", None)],
)
async def test_the_portrait_in_the_chip_is_compared_with_the_one_that_was_issued(
    hand: Hand, issued: str, read: str, word: str | None
):
    hand.issuer_portrait = issued
    await hand.document(dg2_sha256=read)
    await hand.until(lambda: hand.state is State.ENTRY_OPEN or hand.case.running is None)
    decided = hand.case.running._decisions if hand.case.running else hand.case.ended[0].decisions
    assert decided[-1].evidence.value("issuer_portrait") == (word or "not_performed")
    assert (hand.state is State.ENTRY_OPEN) == (word != "different")


async def test_a_lane_that_nobody_stands_in_knows_no_portrait_by_its_digest(hand: Hand):
    hand.issuer_portrait = "ab" * 32
    await hand.document(dg2_sha256="cd" * 32, passive_authentication="no_trust_anchor")
    await hand.record()
    assert not {"ab" * 32, "cd" * 32} & {each for each in vars(hand.case).values() if isinstance(each, str)}


async def test_a_registry_speaks_of_its_own_facts_alone(hand: Hand):
    hand.lies = {"face": "match", "enablement": "not_enabled", "passive_authentication": "authentic", "issuer_portrait": "same"}
    await hand.document(passive_authentication="no_trust_anchor")
    record = await hand.record()
    assert record.reasons == ("NO_TRUST_ANCHOR",)
    evidence = record.decisions[-1].evidence
    said = {fact: evidence.value(fact) for fact in hand.lies}
    assert said == {
        "face": "not_performed",
        "enablement": "enabled",
        "passive_authentication": "no_trust_anchor",
        "issuer_portrait": "not_performed",
    }


async def test_a_permit_made_durable_too_late_opens_nothing(hand: Hand):
    await hand.inside()
    hand.log.gate.clear()
    await hand.face()
    await hand.controller(LinkDown(reason=DownReason.PORT, what="unplugged"))
    await hand.controller(LinkUp(firmware="firmware"))
    hand.log.gate.set()
    await hand.plant(occupancy=1)
    await asyncio.sleep(0.1)
    assert not hand.opened_exit()
    assert (await hand.record()).reasons == ("DEVICE_LOST",)


async def test_the_face_of_before_is_nobodys(hand: Hand):
    await hand.inside()
    await hand.face(boot=hand.clock.boot() - 60)
    assert not hand.opened_exit()
    assert hand.case.running
    assert hand.case.running.value("face") == "not_performed"


async def test_what_to_do_before_the_camera_is_shown_only_while_this_face_is_looked_at(hand: Hand):
    def shown() -> list[str]:
        return [view.guidance for role, view in hand.told if role == "traveller_screen" and isinstance(view, m.TravellerView)]

    def ask(transaction: str) -> m.FaceGuidance:
        return m.FaceGuidance(transaction=transaction, instruction="step_closer")

    await hand.document()
    await hand.say("vision", ask(hand.transaction))
    await hand.until(lambda: hand.state is State.ENTRY_OPEN)
    await hand.plant(entry=Leaf.OPEN)
    await hand.plant(occupancy=1)
    await hand.plant(entry=Leaf.LOCKED)
    assert hand.state is State.CAPTURE
    await hand.say("vision", ask("another"))
    await hand.say("reader", ask(hand.transaction))
    assert set(shown()) == {""}
    await hand.say("vision", ask(hand.transaction))
    assert shown()[-1] == "step_closer"
    await hand.face("no_match")
    assert shown()[-1] == ""


@pytest.mark.parametrize("word", ["no_match", "poor_quality", "no_probe", "no_reference"])
@pytest.mark.conforms("TR-03121-3 §2.5.1", "negative")
async def test_no_other_word_than_match_opens_the_exit(hand: Hand, word: str):
    await hand.inside()
    await hand.face(word)
    await asyncio.sleep(0.05)
    assert not hand.opened_exit()
    assert hand.state in {State.HOLD, State.EJECT}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.conforms("TR-03121-3 §2.5.1", "negative")
async def test_a_chip_with_any_finding_lets_nobody_in(hand: Hand, name: str):
    await hand.document(**{name: "not_performed"})
    await asyncio.sleep(0.05)
    assert not any(isinstance(command, OpenEntry) for command in hand.commands)
    assert hand.state is State.IDLE


async def test_a_void_verdict_makes_vision_forget_at_once(hand: Hand):
    await hand.inside()
    assert not any(isinstance(message, m.Forget) for _, message in hand.told)
    await hand.plant(occupancy=2)
    assert ("vision", m.Forget(transaction=hand.transaction)) in hand.told


async def test_a_bag_left_inside_keeps_the_loop_idle_not_spinning(hand: Hand):
    await hand.inside()
    await hand.plant(object_left=True)
    await hand.face("no_match")
    await hand.until(lambda: hand.state is State.EJECT)
    await hand.plant(entry=Leaf.OPEN, occupancy=0)
    await hand.plant(entry=Leaf.LOCKED)
    before = hand.actor._visit
    closes = sum(isinstance(command, Close) for command in hand.commands)
    await asyncio.sleep(0.3)
    assert hand.actor._visit - before < 5
    assert sum(isinstance(command, Close) for command in hand.commands) - closes < 10


async def test_the_panel_is_told_the_screens_word_alone_and_officers_what_it_says(hand: Hand):
    await hand.document()
    await hand.until(lambda: hand.state is State.ENTRY_OPEN)
    assert [told for role, told in hand.told if role == "panel"][-1] == m.PanelView(screen="lift")
    hand.actor.on_message("panel", m.PanelReport(assistance=True, tamper=True, fault="it burns"))
    view = [told for role, told in hand.told if role == "officer_screen" and isinstance(told, m.OfficerView)][-1]
    assert (view.panel, view.assistance) == ("tamper", True)
    assert "reader panel: it burns" in view.warnings
    await hand.until(lambda: not hand.case._tasks)
    with open_readonly(hand.folder / FILE_NAME) as log:
        notes = [decode(record, PanelEvent).what for record in log.records("panel")]
    assert {"assistance", "opened"} <= set(notes)


async def test_a_panel_that_lies_moves_nothing(hand: Hand):
    """It speaks as if it were the reader, the camera or an officer: nothing is taken from it."""
    await hand.inside()
    before, this, now = (hand.state, list(hand.commands), hand.case.running), hand.transaction, hand.clock.boot()
    face = m.FaceChecked(transaction=this, facts=facts(face="match"), stages=(), chosen_frame_boot=now)
    document = m.DocumentChecked(transaction=this, facts=facts(**hand.chip), stages=(), last_byte_boot=now)
    for lie in (face, document, m.DocumentRemoved(), m.DocumentPlaced(boot=now), m.OfficerOrder(order="eject")):
        hand.actor.on_message("panel", lie)
    hand.actor.on_peer("panel", {"face": "a better recogniser", "panel": "mine"}, joined=True)
    hand.actor.on_peer("panel", {}, joined=False)
    await hand.settle()
    assert (hand.state, hand.commands, hand.case.running) == before
    assert "face" not in hand.case.backends
    await hand.face()
    await hand.until(lambda: hand.state is State.EXIT_OPEN)


async def test_a_loop_that_does_not_handle_events_does_not_renew(hand: Hand):
    await hand.until(lambda: hand.renewed > 2)
    hand.running.cancel()  # the loop is stuck: nobody takes from the queue any more
    await asyncio.gather(hand.running, return_exceptions=True)
    renewed = hand.renewed
    await asyncio.sleep(0.3)
    assert hand.renewed == renewed


async def test_a_loop_that_is_held_up_says_so(hand: Hand):
    await hand.until(lambda: hand.renewed or sum(hand.actor.lag.counts) > 1)
    hand.actor.post(lambda: time.sleep(0.1))
    await hand.settle()
    await hand.until(lambda: hand.actor.lag.worst_ms > 40)  # a beat fell due at the latest 50 ms after the sleep began
    assert sum(hand.actor.lag.counts[BOUNDS_MS.index(50.0) :]) >= 1


async def test_what_happens_off_the_ordinary_way_is_in_the_log(hand: Hand):
    await hand.inside()
    await hand.plant(occupancy=2)
    await hand.until(lambda: not hand.case._tasks)
    with open_readonly(hand.folder / FILE_NAME) as log:
        events = [decode(record, LaneEvent) for record in log.records("event")]
    assert LaneEvent(before="capture", after="eject", event="plant", entry="locked", exit="locked", occupancy=2) in events


async def test_a_page_cannot_hide_what_the_recogniser_is(hand: Hand):
    await hand.peer("vision", face="X: demonstration, not for operation", pad="PAD not available")
    await hand.peer("traveller_screen", face="approved", pad="available")
    assert hand.case.backends["face"].endswith("not for operation")
    warnings = [message.warnings for _, message in hand.told if isinstance(message, m.OfficerView)][-1]
    assert any("UnsafeNoPad" in warning for warning in warnings)


async def test_a_worker_cannot_grow_the_record(hand: Hand):
    await hand.inside()
    endless = tuple(
        StageTiming(name="n" * 9999, start_ms=float("nan") if number % 2 else 1.0, duration_ms=1.0, result="r" * 9999)
        for number in range(400)
    )
    await hand.say("vision", m.ReferenceReady(transaction=hand.transaction, stages=endless))
    assert hand.case.running
    assert len(hand.case.running.stages) <= 100
    assert all(len(stage.name) + len(stage.result) < 400 for stage in hand.case.running.stages)


async def test_without_supervision_no_exit_opens(hand: Hand):
    await hand.inside()
    await hand.peer("officer_screen", joined=False)
    await hand.face()
    await asyncio.sleep(0.05)
    assert not hand.opened_exit()


async def test_a_lapsed_lease_opens_again_for_who_has_not_walked_in_yet(hand: Hand):
    await hand.document()
    await hand.until(lambda: hand.state is State.ENTRY_OPEN)
    for count in range(2, 5):  # three times more, then the wait runs out
        await hand.controller(LeaseLapsed(door=Door.ENTRY))
        assert sum(isinstance(command, OpenEntry) for command in hand.commands) == count
    await hand.controller(LeaseLapsed(door=Door.ENTRY))
    assert sum(isinstance(command, OpenEntry) for command in hand.commands) == 4


async def test_a_lapsed_lease_opens_nothing_for_who_is_inside(hand: Hand):
    await hand.inside()
    opened = len(hand.commands)
    await hand.controller(LeaseLapsed(door=Door.ENTRY))
    await hand.controller(LeaseLapsed(door=Door.EXIT))
    assert len(hand.commands) == opened


async def test_a_stalled_disk_holds_up_no_ejection(hand: Hand):
    await hand.inside()
    hand.log.gate.clear()
    await hand.plant(occupancy=2)
    assert hand.state is State.EJECT
    assert hand.commands[-1].purpose is Purpose.EJECT
    hand.log.gate.set()


async def test_a_stalled_disk_holds_up_no_closing_of_an_exit(hand: Hand):
    await hand.inside()
    await hand.face()
    await hand.until(hand.opened_exit)
    hand.log.gate.clear()
    await hand.plant(exit=Leaf.OPEN, occupancy=2)
    assert hand.commands[-1].door is Door.EXIT
    assert hand.state is State.HOLD
    hand.log.gate.set()


async def test_a_stalled_disk_holds_up_no_emergency_and_no_renewal(hand: Hand):
    await hand.inside()
    hand.log.gate.clear()
    renewed = hand.renewed
    await hand.until(lambda: hand.renewed > renewed)
    await hand.plant(emergency=True, entry=Leaf.RELEASED, exit=Leaf.RELEASED)
    assert hand.state is State.EMERGENCY
    hand.log.gate.set()


async def test_an_officers_reset_leads_out_of_an_emergency_by_proof_of_an_empty_trap_alone(hand: Hand):
    await hand.ready()
    await hand.plant(emergency=True, entry=Leaf.RELEASED, exit=Leaf.RELEASED)
    assert hand.actor.order("reset").after == State.EMERGENCY, "the fire still burns"
    await hand.plant(emergency=False)
    assert hand.state is State.EMERGENCY
    assert hand.actor.order("reset").after == State.RECOVER
    await hand.plant(entry=Leaf.LOCKED)
    assert hand.state is State.RECOVER
    await hand.plant(exit=Leaf.LOCKED, occupancy=1)
    assert hand.state is State.HOLD
    await hand.plant(occupancy=0)
    assert hand.state is State.IDLE


async def test_an_officers_reset_forgives_a_fault_that_is_mended(hand: Hand):
    await hand.ready()
    await hand.controller(Fault(code=1, what="jammed"))
    assert hand.state is State.FAULT
    assert hand.actor.order("eject").after == State.FAULT
    assert hand.actor.order("reset").after == State.RECOVER
    await hand.plant()
    assert hand.state is State.IDLE
    assert hand.actor._gate_words()[0] == "ready"


# --- a gate with a single door


async def kinds(hand: Hand) -> list[str]:
    """What of the last transaction stands in the log."""
    await hand.record()
    with open_readonly(hand.folder / FILE_NAME) as log:
        return [record.kind for record in log.records() if record.transaction == hand.transaction]


async def walk_through(hand: Hand) -> None:
    await hand.until(lambda: hand.state is State.EXIT_OPEN)
    await hand.plant(exit=Leaf.OPEN)
    await hand.controller(Passage(door=Door.EXIT, inwards=False))
    await hand.plant(occupancy=0)
    await hand.plant(exit=Leaf.LOCKED)


async def test_before_a_single_door_the_exits_decision_is_the_only_permit(single: Hand):
    await single.document()
    assert single.state is State.CAPTURE
    single.log.gate.clear()
    await single.face()
    await asyncio.sleep(0.1)
    assert not single.opened_exit(), "opened before the permit was durable"
    single.log.gate.set()
    await walk_through(single)
    record = await single.record()
    assert (record.outcome, record.kind) == ("OPEN", "single_door")
    assert sorted(await kinds(single)) == ["decision", "permit", "transaction"]
    assert not any(isinstance(command, OpenEntry) for command in single.commands)


async def test_whoever_walks_away_from_an_open_single_door_did_not_pass(single: Hand):
    await single.document()
    await single.face()
    await single.until(lambda: single.state is State.EXIT_OPEN)
    await single.plant(exit=Leaf.OPEN)
    await single.plant(occupancy=0)
    await single.plant(exit=Leaf.LOCKED)
    record = await single.record()
    assert (record.outcome, record.reasons) == ("COUNTER", ("PERMIT_VOIDED",))


@pytest.mark.parametrize("occupancy", [None, 2])
async def test_before_a_single_door_a_count_that_is_not_one_opens_nothing(single: Hand, occupancy: int | None):
    await single.plant(occupancy=occupancy)
    await single.document()
    await single.face()
    record = await single.record()
    assert record.outcome != "OPEN"
    assert not single.opened_exit()


async def test_before_a_single_door_no_face_is_looked_at_for_a_document_that_failed(single: Hand):
    await single.document(chip_authenticity="not_genuine")
    record = await single.record()
    assert record.outcome == "HOLD"
    assert not any(isinstance(message, m.StartCapture) for _, message in single.told)


async def test_before_a_single_door_the_screen_asks_for_the_document_before_the_face(single: Hand):
    shown = lambda: [message.screen for role, message in single.told if role == "traveller_screen"]
    await single.document()
    assert shown()[-1] == "lift"
    await single.say("reader", m.DocumentRemoved())
    assert shown()[-1] == "face"


async def test_an_officers_eject_opens_nothing_at_a_single_door(single: Hand):
    await single.document()
    single.actor.post(lambda: single.actor.order("eject"))
    await single.settle()
    assert not any(isinstance(command, OpenEntry | OpenExit) for command in single.commands)
