"""Comparisons that share subjects: intervals must be wide enough for it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceverify.evaluation import dependence
from faceverify.evaluation.dependence import bootstrap, design_effect, percentiles
from faceverify.evaluation.intervals import clopper_pearson


def all_pairs(subjects: int) -> np.ndarray:
    return np.array(list(itertools.combinations(range(subjects), 2)), np.int32)


PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), min_size=2, max_size=30)


@settings(max_examples=40)
@given(PAIRS)
def test_the_design_effect_is_the_sum_over_comparisons_that_share_a_subject(rows):
    subjects = np.array([row[:2] for row in rows], np.int32)
    errors = np.array([row[2] for row in rows])
    if errors.all() or not errors.any():
        assert design_effect(errors, subjects) == 1
        return
    deviation = errors - errors.mean()
    shared = sum(
        deviation[i] * deviation[j] for i in range(len(rows)) for j in range(len(rows)) if set(rows[i][:2]) & set(rows[j][:2])
    )
    assert design_effect(errors, subjects) == pytest.approx(max(1, shared / (deviation @ deviation)))


def test_the_same_comparison_four_times_is_worth_one():
    random = np.random.default_rng(3)
    apart = np.arange(4000, dtype=np.int32).reshape(-1, 2)
    errors = random.random(2000) < 0.1
    assert design_effect(errors, apart) == pytest.approx(1)
    assert design_effect(np.repeat(errors, 4), np.repeat(apart, 4, axis=0)) == pytest.approx(4)


def test_a_bootstrap_draw_counts_each_comparison_as_often_as_both_its_subjects_were_drawn():
    random = np.random.default_rng(5)
    subjects = np.array([[0, 0], [0, 1], [2, 1], [3, 0], [3, 3], [2, 0]], np.int32)
    scores = random.random(6)
    found = bootstrap(scores, subjects, np.array([0.2, 0.5, 2.0]), replicates=50, seed=9)
    for row, drawn in zip(found, np.random.default_rng(9).multinomial(4, [0.25] * 4, 50).tolist(), strict=True):
        weights = [drawn[a] * (drawn[b] if a != b else 1) for a, b in subjects.tolist()]
        if not sum(weights):
            assert np.isnan(row).all()
            continue
        for threshold, share in zip((0.2, 0.5, 2.0), row, strict=True):
            expected = sum(w for w, score in zip(weights, scores, strict=True) if score >= threshold) / sum(weights)
            assert share == pytest.approx(expected)


def test_a_long_list_is_weighed_in_batches_to_the_same_result(monkeypatch):
    random = np.random.default_rng(3)
    subjects, scores = random.integers(0, 30, (500, 2)).astype(np.int32), random.random(500)
    whole = bootstrap(scores, subjects, np.array([0.3, 0.9]), replicates=20)
    monkeypatch.setattr(dependence, "_BATCH", 7)
    np.testing.assert_allclose(bootstrap(scores, subjects, np.array([0.3, 0.9]), replicates=20), whole)


def test_the_same_seed_gives_the_same_interval():
    subjects, scores = all_pairs(12), np.random.default_rng(1).random(66)
    first, second = (bootstrap(scores, subjects, np.array([0.7]), replicates=40, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_where_people_differ_the_bootstrap_covers_the_truth_and_the_binomial_interval_does_not():
    """Some people are mistaken often: the rate of a sample of people depends on who is in it."""
    random = np.random.default_rng(11)
    subjects = all_pairs(40)
    wolves = 0.15
    risk = np.array([[0.02, 0.10], [0.10, 0.45]])
    truth = (1 - wolves) ** 2 * 0.02 + 2 * wolves * (1 - wolves) * 0.10 + wolves**2 * 0.45
    covered, binomial = 0, 0
    for repeat in range(60):
        kind = (random.random(40) < wolves).astype(int)
        errors = random.random(len(subjects)) < risk[kind[subjects[:, 0]], kind[subjects[:, 1]]]
        low, high = percentiles(bootstrap(errors.astype(float), subjects, np.array([0.5]), replicates=100, seed=repeat))[:, 0]
        covered += low <= truth <= high
        low, high = clopper_pearson(int(errors.sum()), errors.size)
        binomial += low <= truth <= high
    assert covered >= 0.85 * 60
    assert binomial < 0.8 * 60
