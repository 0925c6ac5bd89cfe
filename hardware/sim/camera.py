"""The simulated camera: a plain room into which somebody walks, rendered when a frame is asked for, and the vision process's side."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.ports import DeviceError, Frame
from hardware.sim.server import DeviceClient, Header, Message

SOCKET = "camera.sock"
Pixels = NDArray[np.uint8]

WIDTH, HEIGHT, FPS = 1280, 720, 15
WALK_UP_S = 0.4
"""The last step, from the first sight of a person until they stand still before the camera."""
HURRY_BLUR = 6.0
"""Sigma in pixels of the blur that movement adds to the first frame; it fades with the square of the way left."""
FAR = 0.3
"""Size in the first frame, as a part of the size at rest."""
REST_HEIGHT = 640
"""Pixels of picture height at rest: a frontal face's eyes are then about 110 pixels apart (60 and more are needed)."""
ROOM_GREY, ROOM_SIGMA, NOISE_SIGMA = 118.0, 3.0, 1.0
NOISE_MARGIN = 64
"""Each frame cuts its noise out of one larger field at another place: fresh noise would cost 40 ms a frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """What the camera does to a person at rest: blur (sigma, pixels), light (a factor that flickers by ``flicker``)."""

    blur: float = 0.6
    light: float = 1.0
    flicker: float = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    picture: Pixels = field(repr=False)
    since: float
    degradation: Degradation


class CameraStage:
    """The scene. ``handle`` answers the vision process; ``show`` and ``clear`` are the director's."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._lock = threading.Lock()
        self._person: _Person | None = None
        self._last = 0.0
        self._room = self._grain(0, ROOM_GREY, ROOM_SIGMA).astype(np.uint8)
        self._noise = self._grain(NOISE_MARGIN, 0.0, NOISE_SIGMA)

    def _grain(self, margin: int, mean: float, sigma: float) -> NDArray[np.int16]:
        return self._random.normal(mean, sigma, (HEIGHT + margin, WIDTH + margin, 3)).astype(np.int16)

    def show(self, face: Pixels, seed: int = 0, degradation: Degradation | None = None) -> None:
        """Somebody whose picture is ``face`` (uint8 BGR, head and shoulders) begins to walk up to the camera."""
        person = _Person(picture=face, since=boot(), degradation=degradation or Degradation())
        with self._lock:
            self._random = np.random.default_rng(seed)
            self._person = person

    def clear(self) -> None:
        with self._lock:
            self._person = None

    def handle(self, header: Header, _bodies: list[bytes]) -> Message:
        if header["do"] != "frame":
            raise ValueError(f"the camera cannot {header['do']!r}")
        wait = self._last + 1 / FPS - boot()
        if wait > header["timeout"]:
            time.sleep(max(0.0, header["timeout"]))
            return {"boot": None}, []
        time.sleep(max(0.0, wait))
        with self._lock:
            self._last = taken = boot()
            pixels = self._render(taken)
        return {"boot": taken}, [pixels.tobytes()]

    def _render(self, now: float) -> Pixels:
        scene = self._room
        if self._person is not None:
            scene = self._walk_in(self._person, min(1.0, (now - self._person.since) / WALK_UP_S))
        down, right = self._random.integers(0, NOISE_MARGIN, 2)
        noise = self._noise[down : down + HEIGHT, right : right + WIDTH]
        return np.asarray(cv2.add(scene, noise, dtype=cv2.CV_8U), dtype=np.uint8)

    def _walk_in(self, person: _Person, progress: float) -> Pixels:
        """``progress`` 0 … 1: small and blurred by movement at first, then at rest, swaying a little.

        The edges of the picture go on to those of the frame: a picture with an edge is a photograph held up, and is judged as one.
        """
        height = int(REST_HEIGHT * (FAR + (1 - FAR) * progress) * self._random.uniform(0.99, 1.01))
        width = height * person.picture.shape[1] // person.picture.shape[0]
        looks = person.degradation
        seen = cv2.resize(person.picture, (width, height), interpolation=cv2.INTER_AREA if progress < 1 else cv2.INTER_LINEAR)
        seen = cv2.GaussianBlur(seen, (0, 0), looks.blur + HURRY_BLUR * (1 - progress) ** 2)
        light = looks.light * (1 + self._random.uniform(-looks.flicker, looks.flicker))
        sway = int(self._random.integers(-6, 7))
        left, top = (WIDTH - width) // 2 + sway, (HEIGHT - height) // 2
        lit = cv2.convertScaleAbs(seen, alpha=light)
        beside = (top, HEIGHT - top - height, left, WIDTH - left - width)
        return np.asarray(cv2.copyMakeBorder(lit, *beside, cv2.BORDER_REPLICATE), dtype=np.uint8)


class SimulatedCamera:
    """A :class:`hardware.ports.FrameSource`. ``folder`` is where the simulated world has its sockets."""

    def __init__(self, folder: Path, secret: str) -> None:
        self._line = DeviceClient(folder / SOCKET, secret)

    def newest(self, timeout: float) -> Frame | None:
        header, bodies = self._line.ask({"do": "frame", "timeout": timeout}, within=timeout)
        match header.get("boot"), bodies:
            case None, []:
                return None
            case float(taken), [raw] if len(raw) == WIDTH * HEIGHT * 3:
                return Frame(pixels=np.frombuffer(raw, np.uint8).reshape(HEIGHT, WIDTH, 3), boot=taken)
            case _:
                raise DeviceError("camera", "the simulated camera answers nonsense")

    def close(self) -> None:
        self._line.close()


def boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
