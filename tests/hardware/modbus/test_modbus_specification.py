"""docs/modbus.md says what the code does: its map, its hash, its figures, the bytes of its exchange."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from hardware.controller import link, modbus_line, modbus_map, protocol
from hardware.controller.modbus_map import IDENTITY_BLOCK, ORDER_BLOCK, STATUS_BLOCK, map_hash, map_text

REPOSITORY = Path(__file__).resolve().parents[3]
DOCUMENT = (REPOSITORY / "docs" / "modbus.md").read_text(encoding="utf-8")
HEADER = (REPOSITORY / "hardware" / "firmware" / "registers.h").read_text(encoding="utf-8")
PROGRAM = (REPOSITORY / "hardware" / "firmware" / "modbus.c").read_text(encoding="utf-8")


def test_the_map_in_the_document_is_the_codes_and_has_its_hash():
    found = re.search(r"<!-- map -->\n```\n(.*?)\n```", DOCUMENT, re.DOTALL)
    assert found
    assert found[1] == map_text()
    assert hashlib.sha256(found[1].encode()).digest()[:8] == map_hash()
    assert f"`{map_hash().hex()}`" in DOCUMENT


def test_the_controller_in_c_has_the_same_map():
    words = [map_hash()[at : at + 2].hex() for at in range(0, 8, 2)]
    assert "MAP[4] = {" + ", ".join(f"0x{word}" for word in words) + "}" in HEADER
    constants = {name: int(value) for name, value in re.findall(r"(\w+) = (\d+)[,;} ]", HEADER)}
    for block, ends in ((IDENTITY_BLOCK, "IDENTITY_END"), (STATUS_BLOCK, "STATUS_END")):
        for at, name, _ in block.fields():
            assert constants[f"{name.upper()}_AT"] == at, name
        assert constants[ends] == block.address + block.count
    for at, name, _ in ORDER_BLOCK.fields():
        assert constants[f"ORDER_{name.upper()}"] == at, name
    assert constants["ORDER_REGISTERS"] == ORDER_BLOCK.count
    assert modbus_map.MAGIC.to_bytes(4, "big") == b"GATE"
    assert {f"FLAG_{flag.name}": flag.value for flag in modbus_map.Flag}.items() <= constants.items()


def test_every_field_of_the_map_is_explained():
    for block in (IDENTITY_BLOCK, STATUS_BLOCK, ORDER_BLOCK):
        for _, name, _ in block.fields():
            assert re.search(rf"^\|[^|]*\|[^|]*`{name}`", DOCUMENT, re.MULTILINE), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_MS", protocol.LEASE_MS),
        ("RELEASE_AFTER_MS", round(protocol.RELEASE_AFTER_S * 1000)),
        ("EXCHANGE_MS", 1000 // protocol.TELEMETRY_HZ),
        ("ANSWER_MS", round(modbus_line.ANSWER_S * 1000)),
        ("COMMS_LOST_MS", round(protocol.COMMS_LOST_S * 1000)),
        ("COMMAND_TRIES", link.COMMAND_TRIES),
        ("EVENTS_KEPT", modbus_map.EVENTS_KEPT),
        ("LEAST_BAUD", modbus_line.LEAST_BAUD),
        ("SILENCE_MS", int(re.search(r"SILENCE_MS = (\d+)", PROGRAM)[1])),
    ],
)
def test_every_figure_in_the_document_is_the_one_in_the_code(name, value):
    assert re.search(rf"^\| `{name}` \| {value} \|", DOCUMENT, re.MULTILINE)


def test_the_exchange_in_the_document_is_what_goes_over_the_line(bench):
    said: list[bytes] = []
    bench.to_device = lambda data: said.append(data) or [data]
    bench.to_host = lambda data: said.append(data) or [data]
    bench.cycle()
    written = [
        bytes.fromhex(re.match(r"[0-9a-f ]+", line.split(maxsplit=1)[1])[0].replace(" ", ""))
        for line in re.findall(r"^(?:host|controller)  .*$", DOCUMENT, re.MULTILINE)
    ]
    assert [frame[: len(start)] for frame, start in zip(said, written, strict=True)] == written
    assert [len(frame) for frame in said] == [9 + 22, 8, 8, 5 + 52]
