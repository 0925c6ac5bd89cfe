"""docs/gate-link.md says what the code does: its dictionary, its figures, and a whole session that both firmwares repeat to the byte."""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from hardware.controller import frame, link, protocol, session
from hardware.controller.messages import _LAYOUTS, decode, dictionary_hash
from hardware.controller.protocol import Door, Passage
from hardware.controller.session import HOST, RETRANSMIT_S
from hardware.sim import compiled, firmware, interlock
from hardware.sim.compiled import CHECKED, CompiledFirmware
from hardware.sim.firmware import Firmware
from hardware.sim.interlock import Inputs, LeafSensors

REPOSITORY = Path(__file__).resolve().parents[3]
DOCUMENT = (REPOSITORY / "docs" / "gate-link.md").read_text(encoding="utf-8")
KEY, HOST_NONCE, DEVICE_NONCE = bytes(range(32)), bytes([0xA0] * 16), bytes([0xD0] * 16)

SHUT, WIDE, AJAR = (
    LeafSensors(bolted=bolted, wide=wide, clear=True) for bolted, wide in ((True, False), (False, True), (False, False))
)
EMPTY = Inputs(entry=SHUT, exit=SHUT, occupancy=0, object_left=False, fire=False, mains=True)
ENTERS = Passage(door=Door.ENTRY, inwards=True)
PINS = {
    "both doors locked, nobody inside": EMPTY,
    "entry leaves its bolt": replace(EMPTY, entry=AJAR),
    "entry wide open, somebody has come in": replace(EMPTY, entry=WIDE, occupancy=1, crossings=(ENTERS,)),
    "both doors locked, one inside": replace(EMPTY, occupancy=1),
    "exit leaves its bolt": replace(EMPTY, exit=AJAR, occupancy=1),
}
"""What the worked example's words mean for the pins."""


def block(name: str) -> list[str]:
    """The lines of the fenced block behind the comment ``<!-- name -->``."""
    found = re.search(rf"<!-- {name} -->\n```\w*\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found, name
    return found[1].splitlines()


@pytest.fixture(params=["python", "c"])
def device(request, built):
    if request.param == "python":
        yield Firmware(KEY, EMPTY, name=compiled.NAME, nonce=lambda: DEVICE_NONCE)
        return
    process = CompiledFirmware(KEY, EMPTY, built(CHECKED))
    process.fix_nonce(DEVICE_NONCE)
    yield process
    process.close()


def test_the_worked_example_is_what_a_controller_says(device):
    said = b""
    for line in block("session"):
        now, who, what = line.split(maxsplit=2)
        match who:
            case "pins":
                assert said == b""
                device.tick(int(now), PINS[what])
            case "host":
                assert said == b""
                device.receive(bytes.fromhex(what.split()[0]), int(now))
            case "gate":
                expected = bytes.fromhex(what.split()[0])
                assert said.startswith(expected), line
                said = said[len(expected) :]
                continue
        said += device.transmit()
    assert said == b""


def test_what_the_worked_example_says_of_its_frames_is_in_them():
    for line in block("session"):
        now, who, what = line.split(maxsplit=2)
        if who == "pins":
            continue
        octets, words = what.split(maxsplit=1)
        payload = frame.decode_frame(bytes.fromhex(octets)[:-1]).payload
        message = decode(payload if payload[0] < 0x10 else payload[: -session.MAC_BYTES])
        assert type(message).__name__ == words.split()[0], line
        assert int(now) >= 0


def test_the_derived_keys_of_the_example_are_these():
    agreed = session.Agreement(
        key=KEY, host_nonce=HOST_NONCE, device_nonce=DEVICE_NONCE, dictionary=dictionary_hash(), firmware=compiled.NAME
    )
    assert block("keys") == [
        f"device proof  {agreed.proof(session.DEVICE).hex()}",
        f"host proof    {agreed.proof(HOST).hex()}",
        f"session key   {agreed._derive(b'session').hex()}",
    ]


def test_the_dictionary_in_the_document_has_the_hash_that_both_ends_exchange():
    text = "\n".join(block("dictionary"))
    assert hashlib.sha256(text.encode()).digest()[:8] == dictionary_hash()
    assert dictionary_hash().hex() in DOCUMENT
    header = (REPOSITORY / "hardware" / "firmware" / "messages.h").read_text(encoding="utf-8")
    assert ", ".join(f"0x{octet:02x}" for octet in dictionary_hash()) in header


def test_every_message_has_its_row_with_its_length():
    for code, kind, form in _LAYOUTS:
        assert re.search(
            rf"^\| 0x{code:02X} \| {kind.__name__} \| {1 + struct.calcsize('<' + form)}\b", DOCUMENT, re.MULTILINE
        ), kind


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_MS", protocol.LEASE_MS),
        ("RENEW_EVERY_MS", protocol.RENEW_EVERY_MS),
        ("TELEMETRY_MS", 1000 // protocol.TELEMETRY_HZ),
        ("RELEASE_AFTER_MS", round(protocol.RELEASE_AFTER_S * 1000)),
        ("COMMS_LOST_MS", round(protocol.COMMS_LOST_S * 1000)),
        ("RETRANSMIT_MS", round(RETRANSMIT_S * 1000)),
        ("HELLO_EVERY_MS", round(link.HELLO_EVERY_S * 1000)),
        ("KEEPALIVE_MS", round(link.KEEPALIVE_S * 1000)),
        ("COMMAND_TRIES", link.COMMAND_TRIES),
        ("CLEAR_AGAIN_MS", interlock.CLEAR_AGAIN_MS),
        ("EMPTY_AGAIN_MS", interlock.EMPTY_AGAIN_MS),
        ("STUCK_MS", interlock.STUCK_MS),
        ("OUTCOMES_KEPT", firmware._OUTCOMES_KEPT),
        ("REPORTS_KEPT", firmware.REPORTS_KEPT),
        ("MAX_BODY", frame.MAX_BODY),
    ],
)
def test_every_figure_in_the_document_is_the_one_in_the_code(name, value):
    assert re.search(rf"^\| `{name}` \| {value} \|", DOCUMENT, re.MULTILINE)
