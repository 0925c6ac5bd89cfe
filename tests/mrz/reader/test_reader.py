"""Whole pictures: what is read, whichever way the page lies, and what is refused, with its reason."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mrz import FORMATS
from mrz.locate import ink
from mrz.reader import LEAST_SIDE, MOST_PIXELS, _grey
from mrz.reading import Accepted, Refused

PROSE = (
    "THE MACHINE READABLE ZONE IS READ BY THE GATE",
    "WHAT STANDS HERE IS SET IN THE SAME CHARACTERS",
    "AND IN LINES OF FORTY OR SO BUT SAYS NOTHING OF",
    "A TRAVELLER NOR OF A DOCUMENT NOR OF ANY STATE",
    "AND THEREFORE NOBODY MAY PASS WITH THIS PAGE",
)


@pytest.mark.parametrize("form", FORMATS)
def test_a_page_of_each_format_is_read(reader, page, zone, form):
    lines = zone(form, 2)
    reading = reader.read([page(lines)], second_look=True)
    assert isinstance(reading, Accepted), reading
    assert reading.lines == lines
    assert (reading.record.format, reading.corrections) == (form, ())
    assert [len(line) for line in reading.margins] == [len(line) for line in lines]


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_page_that_lies_turned_is_read_and_its_zone_begins_at_the_first_corner(reader, page, zone, quarter):
    lines = zone("TD3", 3)
    reading = reader.read([np.rot90(page(lines), quarter)], second_look=True)
    assert reading.lines == lines
    first, second, _, last = (np.array(corner) for corner in reading.quads[0])
    along, down = second - first, last - first
    turn = {1: (0, -1), 2: (-1, 0), 3: (0, 1)}[quarter]
    assert np.dot(along / np.linalg.norm(along), turn) > 0.99
    assert along[0] * down[1] - along[1] * down[0] > 0, "clockwise"


@pytest.mark.parametrize("degrees", [-37, -8, 8, 24, 45])
def test_a_page_at_a_slant_is_read(reader, page, turned, zone, degrees):
    lines = zone("TD3", 4)
    assert reader.read([turned(page(lines), degrees)], second_look=True).lines == lines


def test_a_page_in_perspective_and_colour_is_read(reader, page, zone):
    lines = zone("TD3", 5)
    flat = cv2.cvtColor(page(lines), cv2.COLOR_GRAY2BGR)
    height, width = flat.shape[:2]
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    seen = corners + np.float32([[60, 40], [-20, 0], [0, -30], [30, 0]])
    picture = cv2.warpPerspective(flat, cv2.getPerspectiveTransform(corners, seen), (width, height), borderValue=(40, 60, 50))
    assert reader.read([picture], second_look=True).lines == lines


def test_a_mirrored_page_is_refused_as_that(reader, page, zone):
    assert reader.read([np.fliplr(page(zone("TD3", 6)))], second_look=True).reason == "mirrored"


def test_two_documents_are_refused_as_that(reader, page, zone):
    both = np.vstack((page(zone("TD3", 7), size=(500, 1400), at=(300, 90)), page(zone("TD3", 8), size=(500, 1400), at=(300, 90))))
    reading = reader.read([both], second_look=True)
    assert (type(reading), reading.reason) == (Refused, "several_documents")


@pytest.mark.parametrize("lost", [slice(0, 1090), slice(150, 1400)])
def test_a_zone_that_leaves_the_frame_is_cut_off(reader, page, zone, lost):
    reading = reader.read([np.ascontiguousarray(page(zone("TD3", 9))[:, lost])], second_look=True)
    assert (type(reading), reading.reason) == (Refused, "cut_off")


def test_one_line_alone_is_no_zone(reader, page, zone):
    assert isinstance(reader.read([page(zone("TD3", 9)[1:])], second_look=True), Refused)


def test_glare_over_a_few_characters_is_refused_as_that(reader, page, zone):
    picture = page(zone("TD3", 10)).astype(np.float32)
    across, down = np.meshgrid(np.arange(picture.shape[1]), np.arange(picture.shape[0]))
    spot = 600 * np.exp(-(((across - 500) / 60) ** 2 + ((down - 660) / 60) ** 2))
    reading = reader.read([np.clip(picture + spot, 0, 255).astype(np.uint8)], second_look=True)
    assert (type(reading), reading.reason) == (Refused, "glare")


def test_a_blurred_page_is_not_guessed(reader, page, zone):
    blurred = cv2.GaussianBlur(page(zone("TD3", 11)), (0, 0), 7)
    assert isinstance(reader.read([blurred], second_look=True), Refused)


def test_characters_too_small_to_be_told_apart_are_refused_as_that(reader, page, zone):
    small = cv2.resize(page(zone("TD3", 12)), None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    reading = reader.read([small], second_look=True)
    assert isinstance(reading, Refused)
    assert reading.reason in {"too_small", "no_mrz"}


def test_a_page_of_prose_in_ocr_b_is_no_zone(reader, page):
    for lines in (PROSE, tuple(line.replace(" ", "<").ljust(44, "<")[:44] for line in PROSE)):
        reading = reader.read([page(lines, at=(300, 90))], second_look=True)
        assert isinstance(reading, Refused), lines


def test_a_zone_with_a_wrong_check_digit_is_refused(reader, page, zone):
    upper, lower = zone("TD3", 13)
    wrong = lower[:9] + str((int(lower[9]) + 1) % 10) + lower[10:]
    reading = reader.read([page((upper, wrong))], second_look=True)
    assert (type(reading), reading.reason) == (Refused, "check_digit")


@pytest.mark.parametrize("kind", ["black", "white", "noise", "bars", "rules"])
def test_what_is_no_document_is_no_zone(reader, kind):
    random = np.random.default_rng(1)
    pictures = {
        "black": np.zeros((720, 1280), np.uint8),
        "white": np.full((720, 1280, 3), 255, np.uint8),
        "noise": random.integers(0, 256, (720, 1280), np.uint8),
        "bars": np.tile(np.repeat(random.integers(0, 2, 320, np.uint8) * 255, 4), (720, 1)),
        "rules": np.tile(np.repeat(random.integers(0, 2, 180, np.uint8) * 255, 4)[:, None], (1, 1280)),
    }
    assert reader.read([pictures[kind]], second_look=True).reason == "no_mrz"


def test_three_frames_vote(reader, page, zone):
    lines = zone("TD3", 14)
    reading = reader.read([page(lines, noise=22.0, seed=seed) for seed in (1, 2, 3)], second_look=False)
    assert isinstance(reading, Accepted), reading
    assert (reading.lines, reading.frames_used, len(reading.quads)) == (lines, 3, 3)


def test_a_name_changed_in_one_of_three_frames_is_a_disagreement(reader, page, zone):
    upper, lower = zone("TD3", 14)
    other = upper[:6] + ("O" if upper[6] != "O" else "K") + upper[7:]
    frames = [page((upper, lower)), page((other, lower)), page((upper, lower))]
    assert reader.read(frames, second_look=True).reason == "disagreement"


def test_a_frame_without_a_zone_costs_only_its_vote(reader, page, zone):
    lines = zone("TD3", 15)
    reading = reader.read([np.full((900, 1400), 200, np.uint8), page(lines)], second_look=True)
    assert (reading.lines, reading.frames_used) == (lines, 1)
    assert reading.quads[0] is None


BAD = {
    "none": [],
    "empty": [np.zeros((0, 0), np.uint8)],
    "one pixel": [np.zeros((1, 1), np.uint8)],
    "a row": [np.zeros((LEAST_SIDE - 1, 4000), np.uint8)],
    "floats": [np.zeros((600, 800))],
    "16 bits": [np.zeros((600, 800), np.uint16)],
    "four channels": [np.zeros((600, 800, 4), np.uint8)],
    "one dimension": [np.zeros(600, np.uint8)],
    "a list": [[[0, 1], [1, 0]]],
    "a thread": [np.zeros((LEAST_SIDE, 1_000_000), np.uint8)],
    "huge": [np.broadcast_to(np.uint8(0), (MOST_PIXELS // 1000 + 1, 1000))],
    "good and bad": [np.full((600, 800), 200, np.uint8), np.zeros((600, 800))],
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_picture_is_refused_as_that(reader, kind):
    assert reader.read(BAD[kind], second_look=True).reason == "bad_image"


SHAPES = st.one_of(
    st.tuples(st.integers(0, 40), st.integers(0, 40)),
    st.tuples(st.integers(16, 40), st.integers(16, 40), st.integers(1, 4)),
)


@given(arrays.arrays(st.sampled_from([np.uint8, np.float32, np.int16]), SHAPES))
@settings(max_examples=25)
def test_any_array_is_refused(reader, pixels):
    assert isinstance(reader.read([pixels], second_look=False), Refused)


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_what_was_looked_at_is_overwritten_and_the_caller_keeps_their_own(reader, page, zone, monkeypatch, colour):
    kept: list[np.ndarray] = []

    def keeping(how):
        def keep(*args, **kwargs):
            made = how(*args, **kwargs)
            kept.append(made.strokes if hasattr(made, "strokes") else made)
            return made

        return keep

    monkeypatch.setattr("mrz.reader._grey", keeping(_grey))
    monkeypatch.setattr("mrz.reader.ink", keeping(ink))
    picture = page(zone("TD3", 15))
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if colour else picture
    before = picture.copy()
    assert isinstance(reader.read([picture, np.fliplr(picture)], second_look=True), Accepted)
    assert len(kept) >= 4
    assert not any(each.any() for each in kept)
    assert np.array_equal(picture, before)


def test_no_text_of_a_document_is_in_a_refusal_or_a_repr(reader, page, zone):
    upper, lower = zone("TD3", 13)
    wrong = lower[:9] + str((int(lower[9]) + 1) % 10) + lower[10:]
    shown = repr(reader.read([page((upper, wrong))], second_look=True)) + repr(
        reader.read([page((upper, lower))], second_look=True)
    )
    assert lower[:9] not in shown
    assert upper[5:12] not in shown
