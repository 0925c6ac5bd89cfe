from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.simulation.compute import STAGES, Compute, figures, load_compute, quantiles, written


def test_the_packaged_figures_hold_every_stage_and_say_what_they_were_measured_on():
    compute = load_compute()
    assert compute.travellers >= 12
    assert compute.machine
    assert set(STAGES) <= compute.quantiles.keys()


def test_a_draw_lies_between_the_least_and_the_greatest_that_was_measured():
    compute, dice = load_compute(), random.Random(1)
    for stage in STAGES:
        least, *_, most = compute.quantiles[stage]
        assert all(least <= 1000 * compute.draw(stage, dice) <= most + 1e-9 for _ in range(50)), stage


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_quantiles_rise_and_are_values_that_were_measured(values):
    found = quantiles(values)
    assert list(found) == sorted(found)
    assert set(found) <= set(values)
    assert (found[0], found[-1]) == (min(values), max(values))


def test_figures_come_from_those_who_went_through_alone():
    def transaction(outcome: str, takes: float) -> dict[str, object]:
        return {"outcome": outcome, "stages": [{"name": "mrz", "duration_ms": takes}, {"name": "walk_in", "duration_ms": 1.0}]}

    opened, found = figures([transaction("OPEN", 5.0), transaction("RETRY", 900.0), transaction("OPEN", 7.0)])
    assert opened == 2
    assert found.keys() == {"mrz"}
    assert (found["mrz"][0], found["mrz"][-1]) == (5.0, 7.0)


def test_what_is_written_is_read_again(tmp_path: Path):
    compute = load_compute()
    file = tmp_path / "compute.toml"
    file.write_text(written(compute), encoding="utf-8")
    assert load_compute(file) == compute


@pytest.mark.parametrize("change", [{"mrz": (2.0, 1.0)}, {"mrz": (1.0,)}, {"mrz": (-1.0, 1.0)}])
def test_figures_that_do_not_rise_or_are_missing_are_refused(change):
    compute = load_compute()
    raw = msgspec.to_builtins(compute)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw | {"quantiles": compute.quantiles | change}, Compute)
    missing = {name: values for name, values in compute.quantiles.items() if name != "mrz"}
    with pytest.raises(msgspec.ValidationError, match="mrz"):
        msgspec.convert(raw | {"quantiles": missing}, Compute)
