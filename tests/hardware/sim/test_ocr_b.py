"""The zone's characters are drawn to size, and each like no other."""

from __future__ import annotations

import itertools
import string

import numpy as np
import pytest

from hardware.sim.ocr_b import CELL_HEIGHT, FOOT, PITCH, SHAPES, STROKE, draw_line, glyph

ALPHABET = string.digits + string.ascii_uppercase + "<"


def ink(char: str, stroke: int = STROKE) -> np.ndarray:
    return glyph(char, stroke) < 128


def test_there_are_the_37_characters_of_a_zone_and_no_other():
    assert set(SHAPES) == set(ALPHABET)
    for wrong in ("a", "Ä", "", "AB", "_"):
        with pytest.raises(ValueError, match="no character"):
            glyph(wrong)


def test_each_character_keeps_to_its_cell_and_stands_in_its_middle():
    for char in ALPHABET:
        columns = np.flatnonzero(ink(char).any(axis=0))
        assert columns[0] > 30, char
        assert columns[-1] < PITCH - 30, char
        assert abs(float(columns.mean()) - PITCH / 2) < 25, char


@pytest.mark.parametrize(("chars", "height"), [(string.digits, 2.75), ("HKMNVXUCOSGJAT", 2.54)], ids=["figures", "capitals"])
def test_heights_are_those_of_size_one(chars, height):
    for char in chars:
        rows = np.flatnonzero(ink(char).any(axis=1))
        assert (rows[-1] - rows[0] + 1) / 100 == pytest.approx(height, abs=0.08), char
        assert rows[-1] == pytest.approx(FOOT + STROKE / 2, abs=5), char


@pytest.mark.parametrize("stroke", [25, 35, 45])
def test_a_stroke_is_as_wide_as_said(stroke):
    dark = 255 - glyph("T", stroke)[200].astype(float)
    assert dark.sum() / 255 == pytest.approx(stroke, abs=1)


def test_no_two_characters_are_drawn_alike_however_they_are_confused():
    alike = {a + b: (ink(a) & ink(b)).sum() / (ink(a) | ink(b)).sum() for a, b in itertools.combinations(ALPHABET, 2)}
    assert max(alike.values()) < 0.85, max(alike, key=alike.__getitem__)
    assert alike["0O"] < 0.75
    assert alike["1I"] < 0.6


def test_a_line_has_a_tenth_of_an_inch_for_each_character_at_any_resolution():
    for dpi in (200, 300, 365, 600):
        line = draw_line("P<UTO", height_px=dpi / 10)
        assert line.dtype == np.uint8
        assert line.shape == (round(CELL_HEIGHT / PITCH * dpi / 10), round(5 * dpi / 10))
        assert line.min() < 30
        assert line[:3].min() == 255  # paper above


def test_a_blank_is_paper_and_a_small_line_is_grey_at_its_edges():
    assert draw_line(" ", height_px=30).min() == 255
    shades = np.unique(draw_line("SO8", height_px=20))
    assert len(shades) > 30


@pytest.mark.parametrize(("text", "height"), [("", 30), ("A" * 201, 30), ("A", 0.5), ("A", 400), ("A", float("nan"))])
def test_what_cannot_be_drawn_is_refused(text, height):
    with pytest.raises(ValueError, match="a line has"):
        draw_line(text, height_px=height)
