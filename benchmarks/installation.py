"""Figures of a fresh installation of the commit: its size, and how long the processes take until they are ready.

Everything happens in a temporary folder: a copy of the commit, virtual environments made by uv from the repository's locks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import REPOSITORY, free_ports, spread
from benchmarks.progress import bar

ROOMS = ("gate", "mrz", "pki", "faceverify", "hardware")
UV = str(Path(sys.executable).with_name("uv"))
COMPILED = {**os.environ, "UV_COMPILE_BYTECODE": "1"}


def size(scratch: Path) -> dict[str, float]:
    """MiB on disk of a virtual environment with ``core.lock`` alone, compiled, and what autogate itself adds, compiled too."""
    environment = scratch / "core"
    _environment(environment, "core.lock")
    before = _mib(environment)
    _install(environment, _copy(scratch / "core-source"))
    _compile(environment)
    return {"dependencies": before, "autogate": round(_mib(environment) - before, 1), "total": _mib(environment)}


def ready(scratch: Path, starts: int) -> dict[str, Any]:
    """Seconds until ready over ``starts`` starts, with our own modules compiled and not. Dependencies are compiled in both."""
    environment = scratch / "screens"
    _environment(environment, "serve.lock", "faces.lock")
    _install(environment, _copy(scratch / "screens-source"))
    told: dict[str, list[float]] = {"our modules compiled": [], "our modules not compiled": []}
    for _ in bar(range(starts), "starts"):  # in turn, so that the machine's moods fall on both
        for name, prepare in zip(told, (_compile, _strip), strict=True):
            prepare(environment)
            told[name] += _probe(environment, scratch)
    return {name: spread(seconds) for name, seconds in told.items()}


def _copy(target: Path) -> Path:
    """The commit's files: a build in the working tree would leave its litter there."""
    target.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", str(target)], input=archive, check=True)
    return target


def _environment(environment: Path, *locks: str) -> None:
    _uv("venv", "--python", sys.executable, str(environment))
    for lock in locks:
        requirements = ["--require-hashes", "--requirements", str(REPOSITORY / "requirements" / lock)]
        no_dependencies = ["--no-deps"] if lock == "faces.lock" else []
        _uv("pip", "install", "--python", str(environment), *no_dependencies, *requirements)


def _install(environment: Path, source: Path) -> None:
    _uv("pip", "install", "--python", str(environment), "--no-deps", "--no-compile-bytecode", str(source))
    shutil.rmtree(source)


def _uv(*arguments: str) -> None:
    compiled = {**os.environ} if "--no-compile-bytecode" in arguments else COMPILED
    subprocess.run([UV, "--quiet", *arguments], check=True, env=compiled)


def _compile(environment: Path) -> None:
    rooms = [str(_packages(environment) / room) for room in ROOMS]
    subprocess.run([str(environment / "bin" / "python"), "-m", "compileall", "-q", *rooms], check=True)


def _strip(environment: Path) -> None:
    for room in ROOMS:
        for cache in list((_packages(environment) / room).rglob("__pycache__")):
            shutil.rmtree(cache)


def _packages(environment: Path) -> Path:
    return next(environment.glob("lib/python*/site-packages"))


def _probe(environment: Path, scratch: Path) -> list[float]:
    """One start. Our modules stay as they are: nothing writes bytecode on the way."""
    probe = [str(environment / "bin" / "python"), str(REPOSITORY / "benchmarks" / "ready_probe.py")]
    probe += [str(port) for port in free_ports(2)]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environ |= {"PYTHONDONTWRITEBYTECODE": "1", "ORT_DISABLE_TELEMETRY": "1"}
    answer = subprocess.run(probe, cwd=scratch, check=True, stdout=subprocess.PIPE, env=environ, timeout=120)
    return list(json.loads(answer.stdout))


def _mib(folder: Path) -> float:
    told = subprocess.run(["du", "-sk", str(folder)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return round(int(told.split()[0]) / 1024, 1)
