"""A zone of a longer format is never read as one of a shorter format that lacks its end: a visa's check digits would not tell."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mrz.decode import BESIDE, Cells
from mrz.reading import Accepted

VISA = ("VIUSATRAVELER<<HAPPYPERSON<<<<<<<<<<<<<<<<<<", "555123ABC6GBR6502056F0412236IFLND00AMS803085")
"""The specimen of the United States' visa: its first 36 columns are a well-formed MRV-B."""


def grid(presence):
    places = len(presence)
    return Cells(
        characters=np.zeros((places, 37)),
        presence=np.array(presence, float),
        columns=np.arange(places + 1.0) * 5,
        irregularity=0.0,
    )


@pytest.mark.parametrize(
    ("before", "after", "goes_on"),
    [
        ((), (), False),
        ((), (5, 5, 5), True),
        ((5, 5, 5), (), True),
        ((), (5, -5, 5), True),
        ((), (5, -5, -5), True),
        ((), (-5, 5, -5), False),
        ((5,), (), True),
    ],
)
def test_characters_beside_a_window_show_that_the_line_goes_on(before, after, goes_on):
    blank = (-5.0,) * BESIDE
    cells = grid((*blank, *before, *(5.0,) * 36, *after, *blank))
    assert cells.runs_on(BESIDE + len(before), 36) is goes_on


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("columns_lost", [1, 3, 5, 7])
def test_a_visa_that_lost_its_end_is_no_smaller_visa(page, reader, turns, columns_lost):
    drawn = page(VISA, at=(640, 60), size=(900, 1250))
    whole = reader.read([drawn], second_look=True)
    assert isinstance(whole, Accepted)
    (left, _), (right, _) = whole.quads[0][:2]
    drawn[:, round(right - columns_lost * (right - left) / 44) :] = 225
    reading = reader.read([np.ascontiguousarray(np.rot90(drawn, turns))], second_look=True)
    assert not isinstance(reading, Accepted)


@pytest.mark.parametrize("scale", [0.6, 0.8, 1.0])
@pytest.mark.parametrize("turns", range(4))
def test_a_visa_is_read_whole_whichever_way_it_lies(page, reader, turns, scale):
    drawn = cv2.resize(page(VISA, at=(640, 60), size=(900, 1250)), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    reading = reader.read([np.ascontiguousarray(np.rot90(drawn, turns))], second_look=True)
    assert not isinstance(reading, Accepted) or reading.lines == VISA


@pytest.mark.parametrize("order", [(0, 1, 1), (0, 0, 1), (0, 1, 0)])
def test_a_line_too_many_is_no_zone_whichever_two_would_be_one(page, reader, zone, order):
    lines = zone("TD3")
    reading = reader.read([page([lines[index] for index in order], at=(600, 90))], second_look=True)
    assert not isinstance(reading, Accepted)
