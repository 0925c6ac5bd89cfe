"""A whole reading of a chip that takes as long as on the air, taken apart: the link, the reader's own time, the chip's lateness."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.chip_line import Stopwatch, passport, read
from benchmarks.chip_plan import KBIT_S, SHORT, WHOLE, whole_ms
from benchmarks.progress import bar
from hardware.sim.chip import LinkModel

LENGTHS = {"short length": SHORT, "extended length": WHOLE}
LIMIT, JUDGED = 1.05, 424
"""The goal: so many times the plan at this rate in kbit/s."""
RATIO = "link and own time / plan"
PORTRAIT, LAST = "DG2 handed over at ms", "last byte at ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading, in milliseconds. ``wall`` is all of it; ``link`` what its APDUs take by the model; ``own`` the reader's time between
    them, ``processor`` the part of it in which the processor worked for us and not for others; ``late`` what the chip took beyond the
    model (it computes, and wakes up late). ``portrait`` and ``last`` are when DG2 was handed over and when the last byte was there.
    """

    wall: float
    link: float
    own: float
    processor: float
    late: float
    portrait: float
    last: float
    apdus: int


class PacedReading:
    """One to come: everything is made beforehand, so that a call is the reading alone."""

    def __init__(self, kbit_s: float, length: str) -> None:
        self._link = LinkModel(kbit_s=kbit_s)
        self._line = Stopwatch(passport(link=self._link, extended_length=LENGTHS[length] == WHOLE))
        self._arrivals: dict[str, float] = {}

    def __call__(self) -> Reading:
        begun, worked = time.perf_counter(), time.thread_time()
        data = read(self._line, lambda name, _: self._arrivals.__setitem__(name, time.perf_counter()))
        ended, worked = time.perf_counter(), time.thread_time() - worked
        assert data.chip_authentication is not None
        assert data.chip_authentication.succeeded
        line, link = self._line, self._line.link_s(self._link)
        seconds = {
            "wall": ended - begun,
            "link": link,
            "own": ended - begun - line.waited_s,
            "processor": worked - line.worked_s,
            "late": line.waited_s - link,
            "portrait": self._arrivals["DG2"] - begun,
            "last": line.arrivals[-1] - begun,
        }
        return Reading(**{name: value * 1000 for name, value in seconds.items()}, apdus=len(line.answers))


def interleaved(rounds: int) -> dict[str, dict[str, float]]:
    """``rounds`` readings at each rate in each length, in turn, so that the machine's moods fall on all alike."""
    readings: dict[tuple[int, str], list[Reading]] = {(kbit_s, length): [] for kbit_s in KBIT_S for length in LENGTHS}
    for _ in bar(range(rounds), "readings of each kind"):
        for (kbit_s, length), taken in readings.items():
            taken.append(PacedReading(kbit_s, length)())
    return {f"{kbit_s} kbit/s, {length}": told(taken, kbit_s, length) for (kbit_s, length), taken in readings.items()}


def told(readings: Sequence[Reading], kbit_s: float, length: str) -> dict[str, float]:
    """Medians of ``readings``, beside the plan. The goal counts the link and the reader's own time: that a simulated chip wakes up late
    is not the reader's doing. The last ratio is for a machine with nothing else to do: the link and our processor time.
    """
    plan = whole_ms(kbit_s, LENGTHS[length])

    def median(*names: str) -> float:
        return statistics.median(sum(getattr(reading, name) for name in names) for reading in readings)

    return {
        "fixed plan ms": round(plan, 1),
        "read ms": round(median("wall"), 1),
        "all / plan": round(median("wall") / plan, 3),
        RATIO: round(median("link", "own") / plan, 3),
        "link and own processor time / plan": round(median("link", "processor") / plan, 3),
        "link model of its APDUs ms": round(median("link"), 1),
        "own ms": round(median("own"), 1),
        "own processor ms": round(median("processor"), 1),
        "chip late ms": round(median("late"), 1),
        PORTRAIT: round(median("portrait"), 1),
        LAST: round(median("last"), 1),
        "apdus": readings[0].apdus,
        "n": len(readings),
    }


def goals(figures: Mapping[str, Mapping[str, float]]) -> dict[str, bool]:
    """Which goal is met, of what :func:`interleaved` found."""
    met = {
        f"{name}: {RATIO} ≤ {LIMIT}: {told[RATIO]}": told[RATIO] <= LIMIT
        for name, told in figures.items()
        if name.startswith(f"{JUDGED} ")
    }
    met["DG2 handed over before chip authentication ends"] = all(told[PORTRAIT] < told[LAST] for told in figures.values())
    return met
