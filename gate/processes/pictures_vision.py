"""Vision's part in showing pictures to officers: encoded anew, small, and sent past the lane to the process that hands them out.

What a chip holds is never handed on as it is: it is decoded in the confined process, and what comes out is encoded here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify.image import ImageError
from gate.processes.channel import ChannelClosed, Line
from gate.processes.messages import Picture
from hardware.ports import Frame

HEIGHT, WIDTH = 480, 1024
"""Pixels at most: enough to compare two faces by eye, and all that leaves vision."""
QUALITY = 85
Pixels = NDArray[np.uint8]


class PictureSender:
    """Sends the pictures of one case after the other. For vision's thread alone; it keeps none."""

    def __init__(self, path: Path, secret: str, decode: Callable[[bytes], Pixels]) -> None:
        """``path``: where they are waited for; ``secret``: vision's there; ``decode``: encoded portrait to BGR pixels, raises ImageError."""
        self._path, self._secret, self._decode = path, secret, decode
        self._line: Line | None = None
        self._transaction, self._newest = "", 0.0

    @property
    def showing(self) -> bool:
        return self._line is not None

    def begin(self, transaction: str, portrait: bytearray, now: float) -> None:
        """Send the chip's ``portrait`` (empty: there is none); from ``now`` on, in boot seconds, frames are wanted, and none of before."""
        self.end()
        try:
            self._line = Line(self._path, "vision", self._secret)
        except ChannelClosed:
            return  # whoever asked is gone, and asks again when they are back
        self._transaction, self._newest = transaction, now
        self._send("chip", self._encoded_anew(portrait))

    def frame(self, frame: Frame) -> None:
        """Send ``frame``, unless it was taken before somebody asked: a stalled camera shows whoever stood there then."""
        if self._line is not None and frame.boot > self._newest:
            self._newest = frame.boot
            self._send("live", encoded(frame.pixels))

    def end(self) -> None:
        """Send nothing more."""
        if self._line is not None:
            self._line.close()
        self._line = None

    def _encoded_anew(self, portrait: bytearray) -> bytes:
        try:
            pixels = self._decode(bytes(portrait))
        except ImageError:
            return b""
        try:
            return encoded(pixels)
        finally:
            pixels.fill(0)

    def _send(self, which: Literal["chip", "live"], jpeg: bytes) -> None:
        assert self._line is not None
        try:
            self._line.tell(Picture(transaction=self._transaction, which=which, jpeg=jpeg))
        except ChannelClosed:
            self.end()


def encoded(pixels: Pixels) -> bytes:
    """JPEG of BGR pixels, at most :data:`HEIGHT` by :data:`WIDTH`; their copies are wiped."""
    height, width = pixels.shape[:2]
    scale = min(1.0, HEIGHT / height, WIDTH / width)
    small = cv2.resize(pixels, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    small.fill(0)
    octets = bytes(jpeg)
    jpeg.fill(0)
    return octets
