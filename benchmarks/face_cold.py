"""A process that starts, loads a pack and compares one portrait with one frame, measured by the process that starts it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.face_pictures import frames, portraits
from benchmarks.machine import REPOSITORY

STARTS = 7
LIMITS = {"open": (0.6, 130.0), "demo": (1.0, 220.0)}
"""Seconds to the first comparison and MiB, as promised for each pack."""


def starts(pack: Path, scratch: Path, count: int = STARTS) -> dict[str, Any]:
    """Seconds from the start to the first comparison, on one processor and on all, and what the process holds then."""
    portrait, frame = scratch / "portrait.jp2", scratch / "frame.npy"
    portrait.write_bytes(portraits()[0])
    np.save(frame, frames()[0])
    command = [sys.executable, "-P", str(Path(__file__).with_name("face_first.py")), str(pack), str(portrait), str(frame)]
    _start(command)  # brings the files into memory
    told: dict[str, Any] = {}
    for name, processors in (("one processor", {max(os.sched_getaffinity(0))}), ("all processors", os.sched_getaffinity(0))):
        with _on(processors):
            seconds, sizes = zip(*(_start(command) for _ in range(count)), strict=True)
        told[name] = {"n": count, "median s": round(statistics.median(seconds), 3), "max s": round(max(seconds), 3)}
    own, helpers = zip(*sizes, strict=True)
    return told | {"memory": {"MiB": round(max(own), 1), "MiB of its decoder's processes": round(max(helpers), 1)}}


def goals(told: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
    met = {}
    for name, figures in told.items():
        (seconds, size), median, held = LIMITS[name], figures["one processor"]["median s"], figures["memory"]["MiB"]
        met[f"{name} pack: cold start on one processor, median ≤ {seconds} s: {median}"] = median <= seconds
        met[f"{name} pack: memory ≤ {size:.0f} MiB: {held}"] = held <= size
    return met


def _start(command: list[str]) -> tuple[float, tuple[float, float]]:
    begun = time.perf_counter()
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": str(REPOSITORY), "HOME": "/nonexistent"}
    )
    try:
        assert child.stdout is not None
        score = child.stdout.readline()
        seconds = time.perf_counter() - begun
        assert score, "the process ended without a comparison"
        return seconds, (_resident(child.pid), sum(map(_own, _descendants(child.pid))))
    finally:
        child.communicate(b"\n", timeout=20)


def _resident(pid: int) -> float:
    """MiB that the process holds, shared libraries included."""
    return _kib(Path(f"/proc/{pid}/status"), "VmRSS:") / 1024


def _own(pid: int) -> float:
    """MiB that the process shares with nobody."""
    smaps = Path(f"/proc/{pid}/smaps_rollup")
    return sum(_kib(smaps, name) for name in ("Private_Clean:", "Private_Dirty:")) / 1024


def _kib(path: Path, name: str) -> int:
    lines = path.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _descendants(pid: int) -> Iterator[int]:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        yield int(child)
        yield from _descendants(int(child))


@contextmanager
def _on(processors: set[int]) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
