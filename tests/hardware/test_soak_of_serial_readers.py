"""The long suite on serial readers holds in short, and turns red where a check is missing."""

from __future__ import annotations

import dataclasses
import random

import pytest

from benchmarks import soak_mrz_serial
from benchmarks.soak_mrz_serial import MUST_SEE, serial_readers
from hardware import mrz_frames
from hardware.mrz_frames import Wire, rte
from hardware.mrz_serial import PROFILES


def run(cases: int) -> set[str]:
    with serial_readers() as case:
        return {case(random.Random(f"7/serial_readers/{number}")) for number in range(cases)}


def test_a_short_run_holds_and_sees_damage():
    seen = run(100)
    assert {what for what in MUST_SEE if what.endswith("lost")} | {"whole: read"} <= seen


@pytest.mark.parametrize("defect", ["no block check", "no order of lines", "no silence"])
def test_a_missing_check_turns_it_red(defect, monkeypatch):
    match defect:
        case "no block check":
            careless = dataclasses.replace(PROFILES["rte"], wire=Wire(take=rte(check_from=None)))
            monkeypatch.setitem(PROFILES, "rte", careless)
        case "no order of lines":
            monkeypatch.setattr(mrz_frames, "_in_order", lambda lines: True)
        case "no silence":
            monkeypatch.setattr(soak_mrz_serial.Framer, "quiet", lambda self: [])
    with pytest.raises(AssertionError):
        run(2000)
