"""A whole reading at the speed of the air, beside a plan that was fixed beforehand; n of each is in the table as rounds."""

from __future__ import annotations

import time

import pytest

from benchmarks import chip_plan
from benchmarks.chip_paced import LENGTHS, PacedReading, Reading, told
from benchmarks.chip_secured import AES_256, PARTS, bare_libcrypto, bare_messaging, file_reading

ROUNDS = {106: 3, 212: 3, 424: 30, 848: 30}
"""The slow ones take seconds each; ``goal_figures`` reads thirty of all."""


@pytest.mark.timeout(300)  # thirty readings, on a machine however busy
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kbit_s", ROUNDS)
def test_read_at(benchmark, kbit_s, length):
    benchmark.group = f"chip: PACE, five files of 22.5 kB, chip authentication, paced at {kbit_s} kbit/s"
    readings: list[Reading] = []
    benchmark.pedantic(
        lambda reading: readings.append(reading()), setup=lambda: ((PacedReading(kbit_s, length),), {}), rounds=ROUNDS[kbit_s]
    )
    assert all(reading.portrait < reading.last for reading in readings)  # the face goes on its way before the proofs end
    benchmark.extra_info |= told(readings, kbit_s, length)


def test_the_plan_is_that_of_the_table(benchmark):
    """Hand-made figures, rounded to a millisecond; the proofs' lengths on the slowest line are off by two."""
    benchmark.group = "chip: the fixed plan, worked out"
    deviations = benchmark(chip_plan.deviations)
    assert max(map(abs, deviations.values())) < 2.1
    benchmark.extra_info |= {name: round(value, 1) for name, value in deviations.items()}


PAUSE_S = 0.005
"""What a part of 223 bytes takes at 424 kbit/s."""
SEPARATE = {"ours": file_reading, "secure messaging alone": bare_messaging, "libcrypto alone": bare_libcrypto}


@pytest.mark.benchmark(group="chip: one part of 223 bytes under AES-256, terminal, every 5 ms: caches have gone cold meanwhile")
@pytest.mark.parametrize("what", SEPARATE)
def test_one_part_after_a_pause(benchmark, what):
    """Why the reader's time on a paced line is a multiple of ``test_chip``'s: so is that of the bare calls of libcrypto."""
    exchange = SEPARATE[what](AES_256)
    benchmark.pedantic(exchange, setup=lambda: time.sleep(PAUSE_S), rounds=len(PARTS))
