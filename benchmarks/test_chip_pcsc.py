"""What an APDU of 223 bytes costs on its way through pcscd and vpcd, and back. Skips where they, or pyscard, are absent."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pytest

from benchmarks.chip_line import Answers, Stopwatch, answers_to_reading, passport, read
from hardware.emrtd.pcsc import PcscTransceiver
from hardware.ports import DeviceError, Transceiver
from hardware.sim.vpcd import VirtualSlot, run_atr, slot_port

READER = "Virtual PCD 00 00"
GROUP = "chip: a reading in short length through pcscd and vpcd, not paced"
WHOLE_PART = 244
"""Bytes of an answer with 223 under AES."""
OTHERS_S, PRESENT_S = 50.0, 10.0
ROUNDS = 30


@pytest.fixture(scope="module")
def field() -> Iterator[VirtualSlot]:
    """The first virtual reader, ours alone."""
    deadline = time.monotonic() + OTHERS_S
    while True:
        try:
            PcscTransceiver(READER).close()
            slot = VirtualSlot(run_atr("benchmark"), slot_port(READER))
            break
        except DeviceError as error:
            if "another virtual chip" not in str(error) or time.monotonic() > deadline:
                pytest.skip(str(error))
            time.sleep(0.2)
    with slot:
        yield slot


class Present:
    """What lies in the field may change without being lifted."""

    def __init__(self) -> None:
        self.chip: Transceiver = passport()

    def transceive(self, command: bytes) -> bytes:
        return self.chip.transceive(command)

    def reconnect(self, timeout: float) -> bool:
        return True


def intervals(line: Stopwatch) -> list[float]:
    """Milliseconds from one whole part's arrival to the next one's: all that an APDU costs."""
    return [
        (line.arrivals[place] - line.arrivals[place - 1]) * 1000
        for place, answer in enumerate(line.answers)
        if place and len(answer) == len(line.answers[place - 1]) == WHOLE_PART
    ]


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("kind", ["a chip that only repeats", "virtual chip"])
def test_read(benchmark, field, kind):
    """The one that only repeats has no time of its own: what is left is ours and the service's."""
    present, answers = Present(), answers_to_reading(passport(extended_length=False))
    field.place(present)
    reader, costs = PcscTransceiver(READER), []

    def lay_down():
        present.chip = Answers(answers) if kind == "a chip that only repeats" else passport(extended_length=False)
        return (Stopwatch(reader),), {}

    def whole(line: Stopwatch) -> None:
        read(line)
        costs.append(statistics.median(intervals(line)))

    try:
        assert reader.reconnect(PRESENT_S)
        benchmark.pedantic(whole, setup=lay_down, rounds=ROUNDS, warmup_rounds=1)
    finally:
        reader.close()
        field.place(None)
    benchmark.extra_info |= {"ms per apdu of 223 bytes": round(statistics.median(costs), 3), "apdus": len(answers)}
