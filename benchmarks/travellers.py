"""N ordinary travellers through the real demonstration, and what their transactions' timelines say."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import REPOSITORY, free_ports, spread
from gate.simulation.measure import cast

SECONDS_EACH = 15
"""Far more than a traveller takes; a run that needs longer is stuck."""


def run(count: int) -> list[dict[str, Any]]:
    """The transactions of ``count`` travellers. Raises RuntimeError, with what was said, when the demonstration fails."""
    with tempfile.TemporaryDirectory(prefix="autogate-bench-") as name:
        folder = Path(name)
        (folder / "cast.toml").write_text(cast(count), encoding="utf-8")
        ports = [str(port) for port in free_ports(2)]
        command = [sys.executable, "-m", "gate", "demo", "--headless", "--once", "--cast", str(folder / "cast.toml")]
        command += ["--json", str(folder / "out.json"), "--state", str(folder / "state")]
        command += ["--traveller-port", ports[0], "--officer-port", ports[1]]
        told = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60 + SECONDS_EACH * count
        )
        if told.returncode:
            log = (folder / "state" / "processes.log").read_text(encoding="utf-8")
            raise RuntimeError(f"the demonstration ended with {told.returncode}\n{told.stderr}{log}")
        result = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return list(result["transactions"])


def stages(transactions: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Spread in milliseconds of each stage that happens once in a transaction that opened."""
    opened = [_by_name(one) for one in transactions if one["outcome"] == "OPEN"]
    names = sorted({name for one in opened for name in one})
    return {name: spread([one[name]["duration_ms"] for one in opened if name in one]) for name in names}


def to_the_command(transactions: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """From the exit decision to the exit command without the commit between them, and from the chosen frame to the command.

    Milliseconds; the durable commit is taken out of both, as the goal asks.
    """
    after_decision, after_frame = [], []
    for one in (_by_name(each) for each in transactions if each["outcome"] == "OPEN"):
        decision, commit, command = one["decision.exit"], one["commit.exit"], one["controller.open_exit"]
        decided = decision["start_ms"] + decision["duration_ms"]
        after_decision.append(command["start_ms"] - decided - commit["duration_ms"])
        after_frame.append(command["start_ms"] - decision["start_ms"] - commit["duration_ms"])
    return {
        "exit decision → exit command, without commit": spread(after_decision),
        "chosen frame → exit command, without commit": spread(after_frame),
    }


def _by_name(transaction: Mapping[str, Any]) -> dict[str, Any]:
    """The stages by name; where one was repeated, the last."""
    return {stage["name"]: stage for stage in transaction["stages"]}


def durations(transaction: Mapping[str, Any]) -> dict[str, float]:
    """Milliseconds of each stage of one transaction."""
    return {name: stage["duration_ms"] for name, stage in _by_name(transaction).items()}


def exit_ms(transaction: Mapping[str, Any]) -> float:
    """From the chosen frame to the exit decision; 0 where there was none."""
    return durations(transaction).get("decision.exit", 0.0)
