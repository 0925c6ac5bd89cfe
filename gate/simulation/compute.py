"""How long the real rooms compute, as it was once measured: quantiles of each stage in ``compute.toml``, and how to measure anew.

A simulation draws from the file and so gives the same numbers everywhere. ``autogate simulate --measure`` renews the file: it sends ordinary
travellers through the demonstration, whose rooms are the real ones, on the machine it runs on.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

FILE = Path(__file__).with_name("compute.toml")
STAGES = (
    "mrz",
    "chip.capabilities",
    "chip.card_access",
    "chip.pace",
    "chip.EF.SOD",
    "chip.DG1",
    "chip.DG14",
    "chip.DG15",
    "chip.DG2",
    "chip.EF.COM",
    "chip.chip_authentication",
    "chip.active_authentication",
    "pki.signature",
    "pki.verdict",
    "decision.entry",
    "commit.entry",
    "face.reference",
    "face.capture",
    "face.features",
    "face.comparison",
    "decision.exit",
    "controller.admit",
    "controller.close_entry",
    "controller.open_exit",
    "controller.close_exit",
)
"""What a simulation draws. Chips were paced at 424 kbit/s."""
POINTS = 21
"""Quantiles kept of each stage: every twentieth, the least and the greatest among them."""


class Compute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``quantiles``: by stage, milliseconds at evenly spread shares from the least to the greatest."""

    measured: str
    machine: str
    travellers: int
    quantiles: dict[str, Annotated[tuple[Annotated[float, Meta(ge=0)], ...], Meta(min_length=2)]]

    def __post_init__(self) -> None:
        if missing := [name for name in STAGES if name not in self.quantiles]:
            raise ValueError(f"no figures for {', '.join(missing)}")
        if wrong := [name for name, values in self.quantiles.items() if list(values) != sorted(values)]:
            raise ValueError(f"figures that do not rise for {', '.join(wrong)}")

    def draw(self, stage: str, dice: random.Random) -> float:
        """Seconds of one occurrence of ``stage``."""
        values = self.quantiles[stage]
        place = dice.random() * (len(values) - 1)
        below = int(place)
        return (values[below] + (values[below + 1] - values[below]) * (place - below)) / 1000


def load_compute(file: Path = FILE) -> Compute:
    """What was measured. Raises OSError, msgspec.MsgspecError."""
    return msgspec.toml.decode(file.read_bytes(), type=Compute)


def quantiles(values: Sequence[float], points: int = POINTS) -> tuple[float, ...]:
    """Of at least one value, by nearest rank: each is one that was measured."""
    ranked = sorted(values)
    return tuple(ranked[round(step * (len(ranked) - 1) / (points - 1))] for step in range(points))


def figures(transactions: Iterable[Mapping[str, Any]]) -> tuple[int, dict[str, tuple[float, ...]]]:
    """From a demonstration's transactions: how many opened, and the quantiles of their stages."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    opened = [each for each in transactions if each["outcome"] == "OPEN"]
    for transaction in opened:
        for stage in transaction["stages"]:
            if stage["name"] in STAGES:
                found[stage["name"]].append(float(stage["duration_ms"]))
    return len(opened), {name: quantiles(found[name]) for name in STAGES if found[name]}


def written(compute: Compute) -> str:
    """As the file holds it, a stage a line."""
    lines = [
        f"{name} = {json.dumps(getattr(compute, name), ensure_ascii=False)}" for name in ("measured", "machine", "travellers")
    ]
    lines += ["", "[quantiles]", "# milliseconds, least to greatest"]
    lines += [f"{json.dumps(name)} = {json.dumps(list(values))}" for name, values in compute.quantiles.items()]
    head = "# How long the real rooms compute. Made by `autogate simulate --measure`; do not write in it.\n\n"
    return head + "\n".join(lines) + "\n"
