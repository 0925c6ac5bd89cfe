"""What the face costs on one processor, in turn with insightface, OpenCV and bare ONNX Runtime on the same weights and real faces.

``python -m benchmarks.face_latency [--calls N] [--starts N] [--out FILE.json]``; exit status 1 where a goal is missed. Each contestant is
a process of its own with one thread, all on one processor; one works while the others wait, in blocks that begin with calls which
do not count, as the one before has emptied the caches.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import face_cold, face_networks, machine
from benchmarks.face_pictures import people
from faceverify.packs import demo_pack, install_open_pack
from gate.processes.hardening import WIPING

PEER = machine.REPOSITORY / ".venv" / "peer-insightface" / "bin" / "python"
MODELS = machine.REPOSITORY.parent / "shared" / "models"
CALLS, BLOCK, WARM_UP = 400, 10, 3
FEATURES = {
    "autogate": "features_autogate",
    "insightface ArcFaceONNX": "features_insightface",
    "cv2.dnn": "features_opencv",
    "bare ONNX Runtime": "features_onnxruntime",
    "bare ONNX Runtime, rewritten": "features_onnxruntime_rewritten",
}
FACES = {"autogate": "faces_autogate", "cv2.FaceDetectorYN": "faces_opencv"}
WHOLE = {
    "frame → comparison": "frame_to_comparison",
    "frame → comparison, with PAD": "frame_to_comparison_with_pad",
    "sighted frame → comparison": "sighted_frame_to_comparison",
    "tracked frame": "tracked_frame",
    "portrait → reference": "portrait_to_reference",
    "portrait, decoded alone": "portrait_decoded",
}
OURS = frozenset({"features_autogate", "faces_autogate", *WHOLE.values()} - {"portrait_decoded"})
"""These run as they do at a gate, where freed memory is overwritten."""
FRAME_MS, FRAME_P99_MS, PAD_MS, TRACKED_MS, REFERENCE_MS = 12.0, 20.0, 8.0, 3.0, 12.0
TIMES_INSIGHTFACE, DIFFERENCE = 2.0, 1e-5
Figures = dict[str, Any]


class Contestant:
    """A worker that waits to be asked."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        python = str(PEER) if name == "features_insightface" else sys.executable
        program = str(Path(__file__).with_name("face_worker.py"))
        path = {} if name == "features_insightface" else {"PYTHONPATH": str(machine.REPOSITORY)}
        settings = environment if environment is not None else WIPING if name in OURS else {}
        self._name = name
        self._complaints = tempfile.TemporaryFile(dir=folder.parent)  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [python, "-P", program, name, str(folder), str(processor())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env={"HOME": str(folder)} | path | settings,
        )
        self.clock: list[float] = []
        self.work: list[float] = []

    def ask(self, indices: Iterable[int], *, tell: bool = False, count: bool = True) -> list[list[float]]:
        """Let it work on these inputs; what it found where that is asked. Raises RuntimeError where it died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"indices": list(indices), "tell": tell}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._complaints.seek(0)
            raise RuntimeError(f"{self._name} ended: {self._complaints.read().decode().strip()}")
        answer = json.loads(line)
        if count:
            self.clock += answer["ms"]
            self.work += answer["processor"]
        return list(answer["told"])

    def told(self) -> Figures:
        work = machine.spread(self.work)
        return machine.spread(self.clock) | {f"processor {name}": work[name] for name in ("p50", "p99")}

    def close(self) -> None:
        self._process.kill()
        with self._process:  # closes its pipes, and waits
            self._complaints.close()


def processor() -> int:
    """The one that all contestants share, away from the first, which the system uses."""
    return max(os.sched_getaffinity(0))


@contextmanager
def running(names: Mapping[str, str], folder: Path) -> Iterator[dict[str, Contestant]]:
    """The contestants that can be run here."""
    started = {
        title: Contestant(name, folder) for title, name in names.items() if name != "features_insightface" or PEER.exists()
    }
    try:
        yield started
    finally:
        for contestant in started.values():
            contestant.close()


def interleaved(names: Mapping[str, str], folder: Path, calls: int, inputs: int) -> tuple[Figures, dict[str, np.ndarray]]:
    """Figures of each, and what each found on every input."""
    with running(names, folder) as contestants:
        found = {title: np.array(one.ask(range(inputs), tell=True, count=False)) for title, one in contestants.items()}
        for start in range(0, calls, BLOCK):
            for one in contestants.values():
                one.ask([index % inputs for index in range(WARM_UP)], count=False)
                one.ask([index % inputs for index in range(start, start + BLOCK)])
        return {title: one.told() for title, one in contestants.items()}, found


def embeddings(folder: Path, calls: int) -> Figures:
    """One network by everybody: times, our speed beside each, and the largest difference between unit vectors."""
    inputs = len(np.load(folder / "crops.npy", mmap_mode="r"))
    told, found = interleaved(FEATURES, folder, calls, inputs)
    unit = {title: vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for title, vectors in found.items()}
    for title, figures in told.items():
        figures["× autogate"] = round(figures["p50"] / told["autogate"]["p50"], 2)
        figures["× autogate, processor"] = round(figures["processor p50"] / told["autogate"]["processor p50"], 2)
        figures["difference"] = float(f"{np.abs(unit[title] - unit['autogate']).max():.2g}")
    if not PEER.exists():
        told["insightface ArcFaceONNX"] = "absent (make setup-insightface)"
    return told


def measure(calls: int = CALLS, starts: int = face_cold.STARTS) -> Figures:
    """All of it. Raises FileNotFoundError where the open pack's weights are absent."""
    if not MODELS.is_dir():
        raise FileNotFoundError("the folder ../shared/models is absent: no open pack")
    with tempfile.TemporaryDirectory(prefix="autogate-bench-") as scratch, machine.Hiccups() as hiccups:
        folder = Path(scratch)
        packs = {"open": install_open_pack(MODELS, folder / "open"), "demo": demo_pack(folder)}
        report: Figures = {"machine": machine.facts(), "processors": 1, "people": len(people()), "features": {}, "whole": {}}
        for name in face_networks.place(packs["open"], MODELS, folder):
            report["features"][name] = embeddings(folder / name, calls)
        report["faces"], where = interleaved(FACES, packs["open"].folder, calls, len(people()))
        apart = np.abs(where["autogate"] - where["cv2.FaceDetectorYN"]).max()
        report["faces"]["largest distance of points, px"] = round(float(apart), 2)
        for name, pack in packs.items():
            asked = {title: worker for title, worker in WHOLE.items() if pack.pad or "pad" not in worker}
            report["whole"][name], _ = interleaved(asked, pack.folder, calls, len(people()))
        report["cold"] = {name: face_cold.starts(pack.folder, folder, starts) for name, pack in packs.items()}
    report["lateness of a 5 ms sleep meanwhile"] = hiccups.spread()
    report["load after"] = machine.facts()["load"]
    report["goals"] = goals(report)
    return report


def goals(report: Mapping[str, Any]) -> dict[str, bool]:
    """Which goal is met."""
    whole, met = report["whole"]["open"], {}
    plain, padded = whole["frame → comparison"], whole["frame → comparison, with PAD"]
    for name, figure, limit in (
        ("frame → comparison, p50", plain["p50"], FRAME_MS),
        ("frame → comparison, p99", plain["p99"], FRAME_P99_MS),
        ("PAD on top, p50", round(padded["p50"] - plain["p50"], 2), PAD_MS),
        ("tracked frame, p50", whole["tracked frame"]["p50"], TRACKED_MS),
        ("portrait → reference, p50", whole["portrait → reference"]["p50"], REFERENCE_MS),
    ):
        met[f"{name} ≤ {limit:.0f} ms: {figure}"] = figure <= limit
    told = report["features"][face_networks.REID]
    if isinstance(peer := told["insightface ArcFaceONNX"], dict):
        met[f"features, ≥ {TIMES_INSIGHTFACE} × as fast as insightface: {peer['× autogate']}"] = (
            peer["× autogate"] >= TIMES_INSIGHTFACE
        )
        met[f"features, difference ≤ {DIFFERENCE}: {peer['difference']}"] = peer["difference"] <= DIFFERENCE
    ahead = told["cv2.dnn"]["× autogate"]
    met[f"features, ahead of cv2.dnn: × {ahead}"] = ahead > 1
    return met | face_cold.goals(report["cold"])


def show(report: Mapping[str, Any]) -> None:
    before = report["machine"]
    print(f"{before['cpu']}, one processor, load {before['load'][0]} → {report['load after'][0]}, commit {before['commit'][:12]}")
    print(f"lateness of a 5 ms sleep meanwhile: {report['lateness of a 5 ms sleep meanwhile']}")
    parts = {f"features, {name}": told for name, told in report["features"].items()} | {"faces": report["faces"]}
    parts |= {f"whole, {name} pack": told for name, told in report["whole"].items()}
    parts |= {f"cold start, {name} pack": told for name, told in report["cold"].items()}
    for part, told in parts.items():
        print(part)
        for name, figures in told.items():
            line = ", ".join(f"{what} {figure}" for what, figure in figures.items()) if isinstance(figures, dict) else figures
            print(f"  {name:32} {line}")
    for name, met in report["goals"].items():
        print(f"  {'met   ' if met else 'MISSED'} {name}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.face_latency", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help=f"calls of each contestant ({CALLS})")
    parser.add_argument("--starts", type=int, default=face_cold.STARTS, help=f"cold starts of each pack ({face_cold.STARTS})")
    parser.add_argument("--out", type=Path, help="write all figures to this file (JSON)")
    options = parser.parse_args()
    report = measure(options.calls, options.starts)
    show(report)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(report["goals"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
