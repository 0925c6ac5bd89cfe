"""Serial readers' bytes to zones, in the pieces that a port hands over; floor: the same bytes looked through once for line ends.

``MB_per_s`` beside each is what the goal (5 MB/s) is about.
"""

from __future__ import annotations

import random
import re

import pytest

from hardware.mrz_frames import PIECE, Framer, ZoneText
from hardware.mrz_serial import PROFILES
from hardware.sim.mrz_readers import ElyctisReader, RteReader, SwipeReader

ZONE = (  # Doc 9303-4, specimen of Utopia
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)
COUNT = 1000


def _elyctis() -> bytes:
    device = ElyctisReader()
    device.hear(b"C\x00\x01\x01")
    return device.swipe(ZONE)


MESSAGES = {
    "rte": RteReader().swipe(ZONE),
    "rte_unchecked": RteReader(block_check=False).swipe(ZONE),
    "elyctis": _elyctis(),
    "framed": SwipeReader(before="\x02", after="\x03").swipe(ZONE),
    "lines": SwipeReader(separator="\r\n", after="\r\n").swipe(ZONE),
}


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]


def _rate(benchmark, data: bytes) -> None:
    if benchmark.stats:
        benchmark.extra_info["MB_per_s"] = round(len(data) / benchmark.stats.stats.median / 1e6, 1)


@pytest.mark.benchmark(group="serial MRZ readers: zones")
@pytest.mark.parametrize("kind", MESSAGES)
def test_messages(benchmark, kind):
    data = MESSAGES[kind] * COUNT
    pieces = _pieces(data)

    def read() -> int:
        framer = Framer(PROFILES[kind].wire)
        return sum(isinstance(one, ZoneText) for piece in pieces for one in framer.feed(piece))

    assert benchmark(read) == COUNT
    _rate(benchmark, data)


@pytest.mark.benchmark(group="serial MRZ readers: zones")
def test_floor_line_ends(benchmark):
    data = MESSAGES["lines"] * COUNT
    pieces, ends = _pieces(data), re.compile(rb"[\r\n]+")
    assert benchmark(lambda: sum(len(ends.findall(piece)) for piece in pieces)) >= 2 * COUNT
    _rate(benchmark, data)


@pytest.mark.benchmark(group="serial MRZ readers: noise")
@pytest.mark.parametrize("kind", MESSAGES)
def test_noise(benchmark, kind):
    data = random.Random(1).randbytes(100_000)
    pieces = _pieces(data)

    def listen() -> int:
        framer = Framer(PROFILES[kind].wire)
        return sum(isinstance(one, ZoneText) for piece in pieces for one in framer.feed(piece))

    assert benchmark(listen) == 0
    _rate(benchmark, data)
