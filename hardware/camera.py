"""A camera through OpenCV: a video device of the system, or a recording (a film, or numbered pictures) that is shown again and again.

A thread of its own takes every frame as it comes and keeps the newest one alone; whoever asks gets that, never what waited in a
queue. A device that stops, freezes or is unplugged raises :class:`hardware.ports.DeviceLost` for as long as it is away; the thread looks
for it under the same name meanwhile, so name it below ``/dev/v4l/by-id``, where the name stays with the camera.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.ports import DeviceError, DeviceLost, Frame

START_S = 3.0
"""From the opening of a device to its first frame: USB cameras take one or two seconds to set their exposure."""
STALL_S = 1.0
"""No frame for this long, fifteen at the slowest rate in use, means that the camera has stopped."""
FROZEN_S = 2.0
"""Frames equal to the last bit for this long come out of a driver that repeats itself: a sensor has noise."""
REOPEN_EVERY_S = 0.5
RECORDED_FPS = 15.0
"""Of a recording that does not say."""
GRID = 16
"""Every so manieth pixel of every so manieth row tells one frame from the next."""

Pixels = NDArray[np.uint8]


class Capture(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool: ...  # noqa: N802 - OpenCV's name
    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, Any]: ...
    def get(self, what: int, /) -> float: ...
    def release(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the camera is asked to deliver; None leaves it to the camera. Recordings are shown as they are."""

    width: int | None = None
    height: int | None = None
    fps: int | None = None


def is_device(address: str) -> bool:
    """Whether ``address`` names a device of the system and no recording. It need not be plugged in."""
    return os.path.realpath(address).startswith("/dev/")


def open_capture(address: str, wish: Wish) -> Capture:
    """Open a device, or a recording: a file, or numbered pictures as ``frames/%04d.png``. Addresses of networks are not opened.

    Raises DeviceError.
    """
    if is_device(address):
        if not Path(address).exists():
            raise DeviceError(
                address, "there is no such camera", "plug it in, or correct camera.address (autogate doctor lists them)"
            )
        capture = cv2.VideoCapture(address, cv2.CAP_V4L2, _asked(wish))
    elif re.search(r"%0?\d*d", address):
        capture = cv2.VideoCapture(address, cv2.CAP_IMAGES)
    elif Path(address).is_file():
        capture = cv2.VideoCapture(address, cv2.CAP_OPENCV_MJPEG)
        if not capture.isOpened():
            capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG)
    else:
        raise DeviceError(address, "there is no such recording", "correct camera.address")
    if not capture.isOpened():
        remedy = (
            "add this user to the group video, or stop the program that holds it"
            if is_device(address)
            else "name a film or pictures"
        )
        raise DeviceError(address, "the camera cannot be opened", remedy)
    opened: Capture = capture
    return opened


def _asked(wish: Wish) -> list[int]:
    asked = {cv2.CAP_PROP_FRAME_WIDTH: wish.width, cv2.CAP_PROP_FRAME_HEIGHT: wish.height, cv2.CAP_PROP_FPS: wish.fps}
    known = [number for key, value in asked.items() if value is not None for number in (key, value)]
    return [*known, cv2.CAP_PROP_BUFFERSIZE, 1]


class OpenCvCamera:
    """A :class:`hardware.ports.FrameSource`. One thread asks; it and the camera's own share the newest frame."""

    def __init__(self, address: str, wish: Wish | None = None, open_: Callable[[str, Wish], Capture] = open_capture) -> None:
        """Open the camera. Raises DeviceError where that does not work now; what is lost later is looked for."""
        self._address, self._wish, self._open = address, wish or Wish(), open_
        self._live = is_device(address)
        self._news = threading.Condition()
        self._frame: Frame | None = None
        self._lost: DeviceLost | None = None
        self._last = boot()
        """When the newest frame came, or else the camera was opened."""
        self._patience = START_S
        self._closed = threading.Event()
        capture = self._open(self._address, self._wish)
        self._thread = threading.Thread(target=self._run, args=(capture,), name="camera", daemon=True)
        self._thread.start()

    def newest(self, timeout: float) -> Frame | None:
        """The newest frame not yet handed over; its pixels are the receiver's own. None after ``timeout`` seconds.

        Raises DeviceLost while the camera is away, has stopped or shows the same for ever.
        """
        with self._news:
            self._news.wait_for(lambda: self._frame is not None or self._lost is not None, timeout)
            if self._lost is not None:
                raise self._lost.with_traceback(None)
            frame, self._frame = self._frame, None
            if frame is None and boot() - self._last > self._patience:
                raise DeviceLost(self._address, f"no frame for {boot() - self._last:.0f} s", "look at the camera and its cable")
            return frame

    def close(self) -> None:
        """End the thread and overwrite what was seen last; again is harmless."""
        self._closed.set()
        self._thread.join(STALL_S)  # one that hangs in the driver overwrites what it still gets, and ends with the process
        self._publish(None)

    def _run(self, capture: Capture | None) -> None:
        while not self._closed.is_set():
            if capture is not None:
                self._watch(capture)
                capture.release()
            capture = self._again()
        if capture is not None:
            capture.release()

    def _again(self) -> Capture | None:
        if self._live or self._lost:
            self._closed.wait(REOPEN_EVERY_S)
        with suppress(DeviceError):
            return self._open(self._address, self._wish)
        self._lose("the camera is gone")
        return None

    def _watch(self, capture: Capture) -> None:
        """Take frames until there are no more."""
        pace = 0.0 if self._live else 1 / _rate(capture)
        freezer, due, came = Freezer(), time.monotonic(), False
        with self._news:
            self._last, self._patience = boot(), START_S
        while not self._closed.is_set() and capture.grab():
            taken = _taken(capture, boot()) if self._live else boot()
            good, pixels = capture.retrieve()
            if not good or pixels is None:
                break
            frame, came = Frame(pixels=pixels, boot=taken), True
            if self._live and freezer.frozen(pixels, taken):
                frame.wipe()
                self._lose("the camera shows the same picture for ever")
                continue
            self._publish(frame)
            due = max(due + pace, time.monotonic())
            self._closed.wait(max(0.0, due - time.monotonic()))
        if self._live or not came:  # a recording that is over begins anew
            self._lose("the camera was unplugged, or delivers no frames")

    def _publish(self, frame: Frame | None) -> None:
        """Make ``frame`` the newest one; overwrite the one that nobody fetched."""
        with self._news:
            if self._frame is not None:
                self._frame.wipe()
            if frame is not None and self._closed.is_set():
                frame.wipe()
                frame = None
            self._frame = frame
            if frame is not None:
                self._lost, self._last, self._patience = None, boot(), STALL_S
                self._news.notify_all()

    def _lose(self, what: str) -> None:
        self._publish(None)
        with self._news:
            self._lost = DeviceLost(self._address, what, "plug it in again")
            self._news.notify_all()


class Freezer:
    """Notices frames that are equal to the last bit for :data:`FROZEN_S`."""

    def __init__(self) -> None:
        self._before: Pixels | None = None
        self._since = 0.0

    def frozen(self, pixels: Pixels, taken: float) -> bool:
        sample = pixels[::GRID, ::GRID]
        if self._before is None or not np.array_equal(self._before, sample):
            self._before, self._since = sample.copy(), taken
        return taken - self._since > FROZEN_S


def _rate(capture: Capture) -> float:
    """Frames a second of a recording."""
    told = capture.get(cv2.CAP_PROP_FPS)
    return told if 1.0 <= told <= 120.0 else RECORDED_FPS


def _taken(capture: Capture, now: float) -> float:
    """When the frame was captured, in boot seconds: the driver's own stamp (V4L2 counts on the monotonic clock) where it is a
    moment of the last second, else ``now``, when it came.
    """
    age = time.monotonic() - capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    return now - age if 0.0 <= age <= 1.0 else now


def boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
