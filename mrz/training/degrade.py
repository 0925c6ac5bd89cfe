"""What print and capture do to a line: ink that spreads or fails, backgrounds, glare, blur, noise, JPEG, thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mrz.training.fonts import WORK_CAP, Field

_TEXTURE_SIZE = (128, 2048)
_NOISE = 1 << 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Made once and cut from at random: ``textures`` [n, h, w] about ±1 with mean 0, ``noise`` normal with deviation 1."""

    textures: Field
    noise: Field


def surroundings(seed: int, *, textures: int = 48) -> Surroundings:
    """The same for the same seed and number."""
    random = np.random.default_rng([seed, 0x5EED])
    makers = (_guilloche, _guilloche, _cloud, _grid)
    patterns = [makers[n % len(makers)](random) for n in range(textures)]
    levelled = [(one - one.mean()) / (2 * one.std() + 1e-6) for one in patterns]
    return Surroundings(
        textures=np.clip(np.stack(levelled), -1.5, 1.5).astype(np.float32),
        noise=random.normal(0, 1, _NOISE).astype(np.float32),
    )


def ink_of(distances: Field, random: np.random.Generator) -> Field:
    """Coverage 0 … 1 from signed distances: stroke weight, softness, edges that fray, ink that fails in patches."""
    weight = np.float32(np.clip(random.normal(0.15, 0.5), -0.9, 1.5))
    spread = distances + weight
    if random.random() < 0.35:
        spread += _low(random, distances.shape, 8, 0.35)
    if random.random() < 0.25:
        spread += _low(random, distances.shape, 2, 0.6)
    ink = np.clip(0.5 + spread * np.float32(random.uniform(0.5, 1.0)), 0, 1)
    if random.random() < 0.2:
        ink *= np.clip(0.9 + _low(random, ink.shape, random.choice((3, 12, 40)), 0.25), 0.25, 1)
    return np.asarray(ink, np.float32)


def capture(ink: Field, cap: float, around: Surroundings, random: np.random.Generator) -> NDArray[np.uint8]:
    """Grey pixels of a print ``ink`` taken so that a capital is ``cap`` pixels high."""
    fine = cap / WORK_CAP
    size = (round(ink.shape[1] * fine), round(ink.shape[0] * fine))
    ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA if fine < 1 else cv2.INTER_LINEAR), np.float32)
    picture = _printed(ink, around, random)
    picture = _light(picture, around, random)
    picture = _optics(picture, cap, random)
    picture += np.float32(random.choice((0.003, 0.01, 0.02, 0.05)) * random.uniform(0.3, 1)) * _noise(
        picture.shape, around, random
    )
    grey = (np.clip(picture, 0, 1) ** np.float32(random.uniform(0.7, 1.4)) * 255).astype(np.uint8)
    return _digital(grey, cap, random)


def _printed(ink: Field, around: Surroundings, random: np.random.Generator) -> Field:
    """Ink on paper. A quarter looks like near infrared: a light, plain page and black ink (Doc 9303-3 §4.11)."""
    infrared = random.random() < 0.25
    base = random.uniform(0.7, 1.0) if infrared else random.uniform(0.4, 1.0)
    dark = base * (random.uniform(0, 0.3) if infrared else random.uniform(0, 0.62))
    paper = np.full(ink.shape, base, np.float32)
    for _ in range(random.integers(0, 2 if infrared else 4)):
        amplitude = np.float32((base - dark) * random.uniform(0.02, 0.06 if infrared else 0.3))
        paper += amplitude * _texture(ink.shape, around, random)
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        _edge(paper, random)
    if random.random() < 0.08:
        _scribble(paper, random)
    return paper + ink * (np.float32(dark) - paper)


def _edge(paper: Field, random: np.random.Generator) -> None:
    """The page ends, or a frame is drawn, beside or below the line: another tone from there on, or a thin one there alone."""
    height, width = paper.shape
    tone = np.float32(random.uniform(0, 1))
    deep, far = max(1, round(height * random.uniform(0.02, 0.16))), max(1, round(width * random.uniform(0, 0.05)))
    thin = random.random() < 0.4
    side = random.integers(4)
    if side == 0:
        paper[:, slice(far - 1, far) if thin else slice(far)] = tone
    elif side == 1:
        paper[:, slice(-far, 1 - far or None) if thin else slice(-far, None)] = tone
    else:
        paper[slice(-deep, 1 - deep or None) if thin else slice(-deep, None)] = tone


def _scribble(paper: Field, random: np.random.Generator) -> None:
    """A signature or a stamp reaches into the line, under the print."""
    height, width = paper.shape
    steps = random.normal(0, height * 0.4, (random.integers(3, 12), 2))
    points = (random.uniform((0, 0), (width, height)) + np.cumsum(steps, axis=0)).astype(np.int32)
    cv2.polylines(paper, [points], isClosed=False, color=random.uniform(0.1, 0.7), thickness=int(random.integers(1, 3)))


def _light(picture: Field, around: Surroundings, random: np.random.Generator) -> Field:
    """Shadows and uneven light; glare that veils print and paper alike; a laminate's pattern that shines over both."""
    height, width = picture.shape
    if random.random() < 0.5:
        corners = random.uniform(-0.3, 0.3, (2, random.integers(2, 6))).astype(np.float32)
        picture *= 1 + cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    if random.random() < 0.18:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        away = (x - random.uniform(0, width) + random.uniform(-1.5, 1.5) * y) / (height * np.exp(random.uniform(-1.5, 2)))
        if random.random() < 0.3:
            away = np.maximum(away, 0)  # all that lies on one side
        veil = np.float32(random.uniform(0.2, 0.97)) * np.exp(-(away**2))
        picture += veil * (np.float32(random.uniform(0.9, 1.2)) - picture)
    if random.random() < 0.1:
        shine = np.clip(_texture(picture.shape, around, random), 0, 1)
        picture += np.float32(random.uniform(0.1, 0.6)) * shine * (1 - picture)
    return picture


def _optics(picture: Field, cap: float, random: np.random.Generator) -> Field:
    """Defocus and motion, as far as people still read the line; sharpening as telephones do it."""
    if random.random() < 0.5:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.25, max(0.4, 0.085 * cap))), np.float32)
    if random.random() < 0.15:
        streak = _streak(random.uniform(1.0, max(2.0, 0.22 * cap)), random.uniform(0, np.pi))
        picture = np.asarray(cv2.filter2D(picture, -1, streak), np.float32)
    if random.random() < 0.12:
        picture = picture + np.float32(random.uniform(0.3, 1.5)) * (picture - cv2.GaussianBlur(picture, (0, 0), 1.0))
    return picture.astype(np.float32)


def _streak(length: float, angle: float) -> Field:
    """A line of ``length`` pixels as a kernel that sums to 1."""
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for step in np.linspace(-length / 2, length / 2, 4 * half + 1):
        kernel[round(half + step * np.sin(angle)), round(half + step * np.cos(angle))] += 1
    return np.asarray(kernel / kernel.sum(), np.float32)


def _digital(grey: NDArray[np.uint8], cap: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """JPEG in half of all pictures; a few are thresholded (where that leaves something to read) or inverted."""
    if cap > 11 and random.random() < 0.1:
        grey = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1].astype(np.uint8)
    if random.random() < 0.5:
        _, packed = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 96))])
        grey = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    return 255 - grey if random.random() < 0.015 else grey


def _low(random: np.random.Generator, shape: tuple[int, ...], cell: int, deviation: float) -> Field:
    """Noise that varies over ``cell`` pixels."""
    coarse = random.normal(0, deviation, (shape[0] // cell + 2, shape[1] // cell + 2)).astype(np.float32)
    return cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _texture(shape: tuple[int, ...], around: Surroundings, random: np.random.Generator) -> Field:
    height, width = shape
    texture = around.textures[random.integers(len(around.textures))]
    top, left = random.integers(0, texture.shape[0] - height + 1), random.integers(0, texture.shape[1] - width + 1)
    cut = texture[top : top + height, left : left + width]
    return np.asarray(cut[:: random.choice((-1, 1)), :: random.choice((-1, 1))])


def _noise(shape: tuple[int, ...], around: Surroundings, random: np.random.Generator) -> Field:
    count = shape[0] * shape[1]
    start = random.integers(0, around.noise.size - count)
    return around.noise[start : start + count].reshape(shape)


def _guilloche(random: np.random.Generator) -> Field:
    """Families of fine lines that wave."""
    y, x = np.mgrid[0 : _TEXTURE_SIZE[0], 0 : _TEXTURE_SIZE[1]].astype(np.float32)
    pattern = np.zeros(_TEXTURE_SIZE, np.float32)
    for _ in range(random.integers(1, 5)):
        angle, period = random.uniform(0, np.pi), np.exp(random.uniform(np.log(3), np.log(40)))
        wave = random.uniform(0, 2) * period * np.sin(2 * np.pi * (x * random.uniform(-1, 1) + y) / random.uniform(20, 200))
        phase = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle) + wave) / period
        line = np.sin(phase)
        pattern += random.uniform(0.3, 1) * (np.clip(3 * line - 2, -1, 1) if random.random() < 0.5 else line)
    return pattern


def _cloud(random: np.random.Generator) -> Field:
    """Noise with more weight on long waves, as in photographs, in half of them with hard edges."""
    pattern = np.zeros(_TEXTURE_SIZE, np.float32)
    for octave in range(1, 7):
        pattern += _low(random, _TEXTURE_SIZE, 2**octave, 2 ** (octave * random.uniform(0.2, 1)))
    return np.tanh(6 * pattern / pattern.std()).astype(np.float32) if random.random() < 0.5 else pattern


def _grid(random: np.random.Generator) -> Field:
    """Halftone dots, weave or a laminate's repeated mark."""
    y, x = np.mgrid[0 : _TEXTURE_SIZE[0], 0 : _TEXTURE_SIZE[1]].astype(np.float32)
    period, angle = np.exp(random.uniform(np.log(3), np.log(60))), random.uniform(0, np.pi / 2)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    pattern = np.sin(2 * np.pi * u / period) * np.sin(2 * np.pi * v / period)
    return np.asarray(np.tanh(random.uniform(0.5, 8) * (pattern - random.uniform(0, 0.6))), np.float32)
