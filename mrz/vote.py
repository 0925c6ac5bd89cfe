"""Several frames of one document: what they say together, and whether they contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mrz.accept import Block

CONTRADICTION = 3.0
"""Log-odds. Two frames that are each as sure as this of different characters in one place did not see the same print."""


def contradiction(blocks: Sequence[Block], presence: Sequence[Block]) -> tuple[int, int] | None:
    """The first place (line, column, from 0) where two frames surely differ."""
    if len(blocks) == 1:
        return None
    if len({block.shape for block in blocks}) > 1:
        return (0, 0)
    ranked = [np.sort(block, axis=2) for block in blocks]
    margins = np.stack([np.minimum(each[:, :, -1] - each[:, :, -2], seen) for each, seen in zip(ranked, presence, strict=True)])
    best = np.stack([block.argmax(axis=2) for block in blocks])
    sure: NDArray[np.bool_] = margins >= CONTRADICTION
    lowest = np.where(sure, best, np.iinfo(best.dtype).max).min(axis=0)
    highest = np.where(sure, best, -1).max(axis=0)
    places = np.argwhere((sure.sum(axis=0) > 1) & (lowest != highest))
    return (int(places[0][0]), int(places[0][1])) if len(places) else None


def combined(blocks: Sequence[Block]) -> Block:
    """The frames' log-probabilities together. They are added and divided by the root of their number, as frames share the print,
    the lens and the model, and so are not witnesses independent of each other: three count for 1.7.
    """
    total = np.sum(blocks, axis=0) / np.sqrt(len(blocks))
    together: Block = total - np.logaddexp.reduce(total, axis=2, keepdims=True)
    return together


def present(presence: Sequence[Block]) -> Block:
    """The log-odds that there is a character, together."""
    together: Block = np.sum(presence, axis=0) / np.sqrt(len(presence))
    return together
