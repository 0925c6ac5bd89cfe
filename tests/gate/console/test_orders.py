"""What officers may order: carried out where it may be, refused by name where not, and written down either way."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import get_args

import msgspec
import pytest

from gate.clock import SystemClock
from gate.console.acts import actions
from gate.lane import State
from gate.processes import officers as module
from gate.processes.messages import AnyMessage, Forget, OfficerOrder, PrepareReference, ShowPictures, StartCapture
from hardware.controller.protocol import Close, Door, Fault, Leaf, OpenEntry, Purpose


async def test_an_officer_lets_pass_and_the_permit_is_durable_before_the_door(waiting):
    hand = waiting.hand
    hand.log.gate.clear()
    order = asyncio.create_task(waiting.act("Sari", "pass"))
    await asyncio.sleep(0.1)
    assert not hand.opened_exit()
    hand.log.gate.set()
    answer = await order
    assert (answer.refused, answer.before, answer.after, answer.officer) == ("", "hold", "exit_open", "Sari")
    assert hand.opened_exit()
    (written,) = await waiting.written(1)
    assert (written.officer, written.role, written.action, written.transaction) == ("Sari", "officer", "pass", hand.transaction)
    assert len(written.proof) == 3
    await hand.plant(exit=Leaf.OPEN)
    await hand.plant(occupancy=0)
    await hand.plant(exit=Leaf.LOCKED)
    record = await hand.record()
    assert record.outcome == "SECONDARY", "what the rules said stays"
    assert [(each.officer, each.action, each.proof) for each in record.ruled] == [("Sari", "pass", ())]
    assert hand.crossings == [(hand.transaction, "permitted"), (hand.transaction, "passed")]


async def test_a_pass_that_the_disk_or_the_crossings_refuse_opens_nothing(waiting):
    hand = waiting.hand
    hand.log.full = True
    assert (await waiting.act("Sari", "pass")).refused == "not_durable"
    hand.log.full, hand.crossing_durable = False, False
    assert (await waiting.act("Sari", "pass")).refused == "not_durable"
    assert hand.state is State.HOLD
    assert not hand.opened_exit()
    hand.crossing_durable = True
    assert (await waiting.act("Sari", "pass")).refused == ""


async def test_somebody_who_comes_in_while_the_permit_is_written_keeps_the_exit_shut(waiting):
    hand = waiting.hand
    hand.log.gate.clear()
    order = asyncio.create_task(waiting.act("Sari", "pass"))
    await hand.until(lambda: hand.crossings)
    await hand.plant(occupancy=2)
    hand.log.gate.set()
    assert (await order).refused == "not_passable"
    assert not hand.opened_exit()
    assert [each.refused for each in await waiting.written(2)] == ["", "not_passable"]


@pytest.mark.parametrize(("inside", "refused"), [(1, ""), (2, "not_passable")])
async def test_a_pass_waits_until_the_doors_are_seen_as_they_are_now(waiting, inside, refused):
    hand = waiting.hand
    hand.actor._sight.forget()  # nothing was told of the doors yet
    order = asyncio.create_task(waiting.act("Sari", "pass"))
    await asyncio.sleep(0.1)
    assert not order.done()
    assert (hand.opened_exit(), hand.crossings) == (False, [])
    await hand.plant(occupancy=inside)
    assert (await order).refused == refused
    assert hand.opened_exit() == (inside == 1)


async def test_whoever_is_to_be_let_out_waits_for_no_telemetry(waiting):
    waiting.hand.actor._sight.forget()
    answer = await waiting.act("Sari", "eject")
    assert (answer.refused, answer.after) == ("", "eject")


@pytest.mark.parametrize("inside", [{"occupancy": 2}, {"occupancy": None}, {"object_left": True}])
async def test_nobody_is_let_pass_who_is_not_alone(waiting, inside):
    await waiting.hand.plant(**inside)
    assert (await waiting.act("Sari", "pass")).refused == "not_passable"
    assert not waiting.hand.opened_exit()


async def test_without_supervision_no_officer_opens_an_exit(waiting):
    await waiting.hand.peer("officer_screen", joined=False)
    assert (await waiting.act("Sari", "pass")).refused == "not_passable"


async def test_after_a_hold_it_takes_two_officers(held):
    first = await held.act("Sari", "pass")
    assert (first.refused, first.awaits_second, first.after) == ("", True, "hold")
    assert not held.hand.opened_exit()
    again = await held.act("Sari", "pass")
    assert (again.refused, again.detail) == ("same_officer", "Sari")
    second = await held.act("Made", "pass")
    assert (second.refused, second.after) == ("", "exit_open")
    written = await held.written(3)
    assert [(each.officer, each.awaits_second, each.refused, each.first_officer) for each in written] == [
        ("Sari", True, "", ""),
        ("Sari", False, "same_officer", ""),
        ("Made", False, "", "Sari"),
    ]


async def test_a_supervisor_alone_is_one_officer_too(held):
    assert (await held.act("Chief", "pass")).awaits_second
    assert held.hand.state is State.HOLD


async def test_two_authenticators_of_one_officer_are_one_officer(held):
    held.keys["Sari's second key"] = type(held.keys["Sari"])()
    held.office.put_in_force(*held.people, held.keys["Sari's second key"].officer("Sari"))
    assert (await held.act("Sari", "pass")).awaits_second
    assert (await held.act("Sari's second key", "pass")).refused == "same_officer"


async def test_the_first_of_two_signatures_does_not_wait_for_ever(held, monkeypatch):
    assert (await held.act("Sari", "pass")).awaits_second
    monkeypatch.setattr(module, "SECOND_S", -1.0)
    assert (await held.act("Made", "pass")).awaits_second, "begins anew"
    assert not held.hand.opened_exit()


@pytest.mark.parametrize("action", ["counter", "secondary", "eject"])
async def test_whoever_waits_is_let_out_by_the_entry(waiting, action):
    answer = await waiting.act("Made", action)
    assert (answer.refused, answer.before, answer.after) == ("", "hold", "eject")
    opened = [command for command in waiting.hand.commands if isinstance(command, OpenEntry)]
    assert opened[-1].purpose is Purpose.EJECT
    assert not waiting.hand.opened_exit()
    (written,) = await waiting.written(1)
    assert (written.officer, written.action, written.refused) == ("Made", action, "")


async def test_letting_out_waits_for_no_disk(waiting):
    waiting.hand.log.gate.clear()
    assert (await waiting.act("Made", "eject")).after == "eject"


async def test_hold_stops_a_traveller_whose_face_is_looked_at_and_has_an_end(desk):
    hand = desk.hand
    await hand.inside()
    answer = await desk.act("Sari", "hold")
    assert (answer.before, answer.after) == ("capture", "hold")
    assert hand.actor._timer.when() - asyncio.get_running_loop().time() > 50, "an officer has the whole time"
    assert [(await desk.act("Sari", "hold")).refused for _ in range(3)] == ["", "", "held_long_enough"]


async def test_a_closed_lane_takes_nobody_until_an_officer_opens_it(desk):
    hand = desk.hand
    assert (await desk.act("Sari", "close")).refused == ""
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE
    await desk.officers.act(desk.prepared("Sari", "close"))
    hand.actor.open_lane()
    await hand.plant()
    assert hand.state is State.IDLE
    desk.officers.stay_closed()
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE, "what an officer closed stays closed over a restart"
    assert (await desk.act("Made", "open")).refused == ""
    await hand.plant()
    assert hand.state is State.IDLE
    desk.officers.stay_closed()
    assert hand.actor.in_service
    assert (await desk.act("Made", "open")).refused == "not_now"


async def test_a_fault_is_ended_by_a_supervisor_alone(desk):
    hand = desk.hand
    await hand.controller(Fault(code=1, what="stuck"))
    assert hand.state is State.FAULT
    assert (await desk.act("Sari", "reset")).refused == "role_may_not"
    assert (await desk.act("Chief", "eject")).refused == "not_now", "a lane in fault opens nothing"
    assert (await desk.act("Chief", "reset")).refused == ""
    assert hand.state is not State.FAULT


async def test_nothing_is_opened_out_of_turn(desk):
    assert (await desk.act("Sari", "pass")).refused == "not_now"
    assert not desk.hand.opened_exit()
    assert not any(isinstance(command, Close) and command.door is Door.EXIT for command in desk.hand.commands)


@pytest.mark.parametrize("other", ["pass", "eject", "counter"])
async def test_of_two_officers_at_once_one_wins_and_the_other_sees_who(waiting, other):
    first, second = waiting.prepared("Sari", "pass"), waiting.prepared("Made", other)
    one, two = await asyncio.gather(waiting.officers.act(first), waiting.officers.act(second))
    assert (one.refused, one.after) == ("", "exit_open")
    assert (two.refused, two.detail) == ("too_late", "Sari: pass")
    assert {each.officer: each.refused for each in await waiting.written(2)} == {"Sari": "", "Made": "too_late"}


async def test_an_officer_out_of_their_days_orders_nothing(waiting):
    for name in ("Former", "Future"):
        assert (await waiting.act(name, "eject")).refused == "officer_not_valid"
    assert [each.officer for each in await waiting.written(2)] == ["Former", "Future"]
    assert waiting.hand.state is State.HOLD


async def test_an_officer_who_was_taken_off_the_roster_orders_nothing_more(waiting):
    order = waiting.prepared("Sari", "pass")
    waiting.office.put_in_force(*[one for one in waiting.people if one.name != "Sari"])
    assert (await waiting.send(order)).refused == "unknown_authenticator"


async def test_with_a_doubtful_clock_only_what_is_harmless_is_carried_out(waiting, monkeypatch):
    monkeypatch.setattr(SystemClock, "trusted", lambda _: False)
    for action in ("pass", "open", "reset"):
        assert (await waiting.act("Chief", action)).refused == "clock_doubtful"
    assert (await waiting.act("Chief", "eject")).refused == ""


async def test_a_demonstrations_user_may_order_from_the_machine_and_the_log_says_what_he_called_himself(desk):
    hand = desk.hand
    await hand.controller(Fault(code=1, what="stuck"))
    assert desk.officers.order(OfficerOrder(order="eject", name="bud\x1bi")).refused == "not_now"
    assert desk.officers.order(OfficerOrder(order="reset", name="budi")).refused == ""
    written = await desk.written(2)
    assert [(each.officer, each.role, each.action, each.refused) for each in written] == [
        ("bud?i", "command", "eject", "not_now"),
        ("budi", "command", "reset", ""),
    ]


async def test_a_gate_in_operation_takes_no_order_from_its_machine(desk):
    hand = desk.hand
    desk.officers._config = msgspec.structs.replace(hand.case._config, profile="trial")
    await hand.controller(Fault(code=1, what="stuck"))
    assert desk.officers.order(OfficerOrder(order="reset", name="budi")).refused == "demonstration_only"
    assert hand.state is State.FAULT


async def test_what_the_console_is_shown_names_nobody_and_says_what_may_be_ordered(waiting):
    await waiting.hand.peer("console")
    view = [told for role, told in waiting.hand.told if role == "console"][-1]
    assert (view.state, view.document_class, view.outcome, view.transaction) == (
        "hold",
        "ordinary",
        "SECONDARY",
        waiting.hand.transaction,
    )
    assert {"pass", "counter", "secondary", "hold", "eject"} <= set(view.offers)
    assert waiting.hand.clock.boot() - view.since < timedelta(minutes=1).total_seconds()


# --- in an emergency --------------------------------------------------------------------------------------------------------------


async def test_in_an_emergency_two_officers_make_the_lane_let_go_and_a_supervisor_ends_it(waiting):
    hand = waiting.hand
    first = await waiting.act("Sari", "emergency")
    assert (first.refused, first.awaits_second, first.after) == ("", True, "hold")
    assert hand.case.first_emergency == "Sari"
    renewed, before = hand.renewed, len(hand.commands)
    second = await waiting.act("Made", "emergency")
    assert (second.refused, second.after) == ("", "fault")
    assert [trouble for trouble in hand.actor.fitness.words if trouble.startswith("emergency: Sari and Made")]
    renewed = hand.renewed
    await asyncio.sleep(0.2)
    assert hand.renewed == renewed, "no lease: the controller alone lets whoever is inside out of the entry"
    assert not [command for command in hand.commands[before:] if isinstance(command, OpenEntry)]
    assert not hand.opened_exit()
    assert hand.case.first_emergency == ""
    assert (await waiting.act("Sari", "reset")).refused == "role_may_not"
    assert (await waiting.act("Chief", "reset")).refused == ""
    assert not [trouble for trouble in hand.actor.fitness.words if trouble.startswith("emergency")]
    acted = [(each.officer, each.awaits_second, each.first_officer) for each in await waiting.written(2)]
    assert acted[:2] == [("Sari", True, ""), ("Made", False, "Sari")]


async def test_one_officer_with_two_keys_is_not_two_in_an_emergency_either(waiting):
    waiting.keys["Sari's second key"] = type(waiting.keys["Sari"])()
    waiting.office.put_in_force(*waiting.people, waiting.keys["Sari's second key"].officer("Sari"))
    assert (await waiting.act("Sari", "emergency")).awaits_second
    assert (await waiting.act("Sari's second key", "emergency")).refused == "same_officer"
    assert waiting.hand.state is State.HOLD


async def test_the_first_signature_in_an_emergency_lapses_after_a_minute(waiting, monkeypatch):
    assert (await waiting.act("Sari", "emergency")).awaits_second
    monkeypatch.setattr(module, "SECOND_S", -1.0)
    assert (await waiting.act("Made", "emergency")).awaits_second
    waiting.officers._forget_emergency()
    assert (waiting.hand.state, waiting.hand.case.first_emergency) == (State.HOLD, "")


async def test_a_pass_and_an_emergency_are_no_two_halves_of_one_another(held):
    assert (await held.act("Sari", "pass")).awaits_second
    assert (await held.act("Made", "emergency")).awaits_second
    assert held.hand.state is State.HOLD
    assert not held.hand.opened_exit()


async def test_an_emergency_of_a_lane_that_has_let_go_already_is_of_no_effect(desk):
    await desk.hand.controller(Fault(code=1, what="stuck"))
    assert (await desk.act("Sari", "emergency")).refused == "not_now"


async def test_letting_go_in_an_emergency_waits_for_no_disk(waiting):
    waiting.hand.log.gate.clear()
    assert (await waiting.officers.act(waiting.prepared("Sari", "emergency"))).awaits_second
    assert (await waiting.officers.act(waiting.prepared("Made", "emergency"))).after == "fault"


# --- who may what -----------------------------------------------------------------------------------------------------------------


async def test_who_may_not_rule_rules_on_nobody(waiting, monkeypatch):
    monkeypatch.setattr(waiting.officers._prover.budget, "_left", 1e9)
    monkeypatch.setattr(waiting.officers._prover.budget, "_most", 1e9)
    for who in ("Auditor", "Engineer"):
        for action in ("pass", "counter", "secondary", "hold", "eject", "open", "emergency"):
            assert (await waiting.act(who, action)).refused == "role_may_not"
    assert waiting.hand.state is State.HOLD


async def test_an_engineer_may_close_a_lane_and_an_auditor_may_not(desk):
    assert (await desk.act("Auditor", "close")).refused == "role_may_not"
    assert (await desk.act("Engineer", "close")).refused == ""
    assert (await desk.act("Engineer", "open")).refused == "role_may_not"


async def test_an_officer_out_of_the_shift_orders_nothing(waiting):
    assert (await waiting.act("Night", "eject")).refused == "officer_not_valid"
    assert waiting.hand.state is State.HOLD


# --- thresholds -------------------------------------------------------------------------------------------------------------------


def test_nobody_changes_a_threshold_at_run_time():
    """There is no order for it, no message carries one to whoever compares faces, and no process takes one from another."""
    assert not [rule.id for rule in actions().values() if "threshold" in json.dumps(msgspec.to_builtins(rule))]
    carried = {
        kind.__name__: [field.name for field in msgspec.structs.fields(kind) if "threshold" in field.name]
        for kind in get_args(AnyMessage)
    }
    assert {name for name, fields in carried.items() if fields} == set()
    taken = {kind.__name__ for kind in (PrepareReference, StartCapture, Forget, ShowPictures)}
    assert all(
        set(_words(kind)).isdisjoint({"threshold", "score", "pack", "model"})
        for kind in get_args(AnyMessage)
        if kind.__name__ in taken
    )


def _words(kind: type) -> list[str]:
    return [word for field in msgspec.structs.fields(kind) for word in field.name.split("_")]
