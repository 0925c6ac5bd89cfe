"""What is accepted, and what is not however well its check digits agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrz import FORMATS
from mrz.accept import ALONE, CONFIRMED, decide

# Doc 9303-4 Appendix A, with Utopia's specimen
LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
NAME, STATE, NUMBER, BIRTH = (0, 5), (0, 2), (1, 0), (1, 13)


def decided(seen, doubts=(), needed=CONFIRMED, lines=LINES):
    return decide(*seen(lines, doubts), needed)


@pytest.mark.parametrize("needed", [CONFIRMED, ALONE])
def test_what_is_surely_read_is_accepted(seen, needed):
    decision = decided(seen, needed=needed)
    assert decision.record is not None
    assert decision.record.lines == LINES


def test_every_format_is_accepted(seen, zone):
    for form in FORMATS:
        lines = zone(form)
        assert decided(seen, lines=lines).record.lines == lines, form


@pytest.mark.parametrize("place", [NAME, (0, 24), (0, 25)])
def test_a_doubtful_letter_of_the_name_is_refused_though_every_check_digit_agrees(seen, place):
    other = "C" if LINES[place[0]][place[1]] != "C" else "G"
    decision = decided(seen, [(*place, other, 2.0)])
    assert (decision.record, decision.reason) == (None, "margin")
    assert f"column {place[1] + 1}" in decision.detail


def test_a_pair_that_check_digits_cannot_tell_needs_the_margin_of_a_name(seen):
    assert decided(seen, [(1, 9, "G", 2.5)]).record is not None, "a check digit is a figure: G cannot stand there"
    blind = [(1, 0, "1", 2.5)]  # L and 1 have values that are equal modulo 10
    assert decided(seen, blind).reason == "margin"
    assert decided(seen, [(1, 0, "1", 5.0)]).record is not None


def test_a_character_that_a_check_digit_sees_needs_less(seen):
    assert decided(seen, [(1, 1, "B", 2.5)]).record is not None
    assert decided(seen, [(1, 1, "B", 0.2)]).reason == "margin", "but not nothing"


def test_two_changes_that_make_up_for_each_other_are_one_rival(seen):
    # 8 → 9 where the weight is 3, and where it is 7: 10 in all
    assert decided(seen, [(1, 1, "9", 1.5)]).record is not None
    assert decided(seen, [(1, 3, "9", 1.5)]).record is not None
    both = decided(seen, [(1, 1, "9", 1.5), (1, 3, "9", 1.5)])
    assert both.reason == "margin"


def test_an_unknown_state_is_no_rival_but_a_known_one_is(seen):
    lines = (LINES[0].replace("UTO", "IDN"), LINES[1].replace("UTO", "IDN"))
    assert decided(seen, [(0, 3, "O", 2.5)], lines=lines).record is not None, "ION is no State"
    assert decided(seen, [(0, 4, "D", 2.5)], lines=lines).record is not None, "IDD neither"
    assert decided(seen, [(0, 3, "R", 2.5), (0, 2, "I", 9)], lines=lines).reason == "margin", "IRN is Iran"


def test_an_unknown_state_has_to_be_read_more_surely(seen):
    lines = (LINES[0].replace("UTO", "QQZ"), LINES[1])
    assert decided(seen, lines=lines).record is not None
    assert decided(seen, [(0, 2, "O", 5.0)], lines=lines).reason == "margin"


def test_one_wrong_character_is_repaired_where_a_chip_will_confirm_it(seen):
    misread = (LINES[0], LINES[1].replace("L898902C3", "L89B902C3"))
    decision = decided(seen, [(1, 3, "8", 0.7)], lines=misread)
    assert decision.record.lines == LINES
    assert [(c.line, c.column, c.found, c.used) for c in decision.record.corrections] == [(2, 4, "B", "8")]
    assert decision.margins[1, 3] >= CONFIRMED.repair


def test_nothing_is_repaired_where_no_chip_follows(seen):
    misread = (LINES[0], LINES[1].replace("L898902C3", "L89B902C3"))
    assert decided(seen, [(1, 3, "8", 0.7)], lines=misread, needed=ALONE).reason == "check_digit"


def test_a_repair_with_two_ways_to_make_the_digits_agree_is_refused(seen):
    misread = (LINES[0], LINES[1].replace("L898902C3", "L89B902C3"))
    two_ways = [(1, 3, "8", 0.7), (1, 3, "I", 2.0)]  # 8 and I have values that are equal modulo 10
    assert decided(seen, two_ways, lines=misread).reason == "check_digit"


def test_a_repair_that_the_picture_contradicts_is_refused(seen):
    misread = (LINES[0], LINES[1].replace("L898902C3", "L89B902C3"))
    assert decided(seen, lines=misread).reason == "check_digit"
    assert decided(seen, [(1, 3, "8", 6.0)], lines=misread).reason == "check_digit"


def test_two_wrong_characters_are_never_repaired(seen):
    misread = (LINES[0], LINES[1].replace("L898902C3", "L89B9O2C3"))
    assert decided(seen, [(1, 3, "8", 0.5), (1, 5, "0", 0.5)], lines=misread).reason == "check_digit"


def test_letters_where_dates_stand_are_no_zone(seen):
    lines = (LINES[0], LINES[1].replace("740812", "7A0812"))
    assert decided(seen, lines=lines).reason == "no_mrz"


def test_a_figure_that_looks_like_the_letter_of_its_place_is_taken_for_it(seen):
    lines = (LINES[0].replace("UTO", "UT0"), LINES[1])
    assert decided(seen, [(0, 4, "O", 2.0)], lines=lines).record.lines == LINES
    assert decided(seen, [(0, 4, "O", 9.0)], lines=lines).reason == "no_mrz", "where the picture does not deny it"


def test_a_place_without_ink_is_refused(seen):
    characters, presence = seen(LINES)
    presence[1, 30] = -1.0
    assert decide(characters, presence, CONFIRMED).reason == "margin"


SHAPES = [(form.lines, form.length) for form in FORMATS.values()] + [(1, 44), (2, 30), (4, 36)]


@given(st.sampled_from(SHAPES), st.integers(0, 2**32), st.sampled_from([0.1, 3.0, 20.0]), st.sampled_from([CONFIRMED, ALONE]))
@settings(max_examples=60)
def test_noise_is_never_accepted(shape, seed, spread, needed):
    characters = np.random.default_rng(seed).uniform(-spread, 0, (*shape, 37))
    decision = decide(characters, np.full(shape, 9.0), needed)
    assert decision.record is None
    assert decision.reason is not None


@given(
    doubts=st.lists(
        st.tuples(
            st.integers(0, 1), st.integers(0, 43), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"), st.floats(-6, 12)
        ),
        max_size=4,
    )
)
def test_what_is_accepted_has_right_digits_and_the_strict_accept_nothing_else(seen, doubts):
    kind, strict = decided(seen, doubts), decided(seen, doubts, ALONE)
    for decision, needed in ((kind, CONFIRMED), (strict, ALONE)):
        if decision.record is not None:
            assert decision.record.check_digits_ok
            assert decision.margins.min() >= needed.floor
    if strict.record is not None:
        assert kind.record is not None
        assert kind.record.lines == strict.record.lines
