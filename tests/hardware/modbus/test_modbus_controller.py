"""The host's session against the libmodbus controller: what it orders is done once, and what it fails to renew ends by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hardware.controller import modbus_session
from hardware.controller.link import DownReason, LinkUp
from hardware.controller.modbus_line import AnswerIsException
from hardware.controller.modbus_map import EVENTS_KEPT, ORDER_BLOCK, STATUS_BLOCK, order, status_in
from hardware.controller.protocol import (
    Door,
    Leaf,
    LeaseLapsed,
    Obstruction,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    SetSignal,
    Signal,
)
from hardware.sim.people import Manner

PERSON = Manner()


def test_a_traveller_comes_in_and_leaves_and_everything_is_told(bench):
    assert next(event for event in bench.events if isinstance(event, LinkUp)).firmware.endswith("UnsafeUnauthenticatedLink)")
    bench.admit()
    assert (bench.seen.entry, bench.seen.occupancy) == (Leaf.LOCKED, 1)
    assert bench.do(OpenExit) is Outcome.EXECUTED
    assert bench.run(6, until=lambda: bench.seen.occupancy == 0 and bench.seen.exit is Leaf.LOCKED)
    passages = [event for event in bench.happened() if isinstance(event, Passage)]
    assert passages == [Passage(door=Door.ENTRY, inwards=True), Passage(door=Door.EXIT, inwards=False)]
    assert bench.plant.violations == []


def test_refusals_come_from_the_controllers_own_sensors(bench):
    assert bench.do(OpenExit) is Outcome.REFUSED_OCCUPIED
    bench.plant.fire = True
    bench.wait(0.02)
    assert bench.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.REFUSED_EMERGENCY
    assert bench.seen.emergency
    assert (bench.seen.entry, bench.seen.exit) == (Leaf.RELEASED, Leaf.RELEASED)


def test_an_exit_that_nobody_renews_turns_back_by_itself(bench):
    bench.admit()
    bench.renewing = False
    assert bench.do(OpenExit) is Outcome.EXECUTED
    bench.wait(1.0)  # no host at all
    (closing,) = bench.logged("exit closing")
    assert closing - bench.logged("exit opening")[0] <= 0.27
    assert bench.logged("exit open") == []
    bench.renewing = True
    bench.run(0.2)
    assert LeaseLapsed(door=Door.EXIT) in bench.happened()


def test_whoever_is_inside_is_let_out_by_the_entry_once_the_host_is_dead(bench):
    bench.admit()
    bench.wait(2.4)
    assert bench.plant.leaves[Door.ENTRY].locked is False
    assert bench.logged("exit opening") == []
    assert bench.plant.violations == []


def test_a_lease_ends_when_the_loop_that_renewed_it_meant_it_to(bench):
    """Orders go on, as the link's thread does beside a loop that hangs; they renew nothing by themselves."""
    bench.plant.arrive(1, 0.5, PERSON)
    bench.renewing = False
    assert bench.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.EXECUTED
    bench.run(0.4)
    assert LeaseLapsed(door=Door.ENTRY) in bench.happened()
    assert len(bench.logged("entry closing")) == 1


def raw(bench, **fields) -> None:
    bench.line.write(ORDER_BLOCK.address, order(**fields))


def status(bench):
    return status_in(bench.line.read(STATUS_BLOCK.address, STATUS_BLOCK.count))


def test_an_id_is_executed_once_and_a_lower_one_never(bench):
    now = status(bench)
    green, red = (SetSignal(command_id=9, signal=each) for each in (Signal.GREEN_ARROW, Signal.RED_CROSS))
    raw(bench, session=now.session, beat=now.beat + 1, command=green)
    raw(bench, session=now.session, beat=now.beat + 2, command=red)  # the same id, whatever it says this time
    raw(bench, session=now.session, beat=now.beat + 3, command=SetSignal(command_id=8, signal=Signal.RED_CROSS))
    bench.wait(0.02)
    assert bench.outputs.signal is Signal.GREEN_ARROW
    assert status(bench).result.command_id == 9


@pytest.mark.parametrize("stale", ["beat", "older beat", "session"])
def test_an_order_of_before_is_dropped_whole(bench, stale):
    now = status(bench)
    session = now.session - 1 if stale == "session" else now.session
    beat = {"beat": now.beat, "older beat": now.beat - 300, "session": now.beat + 1}[stale] % 65536
    bench.plant.arrive(1, 0.5, PERSON)
    raw(bench, session=session, beat=beat, renew_ms=250, command=OpenEntry(command_id=99, purpose=Purpose.ADMIT))
    assert (status(bench).beat, status(bench).result.command_id) == (now.beat, now.result.command_id)
    bench.wait(0.1)
    assert bench.logged("entry opening") == []


def test_a_new_session_ends_what_the_last_one_opened(bench):
    assert bench.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.EXECUTED
    bench.run(0.2)
    bench.new_host()
    bench.connect()
    bench.run(0.3)
    assert bench.logged("entry closing") != []
    assert not bench.seen.leased


def test_a_new_session_counts_its_ids_from_the_beginning(bench):
    """A machine that was started anew may number lower than before."""
    now = status(bench)
    raw(bench, session=now.session, beat=now.beat + 1, command=SetSignal(command_id=9, signal=Signal.GREEN_ARROW))
    bench.new_host()
    bench.connect()
    assert bench.do(SetSignal, signal=Signal.RED_CROSS) is Outcome.EXECUTED
    bench.wait(0.02)
    assert bench.outputs.signal is Signal.RED_CROSS


def test_a_controller_that_lost_its_power_is_noticed_at_once(bench):
    bench.firmware.power_on(bytes(32), bench.plant.sense())
    bench.run(0.2)
    assert bench.broken is not None
    assert "another session" in bench.broken.what


def test_a_second_host_is_noticed_by_the_first(bench):
    raw(bench, session=0, beat=1)
    bench.run(0.2)
    assert bench.broken is not None


# --- whoever is not spoken to, or does not understand ----------------------------------------------------------------------------


def test_another_unit_is_not_there(make_bench):
    bench = make_bench()
    bench.new_host(unit=2)
    bench.run(2.0)
    assert bench.broken.reason is DownReason.SILENT


def test_an_order_to_all_units_is_nobodys(bench):
    before = status(bench)
    said = bench.line._framer.buildFrame(
        bench.line._pdu.WriteMultipleRegistersRequest(address=0, registers=order(session=0, beat=77), dev_id=0)
    )
    bench.write(said)
    assert status(bench).session == before.session


@pytest.mark.parametrize(
    ("address", "registers", "code"),
    [
        (ORDER_BLOCK.address + 1, [0] * ORDER_BLOCK.count, 2),
        (ORDER_BLOCK.address, [0] * (ORDER_BLOCK.count - 1), 2),
        (ORDER_BLOCK.address, [0] * (ORDER_BLOCK.count + 1), 2),
        (500, [0], 2),
        (ORDER_BLOCK.address, [0, 0, 1, 0, 0, 0, 0, 9, 5, 0, 250], 3),  # no such command
        (ORDER_BLOCK.address, [0, 0, 1, 0, 0, 0, 0, 9, 3, 2, 250], 3),  # no such door
        (ORDER_BLOCK.address, [0, 0, 1, 0, 0, 0, 0, 9, 2, 1, 250], 3),  # an argument where there is none
    ],
)
def test_what_is_not_a_whole_order_in_its_place_is_answered_with_an_exception(bench, address, registers, code):
    before = status(bench)
    with pytest.raises(AnswerIsException) as caught:
        bench.line.write(address, registers)
    assert caught.value.code == code
    assert (status(bench).session, status(bench).beat) == (before.session, before.beat)


@pytest.mark.parametrize(("count", "octets"), [(10, 22), (12, 22), (11, 20), (11, 24)])
def test_a_write_whose_numbers_contradict_each_other_is_not_executed(bench, count, octets):
    now = status(bench)
    green = order(session=now.session, beat=now.beat + 1, command=SetSignal(command_id=5, signal=Signal.GREEN_ARROW))
    data = b"".join(register.to_bytes(2, "big") for register in green).ljust(octets, b"\x00")[:octets]
    frame = bytes([1, 16, 0, 0, 0, count, octets]) + data
    bench.write(frame + bench.line._framer.compute_CRC(frame).to_bytes(2, "big"))
    bench.wait(0.05)
    assert status(bench).beat == now.beat
    assert bench.outputs.signal is Signal.RED_CROSS


@pytest.mark.parametrize(("address", "count"), [(126, 1), (100, 27), (65535, 1)])
def test_registers_that_are_not_there_are_not_read(bench, address, count):
    with pytest.raises(AnswerIsException):
        bench.line.read(address, count)


@pytest.mark.parametrize("name", ["WriteSingleRegisterRequest", "ReadHoldingRegistersRequest"])
def test_other_functions_are_refused(bench, name):
    fields = {"registers": [1]} if name.startswith("Write") else {"count": 1}
    with pytest.raises(AnswerIsException) as caught:
        bench.line._ask(getattr(bench.line._pdu, name)(address=0, dev_id=1, **fields), 8)
    assert caught.value.code == 1


def test_a_device_with_other_registers_is_no_controller(bench, monkeypatch):
    monkeypatch.setattr(modbus_session, "MAGIC", 1)
    bench.new_host()
    bench.run(0.2)
    assert bench.broken.reason is DownReason.FOREIGN_DEVICE


def test_a_controller_with_another_map_is_not_used(bench, monkeypatch):
    monkeypatch.setattr(modbus_session, "map_hash", lambda: bytes(8))
    bench.new_host()
    bench.run(0.2)
    assert bench.broken.reason is DownReason.OTHER_DICTIONARY


# --- happenings --------------------------------------------------------------------------------------------------------------------


def test_happenings_of_a_pause_are_told_afterwards_and_in_order(bench):
    bench.admit()
    bench.events.clear()
    assert bench.do(OpenExit) is Outcome.EXECUTED
    bench.run(0.3)
    bench.plant.leaves[Door.EXIT].obstructed = True
    bench.wait(1.0)
    bench.run(0.1)
    assert bench.happened() == [LeaseLapsed(door=Door.EXIT), Obstruction(door=Door.EXIT)]


@pytest.mark.parametrize(("ticks", "kept"), [(1, True), (2, False)])
def test_more_happenings_than_are_kept_end_the_session(bench, ticks, kept):
    crossed = replace(bench.plant.sense(), crossings=(Passage(door=Door.ENTRY, inwards=False),) * EVENTS_KEPT)
    for _ in range(ticks):
        bench.firmware.tick(bench.ms, crossed)
    bench.run(0.2)
    assert (bench.broken is None) is kept
    assert len(bench.happened()) == (EVENTS_KEPT if kept else 0)
