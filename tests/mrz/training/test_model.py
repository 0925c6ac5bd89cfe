"""The model that is shipped: its file, its card, its contract, and that it reads."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from random import Random

import numpy as np
import onnxruntime
import pytest

from mrz.training import degrade, evaluate, fonts, lines, render
from mrz.training.glyphs import ALPHABET

MODEL = resources.files("mrz") / "model"


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession((MODEL / "ocrb.onnx").read_bytes(), options, providers=["CPUExecutionProvider"])


def test_the_file_is_small():
    assert len((MODEL / "ocrb.onnx").read_bytes()) <= 400_000


def test_the_card_is_of_this_file():
    stated = re.findall(r"\b[0-9a-f]{64}\b", (MODEL / "CARD.md").read_text())
    assert stated == [hashlib.sha256((MODEL / "ocrb.onnx").read_bytes()).hexdigest()]


def test_the_file_says_what_it_is(session):
    about = session.get_modelmeta().custom_metadata_map
    assert about["alphabet"] == ALPHABET == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
    assert 0.4 < float(about["temperature"]) < 3
    assert about.keys() >= {"version", "seed", "git"}
    assert not re.search(r"/(home|work|tmp|root)/", str(about))


@pytest.mark.parametrize(("count", "width"), [(1, 4), (1, 704), (2, 928), (3, 640), (8, 32)])
def test_any_number_of_lines_of_any_width_is_answered(session, count, width):
    (logits,) = session.run(["logits"], {"lines": np.zeros((count, 1, 32, width), np.float32)})
    assert logits.dtype == np.float32
    assert logits.shape == (count, width // 4, 38)


def test_a_line_is_read_the_same_alone_and_in_a_batch(session):
    strips = np.random.default_rng(1).uniform(-1, 1, (4, 1, 32, 400)).astype(np.float32)
    together = session.run(None, {"lines": strips})[0]
    for alone, answer in zip(strips, together, strict=True):
        assert np.allclose(session.run(None, {"lines": alone[np.newaxis]})[0][0], answer, atol=1e-4)


def test_a_character_is_judged_by_its_neighbourhood_alone(session):
    """What stands four characters away changes nothing: the model knows no words."""
    strip = np.random.default_rng(2).uniform(-1, 1, (1, 1, 32, 512)).astype(np.float32)
    changed = strip.copy()
    changed[..., 320:] = -1
    before, after = (session.run(None, {"lines": one})[0][0] for one in (strip, changed))
    assert np.allclose(before[: (320 - 64) // 4], after[: (320 - 64) // 4], atol=1e-4)
    assert not np.allclose(before[80:], after[80:], atol=1e-1)


def test_a_font_that_training_never_saw_is_read(session, glyphs):
    """Captures of capitals 12 to 20 pixels high, as a document scanner's and worse; every third character may be hard, not more."""
    base, around, recipe = fonts.distances(glyphs), degrade.surroundings(7, textures=8), render.Recipe(smallest=12, largest=20)
    random, letters = np.random.default_rng(7), Random(7)
    made = [
        render.sample(lines.line(letters), fonts.relative(base, random, warp=0), around, recipe, random, whole=True)
        for _ in range(30)
    ]
    score = evaluate.score(lambda strips: session.run(None, {"lines": strips})[0], made)
    assert score.error < 0.03
    assert score.exact > 0.6


def test_an_empty_strip_has_no_characters(session):
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(0, 0.4, (1, 1, 32, 512)).astype(np.float32)
        assert len(evaluate.read(session.run(None, {"lines": noise})[0][0])) <= 1
    assert evaluate.read(session.run(None, {"lines": np.ones((1, 1, 32, 512), np.float32)})[0][0]) == ""
