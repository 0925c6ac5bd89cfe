"""The capture generator: pictures that repeat, with the truth in them."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest

import mrz
from benchmarks.mrz_captures import NEGATIVES, Capture, document, negative
from benchmarks.mrz_contents import FORMATS, misprinted, zone
from benchmarks.mrz_pages import glyphs

LEFT_SIDE_UP = np.array([(0, 0), (440, 0), (440, 80), (0, 80)], np.float32)


def test_the_same_dice_give_the_same_capture() -> None:
    first, second = (document(random.Random(5), frames=2) for _ in range(2))
    assert first.lines == second.lines
    assert all(np.array_equal(one, other) for one, other in zip(first.frames, second.frames, strict=True))
    assert not np.array_equal(*first.frames)


@pytest.mark.parametrize("kind", FORMATS)
def test_contents_are_well_formed_and_their_check_digits_right(kind: str) -> None:
    for seed in range(200):
        record = mrz.parse(zone(random.Random(seed), kind).lines)
        assert record.format == kind
        assert record.check_digits_ok, record.findings


def test_a_misprint_is_wrong_in_one_check_digit_at_least() -> None:
    for seed in range(50):
        assert not mrz.parse(misprinted(random.Random(seed)).lines).check_digits_ok


@pytest.mark.parametrize("tier", ["scanner", "phone", "hard"])
def test_the_zone_lies_where_the_capture_says(tier: str) -> None:
    """Unbent by the corners that are told, the box holds what is printed: it looks like the line drawn plainly, not like another."""
    alike = other = 0.0
    plain = glyphs(10, 35)
    for seed in range(3):
        taken = document(random.Random(seed), tier=tier)  # type: ignore[arg-type]  # the three of Tier
        stranger = zone(random.Random(seed + 1000), taken.format)
        found = _flattened(taken)
        alike += _likeness(found, taken.lines, plain)
        other += _likeness(found, stranger.lines, plain)
    assert alike > 1.2 * other > 0


def _flattened(taken: Capture) -> np.ndarray:
    grey = taken.frames[0] if taken.frames[0].ndim == 2 else cv2.cvtColor(taken.frames[0], cv2.COLOR_BGR2GRAY)
    way = cv2.getPerspectiveTransform(taken.zones[0].astype(np.float32), LEFT_SIDE_UP)
    flat = 255.0 - cv2.warpPerspective(grey, way, (440, 80))
    return flat - cv2.GaussianBlur(flat, (0, 0), 15)


def _likeness(found: np.ndarray, lines: tuple[str, ...], plain: object) -> float:
    ink = np.vstack([plain.line(line) for line in lines]).astype(np.float32)  # type: ignore[attr-defined]  # a Glyphs
    drawn = cv2.GaussianBlur(cv2.resize(ink, (440, 80)), (0, 0), 2)
    return float(cv2.matchTemplate(found.astype(np.float32), drawn[8:-8, 8:-8], cv2.TM_CCOEFF_NORMED).max())


@pytest.mark.parametrize("frames", [1, 3])
def test_frames_are_pictures(frames: int) -> None:
    taken = document(random.Random(2), tier="phone", frames=frames)
    assert len(taken.frames) == len(taken.zones) == frames
    assert all(frame.dtype == np.uint8 and frame.ndim in {2, 3} and max(frame.shape) >= 1080 for frame in taken.frames)


@pytest.mark.parametrize("kind", sorted(NEGATIVES))
def test_every_kind_of_negative_can_be_drawn(kind: str) -> None:
    seeds = (seed for seed in range(2000) if random.Random(seed).choice(sorted(NEGATIVES)) == kind)
    taken = negative(random.Random(next(seeds)))
    assert taken.kind == kind
    assert len(taken.frames) == 1
    assert bool(taken.lines) == (kind in {"wrong check digit", "characters covered", "cut off"})


def test_nearly_all_scanner_captures_show_the_whole_zone() -> None:
    assert sum(document(random.Random(seed)).whole for seed in range(12)) >= 11
