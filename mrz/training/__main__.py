"""Train, export and judge the line model in one go: ``python -m mrz.training --seed 1 --out FOLDER`` (``make train-mrz``)."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from mrz.training import evaluate, train
from mrz.training.calibrate import temperature
from mrz.training.export import export, load, metadata_of, predictor

LINES = 300
"""Held-out lines of each height."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mrz.training", description=__doc__)
    train.add_options(parser)
    options = parser.parse_args(arguments)
    for font in (options.font, evaluate.FONT):
        if not font.exists():
            parser.error(f"{font} is missing: install Debian's fonts-ocr-b, or name another OCR-B by --font")
    run = train.from_options(options)
    finish(options.out, run.seconds / 60)


def finish(folder: Path, minutes: float) -> None:
    """Write ``ocrb.onnx`` and ``report.json`` beside the checkpoint, and print what became of it."""
    net, plan = load(folder / "checkpoint.pt")
    warmth = temperature(predictor(export(net, {})))
    file = export(net, metadata_of(plan, warmth))
    (folder / "ocrb.onnx").write_bytes(file)
    scores = evaluate.by_height(predictor(file), evaluate.FONT, LINES)
    digest = hashlib.sha256(file).hexdigest()
    print(f"{minutes:.1f} minutes, {len(file)} bytes, temperature {warmth:.3f}, sha256 {digest}")
    report = {
        "plan": plan,
        "minutes": round(minutes, 1),
        "bytes": len(file),
        "sha256": digest,
        "temperature": round(warmth, 4),
        "held_out": {height: asdict(score) for height, score in scores.items()},
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
