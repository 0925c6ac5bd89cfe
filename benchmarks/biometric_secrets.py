"""What chip and camera showed of a traveller, and what was made of it: the contents of which nothing may be left behind."""

from __future__ import annotations

import base64
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.biometric_search import Secret
from faceverify.image import decode
from faceverify.samples import Sample
from faceverify.verifier import FaceVerifier, NotPerformed, Reference
from gate.demo.faces import PORTRAIT_SIZE, chip_portrait
from gate.processes.capture import Capture
from hardware.emrtd.lds_face import dg2_image
from hardware.ports import Frame
from hardware.sim import camera

Pixels = NDArray[np.uint8]

FRAMES, FRAME_ROWS, PORTRAIT_ROWS, CROP_ROWS = 4, 16, 8, 6
"""How many of the last frames, and every so manieth row of a picture, are searched for: what is left behind is rarely a single row."""
STARTS = 2
"""Vision may have met the first frame while it only looked whether the camera was there: what it measured began with the next one."""
MIDDLE = (slice(120, 600, FRAME_ROWS), slice(440, 840))
"""Where a face is in the simulated camera's picture."""
REPLAY_S = 60.0


def picture(name: str, pixels: Pixels) -> list[Secret]:
    """Pixels (height, width, 3) as they may lie somewhere: blue first, red first, plane by plane."""
    return [Secret(name=name, content=each.tobytes()) for each in (pixels, pixels[..., ::-1], pixels.transpose(2, 0, 1))]


def vector(name: str, features: NDArray[np.float32]) -> list[Secret]:
    """Features as the network gives them and with unit norm, in single and in double precision."""
    double = features.astype(np.float64)
    unit = double / np.linalg.norm(double)
    return [Secret(name=name, content=each.tobytes()) for each in (features, unit.astype(np.float32), double, unit)]


def grey_portrait() -> bytes:
    """What every portrait of the demonstration's begins with: a picture of nobody, encoded likewise."""
    return chip_portrait(np.full((*PORTRAIT_SIZE[::-1], 3), 128, np.uint8), seed=0)


def document(dg2: bytes) -> list[Secret]:
    """DG2, as base64 too, which text has it in; and the portrait's pixels."""
    texts = [Secret(name="DG2", content=base64.b64encode(dg2[shift:])) for shift in range(3)]
    portrait = decode(dg2_image(dg2).image)
    return [Secret(name="DG2", content=dg2), *texts, *picture("portrait pixels", portrait[::PORTRAIT_ROWS])]


class TellingVerifier(FaceVerifier):
    """Measures as vision does, and tells what it came by."""

    def begin(self) -> None:
        self.told: list[Secret] = []

    def _sample(self, pixels: Pixels, face: Any, watch: Any) -> Any:
        if (crop := self._crop(pixels, face)) is not None:
            self.told += picture("aligned face pixels", crop[::CROP_ROWS])
        return super()._sample(pixels, face, watch)

    def told_of(self, sample: Sample | NotPerformed) -> None:
        if isinstance(sample, Sample):
            name = "reference features" if isinstance(sample, Reference) else "probe features"
            self.told += vector(name, sample.features)

    def reference(self, image: Any) -> Any:
        self.told_of(made := super().reference(image))
        return made

    def probe(self, pixels: Pixels, sighting: Any = None) -> Any:
        self.told_of(made := super().probe(pixels, sighting))
        return made

    def fuse(self, probes: Any) -> Any:
        self.told_of(made := super().fuse(probes))
        return made


class Replayed:
    """A camera that shows once more what it showed."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = deque(frames)

    def over(self) -> bool:
        return not self._frames

    def newest(self, timeout: float) -> Frame:
        pixels = np.frombuffer(self._frames.popleft(), np.uint8).reshape(camera.HEIGHT, camera.WIDTH, 3).copy()
        return Frame(pixels=pixels, boot=camera.boot())

    def close(self) -> None:
        pass


def face(verifier: TellingVerifier, dg2: bytes, frames: list[bytes]) -> list[Secret]:
    """Features and aligned faces that vision made of the portrait and of ``frames``, and the last of these themselves."""
    verifier.begin()
    reference = verifier.reference(dg2_image(dg2).image)
    for start in range(min(STARTS, len(frames))) if isinstance(reference, Reference) else ():
        replayed = Replayed(frames[start:])
        Capture(verifier, replayed, lambda _: None, replayed.over).look(reference, lambda: REPLAY_S)
    shown = [np.frombuffer(frame, np.uint8).reshape(camera.HEIGHT, camera.WIDTH, 3)[MIDDLE] for frame in frames[-FRAMES:]]
    return [*verifier.told, *(secret for each in shown for secret in picture("frame pixels", each))]
