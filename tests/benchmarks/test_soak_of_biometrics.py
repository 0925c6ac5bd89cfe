"""The soak that looks for faces left behind meets every outcome and every death, often enough for a gate that is slow now and then."""

from __future__ import annotations

from collections import Counter

from benchmarks.soak import dice
from benchmarks.soak_biometrics import BY_OUTCOME, MUST_SEE, drawn
from benchmarks.soak_suites import SUITES
from gate.demo.cast import load_cast
from gate.outcome import Outcome

NAME = "biometrics_left_behind"
LEAST = 5


def test_every_traveller_of_the_cast_is_drawn_for_one_outcome():
    assert set(BY_OUTCOME) == set(Outcome)
    assert sorted(sum(BY_OUTCOME.values(), ())) == sorted(traveller.id for traveller in load_cast().traveller)


def test_at_full_count_every_outcome_and_every_death_comes():
    outcome_of = {traveller: outcome for outcome, travellers in BY_OUTCOME.items() for traveller in travellers}
    met: Counter[str] = Counter()
    for number in range(SUITES[NAME].cases):
        traveller, crash = drawn(dice(7, NAME, number))
        met[f"{crash.role} died" if crash else outcome_of[traveller]] += 1
    assert set(met) == MUST_SEE == SUITES[NAME].must_see
    assert min(met.values()) >= LEAST, met
