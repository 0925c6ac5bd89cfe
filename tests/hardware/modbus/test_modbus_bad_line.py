"""A bad line under Modbus: damage at every byte, noise all the time, late and doubled frames. Each command has its effect once, or none and is told so."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from hardware.controller.link import DownReason
from hardware.controller.protocol import Close, Door, OpenEntry, OpenExit, Outcome, Purpose, SetSignal, Signal


class Damage:
    """Counts the bytes that pass and does ``kind`` at byte ``at``."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at, self.passed = kind, at, 0

    def __call__(self, data: bytes) -> list[bytes]:
        begin, self.passed = self.passed, self.passed + len(data)
        if not begin <= self.at < self.passed:
            return [data]
        place, dice = self.at - begin, random.Random(self.at)
        before, byte, after = data[:place], data[place : place + 1], data[place + 1 :]
        return {
            "flip": [before + bytes([byte[0] ^ 1 << dice.randrange(8)]) + after],
            "another byte": [before + bytes([byte[0] ^ dice.randrange(1, 256)]) + after],
            "drop": [before + after],
            "double": [before + byte + byte + after],
            "tear": [before, byte, after],
            "cut": [before],
            "repeat": [data, data],
            "noise before": [dice.randbytes(20) + data],
            "noise after": [data + dice.randbytes(20)],
        }[self.kind]


KINDS = ("flip", "another byte", "drop", "double", "tear", "cut", "repeat", "noise before", "noise after")


def conversation(bench) -> list[int]:
    numbers = [bench.send(SetSignal, signal=Signal.GREEN_ARROW), bench.send(OpenEntry, purpose=Purpose.ADMIT)]
    assert bench.run(1.0, until=lambda: bool(bench.outcomes(numbers[-1]))), bench.broken
    bench.run(0.06)
    numbers.append(bench.send(Close, door=Door.ENTRY))
    assert bench.run(1.0, until=lambda: bool(bench.outcomes(numbers[-1]))), bench.broken
    return numbers


def check(bench, numbers: list[int]) -> None:
    bench.run(1.0, until=lambda: len(bench.logged("entry locked")) == 2)
    assert [bench.outcomes(number) for number in numbers] == [[Outcome.EXECUTED]] * 3
    assert [len(bench.logged(what)) for what in ("entry opening", "entry closing", "entry locked")] == [1, 1, 2]
    assert bench.outputs.signal is Signal.GREEN_ARROW
    assert bench.logged("exit opening") == []
    assert bench.plant.violations == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_damage_at_every_byte_changes_no_effect(make_bench, kind, direction):
    bench = make_bench().connect()
    count = Damage("drop", -1)
    setattr(bench, direction, count)
    numbers = conversation(bench)
    passed = count.passed
    check(bench, numbers)
    for at in range(0, passed, 2 if kind in ("flip", "cut", "another byte") else 6):
        bench = make_bench().connect()
        setattr(bench, direction, Damage(kind, at))
        check(bench, conversation(bench))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_damage_to_the_greeting_only_delays_the_link(make_bench, kind, direction):
    for at in range(0, 150, 4):
        bench = make_bench()
        setattr(bench, direction, Damage(kind, at))
        assert bench.run(0.6, until=lambda b=bench: b.host.up), bench.broken


def bad(dice: random.Random, flips: float, drops: float, doubles: float = 0.0) -> Callable[[bytes], list[bytes]]:
    def carry(data: bytes) -> list[bytes]:
        flipped = bytes(byte ^ (1 << dice.randrange(8) if dice.random() < flips else 0) for byte in data)
        return [] if dice.random() < drops else [flipped] * (2 if dice.random() < doubles else 1)

    return carry


@pytest.mark.parametrize("doubles", [0.0, 0.05])
def test_a_line_that_loses_and_damages_all_the_time_still_does_each_thing_once(bench, doubles):
    bench.to_device = bench.to_host = bad(random.Random(7), flips=1e-3, drops=0.01, doubles=doubles)
    for _ in range(60):
        assert bench.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.EXECUTED
        bench.run(0.03)
        assert bench.do(Close, door=Door.ENTRY) is Outcome.EXECUTED
        assert bench.run(1, until=lambda: bench.plant.leaves[Door.ENTRY].locked)
    assert len(bench.logged("entry opening")) == 60
    assert bench.host.failed > 0
    assert bench.logged("exit opening") == []
    assert bench.plant.violations == []


class Late:
    """Holds the answer to every ``every``-th frame back, and lets it out before the answer to the question after."""

    def __init__(self, every: int) -> None:
        self.every, self.count, self.held = every, 0, b""

    def __call__(self, data: bytes) -> list[bytes]:
        if not data:
            return []
        self.count += 1
        if self.count % self.every == 0:
            self.held = data
            return []
        held, self.held = self.held, b""
        return [held, data] if held else [data]


@pytest.mark.parametrize("every", [2, 3, 4, 5, 7])
def test_a_late_answer_is_never_taken_for_the_one_to_the_next_question(bench, every):
    """Each status is of after the order it answers: the lamp's colour in it would tell."""
    told: list[tuple[int, int]] = []
    original = bench.host._told

    def listen(said):
        status = original(said)
        told.append((bench.host._beat, status.beat))
        return status

    bench.host._told = listen
    bench.to_host = Late(every)
    for step in range(40):
        bench.send(SetSignal, signal=Signal(step % 2))
        bench.run(0.1)
        if bench.broken:  # a line on which every second answer is late carries no link, and it is said
            assert bench.broken.reason is DownReason.SILENT
            break
    assert all(beat == answered for beat, answered in told)
    assert bench.broken or told


def test_a_late_answer_of_the_right_kind_and_length_is_told_by_its_beat(bench):
    """All that Modbus can compare fits: the status of the exchange before, in place of this one's."""
    recorded: list[bytes] = []
    bench.to_host = lambda data: recorded.append(data) or [data]
    bench.cycle()
    old = recorded[-1]
    bench.to_host = lambda data: [old if len(data) == len(old) else data]
    failed = bench.host.failed
    assert bench.host.exchange(0) is None
    assert bench.host.failed == failed + 1


def test_an_echo_of_every_question_is_no_answer_and_harms_none(make_bench):
    bench = make_bench()
    to_device = bench.to_device

    def echoing(data: bytes) -> list[bytes]:
        bench.line_in += data
        return to_device(data)

    bench.to_device = echoing
    bench.connect()
    check(bench, conversation(bench))
    assert bench.host.failed == 0


def test_a_silent_line_ends_the_link_after_a_second_and_not_before(bench):
    bench.to_host = lambda _: []
    silent = bench.now
    bench.run(3.0)
    assert bench.broken.reason is DownReason.SILENT
    assert 1.0 < bench.now - silent < 1.3


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6])
def test_a_controller_that_stood_still_for_a_while_is_in_step_again_at_once(bench, seconds):
    """What was asked meanwhile lies there in one piece when it goes on; its late answer is not the next question's."""
    asked: list[bytes] = []
    bench.to_device = lambda data: asked.append(data) or []
    end = bench.now + seconds
    while bench.now < end:
        assert bench.host.exchange(0) is None
    bench.to_device = lambda data: [data]
    bench.firmware.receive(b"".join(asked), bench.ms)
    bench.said()
    assert bench.run(0.2, until=lambda: bench.host.exchange(0) is not None)


def test_a_host_that_was_held_up_has_not_heard_silence(bench):
    for _ in range(3):
        bench.wait(5.0)
        bench.to_host = lambda _: []
        bench.cycle()
        bench.to_host = lambda data: [data]
        bench.cycle()
    assert bench.broken is None


@pytest.mark.parametrize(("command", "fields"), [(OpenEntry, {"purpose": Purpose.ADMIT}), (OpenExit, {})])
def test_a_host_that_was_held_up_says_no_order_of_before(bench, command, fields):
    number = bench.send(command, **fields)
    bench.wait(1.1)  # whoever stood there may be somebody else
    bench.run(1.0)
    assert bench.broken.reason is DownReason.SILENT
    assert bench.outcomes(number) == []
    assert bench.logged("entry opening") == bench.logged("exit opening") == []


def test_a_flood_ends_the_link_and_the_controller_makes_safe(bench):
    assert bench.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.EXECUTED
    dice, read = random.Random(3), bench.read

    def flooded(limit: int, timeout: float) -> bytes:
        bench.wait(0.001)
        return dice.randbytes(12) + read(limit, 0)

    bench.read = flooded
    bench.run(3.0)
    assert bench.broken.reason is DownReason.SILENT
    bench.wait(1.0)
    assert len(bench.logged("entry locked")) == 2
