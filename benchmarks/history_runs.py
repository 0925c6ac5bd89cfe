"""Runs of ``make bench`` as they lie in a folder: pytest-benchmark's JSON, with what ``conftest.py`` adds of machine, commit and call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

STEP = " > "
"""Between a benchmark and the names that lead to one of the figures that it tells beside its time."""


class RunError(Exception):
    """A file that is no run, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One benchmark: seconds of its fastest and of its median round, and what it tells besides."""

    group: str
    fastest_s: float
    median_s: float
    rounds: int
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One call of ``make bench``. ``figures``: by ``file::test[case]``. ``machine``: see :func:`benchmarks.machine.facts`."""

    name: str
    at: datetime
    machine: Mapping[str, Any]
    arguments: tuple[str, ...]
    figures: Mapping[str, Figure]

    def value(self, where: str) -> float | str | None:
        """Seconds of the fastest round of ``where``, or the figure that its steps lead to; the words that stand there instead
        (``absent (make …)``); None where this run has nothing of the kind.
        """
        test, *steps = where.split(STEP)
        if (figure := self.figures.get(test)) is None:
            return None
        found: Any = figure.told if steps else figure.fastest_s
        for step in steps:
            if isinstance(found, str):
                break  # a peer that is absent has no figures below its name
            found = found.get(step) if isinstance(found, Mapping) else None
        return found if isinstance(found, float | int | str) else None


def read_run(path: Path) -> Run:
    """Raises RunError for a file that cannot be read as one."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Run(
            name=path.stem,
            at=datetime.fromisoformat(told["datetime"]),
            machine=told["autogate"]["machine"],
            arguments=tuple(told["autogate"]["arguments"]),
            figures={_id(each["fullname"]): _figure(each) for each in told["benchmarks"]},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path.name}: {type(error).__name__}: {error}") from error


def read_runs(folder: Path) -> tuple[list[Run], list[str]]:
    """All runs in ``folder``, the oldest first, and why which file was left out."""
    runs, left_out = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            runs.append(read_run(path))
        except RunError as error:
            left_out.append(str(error))
    return sorted(runs, key=lambda run: run.at.timestamp()), left_out


def _id(fullname: str) -> str:
    return fullname.removeprefix("benchmarks/")


def _figure(told: Mapping[str, Any]) -> Figure:
    stats = told["stats"]
    return Figure(
        group=str(told["group"] or ""),
        fastest_s=float(stats["min"]),
        median_s=float(stats["median"]),
        rounds=int(stats["rounds"]),
        told=dict(told["extra_info"]),
    )
