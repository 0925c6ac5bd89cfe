"""What a figure was measured on, and how figures are put into words."""

from __future__ import annotations

import os
import platform
import random
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

REPOSITORY = Path(__file__).resolve().parent.parent
HICCUP_S = 0.005
PORTS = range(20_000, 32_000)
VERSIONS = ("cryptography", "msgspec", "numpy", "onnxruntime", "opencv-python-headless", "pyserial")


def facts() -> dict[str, Any]:
    """The machine, its load at this moment, the versions and the commit that a figure belongs to."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
        **commit(),
    }


def commit() -> dict[str, Any]:
    """``commit`` and whether the product or these benchmarks were changed since."""
    rooms = ["gate", "mrz", "pki", "faceverify", "hardware", "benchmarks"]
    return {"commit": _git("rev-parse", "HEAD"), "changed": bool(_git("status", "--porcelain", "--", *rooms))}


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


class Hiccups:
    """How late a thread that sleeps 5 ms wakes up, in milliseconds: what the machine does to any figure taken meanwhile."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.perf_counter()
            time.sleep(HICCUP_S)
            self._late.append((time.perf_counter() - begun - HICCUP_S) * 1000)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def spread(self) -> dict[str, float]:
        return spread(self._late)


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Count, median, p99 (nearest rank: a measured value, never an interpolated one) and maximum."""
    ranked = sorted(values)
    place = -(-len(ranked) * 99 // 100) - 1
    return {
        "n": len(ranked),
        "p50": round(ranked[(len(ranked) - 1) // 2], digits),
        "p99": round(ranked[place], digits),
        "max": round(ranked[-1], digits),
    }


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now, below those that the system hands out to others in the meantime."""
    found: list[int] = []
    candidates = iter(random.sample(PORTS, len(PORTS)))
    while len(found) < count:
        port = next(candidates)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
    return found
