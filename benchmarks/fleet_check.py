"""The end of a run: the centre's own independent reader, and the gates' journals, over one database."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.fleet_history import judged, read_journals, read_receipts
from benchmarks.fleet_world import World

READ_S = 1800.0


def checked(world: World) -> dict[str, Any]:
    """Both verdicts, their counts and times. ``findings`` empty: count, order and chain of every log are exact, and every receipt is kept."""
    begun = time.monotonic()
    reader = verified(world)
    read_s, begun = time.monotonic() - begun, time.monotonic()
    history = judged(world.dsn, read_journals(world.journals()), read_receipts(world.receipts()))
    findings = list(history.findings)
    if reader["exit"]:
        findings.append(f"autogate fleet verify: {json.dumps(reader)[:1000]}")
    return {
        "gates": history.gates,
        "events": history.events,
        "receipts": history.receipts,
        "findings": findings,
        "reader": reader,
        "reader_s": round(read_s, 1),
        "journals_s": round(time.monotonic() - begun, 1),
    }


def verified(world: World) -> dict[str, Any]:
    """What ``autogate fleet verify`` says, a process of its own."""
    options = ["--dsn", world.dsn, "--keys", str(world.keys), "--grace", "0", "--json"]
    command = [sys.executable, "-m", "gate", "fleet", "verify", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=READ_S, check=False)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        told = {"said": (done.stdout + done.stderr)[-1000:]}
    return {"exit": done.returncode, **told}
