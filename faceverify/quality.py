"""What a face picture is worth: cheap components, each with its unit and limits, and what would mend the weakest.

Not certified to ISO/IEC 29794-5: the components are in its sense (scores 0…100, the same topics), not of its algorithms.
The limits are provisional and wide; a trial's data must set them anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from faceverify.detect import DetectedFace

Pixels = NDArray[np.uint8]
Instruction = Literal[
    "step_closer",
    "step_back",
    "stand_on_the_mark",
    "face_the_screen",
    "hold_still",
    "more_light",
    "remove_occlusion",
    "one_person",
]
"""What a traveller may be asked to do. Covering means of eyes and mouth alone: hair, ears and neck are never asked about."""
Range = tuple[float, float]
GOOD = 50
"""From this score on a component needs no instruction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """How one measure is judged: outside ``limits`` nothing is compared, within ``good`` it is as good as it gets.

    ``below`` and ``above``: what to ask for when the measure is too small or too large. A ``hint`` asks, but never bars.
    """

    name: str
    unit: str
    limits: Range
    good: Range
    below: Instruction | None = None
    above: Instruction | None = None
    hint: bool = False

    def score(self, value: float) -> int:
        """0 outside the limits (1 for a hint), 100 within the good range, in between linear from 1."""
        (low, high), (good_low, good_high) = self.limits, self.good
        if not low <= value <= high:
            return 1 if self.hint else 0
        if value < good_low:
            return 1 + int(99 * (value - low) / (good_low - low))
        if value > good_high:
            return 1 + int(99 * (high - value) / (high - good_high))
        return 100

    def instruction(self, value: float) -> Instruction | None:
        """What would mend ``value``, if it is not good."""
        return self.below if value < self.good[0] else self.above if value > self.good[1] else None


COMPONENTS = (
    Component(name="inter_eye_distance", unit="px", limits=(20, math.inf), good=(60, math.inf), below="step_closer"),
    Component(
        name="face_size", unit="of frame height", limits=(0.04, 0.95), good=(0.15, 0.7), below="step_closer", above="step_back"
    ),
    Component(name="visible", unit="of face", limits=(0.85, 1), good=(0.98, 1), below="stand_on_the_mark"),
    Component(name="off_centre", unit="of frame width", limits=(0, 0.45), good=(0, 0.25), above="stand_on_the_mark"),
    Component(name="sharpness", unit="of variance", limits=(0.01, math.inf), good=(0.04, math.inf), below="hold_still"),
    Component(name="luminance", unit="of white", limits=(0.12, 0.92), good=(0.25, 0.8), below="more_light", above="face_the_screen"),
    Component(name="under_exposure", unit="of pixels", limits=(0, 0.7), good=(0, 0.3), above="more_light"),
    Component(name="over_exposure", unit="of pixels", limits=(0, 0.5), good=(0, 0.1), above="face_the_screen"),
    Component(name="dynamic_range", unit="bit", limits=(3.5, 8), good=(5, 8), below="more_light"),
    Component(name="yaw", unit="°", limits=(-65, 65), good=(-20, 20), below="face_the_screen", above="face_the_screen"),
    Component(name="pitch", unit="°", limits=(-45, 45), good=(-20, 20), below="face_the_screen", above="face_the_screen"),
    Component(name="roll", unit="°", limits=(-35, 35), good=(-15, 15), below="face_the_screen", above="face_the_screen"),
    Component(name="eyes", unit="of cheek luminance", limits=(0.25, math.inf), good=(0.35, math.inf), below="remove_occlusion", hint=True),
    Component(name="mouth", unit="Cr above brow", limits=(-16, math.inf), good=(-8, math.inf), below="remove_occlusion", hint=True),
)  # fmt: skip
"""In the order in which equally bad ones are mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceQuality:
    """``values`` by the names of :data:`COMPONENTS`, in their units. Pose in degrees, accurate to about 10: yaw is positive when
    the nose points to the right of the image, pitch when it points down, roll when the head turns clockwise in the image.
    """

    values: Mapping[str, float]
    score: int
    """0…100: that of the weakest component; 0 means not good enough to compare."""
    instruction: Instruction | None
    """What would mend the weakest component; None from :data:`GOOD` on."""
    shortfalls: tuple[str, ...]
    """Components outside their limits; empty means good enough to compare."""

    def __getitem__(self, name: str) -> float:
        return self.values[name]


def measure(face: DetectedFace, crop: Pixels, template: ArrayLike, frame: tuple[int, int]) -> FaceQuality:
    """``crop`` is the aligned face, whose five points lie on ``template``; ``frame`` the frame's (height, width) in pixels."""
    grey = np.asarray(cv2.cvtColor(_middle(crop), cv2.COLOR_BGR2GRAY), np.uint8)
    values = _geometry(face, frame) | _light(grey) | _pose(face.points) | _occlusion(crop, np.asarray(template, float))
    scores = {component: component.score(values[component.name]) for component in COMPONENTS}
    weakest = min(COMPONENTS, key=lambda component: scores[component])
    score = scores[weakest]
    return FaceQuality(
        values=values,
        score=score,
        instruction=weakest.instruction(values[weakest.name]) if score < GOOD else None,
        shortfalls=tuple(component.name for component in COMPONENTS if scores[component] == 0),
    )


def _geometry(face: DetectedFace, frame: tuple[int, int]) -> dict[str, float]:
    left, _, width, height = face.box
    eyes, mouth = face.points[:2], face.points[3:]
    across = float(np.hypot(*(eyes[1] - eyes[0])))
    down = float(np.hypot(*(mouth.mean(axis=0) - eyes.mean(axis=0))))
    return {
        "inter_eye_distance": across,
        "face_size": height / frame[0],
        "visible": _visible(face.points.mean(axis=0), max(across, down), frame),
        "off_centre": abs(left + width / 2 - frame[1] / 2) / frame[1],
    }


def _visible(middle: NDArray[np.float32], reach: float, frame: tuple[int, int]) -> float:
    """The share of the square of twice ``reach`` around the points that lies in the frame. Where half a face is cut off a
    detector squeezes the box into the other half, but not the points.
    """
    shares = (min(at + reach, size) - max(at - reach, 0) for at, size in zip(middle.tolist(), reversed(frame), strict=True))
    return math.prod(min(1.0, max(0.0, share) / max(2 * reach, 1e-9)) for share in shares)


_DARK, _BRIGHT = 26, 247
"""Grey values below and above which detail is lost."""
_DETAIL = (1.2, 3.0)
"""Pixels of the aligned crop: detail is what the first blur keeps and the second takes away, in a band above the noise, so that
neither grain nor light counts as detail."""


def _light(grey: Pixels) -> dict[str, float]:
    """Dynamic range: entropy of the grey values."""
    shares = np.bincount(grey.ravel(), minlength=256) / grey.size
    used = shares[shares > 0]
    pixels = grey.astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(pixels, (0, 0), sigma) for sigma in _DETAIL)
    return {
        "sharpness": float((fine - coarse).var()) / max(float(coarse.var()), 1.0),
        "luminance": float(pixels.mean()) / 255,
        "under_exposure": float(shares[:_DARK].sum()),
        "over_exposure": float(shares[_BRIGHT + 1 :].sum()),
        "dynamic_range": float(-(used * np.log2(used)).sum()),
    }


_HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.58, 0.5], [-0.43, 1.03, 0.1], [0.43, 1.03, 0.1]])
"""A mean head in inter-eye distances: x right, y down, z towards the camera. The depths are rounded anthropometry."""
_SOLVE = np.linalg.pinv(_HEAD - _HEAD.mean(axis=0))


def _pose(points: NDArray[np.float32]) -> dict[str, float]:
    """Weak perspective: points = scale · rotation · head, solved by least squares once the eyes are level."""
    xy = points[:, 0].astype(float) + 1j * points[:, 1]
    eyes = xy[1] - xy[0]
    level = xy * np.conj(eyes) / max(abs(eyes), 1e-9)
    x, y = _SOLVE @ np.column_stack([level.real, level.imag])[:, 0], _SOLVE @ level.imag
    depth = np.array([x[2], y[2]]) / np.maximum([np.linalg.norm(x), np.linalg.norm(y)], 1e-9)
    yaw, pitch = np.degrees(np.arcsin(np.clip(depth, -1, 1)))
    return {"yaw": float(yaw), "pitch": float(pitch), "roll": math.degrees(math.atan2(eyes.imag, eyes.real))}


_PATCH = 0.16
"""Half the side of a patch, in inter-eye distances: an eye without its brow, a mouth without its corners."""


def _occlusion(crop: Pixels, template: NDArray[np.float64]) -> dict[str, float]:
    """Sunglasses make the eyes much darker than the cheeks. A mask is less red than the skin between the brows; lips, bearded or
    not, are redder. Without colour there is no hint.
    """
    left, right, _, mouth_left, mouth_right = (complex(*point) for point in template.tolist())
    half = max(1.0, _PATCH * abs(right - left))

    def patch(at: complex) -> tuple[float, float]:
        """Y of ITU-R BT.601, of which 0.713 (R - Y) is the Cr, and red."""
        x, y = ((max(round(middle - half), 0), round(middle + half) + 1) for middle in (at.real, at.imag))
        blue, green, red, _ = cv2.mean(crop[slice(*y), slice(*x)])
        return 0.114 * blue + 0.587 * green + 0.299 * red, red

    def redness(at: complex) -> float:
        luma, red = patch(at)
        return 0.713 * (red - luma)

    cheeks = patch((left + 2 * mouth_left) / 3)[0] + patch((right + 2 * mouth_right) / 3)[0]
    eyes = 2 * min(patch(left)[0], patch(right)[0]) / max(cheeks, 1.0)
    return {"eyes": eyes, "mouth": redness((mouth_left + mouth_right) / 2) - redness((left + right) / 2)}


def _middle(crop: Pixels) -> Pixels:
    """The inner part of an aligned crop: face, hardly any background."""
    quarter = crop.shape[0] // 4
    return crop[quarter:-quarter, quarter:-quarter]
