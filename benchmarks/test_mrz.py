"""MRZ text to record; floor: its five check digits."""

from __future__ import annotations

import pytest

import mrz

UPPER = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
LOWER = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
"""Doc 9303-4, Appendix A."""
SPANS = ((0, 9), (13, 19), (21, 27), (28, 42))


@pytest.mark.benchmark(group="mrz: parse")
def test_parse(benchmark):
    assert benchmark(mrz.parse, (UPPER, LOWER)).check_digits_ok


@pytest.mark.benchmark(group="mrz: parse")
def test_floor_check_digits(benchmark):
    fields = [LOWER[start:end] for start, end in SPANS]
    fields.append(LOWER[0:10] + LOWER[13:20] + LOWER[21:43])
    assert benchmark(lambda: [mrz.check_digit(field) for field in fields]) == ["6", "2", "9", "1", "0"]
