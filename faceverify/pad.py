"""Presentation attack detection on one frame. Assistive, not tested to ISO/IEC 30107-3; APCER not measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify.nets import Net

if TYPE_CHECKING:
    from faceverify.description import Pack, PadSpec
    from faceverify.detect import DetectedFace


@dataclass(frozen=True, slots=True, kw_only=True)
class PadResult:
    """``score`` in 0…1: 0 = bona fide, 1 = attack; of several networks the most suspicious. At or above ``threshold``: attack."""

    score: float
    threshold: float
    decision: Literal["bona_fide", "attack"]


class PadNet:
    """One network of the pack that tells bona fide faces from presented ones."""

    def __init__(self, pack: Pack, spec: PadSpec) -> None:
        self.spec = spec
        self._net = Net(pack, spec.net, size=spec.size)

    def measure(self, pixels: NDArray[np.uint8], face: DetectedFace) -> PadResult | None:
        """None where the network gave no finite number, or too few."""
        logits = self._net.run(self._net.blob(crop_square(pixels, face.box, self.spec.crop, self.spec.size)))[0][0].astype(float)
        if not np.isfinite(logits).all() or logits.size <= self.spec.bona_fide_index:
            return None
        weights = np.exp(logits - logits.max())
        score = 1.0 - float(weights[self.spec.bona_fide_index] / weights.sum())
        threshold = self.spec.threshold
        return PadResult(score=score, threshold=threshold, decision="attack" if score >= threshold else "bona_fide")


def crop_square(pixels: NDArray[np.uint8], box: tuple[float, float, float, float], factor: float, size: int) -> NDArray[np.uint8]:
    """The square of ``factor`` times the longer box side around the box's centre, mirrored past the frame's edge, scaled."""
    left, top, width, height = box
    side = max(1, round(factor * max(width, height)))
    rows = _mirrored(round(top + height / 2 - side / 2), side, pixels.shape[0])
    columns = _mirrored(round(left + width / 2 - side / 2), side, pixels.shape[1])
    square = pixels[rows[:, np.newaxis], columns]
    method = cv2.INTER_AREA if side > size else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8)


def _mirrored(start: int, count: int, length: int) -> NDArray[np.intp]:
    """Indices start … start+count-1, those outside 0…length-1 reflected without repeating the edge."""
    period = max(1, 2 * (length - 1))
    folded = np.arange(start, start + count) % period
    return np.minimum(folded, period - folded)


def most_suspicious(results: list[PadResult]) -> PadResult:
    """The result furthest beyond (or nearest to) its own threshold."""
    return max(results, key=lambda result: result.score - result.threshold)
