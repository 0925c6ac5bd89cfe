"""Short runs of `make bench-fleet` and `make chaos-fleet`, whole: processes, engines, faults, checks."""

from __future__ import annotations

import pytest

from benchmarks import fleet_bench, fleet_chaos
from benchmarks.fleet_world import World
from gate.fleet.centre import broker

IMPATIENT = """
import gate.fleet.centre.broker
from gate.__main__ import main

gate.fleet.centre.broker.REDELIVER_S = 3.0
raise SystemExit(main())
"""
"""A collector as it is, but that what it lost on its line comes again after three seconds, not ten."""


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Processes, whose starts are most of a short run, and seconds in which nothing but waiting is done."""
    monkeypatch.setattr(fleet_chaos, "PROCESSES", 1)
    monkeypatch.setattr(fleet_chaos, "DOWN_S", (0.2, 0.5))
    monkeypatch.setattr(fleet_bench, "PROCESSES", 1)
    child = World._child

    def started(world: World, command: list[str], name: str):
        python, *given = command
        return child(world, [python, "-c", IMPATIENT, *given[2:]] if given[:2] == ["-m", "gate"] else command, name)

    monkeypatch.setattr(World, "_child", started)
    monkeypatch.setattr(broker, "REDELIVER_S", 3.0)


@pytest.mark.timeout(120)
def test_a_short_run_of_the_chaos_leaves_an_exact_history(engines, tmp_path):
    size = fleet_chaos.Size(
        events=10_000, minutes=0.15, gates=30, whole=2, cuts=4, power=(1, 10), every_s=(0.3, 0.6), resend_s=1.5, drain_s=60.0
    )
    told = fleet_chaos.run(size, 5, tmp_path)
    assert fleet_chaos.wrong(told) == []
    assert told["history"]["events"] == told["events"] > 0
    assert told["faults"]["power cuts"] == 4
    assert len(told["faults"]) > 1
    assert told["frames"]["MSG lost"] + told["frames"]["HMSG lost"] > 0
    assert sum(told["hostile"].values()) > 0
    assert sum(told["refused"].values()) > 0
    assert fleet_chaos.in_words(told | {"findings": []}).endswith("0 findings")


@pytest.mark.timeout(120)
def test_a_short_run_of_the_bench_meets_its_own_pace(engines, tmp_path):
    size = fleet_bench.Size(gates=60, seconds=1.0, days=0.05, away_s=0.5, settle_s=0.5, ceiling_s=0.3, alone_s=0.7)
    told = fleet_bench.run(size, tmp_path)
    assert told["history"]["findings"] == []
    assert all(end["drained_s"] >= 0 for end in told["steady"]["ends"])
    assert told["offline"]["rows"] == 2880
    assert told["ceilings"]["copied"]["rows_per_s"] > 0
    assert "collectors" in fleet_bench.in_words(told | {"missed": []})
