"""The glass of a full-page reader: a page lies on it as people lay it down, and is pictured with the lamp's and the sensor's faults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.ports import Light
from hardware.sim.page import DataPage, Look, Pixels

MARGIN_MM = 8.0
"""Of the glass around a page."""
BESIDE = 14
"""Grey of what lies beside the page: nothing."""
NOISE_LEVEL = 12
"""Grey levels that the noise lies above none; the scene is kept as much darker, so that one addition does for both signs."""
GRAIN_MARGIN = 64
"""Each frame cuts its noise out of one larger field at another place: fresh noise would cost 60 ms a frame."""
GRAIN_SEED = 9303
BOUND = 360.0
"""No number of a condition is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What one capture meets. ``skew`` in degrees, counter-clockwise; ``shift`` in millimetres rightwards and downwards.

    ``covered``: the book lies closed; ``cut``: the share of the page, from its foot, that lies beyond the glass; ``glare``: a spot at these
    shares of the page's width and height, ``glare_mm`` in radius; ``blur``: sigma in hundredths of an inch; ``light``: a factor;
    ``noise``: sigma in grey levels.
    """

    skew: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    upside_down: bool = False
    mirrored: bool = False
    covered: bool = False
    cut: float = 0.0
    glare: tuple[float, float] | None = None
    glare_mm: float = 9.0
    blur: float = 0.25
    light: float = 1.0
    noise: float = 2.5

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Conditions:
        """From a message, where pairs are lists. Raises TypeError, ValueError."""
        pairs = {name: _pair(told[name]) for name in ("shift", "glare") if told.get(name) is not None}
        conditions = cls(**{**told, **pairs})
        spot = conditions.glare or (0.0, 0.0)
        numbers = [conditions.skew, *conditions.shift, conditions.cut, *spot, conditions.glare_mm]
        numbers += [conditions.blur, conditions.light, conditions.noise]
        if not all(math.isfinite(number) and abs(number) <= BOUND for number in numbers):
            raise ValueError("conditions beyond all bounds")
        return conditions


def _pair(told: Any) -> tuple[float, float]:
    first, second = told
    return float(first), float(second)


class Glass:
    """Pictures of one page. The scene is kept while the conditions last; a capture then only adds fresh noise. For one thread at a time."""

    def __init__(self, page: DataPage) -> None:
        self._page = page
        self._kept: dict[Light, tuple[Conditions, Pixels, Pixels]] = {}

    @property
    def look(self) -> Look:
        return self._page.look

    def capture(self, light: Light, conditions: Conditions, dice: np.random.Generator) -> Pixels:
        """One picture: BGR in white light, grey in infrared. The same dice make the same noise."""
        scene, grain = self.lay(light, conditions)
        down, right = dice.integers(0, GRAIN_MARGIN, 2)
        noise = grain[down : down + scene.shape[0], right : right + scene.shape[1]]
        return np.asarray(cv2.add(scene, noise), dtype=np.uint8)

    def lay(self, light: Light, conditions: Conditions) -> tuple[Pixels, Pixels]:
        """The scene and the noise field of a capture, drawn unless they are kept. Neither must be written to."""
        kept = self._kept.get(light)
        if kept is None or kept[0] != conditions:
            scene = self._scene(light, conditions)
            kept = self._kept[light] = conditions, scene, _grain(scene.shape, conditions.noise)
        return kept[1:]

    def _scene(self, light: Light, conditions: Conditions) -> Pixels:
        """The page under ``conditions`` on the glass, darker by what the noise will add."""
        page = self._page.draw(light, covered=conditions.covered)
        height, width = page.shape[:2]
        if conditions.mirrored:
            page = np.asarray(cv2.flip(page, 1), dtype=np.uint8)
        margin = self._page.px(MARGIN_MM)
        right, down = (self._page.px(mm) for mm in conditions.shift)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), conditions.skew + 180 * conditions.upside_down, 1.0)
        turn[:, 2] += (margin + right, margin + down + conditions.cut * height)
        size = (width + 2 * margin, height + (margin if conditions.cut > 0 else 2 * margin))
        scene = cv2.warpAffine(page, turn, size, flags=cv2.INTER_LINEAR, borderValue=(BESIDE,) * 3)
        if conditions.blur > 0:
            scene = cv2.GaussianBlur(scene, (0, 0), max(0.1, conditions.blur * self._page.look.dpi / 100))
        scene = cv2.convertScaleAbs(scene, alpha=max(0.0, conditions.light))
        if conditions.glare is not None:
            x, y = (turn @ (conditions.glare[0] * width, conditions.glare[1] * height, 1.0)).tolist()
            scene = cv2.add(scene, _spot(scene.shape, (x, y), self._page.px(conditions.glare_mm)))
        return np.asarray(cv2.subtract(scene, np.full_like(scene, NOISE_LEVEL)), dtype=np.uint8)


def _spot(shape: tuple[int, ...], at: tuple[float, float], radius: float) -> Pixels:
    """A lamp's reflection: as bright as can be in its middle half, gone at its edge."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    away: NDArray[np.float64] = np.hypot(columns - at[0], rows - at[1]) / max(1.0, radius)
    bright = (np.clip(2 * (1 - away), 0, 1) * 255).astype(np.uint8)
    return bright if len(shape) == 2 else np.repeat(bright[..., None], 3, axis=2)


@lru_cache(maxsize=4)
def _grain(shape: tuple[int, ...], sigma: float) -> Pixels:
    """Noise of the mean ``NOISE_LEVEL``, larger than a frame on each side; always the same, as one sensor's might be."""
    noise: Pixels = np.empty((shape[0] + GRAIN_MARGIN, shape[1] + GRAIN_MARGIN, *shape[2:]), np.uint8)
    channels = np.ones(shape[2] if len(shape) == 3 else 1)
    cv2.setRNGSeed(GRAIN_SEED)
    cv2.randn(noise, NOISE_LEVEL * channels, max(0.0, sigma) * channels)
    return noise
