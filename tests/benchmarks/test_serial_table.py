"""The measurement of serial links: what it counts, and what it calls a finding."""

from __future__ import annotations

import copy
import os
import select

import pytest

from benchmarks import serial_links, serial_table
from benchmarks.serial_pymodbus import PlainBoard, crc
from hardware.sim.compiled import PROGRAM

GOOD = {
    "clean": {"executed_ms": {"n": 9, "p50": 0.4, "p99": 1.2, "max": 2.0}},
    "faulty": {
        "orders": 80,
        "outcome_ms": {"n": 80, "p50": 0.5, "p99": 90.0, "max": 95.0},
        "recovery_ms": {"n": 3, "p50": 50.0, "p99": 95.0, "max": 95.0},
        "duplicates": 0,
        "missing": 0,
        "unsafe": [],
    },
}
PEER = {"clean": {"outcome_ms": GOOD["faulty"]["outcome_ms"]}, "faulty": {**GOOD["faulty"], "duplicates": 4}}
del PEER["faulty"]["unsafe"], PEER["faulty"]["recovery_ms"]


def test_a_sound_link_gives_no_finding_and_a_library_beside_it_neither():
    rows = {"gate-link": GOOD, "a library": PEER}
    assert serial_table.findings(rows) == []
    assert len({len(line) for line in serial_table.table(rows).splitlines()[1:]}) <= 2
    assert " 5 " in serial_table.table(rows).splitlines()[1]


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("duplicates", 1),
        ("missing", 1),
        ("unsafe", ["both doors unlocked"]),
        ("recovery_ms", {"n": 1, "p50": 1.0, "p99": 1000.0, "max": 1000.0}),
    ],
)
def test_whatever_is_done_twice_or_not_or_unsafely_or_late_is_found(what, value):
    row = copy.deepcopy(GOOD)
    row["faulty"][what] = value
    assert len(serial_table.findings({"gate-link": row})) == 1


@pytest.mark.processes
def test_a_bad_line_is_bad_and_each_order_is_done_once(monkeypatch):
    monkeypatch.setattr(serial_links, "FAULTS", {"flip": 0.01, "drop": 0.05})
    seen = serial_links.faulty("python", 10, 20.0)
    assert (seen["effects"], seen["duplicates"], seen["missing"], seen["unsafe"]) == (10, 0, 0, [])
    assert seen["line"]["flip"] > 0


EVERYTHING = {
    "flip": 0.002,
    "lose": 0.002,
    "drop": 0.03,
    "double": 0.05,
    "delay": 0.1,
    "delay_s": 0.03,
    "split": 0.1,
    "swap": 0.03,
    "echo": 0.05,
    "flood": 200.0,
}


@pytest.mark.processes
@pytest.mark.parametrize("kind", ["python", "c"])
def test_whatever_a_line_does_and_however_often_it_is_unplugged_each_order_is_done_once(monkeypatch, kind):
    if kind == "c" and not PROGRAM.exists():
        what = "the firmware in C is not built: make firmware"
        pytest.fail(what) if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip(what)
    monkeypatch.setattr(serial_links, "FAULTS", EVERYTHING)
    seen = serial_links.faulty(kind, 8, 20.0, unplugged_every_s=1.5)
    assert (seen["duplicates"], seen["missing"], seen["unsafe"]) == (0, 0, [])


def test_the_plain_board_does_what_it_is_told_as_often_as_it_is_told(tmp_path):
    """The request is the one that Modbus over serial line V1.02 would have for unit 1, register 0, value 7."""
    request = bytes.fromhex("0106 0000 0007")
    request += crc(request).to_bytes(2, "little")
    with PlainBoard(tmp_path) as board:
        line = os.open(board.path, os.O_RDWR | os.O_NOCTTY)
        for _ in range(2):
            os.write(line, request)
            assert select.select([line], [], [], 5)[0]
            assert os.read(line, 8) == request
        os.close(line)
    assert board.done == {7: 2}


def test_the_checksum_of_modbus():
    """The example of the MODBUS over serial line specification V1.02, appendix B: 02 07 gives 41 12."""
    assert crc(bytes.fromhex("0207")).to_bytes(2, "little") == bytes.fromhex("4112")
