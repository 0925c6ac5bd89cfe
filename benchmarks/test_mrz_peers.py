"""Zones as text and as pictures beside others who read them, each in an environment of its own; who is absent is said so."""

from __future__ import annotations

import random
import statistics
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from benchmarks import mrz_parse_peers, mrz_table
from benchmarks.machine import REPOSITORY
from benchmarks.mrz_captures import document
from benchmarks.mrz_plain import zones

PEERS = REPOSITORY / ".venv" / "peers-mrz"
TEXT = {"mrz (PyPI)": PEERS / "mrz" / "bin" / "python", "PassportEye": PEERS / "passporteye" / "bin" / "python"}
PICTURES, READERS = 12, ("autogate", "rapidocr", "passporteye")
ABSENT = "absent (make setup-mrz-peers)"


@pytest.mark.timeout(600)
def test_text_beside_peers(benchmark):
    """A round is the whole run: a thousand passports by each parser, in turn."""
    benchmark.group = "mrz: 1,000 passports as text, in turn by all"
    pythons = dict.fromkeys(mrz_parse_peers.OURS, sys.executable)
    pythons |= {name: str(python) for name, python in TEXT.items() if python.exists()}
    told = benchmark.pedantic(mrz_parse_peers.compare, args=(pythons, zones("TD3")), rounds=1)
    assert told["ours"]["right"] == len(zones("TD3")) * mrz_parse_peers.ROUNDS
    benchmark.extra_info |= told | {name: ABSENT for name, python in TEXT.items() if not python.exists()}


@pytest.mark.timeout(600)
def test_pictures_beside_peers(benchmark, tmp_path: Path):
    """Drawn pages of a scanner's quality; `make bench-mrz` reads specimens."""
    benchmark.group = "mrz: pictures of documents, in turn by all"
    images = [drawn(number, tmp_path) for number in range(PICTURES)]
    told = benchmark.pedantic(read_by_all, args=(images, tmp_path), rounds=1)
    if told["autogate"]["wrong"]:
        pytest.fail(f"read wrongly: {told['autogate']}")
    benchmark.extra_info |= told


def drawn(number: int, folder: Path) -> dict[str, Any]:
    """A picture in ``folder`` and what stands in it."""
    taken = document(random.Random(f"bench/{number}"), tier="scanner")
    cv2.imwrite(str(folder / f"{number}.png"), taken.frames[0])
    return {"name": f"{number}.png", "lines": taken.lines}


def read_by_all(images: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Reader → its counts and the median of its processor time, or why it could not be run."""
    told: dict[str, Any] = {}
    workers: list[mrz_table.Worker] = []
    try:
        for name in READERS:
            try:
                workers.append(mrz_table.start(name, PEERS, None))
            except mrz_table.Absent as reason:
                told[name] = f"absent ({reason})"
        for worker in workers:
            worker.ask(folder / images[0]["name"])  # cold
        results = list(mrz_table.compare(workers, images, folder, (0,)))
    finally:
        for worker in workers:
            worker.end()
    for worker in workers:
        own = [each for each in results if each["reader"] == worker.name]
        told[worker.name] = {what: sum(each[what] for each in own) for what in ("exact", "accepted", "wrong")}
        told[worker.name] |= {"n": len(own), "processor ms": round(statistics.median(each["cpu_ms"] for each in own), 1)}
    return told
