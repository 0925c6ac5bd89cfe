"""The report on namesakes counts what it says: on a list that is small enough for a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import watchlist
from benchmarks.watchlist import CLASSES, Rates, ask, build, calibrate, table

ENTRIES, ASKED = 600, 100


def test_a_rate_tells_its_interval() -> None:
    rates = Rates()
    for number in range(100):
        rates.add(("all",), number < 5)
    told = rates.told()["all"]
    assert (told["n"], told["of"], told["rate"]) == (5, 100, 0.05)
    assert 0.01 < told["low"] < 0.05 < told["high"] < 0.12


def test_the_report_counts_everybody_who_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchlist, "ALIKE_TRAVELLERS", 3)
    built = build(tmp_path / "index", 5, ENTRIES, ASKED)
    sample, _ = built["chosen"]
    assert len(sample) == ASKED
    asked = ask(tmp_path / "index", 5, ASKED, built["chosen"])
    for what in ("referred for nothing", "missed", "hits", "missed for want of a common block"):
        assert asked[what]["all"]["of"] == ASKED, what
        assert asked[what]["all"]["of"] == sum(asked[what][row]["of"] for row in CLASSES[1:] if row in asked[what]), what
    assert asked["hits"]["all"]["n"] > 10
    assert asked["missed"]["all"]["n"] < 25
    report = {
        "entries": ENTRIES,
        "travellers": ASKED,
        "seed": 5,
        "threshold_bits": 17.3,
        "floors": built["floors"],
        "built": built,
        "asked": asked,
    }
    shown = table({**report, "machine": {"commit": "0" * 40, "load": [1.0]}})
    assert all(f"| {row} |" in shown for row in CLASSES)
    curve = calibrate(tmp_path / "index", 5, ASKED, built["chosen"])
    assert [row["missed"] for row in curve] == sorted(row["missed"] for row in curve)
    assert [row["referred_for_nothing"] for row in curve] == sorted((row["referred_for_nothing"] for row in curve), reverse=True)
