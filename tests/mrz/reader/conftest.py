"""Pages drawn with characters of our own, and what a model might have seen of a zone."""

from __future__ import annotations

import random
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from hardware.sim.ocr_b import draw_line
from mrz import compose
from mrz.reader import MrzReader
from mrz.recognise import ALPHABET
from mrz.sim import pretend_fields

CAPITAL = 24
"""Pixels: a page at 240 dpi."""
SURE = 12.0
"""Log-odds of what nobody doubts."""


def drawn_page(lines: Sequence[str], *, size=(900, 1400), at=(640, 90), capital=CAPITAL, spacing=2.5, noise=3.0, seed=1):
    """``lines`` on light paper, the first one's upper left corner ``at`` (row, column)."""
    page = np.full(size, 225, np.uint8)
    for number, line in enumerate(lines):
        strip = draw_line(line, height_px=capital)
        top, left = round(at[0] + number * spacing * capital), at[1]
        part = page[top : top + strip.shape[0], left : left + strip.shape[1]]
        np.minimum(part, np.maximum(strip[: part.shape[0], : part.shape[1]], 40), out=part)
    grain = np.random.default_rng(seed).normal(0, noise, size)
    return np.clip(cv2.GaussianBlur(page, (0, 0), 0.7) + grain, 0, 255).astype(np.uint8)


def turned_by(page, degrees):
    """The page turned about its middle, on a larger dark table."""
    height, width = page.shape
    side = round(np.hypot(height, width))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    turn[:, 2] += (side - width) / 2, (side - height) / 2
    return cv2.warpAffine(page, turn, (side, side), flags=cv2.INTER_LINEAR, borderValue=60)


def seen_block(lines: Sequence[str], doubts=()):
    """Characters [lines, length, 37] and presence: ``lines`` surely, but at each (line, column, other, log-odds) of ``doubts``
    (from 0) the other character that much behind, or ahead if negative.
    """
    block = np.full((len(lines), len(lines[0]), len(ALPHABET)), -SURE)
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            block[row, column, ALPHABET.index(character)] = 0.0
    for row, column, other, behind in doubts:
        block[row, column, ALPHABET.index(other)] = -behind
    block -= np.logaddexp.reduce(block, axis=2, keepdims=True)
    return block, np.full(block.shape[:2], SURE)


@pytest.fixture(scope="session")
def page():
    return drawn_page


@pytest.fixture(scope="session")
def turned():
    return turned_by


@pytest.fixture(scope="session")
def seen():
    return seen_block


@pytest.fixture(scope="session")
def zone():
    """Lines of a document of nobody, a pure function of format and seed."""
    return lambda form="TD3", seed=1: compose(form, **pretend_fields(random.Random(seed), form))


@pytest.fixture(scope="session")
def reader():
    return MrzReader()
