"""The temperature that makes a model's probabilities mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from mrz.training import calibrate


@pytest.mark.parametrize("true", [0.6, 1.0, 2.0])
def test_logits_that_are_too_bold_or_too_shy_are_found_out(true):
    random = np.random.default_rng(1)
    honest = random.normal(0, 3, (4_000, 38)).astype(np.float32)
    noise = random.gumbel(0, 1, honest.shape)
    labels = (honest + noise).argmax(axis=1)  # Gumbel's trick: drawn as the honest logits say
    assert calibrate.fit(honest * np.float32(true), labels) == pytest.approx(true, rel=0.1)
