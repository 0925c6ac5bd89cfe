from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gate.evidence import Direction
from gate.simulation.compute import load_compute
from gate.simulation.scenario import Choice, Fixed, Scenario, Share, Uniform, load_scenario
from gate.simulation.trial import Wanted

NOTED = {"assumption": True, "reason": "made for a test"}


def sure(of: float) -> Share:
    return Share(of=of, **NOTED)


@pytest.fixture(scope="session")
def packaged() -> Scenario:
    return load_scenario()


@pytest.fixture
def small(packaged: Scenario) -> Scenario:
    """The packaged scenario, cut to one bank of two lanes and half an hour."""
    bank = msgspec.structs.replace(
        packaged.bank[1],
        lanes=2,
        travellers_per_day=Fixed(value=30, **NOTED),
        travellers_per_flight=Fixed(value=15, **NOTED),
        hours=Choice(weights={"0": 1}, **NOTED),
        spread_s=Uniform(low=60, high=900, **NOTED),
    )
    assert bank.direction is Direction.ARRIVAL
    networks = msgspec.structs.replace(packaged.networks, outage=sure(0), link_losses_per_lane_day=Fixed(value=0, **NOTED))
    return msgspec.structs.replace(packaged, bank=(bank,), networks=networks)


@pytest.fixture
def wanted(small: Scenario, tmp_path: Path) -> Wanted:
    return Wanted(scenario=small, compute=load_compute(), airport="CGK", days=1, seed=1, out=tmp_path / "out")
