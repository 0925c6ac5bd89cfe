"""One reader of pictures in a process of its own: ``PYTHON -P benchmarks/mrz_worker.py NAME``, by the interpreter of its environment.

Lines of JSON: a picture's path comes in; out go the rows of text that the reader found, its own verdict where it gives one, and
milliseconds, of the clock and of the processor. The process stays on one processor. Nothing of ours is imported but by ``autogate`` and ``autogate_chip``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(OMP_THREAD_LIMIT="1", OMP_NUM_THREADS="1", ORT_DISABLE_TELEMETRY="1")

Answer = dict[str, Any]
"""``lines``: rows of text; ``accepted``: the reader's own verdict, or absent; ``reason``: of a refusal."""
Reader = Callable[[str], Answer]


def autogate(*, chip: bool = False) -> Reader:
    import cv2

    from mrz.picture import PictureError, load
    from mrz.reader import MrzReader
    from mrz.reading import Accepted

    cv2.setNumThreads(1)
    reader = MrzReader()

    def read(path: str) -> Answer:
        try:
            reading = reader.read([load(Path(path))], second_look=chip)
        except PictureError as error:
            return {"lines": [], "accepted": False, "reason": str(error)}
        if isinstance(reading, Accepted):
            return {"lines": reading.lines, "accepted": True}
        return {"lines": [], "accepted": False, "reason": reading.reason}

    return read


def autogate_chip() -> Reader:
    """As :func:`autogate`, where a chip will confirm the reading: smaller margins do."""
    return autogate(chip=True)


def passporteye() -> Reader:
    from passporteye import read_mrz

    def read(path: str) -> Answer:
        found = read_mrz(path, extra_cmdline_params="-l mrz --oem 1")
        return {"lines": found.aux["text"].splitlines() if found is not None else []}

    return read


def fastmrz() -> Reader:
    from fastmrz import FastMRZ

    reader = FastMRZ(tessdata_path=os.environ.get("TESSDATA_PREFIX", ""))
    return lambda path: {"lines": str(reader.get_details(path, input_type="imagepath", ignore_parse=True)).splitlines()}


def rapidocr() -> Reader:
    """Boxes whose middles lie within half a height of one another are one row."""
    from rapidocr_onnxruntime import RapidOCR

    reader = RapidOCR(intra_op_num_threads=1)

    def read(path: str) -> Answer:
        rows: list[tuple[float, float, list[tuple[float, str]]]] = []
        for corners, text, _ in reader(path)[0] or []:
            ys, left = [y for _, y in corners], min(x for x, _ in corners)
            middle, height = sum(ys) / 4, max(ys) - min(ys)
            row = next((row for row in rows if abs(row[0] - middle) < row[1] / 2), None)
            if row is None:
                rows.append((middle, height, [(left, text)]))
            else:
                row[2].append((left, text))
        return {"lines": ["".join(text for _, text in sorted(parts)) for _, _, parts in sorted(rows)]}

    return read


def tesseract(model: str = "eng") -> Reader:
    """The whole picture, taken for one block of text."""
    import subprocess

    def read(path: str) -> Answer:
        command = ["tesseract", path, "stdout", "-l", model, "--oem", "1", "--psm", "6"]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        return {"lines": told.stdout.splitlines()}

    return read


def tesseract_mrz() -> Reader:
    """As :func:`tesseract`, with the model made for machine readable zones."""
    return tesseract("mrz")


READERS = (autogate, autogate_chip, passporteye, fastmrz, rapidocr, tesseract, tesseract_mrz)


def _processor() -> float:
    """Seconds of the processor that went into this process and those it waited for."""
    return sum(os.times()[:4])


def main() -> None:
    make = next(each for each in READERS if each.__name__ == sys.argv[1])
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    answers, sys.stdout = sys.stdout, sys.stderr  # what a peer prints is no answer
    read = make()
    for line in sys.stdin:
        path = json.loads(line)
        begun, worked = time.perf_counter(), _processor()
        try:
            answer = read(path)
        except Exception as error:  # noqa: BLE001 - a peer's crash is its answer
            answer = {"lines": [], "accepted": False, "reason": f"{type(error).__name__}: {error}"[:200]}
        answer |= {"ms": (time.perf_counter() - begun) * 1000, "cpu_ms": (_processor() - worked) * 1000}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
