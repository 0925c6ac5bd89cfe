from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.simulation.scenario import FILE, Exponential, Lognormal, ScenarioError, Share, Uniform, distributions, load_scenario


def test_every_packaged_distribution_names_its_source_or_its_reason(packaged):
    found = distributions(packaged)
    assert len(found) > 50
    for place, each in found.items():
        assert bool(each.source) != each.assumption, place
        assert len(each.source or each.reason) > 10, place


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"assumption": True},
        {"assumption": True, "reason": "  "},
        {"source": "somebody", "assumption": True, "reason": "both"},
    ],
)
def test_a_distribution_without_source_or_with_two_minds_is_refused(told):
    with pytest.raises(msgspec.ValidationError, match="source"):
        msgspec.convert({"kind": "share", "of": 0.5} | told, Share)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('kind = "share"', 'kind = "guess"'),
        ("of = 0.97", "of = 1.97"),
        ("tries = 3", "tries = 0"),
        ("[officer]", "[officers]"),
        ('airport = "CGK"', 'airport = "Jakarta"'),
        ("begins", "begin"),
        ("[[bank]]", "[[bank"),
    ],
)
def test_a_scenario_that_is_wrong_anywhere_is_refused_with_the_files_name(tmp_path: Path, before, after):
    file = tmp_path / "wrong.toml"
    file.write_text(FILE.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"wrong\.toml"):
        load_scenario(file)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_scenario_or_are_refused(tmp_path_factory, raw):
    file = tmp_path_factory.mktemp("any") / "scenario.toml"
    file.write_bytes(raw)
    with pytest.raises(ScenarioError):
        load_scenario(file)


def test_a_scenario_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ScenarioError):
        load_scenario(tmp_path / "none.toml")


@given(st.floats(0.01, 100), st.floats(1, 10), st.integers())
def test_no_draw_of_a_lognormal_is_above_its_most_and_half_are_above_its_median(median, factor, seed):
    drawn = Lognormal(median=median, p95=median * factor, most=median * factor * 2, source="a test")
    dice = random.Random(seed)
    values = [drawn.draw(dice) for _ in range(200)]
    assert all(0 < value <= drawn.most for value in values)
    assert factor < 1.01 or 50 < sum(value > median for value in values) < 150


def test_numbers_that_do_not_rise_are_refused():
    with pytest.raises(ValueError, match="high is below low"):
        Uniform(low=2, high=1, source="a test")
    with pytest.raises(ValueError, match="rise"):
        Lognormal(median=2, p95=1, most=3, source="a test")


def test_the_mean_of_an_exponential_is_its_mean():
    dice = random.Random(1)
    drawn = Exponential(mean=5, source="a test")
    assert sum(drawn.draw(dice) for _ in range(20_000)) / 20_000 == pytest.approx(5, rel=0.05)
