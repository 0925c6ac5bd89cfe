"""Confidence bounds against published values and against the binomial distribution itself."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceverify.evaluation.intervals import clopper_pearson, incomplete_beta, keeps, trials_needed, upper_bound

PUBLISHED = [
    # R, help page of binom.test: Mendel's peas (Conover, 1971)
    (682, 925, 0.7076683, 0.7654066),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 5
    (81, 263, 0.2527, 0.3676),
    (15, 148, 0.0578, 0.1617),
    (0, 20, 0.0, 0.1684),
    (1, 29, 0.0009, 0.1776),
]


@pytest.mark.parametrize(("errors", "trials", "low", "high"), PUBLISHED)
@pytest.mark.conforms("2019/329, measuring", "positive")
def test_published_intervals_are_met_to_their_last_digit(errors, trials, low, high):
    assert clopper_pearson(errors, trials) == pytest.approx((low, high), abs=5.1e-5)


def tail(errors: int, trials: int, rate: float) -> float:
    return math.fsum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(errors + 1))


@settings(max_examples=50)
@given(trials=st.integers(1, 60), data=st.data(), confidence=st.floats(0.5, 0.999))
def test_at_the_upper_bound_so_few_errors_have_just_the_probability_left_over(trials, data, confidence):
    errors = data.draw(st.integers(0, trials - 1))
    bound = upper_bound(errors, trials, confidence)
    assert tail(errors, trials, bound) == pytest.approx(1 - confidence, rel=1e-6)
    assert keeps(errors, trials, bound * 1.000001, confidence)
    assert not keeps(errors, trials, bound * 0.999999, confidence)


@settings(max_examples=30)
@given(trials=st.integers(1, 10_000_000), data=st.data())
def test_the_interval_holds_the_rate_and_mirrors_its_complement(trials, data):
    errors = data.draw(st.integers(0, trials))
    low, high = clopper_pearson(errors, trials)
    assert 0 <= low <= errors / trials <= high <= 1
    assert clopper_pearson(trials - errors, trials) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_nothing_tried_is_nothing_known():
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("errors", "trials", "confidence"), [(2, 1, 0.95), (-1, 5, 0.95), (1, 5, 1.0), (1, 5, 0.0)])
def test_impossible_counts_are_refused(errors, trials, confidence):
    with pytest.raises(ValueError, match="at confidence"):
        upper_bound(errors, trials, confidence)


@pytest.mark.parametrize("rate", [1e-2, 1e-3, 1e-6])
def test_the_rule_of_three_says_how_many_trials_are_needed(rate):
    needed = trials_needed(rate)
    assert needed == pytest.approx(3 / rate, rel=0.01)
    assert upper_bound(0, needed) <= rate < upper_bound(0, needed - 1)


@settings(max_examples=30)
@given(errors=st.floats(0, 100), more=st.floats(0.01, 1000), weight=st.floats(0.01, 1))
def test_counts_that_weigh_less_give_wider_bounds(errors, more, weight):
    trials = errors + more
    assert upper_bound(errors * weight, trials * weight) >= upper_bound(errors, trials) - 1e-9


@settings(max_examples=50)
@given(x=st.floats(0.001, 0.999), a=st.floats(0.1, 500))
def test_the_beta_function_agrees_with_its_closed_form(x, a):
    assert incomplete_beta(x, a, 1) == pytest.approx(x**a, rel=1e-9)
    assert incomplete_beta(x, 1, a) == pytest.approx(1 - (1 - x) ** a, rel=1e-9, abs=1e-12)
