"""Training samples: the same for the same seed, and labelled with what they show."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrz.training import degrade, evaluate, fonts, lines, render
from mrz.training.glyphs import ALPHABET, GlyphSet, load, save


@pytest.fixture(scope="module")
def base(glyphs: GlyphSet) -> fonts.Font:
    return fonts.distances(glyphs)


@pytest.fixture(scope="module")
def around() -> degrade.Surroundings:
    return degrade.surroundings(1, textures=8)


SMALL = render.Recipe(batch=6, fonts=2)


def test_a_batch_is_the_same_whoever_makes_it_and_when(base, around):
    first = render.batch(base, around, SMALL, 1, 5)
    render.batch(base, around, SMALL, 1, 6)
    again = render.batch(base, degrade.surroundings(1, textures=8), SMALL, 1, 5)
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.frames, again.frames)
    assert first.texts == again.texts


@pytest.mark.parametrize(("seed", "index"), [(2, 5), (1, 6)])
def test_another_seed_or_number_is_another_batch(base, around, seed, index):
    first, other = render.batch(base, around, SMALL, 1, 5), render.batch(base, around, SMALL, seed, index)
    assert not np.array_equal(first.images, other.images)
    assert first.texts != other.texts


def test_a_batch_has_the_shape_and_range_that_the_model_is_told(base, around):
    made = render.batch(base, around, SMALL, 3, 0)
    assert made.images.shape == (6, 1, render.HEIGHT, render.WIDTH)
    assert made.images.dtype == np.float32
    assert np.abs(made.images).max() <= 1.7
    assert made.frames.shape == (6, render.WIDTH // render.STRIDE)
    assert set(np.unique(made.frames)) <= {*range(37), render.BLANK, render.IGNORED}


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_labels_read_as_the_text_of_a_whole_line(base, around, seed):
    random = np.random.default_rng(seed)
    text = lines.line(Random(seed))
    made = render.sample(text, fonts.relative(base, random, warp=1), around, SMALL, random, whole=True)
    labels = np.where(made.frames == render.IGNORED, render.BLANK, made.frames)
    assert evaluate.read(np.eye(38, dtype=np.float32)[labels]) == text == made.text


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_labels_of_a_window_read_as_the_text_in_view(base, around, seed):
    random = np.random.default_rng(seed)
    text = lines.line(Random(seed))
    made = render.sample(text, base_at_work(base, random), around, SMALL, random)
    labels = np.where(made.frames == render.IGNORED, render.BLANK, made.frames)
    assert made.text in text
    assert evaluate.read(np.eye(38, dtype=np.float32)[labels]) == made.text


def base_at_work(base: fonts.Font, random: np.random.Generator) -> fonts.Font:
    return fonts.relative(base, random, warp=0)


def test_ink_is_where_the_labels_say(base, around):
    """A label beside its character would teach the wrong thing: of clean lines, labelled columns are darker than blank ones."""
    for seed in range(5):
        random = np.random.default_rng(seed)
        recipe = render.Recipe(smallest=24, largest=25)
        text = "".join(Random(seed).choices(ALPHABET[:36], k=30))
        made = render.sample(text, fonts.relative(base, random, warp=0), _plain(around), recipe, random, whole=True)
        by_frame = made.image[8:24].reshape(16, -1, render.STRIDE).mean(axis=(0, 2))
        shown = by_frame[(made.frames >= 0) & (made.frames < render.BLANK)].mean()
        assert shown < by_frame[made.frames == render.BLANK].mean() - 0.1


def _plain(around: degrade.Surroundings) -> degrade.Surroundings:
    return degrade.Surroundings(textures=0 * around.textures, noise=0 * around.noise)


def test_a_font_without_warp_is_the_font(base):
    one, other = (fonts.relative(base, np.random.default_rng(seed), warp=0) for seed in (1, 2))
    assert np.array_equal(one.tiles, other.tiles)
    assert not np.array_equal(one.tiles, fonts.relative(base, np.random.default_rng(1), warp=1).tiles)


def test_glyphs_survive_their_file(glyphs, tmp_path):
    save(glyphs, tmp_path / "font.npz")
    read = load(tmp_path / "font.npz")
    assert np.array_equal(read.bitmaps, glyphs.bitmaps)
    assert read.advance == glyphs.advance


@given(st.integers(0, 2**32), st.floats(0.5, 40))
@settings(max_examples=60)
def test_any_capture_is_grey_pixels_of_the_size_asked_for(around, seed, cap):
    picture = degrade.capture(np.zeros((48, 600), np.float32), cap, around, np.random.default_rng(seed))
    assert picture.dtype == np.uint8
    fine = cap / fonts.WORK_CAP
    assert picture.shape == (round(48 * fine), round(600 * fine))


@given(st.text(ALPHABET[:4], max_size=9), st.text(ALPHABET[:4], max_size=9))
def test_the_edit_distance_is_the_length_of_the_shortest_way(a, b):
    def slow(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        return (
            min(slow(a[1:], b[1:]) + (a[0] != b[0]), slow(a[1:], b) + 1, slow(a, b[1:]) + 1)
            if a[0] != b[0]
            else slow(a[1:], b[1:])
        )

    assert evaluate.distance(a[:6], b[:6]) == slow(a[:6], b[:6])
