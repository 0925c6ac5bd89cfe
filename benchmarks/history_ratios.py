"""What a run is judged by: ratios between figures of the same run, beside those that were recorded.

Seconds belong to a machine and its load; ours beside a floor or a peer, measured in the same run, does not, or hardly. A time is that
of the fastest round, which others on the machine disturb least; figures that a benchmark took in turn with its peers are their medians.
``ratios.toml`` says which pairs there are, ``baseline.json`` what was recorded (``python -m benchmarks.history record``).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.history_runs import Run

HERE = Path(__file__).resolve().parent
RATIOS, BASELINE = HERE / "ratios.toml", HERE / "baseline.json"
NOT_IN_THIS_RUN = "its suite was not in this run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """``ours`` over ``base``: how many times what the floor costs, or the peer. ``allowed``: growth over the recorded ratio."""

    name: str
    kind: Literal["floor", "peer"]
    ours: str
    base: str
    peer: str
    allowed: float

    def of(self, run: Run) -> float | None:
        """None where the run lacks either side."""
        ours, base = run.value(self.ours), run.value(self.base)
        return ours / base if _number(ours) and _number(base) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The ratios by their place in ``ratios.toml``, and how each peer is installed."""

    ratios: tuple[Ratio, ...]
    peers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One ratio of one run beside the recorded one."""

    ratio: Ratio
    now: float | None
    recorded: float | None

    @property
    def change(self) -> float | None:
        return self.now / self.recorded if self.now is not None and self.recorded else None

    @property
    def lost(self) -> bool:
        """Recorded beside a floor, and not in this run: renamed, skipped or failed."""
        return self.now is None and self.recorded is not None and not self.ratio.peer

    @property
    def word(self) -> Literal["regression", "held", "not recorded", "not measured"]:
        if self.now is None:
            return "not measured"
        if self.change is None:
            return "not recorded"
        return "regression" if self.change > self.ratio.allowed else "held"


def declared(path: Path = RATIOS) -> Declared:
    """Raises KeyError or ValueError for a file that is wrong: it is our own."""
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    ratios = tuple(
        Ratio(
            name=each["name"],
            kind="peer" if "peer" in each else "floor",
            ours=each["ours"],
            base=each["base"],
            peer=each.get("peer", ""),
            allowed=float(each.get("allowed", told["allowed"])),
        )
        for each in told["ratio"]
    )
    if len({ratio.name for ratio in ratios}) != len(ratios):
        raise ValueError("two ratios have the same name")
    return Declared(ratios=ratios, peers=dict(told["peers"]))


def baseline(path: Path = BASELINE) -> dict[str, Any]:
    """``ratios`` by name, and ``machine`` and ``at`` of the runs they came from; nothing recorded where there is no file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {"ratios": {}}


def judge(run: Run, ratios: Iterable[Ratio], recorded: Mapping[str, float]) -> list[Verdict]:
    return [Verdict(ratio=ratio, now=ratio.of(run), recorded=recorded.get(ratio.name)) for ratio in ratios]


def record(runs: Sequence[Run], ratios: Iterable[Ratio], earlier: Mapping[str, float]) -> dict[str, Any]:
    """A baseline of ``runs``, the median of each ratio; one that none of them has keeps its ``earlier`` figure."""
    found: dict[str, float] = {}
    for ratio in ratios:
        values = sorted(value for run in runs if (value := ratio.of(run)) is not None)
        if values:
            found[ratio.name] = round(values[len(values) // 2], 4)
        elif ratio.name in earlier:
            found[ratio.name] = earlier[ratio.name]
    return {"at": runs[-1].at.isoformat(), "runs": len(runs), "machine": dict(runs[-1].machine), "ratios": found}


def not_run(run: Run, known: Declared) -> dict[str, tuple[str, str]]:
    """Peer → why it has no figure in this run, and how it is installed."""
    told: dict[str, tuple[str, str]] = {}
    for peer, install in known.peers.items():
        pairs = [ratio for ratio in known.ratios if ratio.peer == peer]
        if not any(ratio.of(run) is not None for ratio in pairs):
            words = [value for ratio in pairs if isinstance(value := run.value(ratio.base), str)]
            told[peer] = (words[0] if words else NOT_IN_THIS_RUN, install)
    return told


def _number(value: float | str | None) -> bool:
    return isinstance(value, float | int) and value > 0
