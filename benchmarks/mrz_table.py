"""``python -m benchmarks.mrz_table DIR [--truth FILE] …``: readers of pictures beside one another, on the same pictures in one run.

Each reader works in a process of its own (``mrz_worker.py``), all on one processor; for each picture they are asked in turn, in an order
drawn by lot. A picture is put to them as it is and turned by 90, 180 and 270 degrees. Columns:

exact      all characters of all lines, as in the truth
accepted   the reader vouches for it: our own reader's verdict; of the others, check digits that all agree
wrong      accepted, and not what stands there (of a picture without a zone: accepted at all)
refused    not accepted; ours then gives no text
ms         from the file's path to the text, of pictures that are not turned; processor: its time alone (median), which a busy machine
           changes little; cold: from the start of the process to its first answer

Rows of text are tidied alike for all: blanks go, the lowest rows of a legal shape count, fillers at the end of a name are made up.
Documents whose own check digits are wrong stand apart, as a gate must not accept them. A reader that cannot be run is listed with the
reason. Exit status 1 where our reader was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from benchmarks import machine
from benchmarks.mrz_fetch import SPECIMENS, listed
from benchmarks.mrz_scores import NO_ANSWER, judge, shown, table

WORKER = Path(__file__).resolve().with_name("mrz_worker.py")
READERS = ("autogate", "autogate_chip", "passporteye", "fastmrz", "rapidocr", "tesseract_mrz", "tesseract")
OWN_ENVIRONMENT = frozenset({"passporteye", "fastmrz", "rapidocr"})
"""Their folders under ``--peers`` are called as they are."""
WANT_MODEL = frozenset({"passporteye", "fastmrz", "tesseract_mrz"})
TURNS = {0: None, 90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
PATIENCE_S = 600.0
"""For one answer, the first included: longer means that it hangs."""


class Absent(Exception):
    """A reader that cannot be run, and why."""


@dataclass(slots=True)
class Worker:
    """A reader's process; one that died is not started again, and has no answers from then on."""

    name: str
    process: subprocess.Popen[str]
    begun: float = field(default_factory=time.perf_counter)
    cold_ms: float = 0.0

    def ask(self, picture: Path) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        killer = threading.Timer(PATIENCE_S, self.process.kill)
        killer.start()
        try:
            print(json.dumps(str(picture)), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except OSError:
            answer = ""
        finally:
            killer.cancel()
        self.cold_ms = self.cold_ms or (time.perf_counter() - self.begun) * 1000
        return (
            dict(json.loads(answer))
            if answer
            else {"lines": [], "accepted": False, "reason": NO_ANSWER, "ms": 0.0, "cpu_ms": 0.0}
        )

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def start(name: str, peers: Path, tessdata: Path | None) -> Worker:
    """Start a reader. Raises Absent where something is missing that it needs."""
    python = peers / name / "bin" / "python" if name in OWN_ENVIRONMENT else Path(sys.executable)
    if not python.exists():
        raise Absent(f"no environment {peers / name}")
    if name in WANT_MODEL | {"tesseract"} and shutil.which("tesseract") is None:
        raise Absent("tesseract is not installed")
    if name in WANT_MODEL and not (tessdata and (tessdata / "mrz.traineddata").exists()):
        raise Absent("no mrz.traineddata (--tessdata)")
    environment = dict(os.environ)
    if name in WANT_MODEL:
        environment["TESSDATA_PREFIX"] = str(tessdata)
    process = subprocess.Popen(
        [str(python), "-P", str(WORKER), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    return Worker(name, process)


def compare(
    workers: Sequence[Worker], images: Sequence[dict[str, Any]], folder: Path, turns: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Every picture in every turn by every reader."""
    dice = random.Random(1)
    with tempfile.TemporaryDirectory() as held:
        for number, image in enumerate(images, 1):
            for turn in turns:
                picture = turned(folder / image["name"], turn, Path(held))
                for worker in dice.sample(workers, len(workers)):
                    yield judge(worker.name, image, turn, worker.ask(picture))
            print(f"\r{number} of {len(images)} pictures", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def turned(picture: Path, turn: int, folder: Path) -> Path:
    """The picture itself, or a copy that is turned clockwise and loses nothing else."""
    way = TURNS[turn]
    if way is None:
        return picture
    pixels = cv2.imread(str(picture))
    assert pixels is not None, picture
    cv2.imwrite(str(folder / "turned.png"), cv2.rotate(pixels, way))
    return folder / "turned.png"


def draw(images: Sequence[dict[str, Any]], folder: Path, target: Path) -> None:
    """What our reader saw in the pictures as they are; a kind of file that it does not read has no drawing."""
    from mrz.overlay import overlay
    from mrz.picture import PictureError, load
    from mrz.reader import MrzReader

    target.mkdir(parents=True, exist_ok=True)
    reader = MrzReader()
    for image in images:
        try:
            frame = load(folder / image["name"])
        except PictureError as error:
            print(f"not drawn: {error}", file=sys.stderr)
            continue
        cv2.imwrite(str(target / f"{image['name']}.png"), overlay(frame, reader.read([frame], second_look=False)))


def options() -> argparse.Namespace:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mrz_table", description=__doc__, formatter_class=plain)
    parser.add_argument("folder", type=Path, help="of the pictures")
    parser.add_argument("--truth", type=Path, default=SPECIMENS, help="a file like mrz_specimens.toml")
    parser.add_argument("--readers", nargs="+", choices=READERS, default=READERS)
    parser.add_argument("--peers", type=Path, default=Path(".venv/peers-mrz"), help="folder of the peers' environments")
    parser.add_argument("--tessdata", type=Path, help="folder with mrz.traineddata")
    parser.add_argument("--turns", nargs="+", type=int, choices=TURNS, default=tuple(TURNS))
    parser.add_argument("--json", type=Path, help="write all that was read there, too")
    parser.add_argument("--overlays", type=Path, help="draw what our reader saw into this folder")
    return parser.parse_args()


def main() -> int:
    asked = options()
    listing = listed(asked.truth)
    images = [image for image in listing if (asked.folder / image["name"]).exists()]
    if not images:
        print(f"none of the {len(listing)} pictures of {asked.truth} is in {asked.folder}", file=sys.stderr)
        return 2
    workers: list[Worker] = []
    absent: dict[str, str] = {}
    try:
        for name in asked.readers:
            try:
                workers.append(start(name, asked.peers, asked.tessdata))
            except Absent as reason:
                absent[name] = str(reason)
            else:
                workers[-1].ask(asked.folder / images[0]["name"])  # the cold answer, which is not among the times
        results = list(compare(workers, images, asked.folder, asked.turns))
    finally:
        for worker in workers:
            worker.end()
    report = table(results, {worker.name: worker.cold_ms for worker in workers})
    print(f"{len(images)} pictures of {len(listing)} listed", *shown(report), sep="\n")
    print(*(f"  {name}: not run: {why}" for name, why in absent.items()), sep="\n")
    if asked.json:
        told = {"machine": machine.facts(), "truth": asked.truth.name, "readers": report, "absent": absent, "results": results}
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if asked.overlays:
        draw(images, asked.folder, asked.overlays)
    return int(any(each["wrong"] and each["reader"].startswith("autogate") for each in results))


if __name__ == "__main__":
    sys.exit(main())
