"""Presentation attack detection on one frame. Assistive, not tested to ISO/IEC 30107-3; APCER not measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify.nets import Net
from faceverify.samples import NotPerformed

if TYPE_CHECKING:
    from faceverify.description import Pack, PadSpec
    from faceverify.detect import DetectedFace

    Box = tuple[float, float, float, float]

Pixels = NDArray[np.uint8]
_WIDEST = 2
"""Side of a crop at most, in longer sides of the picture: beyond is nothing but its mirror images, and memory without end."""
LABEL = "assistive, not tested to ISO/IEC 30107-3"


@dataclass(frozen=True, slots=True, kw_only=True)
class PadResult:
    """``score``: a scale from 0 = bona fide to 1 = attack, not a yes or no; of several networks the most suspicious one's. At or
    above ``threshold``: attack.
    """

    score: float
    threshold: float
    decision: Literal["bona_fide", "attack"]


class PadNet:
    """One network of the pack that tells bona fide faces from presented ones."""

    def __init__(self, pack: Pack, spec: PadSpec) -> None:
        self.spec = spec
        self._net = Net(pack, spec.net, size=spec.size)

    def measure(self, pixels: Pixels, face: DetectedFace) -> PadResult | None:
        """None where the network gave no finite number, or too few."""
        crop = crop_square(pixels, face.box, self.spec.crop, self.spec.size)
        logits = self._net.see(crop)[0][0].astype(float)
        crop.fill(0)
        if not np.isfinite(logits).all() or logits.size <= self.spec.bona_fide_index:
            return None
        weights = np.exp(logits - logits.max())
        score = 1.0 - float(weights[self.spec.bona_fide_index] / weights.sum())
        threshold = self.spec.threshold
        return PadResult(score=score, threshold=threshold, decision="attack" if score >= threshold else "bona_fide")


class Pad:
    """All PAD networks of a pack, in a thread of their own: ONNX Runtime works beside the recogniser where a core is free."""

    def __init__(self, pack: Pack) -> None:
        self._nets = tuple(PadNet(pack, spec) for spec in pack.pad)
        self._absent = NotPerformed(reason="pad_not_available", detail=f"pack {pack.id} carries none")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pad") if self._nets else None

    def begin(self, pixels: Pixels, face: DetectedFace) -> Callable[[], PadResult | NotPerformed]:
        """Begin to measure; the answer waits for the end. ``pixels`` are read until then."""
        if self._thread is None:
            return lambda: self._absent
        return self._thread.submit(self.measure, pixels, face).result

    def measure(self, pixels: Pixels, face: DetectedFace) -> PadResult | NotPerformed:
        """The most suspicious of the networks' results; NotPerformed where one gives none, or there are no networks."""
        if not self._nets:
            return self._absent
        results = [result for net in self._nets if (result := net.measure(pixels, face)) is not None]
        if len(results) != len(self._nets):
            return NotPerformed(reason="no_score", detail="a PAD network gave no finite number")
        return most_suspicious(results)

    def in_thread(self, work: Callable[[], None]) -> None:
        """Run ``work`` where the networks run, and wait for it; where there are none, nowhere."""
        if self._thread is not None:
            self._thread.submit(work).result()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()


def crop_square(pixels: Pixels, box: Box, factor: float, size: int) -> Pixels:
    """The square of ``factor`` times the longer box side around the box's centre, mirrored past the frame's edge, scaled."""
    left, top, width, height = box
    side = max(1, min(round(factor * max(width, height)), _WIDEST * max(pixels.shape[:2])))
    rows = _window(round(top + height / 2 - side / 2), side, pixels.shape[0])
    columns = _window(round(left + width / 2 - side / 2), side, pixels.shape[1])
    square = pixels[rows][:, columns]
    method = cv2.INTER_AREA if side > size else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8)


def _window(start: int, count: int, length: int) -> slice | NDArray[np.intp]:
    """Start … start+count-1; as indices where some lie outside 0…length-1 and are mirrored, without repeating the edge."""
    if start >= 0 and start + count <= length:
        return slice(start, start + count)
    period = max(1, 2 * (length - 1))
    folded = np.arange(start, start + count) % period
    return np.minimum(folded, period - folded)


def most_suspicious(results: Sequence[PadResult]) -> PadResult:
    """The result furthest beyond (or nearest to) its own threshold."""
    return max(results, key=lambda result: result.score - result.threshold)
