"""How a page gets into a picture: where it lies, its light, the optics, the sensor, the file. Every frame draws anew, the pose but a little.

``Tier`` says how bad it may get. ``scanner``: a document camera of 300 to 600 dpi. ``phone``: a photo at arm's length, down to ten
pixels a character. ``hard``: what cannot always be read, where only a wrong reading counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.mrz_pages import Dice, Page, Pixels, patterned

Tier = Literal["scanner", "phone", "hard"]
FIELD_MM = (135.0, 100.0)
"""What a document camera sees."""
PHONE_FRAMES = ((1920, 1080), (1080, 1920), (1600, 1200), (1280, 960), (1280, 720))
LEAST_PITCH, MOST_PITCH = 10.5, 34.0
"""Pixels from character to character in a phone's picture."""
NOISE_SIZE = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Page → frame: ``origin`` (pixels of the page) comes to ``centre`` (parts of the frame); scaled, turned by ``degrees``, the page's
    corners moved by parts of its width.
    """

    frame: tuple[int, int]
    origin: tuple[float, float]
    scale: float
    degrees: float
    corners: NDArray[np.float32]
    centre: tuple[float, float]


def scanner_pose(page: Page, dice: Dice) -> Pose:
    """Laid on the glass: nearly straight, one in ten upside down, one in thirty on its side (in a field that is large enough). The page
    before in the book may stand out of the picture.
    """
    turned = float(dice.choice((0, 180, 90, 270), p=(0.87, 0.1, 0.015, 0.015)))
    frame = [round(mm / 25.4 * page.dpi) for mm in (FIELD_MM if turned % 180 == 0 else (FIELD_MM[0], FIELD_MM[0]))]
    height, width = page.pixels.shape[0] - page.above, page.pixels.shape[1]
    lying = (width, height) if turned % 180 == 0 else (height, width)
    room = [max(0.0, 0.45 * (1 - page_side / side)) for page_side, side in zip(lying, frame, strict=True)]
    return Pose(
        frame=(frame[0], frame[1]),
        origin=(width / 2, page.above + height / 2),
        scale=float(dice.uniform(0.985, 1.015)),
        degrees=turned + float(np.clip(dice.normal(0, 1.5), -5, 5)),
        corners=dice.uniform(-0.006, 0.006, (4, 2)).astype(np.float32),
        centre=(0.5 + float(dice.uniform(-room[0], room[0])), 0.5 + float(dice.uniform(-room[1], room[1]))),
    )


def phone_pose(page: Page, dice: Dice) -> Pose:
    """In the hand: smaller, askew, seen from the side, any way up in a third of the pictures."""
    frame = PHONE_FRAMES[dice.integers(len(PHONE_FRAMES))]
    degrees = float(dice.normal(0, 6)) + float(dice.choice((0, 90, 180, 270), p=(0.67, 0.11, 0.11, 0.11)))
    if dice.random() < 0.1:
        degrees = float(dice.uniform(0, 360))
    height, width = page.pixels.shape[:2]
    turn = np.radians(degrees)
    needed = (abs(width * np.cos(turn)) + abs(height * np.sin(turn)), abs(width * np.sin(turn)) + abs(height * np.cos(turn)))
    fits = 0.93 * min(frame[0] / needed[0], frame[1] / needed[1])
    pitch = page.dpi / 10
    scale = float(np.clip(fits * dice.uniform(0.6, 1.0), min(fits, LEAST_PITCH / pitch), min(fits, MOST_PITCH / pitch)))
    return Pose(
        frame=frame,
        origin=(width / 2, height / 2),
        scale=scale,
        degrees=degrees,
        corners=dice.uniform(-0.035, 0.035, (4, 2)).astype(np.float32),
        centre=(0.5, 0.5),
    )


def next_pose(pose: Pose, dice: Dice, tier: Tier) -> Pose:
    """The same document a moment later."""
    hand = 1.0 if tier == "scanner" else 3.0
    return replace(
        pose,
        degrees=pose.degrees + float(dice.normal(0, 0.15 * hand)),
        corners=pose.corners + dice.normal(0, 0.001 * hand, (4, 2)).astype(np.float32),
        centre=(pose.centre[0] + float(dice.normal(0, 0.002 * hand)), pose.centre[1] + float(dice.normal(0, 0.002 * hand))),
    )


def matrix(page: Page, pose: Pose) -> NDArray[np.float64]:
    """The homography from the page's pixels to the frame's."""
    height, width = page.pixels.shape[:2]
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = (flat - pose.origin + pose.corners * width) * pose.scale
    turn = np.radians(pose.degrees)
    turned = moved @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    target = turned + np.array(pose.centre) * pose.frame
    return np.asarray(cv2.getPerspectiveTransform(flat, target.astype(np.float32)))


def framed(page: Page, pose: Pose, dice: Dice, *, dark: bool) -> Pixels:
    """The page in its frame, in front of a cover of one colour or a table with a pattern."""
    small = page.pixels
    way = matrix(page, pose)
    if pose.scale < 0.8:  # a warp takes single pixels: take the mean of several first
        small = np.asarray(cv2.resize(page.pixels, None, fx=pose.scale, fy=pose.scale, interpolation=cv2.INTER_AREA), np.uint8)
        way = way @ np.diag([page.pixels.shape[1] / small.shape[1], page.pixels.shape[0] / small.shape[0], 1])
    grey = page.pixels.ndim == 2
    picture = np.full((pose.frame[1], pose.frame[0], 3), dice.uniform(5, 60) if dark else dice.uniform(20, 200), np.uint8)
    if not dark:
        picture = patterned(picture, dice.uniform(0, 25), dice)
    if grey:
        picture = np.ascontiguousarray(picture[:, :, 0])
    interpolation = cv2.INTER_LINEAR if dice.random() < 0.8 else cv2.INTER_CUBIC
    cv2.warpPerspective(small, way, pose.frame, picture, interpolation, cv2.BORDER_TRANSPARENT)
    return picture


def exposed(picture: Pixels, pitch: float, dice: Dice, tier: Tier) -> Pixels:
    """What light, lens and sensor make of it. ``pitch``: pixels from character to character."""
    worse = {"scanner": 0.6, "phone": 1.0, "hard": 2.2}[tier]
    picture = _light(picture, dice, worse)
    if dice.random() < 0.15 * worse:
        picture = _glare(picture, dice)
    if dice.random() < 0.5:
        sigma = dice.uniform(0.2, 0.075 * pitch * worse)
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), max(0.2, sigma)), np.uint8)
    if tier != "scanner" and dice.random() < 0.2:
        picture = _shaken(picture, dice.uniform(1, max(1.5, 0.18 * pitch * worse)), dice)
    picture = np.asarray(cv2.add(picture, _noise(picture.shape, dice.uniform(0.5, 7 * worse), dice), dtype=cv2.CV_8U), np.uint8)
    if dice.random() < 0.7:
        quality = int(dice.integers(88 - round(25 * worse), 97))
        packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED), np.uint8)
    return picture


def _light(picture: Pixels, dice: Dice, worse: float) -> Pixels:
    """Uneven, too much or too little, now and then a shadow with an edge."""
    corners = 1 + dice.uniform(-0.22, 0.1, (3, 4)) * worse
    gain = cv2.resize(corners.astype(np.float32), (picture.shape[1] // 8, picture.shape[0] // 8), interpolation=cv2.INTER_LINEAR)
    if dice.random() < 0.15 * worse:
        edge = (dice.uniform(-0.2, 1.2, (3, 2)) * gain.shape[::-1]).astype(np.int32)
        shade = cv2.fillPoly(np.ones_like(gain), [edge], float(dice.uniform(0.45, 0.85)))
        gain *= cv2.GaussianBlur(shade, (0, 0), dice.uniform(1, 12))
    gain = np.clip(cv2.resize(gain, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), 0.25, 1.5)
    if picture.ndim == 3:
        gain = cv2.merge([gain] * 3)
    return np.asarray(cv2.multiply(picture, gain.astype(np.float32), dtype=cv2.CV_8U), np.uint8)


def _glare(picture: Pixels, dice: Dice) -> Pixels:
    """A lamp in the laminate: a stripe or a spot, up to white."""
    height, width = picture.shape[0] // 8, picture.shape[1] // 8
    spot = np.zeros((height, width), np.float32)
    centre = (int(dice.uniform(0, width)), int(dice.uniform(0, height)))
    axes = (
        (int(dice.uniform(2, 8)), int(dice.uniform(0.15, 0.7) * height))
        if dice.random() < 0.6
        else (int(dice.uniform(4, 16)),) * 2
    )
    cv2.ellipse(spot, centre, axes, float(dice.uniform(0, 180)), 0, 360, float(dice.uniform(60, 260)), -1)
    spot = cv2.resize(cv2.GaussianBlur(spot, (0, 0), dice.uniform(1.5, 6)), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if picture.ndim == 3:
        spot = cv2.merge([spot] * 3)
    return np.asarray(cv2.add(picture, spot, dtype=cv2.CV_8U), np.uint8)


def _shaken(picture: Pixels, length: float, dice: Dice) -> Pixels:
    size = int(np.ceil(length)) | 1
    turn = dice.uniform(0, np.pi)
    across = np.array([np.cos(turn), np.sin(turn)]) * length / 2
    ends = (np.array([-across, across]) + size // 2).round().astype(np.int32)
    kernel = cv2.line(np.zeros((size, size), np.float32), *(tuple(int(v) for v in end) for end in ends), 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)


@lru_cache(maxsize=1)
def _sensor() -> NDArray[np.int16]:
    """Normal noise of deviation 16, cut from at random."""
    return np.random.default_rng(300).normal(0, 16, NOISE_SIZE).astype(np.int16)


def _noise(shape: tuple[int, ...], deviation: float, dice: Dice) -> NDArray[np.int16]:
    count, sensor = int(np.prod(shape)), _sensor()
    parts = [sensor[(start := int(dice.integers(NOISE_SIZE - 65_536))) : start + 65_536] for _ in range(count // 65_536 + 1)]
    return np.asarray(np.concatenate(parts)[:count].reshape(shape) * np.float32(deviation / 16), np.int16)
