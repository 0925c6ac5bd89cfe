"""A bad line: at every byte of the conversation, in both directions, once flipped, dropped, doubled, torn or cut off. Each command has
its effect exactly once, is answered exactly once, and no other effect is seen.
"""

from __future__ import annotations

import random

import pytest

from hardware.controller.protocol import Close, Door, OpenEntry, Outcome, Purpose, SetSignal, Signal


class Damage:
    """Counts the bytes that pass and does ``kind`` at byte ``at``."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at, self.passed = kind, at, 0

    def __call__(self, data: bytes) -> list[bytes]:
        begin, self.passed = self.passed, self.passed + len(data)
        if not begin <= self.at < self.passed:
            return [data]
        place = self.at - begin
        before, byte, after = data[:place], data[place : place + 1], data[place + 1 :]
        return {
            "flip": [before + bytes([byte[0] ^ 1 << random.Random(self.at).randrange(8)]) + after],
            "drop": [before + after],
            "double": [before + byte + byte + after],
            "tear": [before, byte, after],
            "cut": [before],
            "repeat": [data, data],
            "noise": [before + random.Random(self.at).randbytes(20) + byte + after],
        }[self.kind]


KINDS = ("flip", "drop", "double", "tear", "cut", "repeat", "noise")


def conversation(bench) -> list[int]:
    numbers = [bench.send(SetSignal, signal=Signal.GREEN_ARROW), bench.send(OpenEntry, purpose=Purpose.ADMIT)]
    bench.run(0.2, until=lambda: bool(bench.outcomes(numbers[-1])))
    bench.run(0.03)
    numbers.append(bench.send(Close, door=Door.ENTRY))
    bench.run(0.2, until=lambda: bool(bench.outcomes(numbers[-1])))
    bench.run(0.5, until=lambda: len(bench.said("entry locked")) == 2)
    return numbers


def check(bench, numbers: list[int]) -> None:
    assert [bench.outcomes(number) for number in numbers] == [[Outcome.EXECUTED]] * 3
    assert [len(bench.said(what)) for what in ("entry opening", "entry closing", "entry locked")] == [1, 1, 2]
    assert bench.outputs.signal is Signal.GREEN_ARROW
    assert bench.said("exit opening") == []
    assert bench.plant.violations == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_damage_at_every_byte_changes_no_effect(make_bench, kind, direction):
    bench = make_bench().connect()
    count = Damage("none", -1)
    setattr(bench, direction, count)
    check(bench, conversation(bench))
    for at in range(0, count.passed, 1 if kind in ("flip", "cut") else 3):
        bench = make_bench().connect()
        setattr(bench, direction, Damage(kind, at))
        check(bench, conversation(bench))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_damage_to_the_handshake_only_delays_the_link(make_bench, kind, direction):
    for at in range(0, 90, 4):
        bench = make_bench()
        setattr(bench, direction, Damage(kind, at))
        bench.new_host()
        assert bench.run(0.6, until=lambda b=bench: b.host is None or b.host.up)
        assert bench.host is not None, bench.broken


def test_a_line_that_loses_and_damages_frames_all_the_time_still_does_each_thing_once(make_bench):
    rng = random.Random(7)

    def bad(data: bytes) -> list[bytes]:
        flipped = bytes(byte ^ (1 << rng.randrange(8) if rng.random() < 0.002 else 0) for byte in data)
        return [] if rng.random() < 0.02 else [flipped] * (2 if rng.random() < 0.05 else 1)

    bench = make_bench().connect()
    bench.to_device = bench.to_host = bad
    for _ in range(40):
        assert bench.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.EXECUTED
        bench.run(0.03)
        assert bench.do(Close, door=Door.ENTRY) is Outcome.EXECUTED
        assert bench.run(1, until=lambda: bench.plant.leaves[Door.ENTRY].locked)
    assert len(bench.said("entry opening")) == 40
    assert bench.host.damaged_frames > 0
    assert bench.plant.violations == []
