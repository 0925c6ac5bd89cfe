"""``autogate simulate --measure N``: N ordinary travellers through the demonstration, whose rooms are the real ones, and what they took."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gate.simulation.compute import Compute, figures, written

FACES = tuple(f"group-{place}" for place in range(1, 7))
"""Faces that the demonstration draws."""
WALK_S = 0.3
"""Short walks: how fast people walk is not what is measured."""
START_S, EACH_S = 60.0, 15.0
"""Far more than a traveller takes; what needs longer is stuck."""
HEAD = """\
[[state]]
id = "home"
issuing_state = "IDN"
country = "ID"
name = "Republic of Demonstration"
in_trust_store = true
"""
TRAVELLER = """
[[traveller]]
id = "ordinary-{number}"
title = "ordinary traveller {number}"
face = "{face}"
behaviour = {{ walk_s = {walk_s} }}
issuance = {{ class = "ordinary" }}
[traveller.document]
state = "home"
code = "P<"
number = "X{number:07d}"
primary = "SANTOSO"
secondary = "BUDI"
birth = "880412"
sex = "M"
expiry = "341231"
"""


def cast(count: int, walk_s: float = WALK_S) -> str:
    """A cast file of ``count`` ordinary travellers, each with a book of their own."""
    people = (TRAVELLER.format(number=number, face=FACES[number % len(FACES)], walk_s=walk_s) for number in range(1, count + 1))
    return HEAD + "".join(people)


def measured(count: int, folder: Path, *, walk_s: float = WALK_S) -> list[Mapping[str, Any]]:
    """The transactions of ``count`` travellers; the log lies in ``folder / "state"``. Raises RuntimeError with what a demonstration that failed said."""
    (folder / "cast.toml").write_text(cast(count, walk_s), encoding="utf-8")
    traveller, officer = _free_ports()
    command = [sys.executable, "-m", "gate", "demo", "--headless", "--once", "--cast", str(folder / "cast.toml")]
    command += ["--json", str(folder / "out.json"), "--state", str(folder / "state")]
    command += ["--traveller-port", traveller, "--officer-port", officer]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_S + EACH_S * count)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"the demonstration took longer than {error.timeout:.0f} s") from error
    if told.returncode:
        raise RuntimeError(f"the demonstration ended with {told.returncode}: {told.stderr[-400:]}")
    transactions: list[Mapping[str, Any]] = json.loads((folder / "out.json").read_text(encoding="utf-8"))["transactions"]
    return transactions


def _free_ports() -> list[str]:
    """Two on loopback that nobody listens on now: a demonstration may be running beside this one."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return [str(each.getsockname()[1]) for each in (one, other)]


def measure(count: int, file: Path) -> int:
    """Renew ``file``; returns of how many travellers. Raises RuntimeError, OSError, and ValueError where a stage was never seen."""
    with tempfile.TemporaryDirectory(prefix="autogate-measure-") as name:
        opened, found = figures(measured(count, Path(name)))
    machine = f"{platform.machine()}, {os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"
    compute = Compute(measured=datetime.now(UTC).date().isoformat(), machine=machine, travellers=opened, quantiles=found)
    file.write_text(written(compute), encoding="utf-8")
    return opened
