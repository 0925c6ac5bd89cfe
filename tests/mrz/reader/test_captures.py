"""A slice of the long suites ``captures_…``: what the reader accepts from a picture is what stands there."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import mrz
from benchmarks.mrz_captures import NEGATIVES, Capture, document, negative
from benchmarks.soak_captures import EXACT, differences, read
from mrz.reader import MrzReader
from mrz.reading import Accepted, Reading, Refused, Timings


def test_documents_under_a_scanner_are_read_exactly_or_refused() -> None:
    reader, seen = MrzReader(), Counter[str]()
    for seed in range(16):
        seen[read(reader, document(random.Random(seed)), second_look=seed % 2 == 0)] += 1
    assert seen[EXACT] >= 12, seen


def test_photos_are_read_exactly_or_refused() -> None:
    reader, seen = MrzReader(), Counter[str]()
    for seed in range(10):
        tier = ("phone", "hard")[seed % 2]
        seen[read(reader, document(random.Random(seed), tier=tier), second_look=True)] += 1  # type: ignore[arg-type]  # of Tier
    assert seen[EXACT] >= 3, seen


def test_three_frames_are_read_exactly_or_refused() -> None:
    reader, seen = MrzReader(), Counter[str]()
    for seed in range(4):
        seen[read(reader, document(random.Random(seed), frames=3), second_look=True)] += 1
    assert seen[EXACT] >= 3, seen


@pytest.mark.parametrize("kind", sorted(NEGATIVES))
def test_what_is_no_zone_is_not_accepted(kind: str) -> None:
    seeds = (seed for seed in range(2000) if random.Random(seed).choice(sorted(NEGATIVES)) == kind)
    read(MrzReader(), negative(random.Random(next(seeds))), second_look=True)


@pytest.mark.parametrize("seed", [34, 120, 193, 197])
def test_two_cards_are_never_taken_for_one(seed: int) -> None:
    """Their lines stand so close that they run into each other, or one's other lines are lost among clutter."""
    reading = MrzReader().read(negative(random.Random(seed)).frames, second_look=True)
    assert isinstance(reading, Refused)
    assert reading.reason == "several_documents"


class Misreader(MrzReader):
    """Accepts one line that another document has."""

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__()
        self._found = tuple(found)

    def read(self, frames: Sequence[NDArray[np.uint8]], *, second_look: bool) -> Reading:
        timings = Timings(locate=0.0, recognise=0.0, total=0.0)
        return Accepted(record=mrz.parse(self._found), margins=(), frames_used=1, quads=(None,), timings=timings)


@pytest.fixture(scope="module")
def passport() -> Capture:
    return next(each for each in (document(random.Random(seed)) for seed in range(50)) if each.format == "TD3")


def test_a_reader_that_is_wrong_in_one_letter_of_a_name_fails_the_suite(passport: Capture) -> None:
    upper, lower = passport.lines
    misread = (upper[:5] + ("A" if upper[5] != "A" else "E") + upper[6:], lower)
    assert read(Misreader(passport.lines), passport, second_look=True) == EXACT
    with pytest.raises(AssertionError, match="1/6"):
        read(Misreader(misread), passport, second_look=True)


def test_a_reader_that_reads_where_nothing_may_be_read_fails_the_suite(passport: Capture) -> None:
    with pytest.raises(AssertionError, match="accepted wrong"):
        read(Misreader(passport.lines), replace(passport, lines=()), second_look=True)


def test_differences_name_line_and_column() -> None:
    assert differences(("AB", "CD"), ("AB", "CE")) == "2/2 D for E"
    assert differences(("AB",), ("AB",)) == ""
