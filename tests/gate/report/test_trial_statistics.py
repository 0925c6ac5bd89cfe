"""The report's statistics beside an independent implementation (scipy), and what their intervals cover in simulation."""

import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.report.intervals import Share, clopper_pearson, wilson
from gate.report.trial_compare import fisher, mann_whitney, newcombe, sample_size
from gate.report.trial_face import det
from gate.report.trial_times import QUANTILES, quantiles, rank_interval

if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1":
    from scipy import stats
else:
    stats = pytest.importorskip("scipy.stats", reason="scipy is absent: make setup")

counts = st.integers(1, 400).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(counts)
@settings(max_examples=60)
def test_exact_and_wilson_intervals_are_scipys(drawn):
    hits, trials = drawn
    told = stats.binomtest(hits, trials)
    assert clopper_pearson(hits, trials) == pytest.approx(tuple(told.proportion_ci(0.95, "exact")), abs=1e-6)
    assert wilson(hits, trials) == pytest.approx(tuple(told.proportion_ci(0.95, "wilson")), abs=1e-9)


def test_wilson_refuses_impossible_counts_and_says_nothing_of_nothing():
    assert wilson(0, 0) == (0, 1)
    for hits, trials in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError):
            wilson(hits, trials)


@given(counts, counts)
@settings(max_examples=60)
def test_fishers_two_sided_chance_is_scipys(first, second):
    (a, n), (b, m) = first, second
    assert fisher(a, n, b, m) == pytest.approx(stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue, rel=1e-6, abs=1e-12)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=60), st.lists(st.integers(0, 30), min_size=2, max_size=60))
@settings(max_examples=60)
def test_the_chance_of_unequal_times_is_scipys(first, second):
    ours = mann_whitney(first, second)
    if len({*first, *second}) == 1:
        assert ours == 1
        return
    theirs = stats.mannwhitneyu(first, second, method="asymptotic").pvalue
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@given(st.integers(1, 3000), st.sampled_from(QUANTILES))
@settings(max_examples=60)
def test_ranks_that_bound_a_percentile_are_the_binomials(count, share):
    low, high = rank_interval(count, share)
    law = stats.binom(count, share)
    assert law.cdf(low - 1) <= 0.025 + 1e-12 < law.cdf(low) + 2e-12
    assert law.sf(high - 1) <= 0.025 + 1e-9
    assert high == 1 or law.sf(high - 2) > 0.025 - 1e-9


def exact_power(share1, share2, size):
    """How often Wald's pooled test at 5 % calls the difference, over all pairs of counts."""
    one, two = (stats.binom(size, share).pmf(np.arange(size + 1)) for share in (share1, share2))
    x, y = np.meshgrid(np.arange(size + 1) / size, np.arange(size + 1) / size, indexing="ij")
    pooled = (x + y) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        called = np.abs(x - y) / np.sqrt(2 * pooled * (1 - pooled) / size) > stats.norm.ppf(0.975)
    return float((np.outer(one, two) * called).sum())


@pytest.mark.parametrize(("share", "difference"), [(0.05, 0.04), (0.2, 0.1), (0.5, 0.15)])
def test_so_many_call_a_difference_four_times_out_of_five(share, difference):
    needed = sample_size(share, difference)
    low = share - difference / 2
    assert exact_power(low, low + difference, needed) == pytest.approx(0.8, abs=0.015)
    assert exact_power(low, low + difference, needed // 2) < 0.6


@pytest.mark.parametrize("share", [0.01, 0.025, 0.2, 0.5])
def test_exact_intervals_cover_at_least_as_often_as_they_say_and_wilsons_about_so(share):
    """Coverage over all counts, weighed with their probability: no dice."""
    trials = 300
    law = stats.binom(trials, share).pmf(range(trials + 1))
    covered = {
        rule: sum(p for hits, p in enumerate(law) if p > 1e-12 and rule(hits, trials)[0] <= share <= rule(hits, trials)[1])
        for rule in (clopper_pearson, wilson)
    }
    assert covered[clopper_pearson] >= 0.95
    assert 0.93 <= covered[wilson] <= 0.985


def test_intervals_of_percentiles_and_differences_cover_in_simulation():
    dice, rounds = random.Random(20), 400
    seen = dict.fromkeys(("p50", "p95", "difference"), 0)
    truth = {"p50": stats.lognorm(0.5).ppf(0.5), "p95": stats.lognorm(0.5).ppf(0.95)}
    for _ in range(rounds):
        p50, _, p95, _ = quantiles([dice.lognormvariate(0, 0.5) for _ in range(150)])
        for name, item in (("p50", p50), ("p95", p95)):
            assert item.low <= item.value
            seen[name] += item.low <= truth[name] and (item.high is None or truth[name] <= item.high)
        one, two = (Share(name="", hits=sum(dice.random() < rate for _ in range(120)), trials=120) for rate in (0.05, 0.12))
        low, high = newcombe(one, two)
        seen["difference"] += low <= 7 <= high
    for name, hits in seen.items():
        assert 0.92 <= hits / rounds <= 1, (name, hits)


def test_too_few_times_bound_no_high_percentile():
    (p50, _, p95, p99) = quantiles(range(100))
    assert None not in (p50.low, p50.high)
    assert p99.high is None
    assert p95.high is not None
    assert quantiles([]) == ()
    assert quantiles([3.0])[0].low is quantiles([3.0])[0].high is None


def test_a_det_curve_counts_both_errors_at_each_threshold():
    points = det([0.9, 0.8, 0.4], [0.1, 0.5])
    for threshold, point in ((0.1, (1, 0)), (0.4, (0.5, 0)), (0.5, (0.5, 1 / 3)), (0.8, (0, 1 / 3))):
        fmr = sum(score >= threshold for score in (0.1, 0.5)) / 2
        fnmr = sum(score < threshold for score in (0.9, 0.8, 0.4)) / 3
        assert point == pytest.approx((fmr, fnmr))
        assert any(found == pytest.approx(point) for found in points)
    assert det([0.5], []) == det([], [0.5]) == ()
