"""Processes that keep a lane's processors busy with the real work of its neighbours: reading chips, measuring faces, loading models.

``python -m benchmarks.lane_neighbours reader|vision|loading FOLDER`` works until it is killed, or whoever started it is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import machine

LOAD = """
import sys
from pathlib import Path
import cv2, numpy, onnxruntime
from faceverify.packs import demo_pack
from faceverify.verifier import FaceVerifier
with FaceVerifier(demo_pack(Path(sys.argv[1]))) as verifier:
    verifier.warm_up()
"""
"""What vision does when it starts."""


def read_chips(_folder: Path) -> None:
    """As the reader does: access, every file under secure messaging, the proofs; the chip answers at once."""
    from benchmarks.passports import issue

    book = issue()
    while True:
        book.read(book.chip())


def measure_faces(folder: Path) -> None:
    """As vision does: frames to features, now and then a portrait."""
    from benchmarks.face_pictures import frame, people
    from faceverify.packs import demo_pack
    from faceverify.verifier import FaceVerifier
    from gate.demo.faces import chip_portrait

    faces = list(people().values())
    frames, portraits = [frame(face) for face in faces], [chip_portrait(face, 1) for face in faces]
    with FaceVerifier(demo_pack(folder)) as verifier:
        while True:
            for picture, portrait in zip(frames, portraits, strict=True):
                verifier.reference(portrait)
                for _ in range(10):
                    verifier.probe(picture)


def load_models(folder: Path) -> None:
    """Import and load over and over, each time in a fresh process."""
    while True:
        subprocess.run([sys.executable, "-c", LOAD, str(folder)], check=True)


WORK = {"reader": read_chips, "vision": measure_faces, "loading": load_models}


@contextmanager
def working(kinds: tuple[str, ...], folder: Path) -> Iterator[None]:
    """One process of each of ``kinds``, at ordinary priority. Raises RuntimeError at the end where one had given up."""
    command = [sys.executable, "-m", "benchmarks.lane_neighbours"]
    running = [
        subprocess.Popen(
            [*command, kind, str(folder / f"neighbour-{place}")],
            cwd=machine.REPOSITORY,
            start_new_session=True,
            stdin=subprocess.PIPE,
        )
        for place, kind in enumerate(kinds)
    ]
    try:
        yield
        if any(process.poll() is not None for process in running):
            raise RuntimeError("a busy neighbour gave up")
    finally:
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def end_with_starter() -> None:
    """Its end of our standard input is gone with it, however it ended."""
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    threading.Thread(target=end_with_starter, daemon=True).start()
    WORK[sys.argv[1]](Path(sys.argv[2]))
