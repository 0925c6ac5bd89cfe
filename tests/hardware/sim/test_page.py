"""Pretend data pages: to size, in both lights, and under every condition that a reader's glass knows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.sim.glass import MARGIN_MM, Conditions, Glass
from hardware.sim.page import DataPage, Look

TD3 = (  # Doc 9303-4, specimen of Utopia
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
CLEAN = Conditions(noise=0, blur=0)
INK = 90
"""Grey below which there is ink; the dark around the page is cut away first."""


DPI = 200


def capture(light="infrared", **conditions) -> np.ndarray:
    glass = Glass(DataPage(mrz_lines=TD3, look=Look(dpi=DPI)))
    return glass.capture(light, Conditions(**conditions), np.random.default_rng(1))


def inner(frame: np.ndarray) -> np.ndarray:
    """The page without the glass around it."""
    margin = round(MARGIN_MM / 25.4 * DPI) + 4
    return frame[margin:-margin, margin:-margin]


def ink_box(page: np.ndarray) -> tuple[int, int, int, int]:
    """Left, right, top and bottom of what is inked."""
    rows, columns = np.flatnonzero((page < INK).any(axis=1)), np.flatnonzero((page < INK).any(axis=0))
    return int(columns[0]), int(columns[-1]), int(rows[0]), int(rows[-1])


@pytest.mark.parametrize(("lines", "left_mm"), [(TD3, 6.0), (TD2, 4.0), (TD1, 5.0)], ids=["TD3", "TD2", "TD1"])
@pytest.mark.parametrize("dpi", [200, 365, 600])
def test_the_zone_stands_where_and_as_large_as_it_should(lines, left_mm, dpi):
    page = DataPage(mrz_lines=lines, look=Look(dpi=dpi)).draw("infrared")
    left, right, top, bottom = ink_box(page)
    mm = 25.4 / dpi
    assert left * mm == pytest.approx(left_mm + 0.5, abs=0.6)  # a character has half a millimetre of room on each side
    assert (right - left) * mm == pytest.approx(len(lines[0]) * 2.54 - 1, abs=0.8)
    assert (bottom - top) * mm == pytest.approx((len(lines) - 1) * 6.35 + 2.7, abs=0.4)
    assert page.shape[0] * mm - top * mm < 23.2


def test_infrared_shows_the_zone_alone_and_white_light_the_whole_page():
    page = DataPage(mrz_lines=TD3)
    grey, colour = page.draw("infrared"), page.draw("white")
    assert grey.ndim == 2
    assert colour.ndim == 3
    assert len(np.unique(grey[: grey.shape[0] * 7 // 10])) == 1
    assert len(np.unique(colour[: grey.shape[0] * 7 // 10])) > 100


def test_a_copied_zone_is_there_in_white_light_and_gone_in_infrared():
    page = DataPage(mrz_lines=TD3, look=Look(infrared_ink=False))
    assert len(np.unique(page.draw("infrared"))) == 1
    assert (page.draw("white") == DataPage(mrz_lines=TD3).draw("white")).all()


def test_upside_down_is_a_half_turn_and_mirrored_a_reflection():
    plain = capture(noise=0, blur=0)
    turned = capture(noise=0, blur=0, upside_down=True)
    assert np.abs(turned[1:, 1:].astype(int) - np.rot90(plain, 2)[:-1, :-1]).mean() < 1
    assert (inner(capture(noise=0, blur=0, mirrored=True)) == inner(plain)[:, ::-1]).all()


@pytest.mark.parametrize("skew", [-3.0, 2.0, 17.0])
def test_a_skewed_page_lies_at_that_angle(skew):
    frame = capture(skew=skew)
    points = cv2.findNonZero((frame > INK).astype(np.uint8))
    angle = cv2.minAreaRect(points)[2]
    off = (angle + skew) % 90
    assert min(off, 90 - off) < 0.3


def test_glare_whites_the_zone_out_where_it_falls_and_nowhere_else():
    plain, shining = capture("white"), capture("white", glare=(0.5, 0.84))
    spot = (shining.astype(int) - plain).max(axis=2) > 60
    assert (shining[spot] > 225).mean() > 0.5
    rows, columns = np.nonzero(spot)
    height, width = plain.shape[:2]
    assert abs(columns.mean() / width - 0.5) < 0.05
    assert 0.7 < rows.mean() / height < 0.9
    assert spot.mean() < 0.03


def test_a_page_beyond_the_glass_has_lost_its_last_line():
    whole, cut = inner(capture()), capture(cut=0.12)
    assert ink_box(whole)[3] < whole.shape[0] - 30
    rows = np.flatnonzero((cut[150:, 150:-150] < INK).any(axis=1))
    assert rows[-1] + 150 == cut.shape[0] - 1  # the line is cut through by the edge


def test_a_closed_book_shows_no_zone():
    for light in ("white", "infrared"):
        assert inner(capture(light, covered=True)).mean() < 80


def test_each_picture_has_its_own_noise_and_the_same_dice_the_same():
    glass = Glass(DataPage(mrz_lines=TD3))
    first, second, again = (glass.capture("infrared", Conditions(), np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert (first == again).all()
    assert 1 < np.abs(first.astype(int) - second).mean() < 6
    clean = glass.capture("infrared", CLEAN, np.random.default_rng(1))
    assert abs(float(first.mean()) - float(clean.mean())) < 0.5


def test_conditions_change_what_is_seen_and_go_again():
    glass = Glass(DataPage(mrz_lines=TD3))
    dice = np.random.default_rng
    before = glass.capture("infrared", CLEAN, dice(1))
    assert (glass.capture("infrared", Conditions(noise=0, blur=0, light=0.5), dice(1)) < before).mean() > 0.5
    assert (glass.capture("infrared", CLEAN, dice(1)) == before).all()


@settings(max_examples=25)
@given(st.lists(st.text(max_size=70), max_size=4).map(tuple))
def test_whatever_is_to_be_printed_is_printed_or_left_blank(lines):
    page = DataPage(mrz_lines=lines, look=Look(dpi=100))
    assert page.draw("white").shape[:2] == page.draw("infrared").shape


@pytest.mark.parametrize(
    "told",
    [
        {"skew": float("nan")},
        {"skew": 1e9},
        {"blur": float("inf")},
        {"glare": [1]},
        {"glare": "no"},
        {"shift": 3},
        {"skew": "much"},
        {"fog": 1},
    ],
)
def test_conditions_that_are_none_are_refused(told):
    with pytest.raises((TypeError, ValueError)):
        Conditions.of(told)


def test_conditions_come_through_a_message():
    told = {"skew": 2, "glare": [0.5, 0.5], "shift": [1, -1], "upside_down": True}
    assert Conditions.of(told) == Conditions(skew=2, glare=(0.5, 0.5), shift=(1, -1), upside_down=True)


@pytest.mark.parametrize("dpi", [0, 99, 601])
def test_a_page_is_drawn_in_real_resolutions_only(dpi):
    with pytest.raises(ValueError, match="no resolution"):
        Look(dpi=dpi)
