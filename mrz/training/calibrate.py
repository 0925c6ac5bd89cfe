"""Temperature: by what to divide the logits so that probabilities are shares of right answers, on held-out captures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mrz.training import evaluate, render
from mrz.training.evaluate import Predict

SEED = 990_101
"""Apart from training and from evaluation."""
LINES = 150


def temperature(predict: Predict) -> float:
    """The temperature of least negative log-likelihood over the frames that show a character, for all sizes alike."""
    return fit(*labelled(predict))


def fit(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The same for logits [frames, classes] whose classes are known; between 0.4 and 3."""
    choices = np.exp(np.linspace(np.log(0.4), np.log(3.0), 81))
    return float(choices[np.argmin([loss(logits / choice, labels) for choice in choices])])


def labelled(predict: Predict) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits [frames, 38] and classes of all character frames of the calibration set."""
    logits, labels = [], []
    for heights in evaluate.HEIGHTS:
        for one in evaluate.samples(evaluate.FONT, heights, LINES, seed=SEED):
            shows = (one.frames != render.IGNORED) & (one.frames != render.BLANK)
            logits.append(predict(one.image[np.newaxis, np.newaxis])[0][shows])
            labels.append(one.frames[shows])
    return np.concatenate(logits), np.concatenate(labels)


def loss(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Mean negative log-likelihood in nats."""
    top = logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float((total - np.take_along_axis(logits, labels[:, np.newaxis], axis=1)[:, 0]).mean())
