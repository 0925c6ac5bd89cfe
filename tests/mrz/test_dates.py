"""Two-digit years become four by an explicit reference date; what is unknown stays unknown."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrz import MrzDate

TODAY = date(2026, 11, 22)
PARTS = st.sampled_from([f"{n:02}" for n in range(100)] + ["<<"])


@pytest.mark.parametrize(
    ("raw", "future", "expected"),
    [
        ("261122", False, date(2026, 11, 22)),  # born today
        ("261123", False, date(1926, 11, 23)),  # born tomorrow: no, a hundred years ago
        ("740812", False, date(1974, 8, 12)),
        ("000229", False, date(2000, 2, 29)),
        ("251122", True, date(2025, 11, 22)),  # expired last year, not valid for another century
        ("361122", True, date(2036, 11, 22)),
        ("750101", True, date(2075, 1, 1)),
        ("760101", True, date(1976, 1, 1)),
        ("270229", True, None),
        ("740230", False, None),
        ("<<0812", False, None),
        ("7408<<", False, None),
    ],
)
def test_the_century_follows_from_the_reference_date(raw, future, expected):
    assert MrzDate(raw).resolve(TODAY, future=future) == expected


def test_a_leap_day_is_looked_for_in_the_century_that_has_it():
    assert MrzDate("000229").resolve(date(1999, 1, 1), future=False) is None  # 1900 was no leap year
    assert MrzDate("040229").resolve(date(2003, 1, 1), future=False) == date(1904, 2, 29)


@given(st.dates(date(1927, 1, 1), TODAY))
@settings(deadline=None)
def test_a_birth_date_of_the_last_hundred_years_comes_back(day):
    assert MrzDate(f"{day:%y%m%d}").resolve(TODAY, future=False) == day


@given(st.integers(0, 30 * 365))
@settings(deadline=None)
def test_an_expiry_date_within_thirty_years_either_way_comes_back(days):
    for day in (TODAY + timedelta(days), TODAY - timedelta(days)):
        assert MrzDate(f"{day:%y%m%d}").resolve(TODAY, future=True) == day


@given(PARTS, PARTS, PARTS, st.dates(), st.booleans())
@settings(deadline=None)
def test_any_digits_give_a_date_with_those_digits_or_none(year, month, day, reference, future):
    value = MrzDate(year + month + day)
    found = value.resolve(reference, future=future)
    if found is not None:
        assert found.strftime("%m%d") == month + day
        assert f"{found.year % 100:02}" == year
        assert value.complete
        assert value.possible


def test_unknown_parts_are_possible_and_half_unknown_ones_are_not():
    assert MrzDate("<<<<<<").possible
    assert MrzDate("74<<<<").possible
    assert MrzDate("<<0229").possible
    assert not MrzDate("<<0230").possible
    assert not MrzDate("7408<2").possible
    assert not MrzDate("7413<<").possible
