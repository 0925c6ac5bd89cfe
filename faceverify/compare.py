"""From two feature vectors to a comparison score. A score at or above the threshold is a match, whatever the metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from faceverify.extract import Features


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceComparison:
    """One 1:1 comparison. ``pack`` is the pack's id; ``demonstration`` marks a recogniser that is not for operation."""

    score: float
    threshold: float
    decision: Literal["match", "non_match"]
    pack: str
    demonstration: bool


def comparison_score(reference: Features, probe: Features, metric: str) -> float:
    """Higher is more alike; 1.0 for equal features.

    ``cosine``: cosine of the angle, -1…1. ``euclidean``: 1 - distance of the features as they come, down to -∞.
    NaN where a vector is empty of information (all zero) or not finite.
    """
    a, b = reference.astype(np.float64), probe.astype(np.float64)
    if a.shape != b.shape or not all(vector.any() and np.isfinite(vector).all() for vector in (a, b)):
        return float("nan")
    if metric == "euclidean":
        return 1.0 - float(np.linalg.norm(a - b))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
