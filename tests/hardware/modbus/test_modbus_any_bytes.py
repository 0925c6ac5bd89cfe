"""Any bytes on the line, both ways: an answer that can be used, or none; a controller that goes on."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.controller.messages import MessageError
from hardware.controller.modbus_line import ModbusLine, NoAnswer
from hardware.controller.modbus_map import (
    EVENTS_KEPT,
    IDENTITY_BLOCK,
    ORDER_BLOCK,
    STATUS_BLOCK,
    Flag,
    identity_in,
    order,
    status_in,
)
from hardware.controller.protocol import Leaf, Outcome

REGISTER = st.integers(0, 0xFFFF)


class Recording:
    """A port that answers every question with the same bytes, and is the clock."""

    def __init__(self, answer: bytes) -> None:
        self.now, self._answer, self._pending = 0.0, answer, b""

    def boot(self) -> float:
        return self.now

    def read(self, limit: int, timeout: float) -> bytes:
        self.now += timeout or 0.001
        data, self._pending = self._pending[:limit], self._pending[limit:]
        return data

    def write(self, data: bytes) -> None:
        self._pending = self._answer

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def checked(pymodbus):
    """The body of a frame as pymodbus would seal it: whatever it says, its CRC fits."""
    from pymodbus.framer import FramerRTU

    return lambda body: body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def ask(answer: bytes) -> list[object]:
    said: list[object] = []
    for question in (lambda line: line.read(100, 4), lambda line: line.write(0, [1, 2, 3])):
        port = Recording(answer)
        try:
            said.append(question(ModbusLine(port, 1, port)))
        except NoAnswer as error:
            said.append(error)
    return said


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_none(pymodbus, answer):
    read, written = ask(answer)
    assert isinstance(read, NoAnswer | tuple)
    assert written is None or isinstance(written, NoAnswer)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.builds(lambda f, b: bytes([1, f]) + b, st.integers(0, 255), st.binary(max_size=20)))
def test_any_frame_with_the_right_crc_is_an_answer_or_none(checked, body):
    read, written = ask(checked(body))
    if isinstance(read, tuple):
        assert len(read) == 4
        assert body[:3] == bytes([1, 4, 8])
    if written is None:
        assert body == bytes([1, 16, 0, 0, 0, 3])


def test_answers_that_are_none_leave_no_line_in_a_log(checked, caplog):
    """Twenty a second would fill the disk on which permits are written down."""
    for body in (b"\x02\x04\x08" + bytes(8), b"\x01\x80\x01"):
        for said in ask(checked(body)):
            assert isinstance(said, NoAnswer)
    assert caplog.records == []


@given(st.lists(REGISTER, min_size=IDENTITY_BLOCK.count - 1, max_size=IDENTITY_BLOCK.count + 1))
def test_any_registers_are_an_identity_or_a_message_error(registers):
    try:
        identity = identity_in(registers)
    except MessageError:
        assert len(registers) != IDENTITY_BLOCK.count
        return
    assert len(identity.map) == 8
    assert identity.name.isprintable()


WITHIN = st.integers(0, 6)


@given(st.lists(REGISTER | WITHIN, min_size=STATUS_BLOCK.count, max_size=STATUS_BLOCK.count), st.integers(0, 2**32 - 1))
def test_any_registers_are_a_status_or_a_message_error(registers, seen):
    at = {name: place - STATUS_BLOCK.address for place, name, _ in STATUS_BLOCK.fields()}
    try:
        status = status_in(registers)
    except MessageError:
        assert (
            registers[at["entry"]] not in set(Leaf)
            or registers[at["exit"]] not in set(Leaf)
            or registers[at["outcome"]] not in set(Outcome)
            or registers[at["flags"]] >= 2 * max(Flag)
        )
        return
    try:
        happened = status.happened_since(seen)
    except MessageError:
        return
    assert happened is None or len(happened) == (status.events - seen) % 2**32 <= EVENTS_KEPT


@given(st.integers(0, 2**32 - 1), st.integers(0, EVENTS_KEPT))
def test_happenings_are_counted_over_the_end_of_the_counter(seen, fresh):
    registers = [0] * STATUS_BLOCK.count
    at = {name: place - STATUS_BLOCK.address for place, name, _ in STATUS_BLOCK.fields()}
    count = (seen + fresh) % 2**32
    registers[at["events"]], registers[at["events"] + 1] = count >> 16, count & 0xFFFF
    for number in range(fresh):
        registers[at["event"] + (seen + number) % 2**32 % EVENTS_KEPT] = (
            2 << 8 | number % 2
        )  # obstructions, of both doors in turn
    assert [each.door for each in status_in(registers).happened_since(seen)] == [number % 2 for number in range(fresh)]


@pytest.mark.parametrize("beat", [-1, 65536])
def test_a_value_that_does_not_fit_is_never_cut(beat):
    with pytest.raises(MessageError):
        order(session=1, beat=beat)


def test_any_bytes_to_the_controller_leave_it_working(bench, checked):
    """Under sanitizers: noise, frames with a right CRC, and requests of any function, address and count."""
    dice = random.Random(11)
    for number in range(3_000):
        kind = dice.randrange(3)
        body = dice.randbytes(dice.randrange(1, 40))
        if kind == 1:
            body = checked(bytes([1, dice.choice([1, 2, 3, 4, 5, 6, 15, 16, 22, 23, dice.randrange(256)])]) + body)
        elif kind == 2:
            body = checked(bytes([1, 4, 0, dice.choice([0, 99, 100, 101, 255]), 0, dice.choice([0, 1, 26, 126, 255])]))
        bench.firmware.receive(body, bench.ms)
        bench.firmware.transmit()
        if number % 10 == 0:
            bench.wait(0.03)
    bench.wait(0.05)
    assert bench.outputs.turn_back is False
    assert bench.logged("exit opening") == bench.logged("entry opening") == []
    assert len(bench.line.read(STATUS_BLOCK.address, STATUS_BLOCK.count)) == STATUS_BLOCK.count
    assert bench.firmware.rejected_frames > 100


@given(st.lists(st.binary(max_size=300), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_a_question_after_any_bytes_and_a_silence_is_answered(make_bench, pieces):
    bench = make_bench()
    for piece in pieces:
        bench.firmware.receive(piece, bench.ms)
    bench.firmware.transmit()
    bench.wait(0.03)
    assert len(bench.line.read(IDENTITY_BLOCK.address, IDENTITY_BLOCK.count)) == IDENTITY_BLOCK.count
    assert ORDER_BLOCK.count == 11
