"""The grid: doubles fall out, what the model left out has its place, and any columns come to cells or to nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrz.decode import cells
from mrz.recognise import ALPHABET, BLANK

LINE = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"


def columns(text, *, pitch=5.2, start=8.0, end=8.0, bend=0.0):
    """What a model says of ``text``; a blank in it is a place where it sees nothing."""
    places = start + pitch * np.arange(len(text)) + bend * np.arange(len(text)) ** 2
    out = np.full((round(places[-1] + end) + 1, BLANK + 1), 0.001)
    out[:, BLANK] = 1.0
    for place, character in zip(places, text, strict=True):
        if character != " ":
            for column in (int(place), int(place) + 1):
                out[column] = 0.001
                out[column, ALPHABET.index(character)] = 1.0
    return np.log(out / out.sum(axis=1, keepdims=True)).astype(np.float32)


def read(found, length=44):
    start, _ = found.window(length)
    return "".join(ALPHABET[k] for k in found.cut(start, length).argmax(axis=1))


@pytest.mark.parametrize("pitch", [3.6, 4.4, 5.2, 5.6])
@pytest.mark.parametrize("bend", [0.0, 0.004, -0.004])
def test_a_line_is_read_at_any_pitch_and_in_perspective(pitch, bend):
    assert read(cells(columns(LINE, pitch=pitch, bend=bend))) == LINE


def test_a_filler_that_the_model_left_out_keeps_its_place_and_has_no_presence():
    found = cells(columns(LINE[:38] + "  " + LINE[40:]))
    start, _ = found.window(44)
    assert read(found)[:38] == LINE[:38]
    assert read(found)[40:] == LINE[40:]
    assert (found.seen(start, 44)[38:40] < 0).all()


def test_a_character_seen_twice_is_one():
    seen = columns(LINE)
    seen[10], seen[11] = seen[9], seen[9]
    assert read(cells(seen)) == LINE


def test_a_line_that_has_left_the_strip_is_unsure_there():
    found = cells(columns(LINE[3:], start=1.0))
    start, _ = found.window(44)
    assert (found.seen(start, 44) < 0).sum() >= 2


@pytest.mark.parametrize("text", ["", "ABCDEF"])
def test_a_few_characters_are_no_line(text):
    assert cells(columns(text or " ")) is None


@given(st.integers(1, 200), st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 8.0, 30.0]), st.sampled_from([0.0, 3.0, 15.0]))
@settings(max_examples=60)
def test_any_columns_come_to_cells_or_nothing(width, seed, spread, blank):
    seen = np.random.default_rng(seed).uniform(-spread, 0, (width, BLANK + 1)).astype(np.float32)
    seen[::3, BLANK] += blank
    found = cells(seen)
    if found is not None:
        assert found.characters.shape == (len(found.presence), BLANK)
        assert np.isfinite(found.characters).all()
        for length in (30, 36, 44):
            start, _ = found.window(length)
            assert found.cut(start, length).shape == (length, BLANK)
