"""A gate's power fails at every moment of a recorded life; and a gate that syncs too little is found out."""

from __future__ import annotations

import os
import shutil

import pytest

from benchmarks import fleet_power


@pytest.fixture(autouse=True)
def strace():
    if shutil.which("strace") is None:
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)("strace is not installed")


def test_no_power_cut_loses_a_record_or_makes_a_gap_or_a_fork():
    told = fleet_power.run(travellers=3, samples=30, seed=3)
    assert told["findings"] == []
    assert told["written"] == 60
    assert told["states"] > 60, "a sync for each record at least"


@pytest.mark.parametrize(("defect", "what"), [("log", "are left"), ("cursor", "receipt")])
def test_a_gate_that_does_not_sync_is_found_out(defect, what):
    told = fleet_power.run(travellers=2, samples=40, seed=3, defect=defect)
    assert any(what in finding for finding in told["findings"])
