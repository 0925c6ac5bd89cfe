"""What it costs to overwrite what is freed: the face and the lane's own work, with it and without, in turn.

``python -m benchmarks.wiping_cost [--calls N] [--travellers N] [--out FILE.json]``. Processor time is compared, which holds on a busy machine, too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import lane_compute, machine
from benchmarks.face_latency import BLOCK, MODELS, WARM_UP, Contestant
from benchmarks.face_pictures import people
from faceverify.packs import demo_pack, install_open_pack
from gate.processes.hardening import WIPING

WAYS: dict[str, dict[str, str]] = {"left as it was": {}, "overwritten": WIPING}
FACE = {
    "portrait → reference": "portrait_to_reference",
    "tracked frame": "tracked_frame",
    "frame → comparison": "frame_to_comparison",
}
BLOCKS = 6


def face(worker: str, folder: Path, calls: int) -> dict[str, float]:
    """Median processor time of one call (ms), either way."""
    contestants = {way: Contestant(worker, folder, settings) for way, settings in WAYS.items()}
    inputs = len(people())
    for start in range(0, calls, BLOCK):
        for one in contestants.values():
            one.ask([index % inputs for index in range(WARM_UP)], count=False)
            one.ask([index % inputs for index in range(start, start + BLOCK)])
    for one in contestants.values():
        one.close()
    return {way: machine.spread(one.work)["p50"] for way, one in contestants.items()}


def lane(travellers: int) -> dict[str, float]:
    """Median processor time of the lane's loop for one traveller (ms), either way."""
    worked: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(BLOCKS):
        for way, settings in WAYS.items():
            with patch.dict(os.environ, settings):
                told = lane_compute.run_block(lane_compute.MEMORY, -(-travellers // BLOCKS), seed=number)
            worked[way] += told["loop, processor time"]
    return {way: machine.spread(each)["p50"] for way, each in worked.items()}


def measure(calls: int, travellers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="autogate-bench-") as scratch:
        folder = Path(scratch)
        pack = install_open_pack(MODELS, folder / "open") if MODELS.is_dir() else demo_pack(folder)
        parts = {title: face(worker, pack.folder, calls) for title, worker in FACE.items()} | {"the lane": lane(travellers)}
    for told in parts.values():
        told["times"] = round(told["overwritten"] / told["left as it was"], 3)
    return {"machine": machine.facts(), "pack": pack.id, "processor time, ms": parts}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wiping_cost", description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--travellers", type=int, default=3000)
    parser.add_argument("--out", type=Path, help="write all figures to this file (JSON)")
    options = parser.parse_args()
    report = measure(options.calls, options.travellers)
    for title, told in report["processor time, ms"].items():
        print(f"  {title:24} " + ", ".join(f"{what} {figure}" for what, figure in told.items()))
    if options.out:
        options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
