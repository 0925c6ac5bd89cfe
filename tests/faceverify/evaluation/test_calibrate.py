"""A threshold is set where the data support it, on the hardest stratum, and nowhere else."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceverify.evaluation.calibrate import Refused, Setting, Shortage, hardest, lowest
from faceverify.evaluation.intervals import upper_bound
from faceverify.evaluation.strata import Stratum


def apart(count: int) -> np.ndarray:
    """Comparisons of which no two share a subject."""
    return np.arange(2 * count, dtype=np.int32).reshape(-1, 2)


def group(name: str, members, *, alike: bool = True) -> Stratum:
    return Stratum(column="group", value=name, alike=alike, members=np.asarray(members, bool))


def test_the_published_number_of_comparisons_is_needed_and_is_enough():
    """Rule of three: an FMR of 0.1 % takes about 3,000 non-mated comparisons without an error."""
    scores = np.linspace(0, 0.4, 3000)
    assert isinstance(lowest(scores[:2994], apart(2994), 1e-3, "all"), Shortage)
    setting = lowest(scores[:2995], apart(2995), 1e-3, "all")
    assert isinstance(setting, Setting)
    assert setting.false_matches == 0
    assert setting.fmr_upper <= 1e-3


def test_a_refusal_says_how_many_comparisons_would_be_needed():
    short = lowest(np.linspace(0, 0.4, 500), apart(500), 1e-3, "all")
    assert isinstance(short, Shortage)
    assert short.needed == 2995
    assert short.why == "all: 500 non-mated comparisons, worth 500 independent ones; an FMR of 0.001 needs about 2,995"


def test_repeating_the_same_comparisons_supports_nothing_more():
    scores, subjects = np.linspace(0, 0.4, 600), apart(600)
    short = lowest(np.tile(scores, 20), np.tile(subjects, (20, 1)), 1e-3, "all")
    assert isinstance(short, Shortage)
    assert short.effective <= 600


def test_many_pictures_of_few_people_support_nothing():
    random = np.random.default_rng(2)
    subjects = np.repeat(np.array(list(itertools.combinations(range(10), 2)), np.int32), 1000, axis=0)
    short = lowest(random.random(len(subjects)) * 0.4, subjects, 1e-2, "all")
    assert isinstance(short, Shortage)
    assert short.effective <= 45


def test_no_comparison_at_all_is_refused():
    short = lowest(np.empty(0), np.empty((0, 2), np.int32), 1e-2, "empty")
    assert isinstance(short, Shortage)
    assert short.comparisons == 0


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), target=st.sampled_from([0.02, 0.05, 0.1]))
def test_the_threshold_keeps_its_bound_and_no_lower_one_does(seed, target):
    scores = np.random.default_rng(seed).normal(0.1, 0.1, 400).round(3)
    setting = lowest(scores, apart(400), target, "all")
    assert isinstance(setting, Setting)
    assert setting.false_matches == np.count_nonzero(scores >= setting.score)
    assert setting.fmr_upper <= target
    next_lower = scores[scores < setting.score].max()
    assert upper_bound(np.count_nonzero(scores >= next_lower), 400) > target


def test_equal_scores_are_all_below_the_threshold_or_all_above():
    scores = np.repeat([0.1, 0.2, 0.3], 1000)
    setting = lowest(scores, apart(3000), 0.05, "all")
    assert isinstance(setting, Setting)
    assert setting.score > 0.3
    assert setting.false_matches == 0


def test_the_hardest_stratum_sets_the_threshold_not_the_pool():
    random = np.random.default_rng(4)
    easy, hard = random.normal(0.0, 0.1, 8000), random.normal(0.2, 0.1, 1000)
    scores, members = np.concatenate([easy, hard]), np.arange(9000) >= 8000
    pool = group("everybody", np.ones(9000))
    alone = hardest(scores, apart(9000), [pool], 1e-2)
    together = hardest(scores, apart(9000), [pool, group("easy", ~members), group("hard", members)], 1e-2)
    assert isinstance(alone, Setting)
    assert isinstance(together, Setting)
    assert together.stratum == "group = hard"
    assert together.score > alone.score
    assert np.mean(hard >= together.score) <= 1e-2 < np.mean(hard >= alone.score)


def test_one_stratum_too_small_refuses_the_threshold_and_is_named():
    scores, members = np.linspace(0, 0.4, 5000), np.arange(5000) < 40
    found = hardest(scores, apart(5000), [group("most", ~members), group("few", members)], 1e-2)
    assert isinstance(found, Refused)
    assert [shortage.stratum for shortage in found.shortages] == ["group = few"]


def test_comparisons_of_unlike_people_are_no_stratum_to_calibrate_on():
    scores, members = np.linspace(0, 0.4, 5000), np.arange(5000) < 40
    found = hardest(scores, apart(5000), [group("most", ~members), group("different", members, alike=False)], 1e-2)
    assert isinstance(found, Setting)


def test_pictures_that_score_as_equal_leave_no_threshold():
    scores = np.concatenate([np.ones(200), np.zeros(800)])
    short = lowest(scores, apart(1000), 0.05, "all")
    assert isinstance(short, Shortage)
    assert short.needed is None
    assert "one picture under two subjects" in short.why


@pytest.mark.parametrize("target", [0.0, -0.1, 0.11, float("nan")])
def test_an_fmr_that_protects_nothing_is_refused(target):
    with pytest.raises(ValueError, match="between 0 and"):
        hardest(np.zeros(10), apart(10), [group("all", np.ones(10))], target)


def test_of_many_calibrations_nineteen_in_twenty_keep_the_true_rate():
    """Scores of a known distribution: uniform, so that the FMR at a threshold is one minus it."""
    random = np.random.default_rng(8)
    found = [lowest(random.random(600), apart(600), 0.02, "all") for _ in range(200)]
    kept = sum(1 - setting.score <= 0.02 for setting in found)
    assert kept >= 0.91 * 200
