"""What processes cost: processor time and memory of each part of a fleet, read from /proc, children included."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class _Part:
    pids: tuple[int, ...]
    begun_s: float
    most_bytes: int = 0


@dataclass(slots=True)
class Meter:
    """Between its making and :meth:`told`. Call :meth:`look` now and then: memory is the most that a look saw."""

    parts: Mapping[str, tuple[int, ...]]
    _parts: dict[str, _Part] = field(init=False)
    _begun: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = time.monotonic()
        self._parts = {name: _Part(pids, processor_s(pids)) for name, pids in self.parts.items()}
        self.look()

    def look(self) -> None:
        for part in self._parts.values():
            part.most_bytes = max(part.most_bytes, memory(part.pids))

    def told(self) -> dict[str, dict[str, float]]:
        """By part: ``processor`` seconds, ``cores`` (its share of one), ``memory_mb`` (proportional, the most seen)."""
        self.look()
        elapsed = time.monotonic() - self._begun
        used = {name: processor_s(part.pids) - part.begun_s for name, part in self._parts.items()}
        return {
            name: {
                "processor_s": round(used[name], 1),
                "cores": round(used[name] / elapsed, 3),
                "memory_mb": round(part.most_bytes / 1e6, 1),
            }
            for name, part in self._parts.items()
        }


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def processor_s(pids: tuple[int, ...]) -> float:
    """Of the processes and their families, those included that have ended and were waited for."""
    return sum(_ticks(each) for pid in pids for each in family(pid)) * TICK_S


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime


def memory(pids: tuple[int, ...]) -> int:
    """Proportional set size in bytes: what several share is counted once."""
    return sum(_pss(each) for pid in pids for each in family(pid))


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
