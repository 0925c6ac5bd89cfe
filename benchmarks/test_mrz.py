"""MRZ text to record, each time another one; beside it a plain regular expression with its five check digits, and the peers' parsers."""

from __future__ import annotations

import pytest

import mrz
from benchmarks.mrz_plain import plain, zones

ZONES = {name: zones(name) for name in mrz.FORMATS}


@pytest.mark.benchmark(group="mrz: 1,000 different passports")
def test_parse(benchmark):
    assert all(record.check_digits_ok for record in benchmark(lambda: list(map(mrz.parse, ZONES["TD3"]))))


@pytest.mark.benchmark(group="mrz: 1,000 different passports")
def test_floor_plain_expression(benchmark):
    assert all(fields["ok"] for fields in benchmark(lambda: list(map(plain, ZONES["TD3"]))))


@pytest.mark.benchmark(group="mrz: 1,000 different documents of other formats")
@pytest.mark.parametrize("name", [name for name in mrz.FORMATS if name != "TD3"])
def test_parse_others(benchmark, name):
    assert all(record.check_digits_ok for record in benchmark(lambda: list(map(mrz.parse, ZONES[name]))))


@pytest.mark.benchmark(group="mrz: emit")
def test_emit(benchmark):
    records = [mrz.parse(lines) for lines in ZONES["TD3"]]
    assert benchmark(lambda: list(map(mrz.emit, records))) == ZONES["TD3"]
