"""The link model gives the figures of ISO/IEC 14443-4, and a paced chip takes as long as the model says."""

from __future__ import annotations

import pytest

from hardware.sim.chip_link import LinkModel, Pacer

PLAN = (26, 2_000, 93, 20_000, 400, 170)
"""Bytes of EF.COM, EF.SOD, DG1, DG2, DG14, DG15 in a passport of the usual size."""


def plan(link: LinkModel, chunk: int) -> tuple[int, float]:
    """Commands and milliseconds for reading all of PLAN under AES: SELECT (37 bytes out, 18 back), then READ BINARY (19 out)."""
    commands, seconds = 0, 0.0
    for length in PLAN:
        commands, seconds = commands + 1, seconds + link.seconds(37, 18)
        for offset in range(0, length, chunk):
            padded = (min(chunk, length - offset) // 16 + 1) * 16
            frame = 15 if padded < 256 else 18
            commands, seconds = commands + 1, seconds + link.seconds(19, padded + frame)
    return commands, seconds * 1000


@pytest.mark.parametrize(
    ("kbit_s", "short", "extended"), [(106, 2345, 2050), (212, 1183, 1035), (424, 603, 528), (848, 312, 274)]
)
def test_a_whole_passport_takes_as_long_as_worked_out_beforehand(kbit_s: float, short: float, extended: float) -> None:
    link = LinkModel(kbit_s=kbit_s)
    assert plan(link, 223) == (110, pytest.approx(short, rel=0.003))
    assert plan(link, 65_536) == (12, pytest.approx(extended, rel=0.003))


def test_one_exchange_is_bytes_frames_and_guard_times() -> None:
    # One READ BINARY of 223 bytes under secure messaging: 19 + 244 bytes, 3 more a frame, 9 bits each, 100 µs a frame.
    assert LinkModel(kbit_s=424).seconds(19, 244) == pytest.approx((19 + 3 + 244 + 3) * 9 / 424_000 + 200e-6)
    # 300 bytes need two frames and one acknowledgement.
    assert LinkModel(kbit_s=106).seconds(10, 300) == pytest.approx((10 + 3 + 300 + 6 + 3) * 9 / 106_000 + 400e-6)


def test_small_frames_are_chained_each_way_by_its_own_size() -> None:
    link = LinkModel(kbit_s=106, fsc=32, fsd=64, turn_around_s=1e-3)
    # 60 bytes out in three frames of 29, 61 back in one of 61.
    assert link.seconds(60, 61) == pytest.approx((60 + 5 * 3 + 61 + 3) * 9 / 106_000 + 6e-3)


def test_a_chip_computes_for_as_long_as_its_instruction_takes() -> None:
    link = LinkModel(kbit_s=424, computing_s={0x88: 0.5})
    assert link.seconds(20, 70, 0x88) - link.seconds(20, 70) == pytest.approx(0.5)
    assert link.seconds(20, 70, 0xB0) == link.seconds(20, 70)


class Watch:
    """A timer that goes on by ``tick`` at each look, and by what is slept and ``late``."""

    def __init__(self, tick: float, late: float) -> None:
        self.now, self.tick, self.late = 0.0, tick, late

    def look(self) -> float:
        self.now += self.tick
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self.late


@pytest.mark.parametrize(("spin_s", "ends"), [(0.0, 1.08), (0.1, 1.0)])
def test_the_last_bit_of_a_pause_may_be_spun_instead_of_overslept(spin_s: float, ends: float) -> None:
    watch = Watch(tick=0.001, late=0.08)
    Pacer(sleep=watch.sleep, timer=watch.look, spin_s=spin_s).until(1.0)
    assert watch.now == pytest.approx(ends, abs=0.002)


def test_a_moment_that_is_past_is_not_waited_for() -> None:
    watch = Watch(tick=0.001, late=0.0)
    watch.now = 2.0
    Pacer(sleep=watch.sleep, timer=watch.look, spin_s=0.1).until(1.0)
    assert watch.now == pytest.approx(2.0, abs=0.003)
