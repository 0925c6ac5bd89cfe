"""Error rates against counting by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceverify.evaluation.rates import Rate, det, error_versus_discard, false_matches, false_non_matches

SCORES = st.lists(st.integers(-20, 20).map(lambda value: value / 20), min_size=1, max_size=60)


@settings(max_examples=50)
@given(mated=SCORES, non_mated=SCORES, threshold=st.integers(-21, 21).map(lambda value: value / 20))
def test_a_score_at_the_threshold_is_a_match(mated, non_mated, threshold):
    fmr, fnmr = false_matches(np.array(non_mated), threshold), false_non_matches(np.array(mated), threshold)
    assert (fmr.errors, fmr.trials) == (sum(score >= threshold for score in non_mated), len(non_mated))
    assert (fnmr.errors, fnmr.trials) == (sum(not score >= threshold for score in mated), len(mated))


def test_what_was_not_tried_has_no_rate():
    assert Rate(errors=0, trials=0).value is None


@settings(max_examples=50)
@given(mated=SCORES, non_mated=SCORES)
def test_the_curve_holds_the_true_rates_from_one_end_to_the_other(mated, non_mated):
    curve = det(np.array(mated), np.array(non_mated))
    for threshold, fmr, fnmr in zip(curve.thresholds, curve.fmr, curve.fnmr, strict=True):
        assert fmr == pytest.approx(sum(score >= threshold for score in non_mated) / len(non_mated))
        assert fnmr == pytest.approx(sum(score < threshold for score in mated) / len(mated))
    assert curve.fmr[0] == 1
    assert curve.fmr[-1] == 0
    assert (np.diff(curve.fmr) <= 0).all()
    assert (np.diff(curve.fnmr) >= 0).all()


def test_a_long_curve_is_thinned_and_keeps_its_ends_and_its_best_points():
    random = np.random.default_rng(1)
    mated, non_mated = random.normal(0.7, 0.15, 3000), random.normal(0.1, 0.15, 20_000)
    curve = det(mated, non_mated, points=100)
    assert 50 < curve.thresholds.size <= 101
    assert (curve.fmr[0], curve.fmr[-1]) == (1, 0)
    for threshold, fmr in zip(curve.thresholds, curve.fmr, strict=True):
        assert np.count_nonzero(non_mated >= threshold) == round(fmr * non_mated.size)
        before = np.max(non_mated, where=non_mated < threshold, initial=-9)
        assert not ((mated > before) & (mated < threshold)).any(), "a lower threshold has the same FMR and a better FNMR"


@settings(max_examples=50)
@given(data=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40), share=st.floats(0, 0.9))
def test_discarding_the_worst_is_counted_as_by_hand(data, share):
    mated = np.array([0.1 if fails else 0.9 for fails, _ in data])
    quality = np.array([float(value) for _, value in data])
    (found,) = error_versus_discard(mated, quality, 0.5, [share])
    gone = min(int(share * len(data)), len(data) - 1)
    kept = sorted(data, key=lambda item: (item[1], item[0]))[gone:]  # among equals those that would match go first
    assert found == pytest.approx(sum(fails for fails, _ in kept) / len(kept))


def test_a_quality_that_tells_nothing_apart_gains_nothing():
    mated = np.array([0.1] * 10 + [0.9] * 90)
    curve = error_versus_discard(mated, np.ones(100), 0.5, [0, 0.1, 0.5])
    assert (np.diff(curve) >= 0).all()
