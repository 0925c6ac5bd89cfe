"""``python -m mrz read IMAGE… [--same] [--chip] [--json] [--overlay OUT.png]``: zones read from pictures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrz.overlay import overlay
from mrz.picture import PictureError, load
from mrz.reader import MrzReader
from mrz.reading import Accepted, Reading


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 where every picture (with ``--same``: all together) was read, 1 where one was refused, 2 where one cannot be opened."""
    options = _parser().parse_args(arguments)
    if options.overlay and len(options.images) > 1:
        print("--overlay takes one picture", file=sys.stderr)
        return 2
    together = [options.images] if options.same else [[name] for name in options.images]
    reader, read = MrzReader(), 0
    try:
        for names in together:
            frames = [load(Path(name)) for name in names]
            reading = reader.read(frames, second_look=options.chip)
            read += isinstance(reading, Accepted)
            print(json.dumps({"images": names, **as_dict(reading)}) if options.json else f"{' '.join(names)}: {_plain(reading)}")
            if options.overlay:
                _save(options.overlay, overlay(frames[0], reading))
    except PictureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if read == len(together) else 1


def as_dict(reading: Reading) -> dict[str, object]:
    """A reading for JSON. The personal fields are shown, for that is what was asked."""
    timings = {part: round(getattr(reading.timings, part) * 1000, 2) for part in ("locate", "recognise", "total")}
    if not isinstance(reading, Accepted):
        return {
            "accepted": False,
            "reason": reading.reason,
            "detail": reading.detail,
            "where": reading.where,
            "milliseconds": timings,
        }
    return {
        "accepted": True,
        "format": reading.record.format,
        "lines": reading.lines,
        "corrections": [
            {"line": each.line, "column": each.column, "found": each.found, "used": each.used} for each in reading.corrections
        ],
        "findings": [each.what for each in reading.record.findings],
        "margins": [[round(margin, 2) for margin in line] for line in reading.margins],
        "frames_used": reading.frames_used,
        "quads": reading.quads,
        "milliseconds": timings,
    }


def _plain(reading: Reading) -> str:
    if not isinstance(reading, Accepted):
        return f"refused: {reading.reason}: {reading.detail}"
    least = min(min(line) for line in reading.margins)
    made = "".join(f"; line {each.line}, column {each.column} corrected" for each in reading.corrections)
    return "\n".join((f"{reading.record.format}, least margin {least:.1f}{made}", *reading.lines))


def _save(path: str, picture: NDArray[np.uint8]) -> None:
    import cv2

    try:
        Path(path).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mrz read", description=__doc__)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="JPEG, PNG or BMP")
    parser.add_argument("--same", action="store_true", help="all pictures show one document, and vote")
    parser.add_argument("--chip", action="store_true", help="a chip will confirm the reading: smaller margins do")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--overlay", metavar="OUT.png", help="a picture of what was found")
    return parser
