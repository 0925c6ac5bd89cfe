"""Long runs of the fleet's faults for the soak: lives of gates that power cuts end, and chaos."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import fleet_chaos, fleet_power
from benchmarks.soak_cases import Case

TRAVELLERS, SAMPLES = 12, 200
EVENTS = 300_000


@contextmanager
def power_cuts() -> Iterator[Case]:
    """A case is a life with other dice, ended at each of its syncs and at many moments between."""

    def case(dice: random.Random) -> str:
        told = fleet_power.run(TRAVELLERS, SAMPLES, dice.randrange(1 << 30))
        assert not told["findings"], told["findings"]
        return "nothing lost"

    yield case


@contextmanager
def chaos() -> Iterator[Case]:
    """A case is a fleet of its own, broken with other dice."""

    def case(dice: random.Random) -> str:
        size = fleet_chaos.Size(events=EVENTS, minutes=5.0, gates=200)
        with tempfile.TemporaryDirectory(prefix="autogate-chaos-") as name:
            told = fleet_chaos.run(size, dice.randrange(1 << 30), Path(name))
        assert not (found := fleet_chaos.wrong(told)), found
        return "exact"

    yield case
