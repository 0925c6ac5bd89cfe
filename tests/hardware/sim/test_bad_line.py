"""The bad line itself: what is asked of it happens, at its rate, and nothing else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.sim.bad_line import SWAP_HELD_S, BadLine, Faults

rates = st.floats(0, 1)
any_faults = st.builds(
    Faults,
    **dict.fromkeys(("flip", "lose", "drop", "double", "delay", "split", "swap", "echo"), rates),
    flood=st.floats(0, 1e5),
    silent=st.booleans(),
)


def carried(faults: Faults, bursts: list[bytes], seed: int = 1, gap_s: float = 0.01) -> list[bytes]:
    """What arrives of ``bursts``, in the order of arrival."""
    line, pieces = BadLine(faults, random.Random(seed)), []
    for number, burst in enumerate(bursts):
        pieces += line.carry(burst, number * gap_s)
    pieces += line.poll(len(bursts) * gap_s + 1)
    return [piece.data for piece in sorted(pieces, key=lambda piece: piece.due) if not piece.back]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
def test_a_line_without_faults_changes_nothing(bursts):
    assert carried(Faults(), bursts) == bursts


@settings(max_examples=50)
@given(any_faults, st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(0, 99))
def test_whatever_is_done_is_counted_and_what_is_not_counted_was_not_done(faults, bursts, seed):
    line, arrived, echoed = BadLine(faults, random.Random(seed)), 0, 0
    for number, burst in enumerate(bursts):
        for piece in line.carry(burst, float(number)):
            assert piece.due >= number
            arrived, echoed = arrived + len(piece.data) * (not piece.back), echoed + piece.back
    arrived += sum(len(piece.data) for piece in line.poll(len(bursts) + 1.0) if line.seen["noise"] == 0)
    seen = line.seen
    assert seen["bytes"] == sum(map(len, bursts))
    assert seen["echo"] == echoed
    if not any(seen[what] for what in ("drop", "double", "lose", "noise")) and not faults.silent:
        assert arrived == seen["bytes"]


def test_a_seed_damages_the_same_bytes_however_the_stream_is_cut():
    data = bytes(5000)
    whole = b"".join(carried(Faults(flip=0.01), [data]))
    pieces = b"".join(carried(Faults(flip=0.01), [data[at : at + 7] for at in range(0, len(data), 7)]))
    positions = lambda stream: [at for at, byte in enumerate(stream) if byte]
    assert len(positions(whole)) == pytest.approx(50, abs=25)
    assert positions(whole)[0] == positions(pieces)[0]
    assert whole == b"".join(carried(Faults(flip=0.01), [data]))


@pytest.mark.parametrize("what", ["flip", "lose"])
def test_bytes_are_hit_at_their_rate(what):
    line = BadLine(Faults(**{what: 1e-3}), random.Random(3))
    for _ in range(4000):
        line.carry(bytes(50), 0.0)
    assert line.seen[what] == pytest.approx(200, abs=60)


def test_bursts_are_lost_and_doubled_at_their_rate():
    line = BadLine(Faults(drop=0.1, double=0.1), random.Random(3))
    arrived = sum(len(piece.data) for _ in range(2000) for piece in line.carry(b"x", 0.0))
    assert line.seen["drop"] == pytest.approx(200, abs=60)
    assert arrived == 2000 - line.seen["drop"] + line.seen["double"]


def test_a_held_burst_is_overtaken_by_the_next_or_comes_by_itself():
    line = BadLine(Faults(swap=1), random.Random(1))
    assert line.carry(b"first", 0.0) == []
    assert [piece.data for piece in line.carry(b"second", 0.01)] == [b"second", b"first"]
    assert line.carry(b"third", 1.0) == []
    assert line.poll(1.0) == []
    assert [piece.data for piece in line.poll(1.0 + SWAP_HELD_S)] == [b"third"]


def test_a_delay_holds_up_all_that_follows_and_a_split_keeps_the_order():
    bursts = [bytes([number]) * 3 for number in range(100)]
    assert b"".join(carried(Faults(delay=0.5, split=0.5), bursts)) == b"".join(bursts)
    assert len(carried(Faults(split=0.5), bursts)) > 120


def test_an_echo_goes_back_and_on():
    pieces = BadLine(Faults(echo=1), random.Random(1)).carry(b"x", 0.0)
    assert [(piece.data, piece.back) for piece in pieces] == [(b"x", True), (b"x", False)]


@pytest.mark.parametrize("step", [0.001, 0.005, 0.5])
def test_a_flood_has_its_rate_however_seldom_it_is_looked_after(step):
    line = BadLine(Faults(flood=20_000), random.Random(1))
    came = sum(len(piece.data) for number in range(int(2 / step) + 1) for piece in line.poll(number * step))
    assert 36_000 < came < 44_000


@pytest.mark.parametrize("wrong", [{"flip": -0.1}, {"drop": 1.1}, {"delay_s": -1}, {"swap": float("nan")}])
def test_rates_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="is not within"):
        Faults(**wrong)
