"""The firmware in C and the one in Python are one: same bytes, same pins, same answers; and nobody without the key opens anything."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.soak_gate_link import (
    AGREEMENT_SEES,
    INJECTION_SEES,
    OWN,
    VACANT,
    Intruder,
    Pair,
    agrees,
    greet,
    injections,
    intrusion,
)
from hardware.controller.frame import MAX_PAYLOAD, encode_frame
from hardware.controller.messages import Hello, MessageError, decode, dictionary_hash
from hardware.controller.protocol import CommandResult, Door, Outcome, Passage, SetSignal, Signal
from hardware.controller.session import Channel, plain_frame
from hardware.ports import DeviceError
from hardware.sim import firmware, interlock
from hardware.sim.compiled import CHECKED, MODBUS_CHECKED, CompiledFirmware

NONCE = bytes(range(16))


@pytest.fixture(scope="module")
def pair(built):
    pair = Pair(built(CHECKED))
    yield pair
    pair.close()


def test_ten_thousand_inputs_of_any_kind_have_the_same_answers(pair):
    pair.power_on(bytes(range(32)))
    seen = Counter(agrees(pair, random.Random(f"agreement {number}")) for number in range(10_000))
    assert seen.keys() >= AGREEMENT_SEES


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.binary(max_size=300)
        | st.binary(max_size=MAX_PAYLOAD).filter(lambda p: p[:1] != b"\x02").map(lambda p: encode_frame(1, p))
    )
)
def test_any_bytes_have_the_same_answer(pair, pieces):
    for data in pieces:
        pair.hear(data, NONCE)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (interlock, "LEASE_MS", 260),
        (interlock, "EMPTY_AGAIN_MS", 400),
        (interlock, "STUCK_MS", 4_000),
        (firmware, "_OUTCOMES_KEPT", 60),
        (firmware, "_COMMS_LOST_MS", 1_200),
    ],
)
def test_a_firmware_that_differs_in_one_figure_is_found_out(pair, monkeypatch, module, name, value):
    monkeypatch.setattr(module, name, value)
    pair.power_on(bytes(range(32)))
    with pytest.raises(AssertionError):  # noqa: PT012 - it is found somewhere on the way
        for number in range(40_000):
            agrees(pair, random.Random(f"found out {number}"))


def test_keys_of_every_length_prove_themselves_alike(pair):
    # a key longer than a block of SHA-256 is hashed first: this walks every padding of up to three blocks
    hello = plain_frame(Hello(nonce=NONCE, dictionary=dictionary_hash()))
    for length in range(16, 200):
        pair.power_on(random.Random(length).randbytes(length))
        pair.hear(hello, NONCE)


def test_a_host_that_acknowledges_nothing_is_dropped_by_both(pair):
    pair.power_on(bytes(range(32)))
    while not greet(pair, random.Random(5)):
        pass
    for number in range(40):
        said = pair.tick(10, replace(VACANT, crossings=(Passage(door=Door.ENTRY, inwards=number % 2 == 0),)))
    assert said == []


def test_a_short_key_is_none(built):
    with pytest.raises(ValueError, match="16"):
        CompiledFirmware(b"short", VACANT, built(CHECKED))


def test_a_firmware_that_was_not_built_says_how_it_is(tmp_path):
    with pytest.raises(DeviceError, match="make firmware"):
        CompiledFirmware(bytes(32), VACANT, tmp_path / "none")


@pytest.mark.parametrize("program", [CHECKED, MODBUS_CHECKED], ids=["gate-link", "Modbus"])
def test_a_line_that_is_never_silent_keeps_no_door_from_its_tick(built, program):
    """A line by USB has no baud rate: who floods it is as fast as the controller reads."""
    process = CompiledFirmware(bytes(32), VACANT, built(program))
    endless = os.open("/dev/zero", os.O_RDWR)
    try:
        process.plug(endless)
        for now_ms in range(0, 500, 10):
            outputs = process.tick(now_ms, replace(VACANT, fire=now_ms >= 250))
            assert (outputs.entry is interlock.Drive.FREE) == (now_ms >= 250)
    finally:
        os.close(endless)
        process.close()


# --- frames of nobody ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["python", "c"])
def test_no_injected_or_repeated_opening_of_thousands_is_obeyed(kind, built):
    if kind == "c":
        built(CHECKED.with_name("gate-firmware"))
    with injections(kind)() as case:
        seen = Counter(case(random.Random(f"injection {number}")) for number in range(2_500))
    assert seen.keys() >= INJECTION_SEES
    assert seen[OWN] < 250


@pytest.mark.parametrize(
    ("name", "defect"),
    [
        ("open", lambda self, frame: _decoded(frame)),
        ("_mac", lambda self, side, number, payload: bytes(8)),
    ],
    ids=["takes every frame", "no MAC"],
)
def test_a_firmware_that_believes_the_line_is_found_out(monkeypatch, name, defect):
    intruder = Intruder("python")
    intrusion(intruder, random.Random(0))
    monkeypatch.setattr(Channel, name, defect)
    with pytest.raises((AssertionError, ValueError)):  # noqa: PT012 - it is found somewhere on the way
        for number in range(500):
            intrusion(intruder, random.Random(f"defect {number}"))


def _decoded(frame):
    try:
        return decode(frame.payload[:-8])
    except MessageError:
        return None


def test_a_mutated_frame_of_every_single_bit_never_acts(pair):
    """Each bit of a sealed command on the line, flipped: no outcome, no change of the lamp. Then the frame itself: executed."""
    pair.power_on(bytes(range(32)))
    while not greet(pair, random.Random(5)):
        pass
    frame = pair.host.seal(SetSignal(command_id=1 << 40, signal=Signal.GREEN_ARROW))
    for bit in range((len(frame) - 1) * 8):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not [each for each in pair.hear(bytes(flipped) + b"\x00", NONCE) if isinstance(each, CommandResult)]
    assert [each.outcome for each in pair.hear(frame, NONCE) if isinstance(each, CommandResult)] == [Outcome.EXECUTED]
