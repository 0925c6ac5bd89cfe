"""What each choice buys: ``python -m mrz.training.ablate --out FOLDER`` trains short runs of equal length and prints the README's table.

Runs that are done are not done again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from mrz.training import train
from mrz.training.__main__ import finish
from mrz.training.net import Shape
from mrz.training.render import Recipe
from mrz.training.train import Plan

CHANGES: dict[str, dict[str, Any]] = {
    "as shipped": {},
    "CTC alone": {"loss": "ctc"},
    "CTC beside the frames, second half": {"loss": "both"},
    "no capitals below 12 px": {"recipe": Recipe(smallest=12)},
    "the one font, not warped": {"recipe": Recipe(warp=0)},
    "half the channels": {"shape": Shape(width=0.5)},
    "three columns read at once, two mixers": {"shape": Shape(reach=3, mixes=2)},
}
STEPS = 1000


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m mrz.training.ablate", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--font", type=Path, default=train.FONT)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args(arguments)
    rows = []
    for seed in options.seeds:
        for name, changes in CHANGES.items():
            plan = replace(Plan(seed=seed, steps=options.steps), **changes)
            folder = options.out / f"{name.replace(' ', '-').replace(',', '')}-{seed}"
            rows.append(row(name, seed, report(plan, options.font, folder)))
    print("\n".join(("| change | seed | 6–8 px | 8–10 px | 10–14 px | 14–26 px |", "|---|---|---|---|---|---|", *rows)))


def report(plan: Plan, font: Path, folder: Path) -> dict[str, Any]:
    """The report of a run, made now if it is not there."""
    file = folder / "report.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        finish(folder, train.train(plan, font, folder / "checkpoint.pt").seconds / 60)
    got: dict[str, Any] = json.loads(file.read_text())
    return got


def row(name: str, seed: int, got: dict[str, Any]) -> str:
    """One row of the table: CER and exact lines at each height."""
    cells = [f"{score['error']:.2%}, {score['exact']:.0%}" for score in got["held_out"].values()]
    return " | ".join((f"| {name}", str(seed), *cells)) + " |"


if __name__ == "__main__":
    main()
