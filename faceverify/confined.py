"""Decodes hostile images in a process that can do nothing else.

``python -m faceverify.confined`` is long-lived and single-threaded; it forks one grandchild for each image. The grandchild has
limits of memory, processor time, files and processes, cannot dump core, cannot be traced, writes to one pipe only and dies with
the picture. Nothing touches a disk or shared memory. Whatever an image does to it, the caller gets pixels or an ImageError.
The parent reads the header itself, so it knows how many bytes an answer may have.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from faceverify.image import MAX_PIXELS, ImageError, ImageFault, read_header
from faceverify.pipes import LENGTH, OK, READY, read_code, read_into, write_all

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TIMEOUT_S = 1.0
"""Wall-clock limit for one image. A portrait of 15 kB takes under 20 ms."""
_START_S = 20.0
"""The child imports OpenCV before it answers; on a busy machine that takes seconds."""
_GRACE_S = 0.5
"""What the child may take beyond an image's limit to notice it and to answer."""


class ConfinedDecoder:
    """Encoded image in, BGR pixels out. Safe to call from several threads; one image at a time.

    The child ends with :meth:`close`, with this process, or with the *thread* that started it; it is started again when needed.
    """

    def __init__(self, *, max_pixels: int = MAX_PIXELS, timeout_s: float = TIMEOUT_S) -> None:
        self._max_pixels, self._timeout_s = max_pixels, timeout_s
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def decode(self, image: bytes) -> NDArray[np.uint8]:
        """Pixels of shape (height, width, 3), uint8 BGR. Raises ImageError; the next image is decoded all the same."""
        import numpy as np

        header = read_header(image, max_pixels=self._max_pixels)
        pixels = np.empty((header.height, header.width, 3), np.uint8)
        with self._lock:
            try:
                code = self._ask(image, memoryview(pixels.data).cast("B"))
            except TimeoutError:
                self._stop()
                raise ImageError(ImageFault.TIME_LIMIT) from None
            except OSError:
                self._stop()
                raise ImageError(ImageFault.DECODER_DIED) from None
        if code != OK:
            raise ImageError(_fault(code))
        return pixels

    def start(self) -> None:
        """Start the child and wait until it is ready. Raises ImageError (``decoder_died``) where it cannot start."""
        with self._lock:
            try:
                self._running()
            except OSError:
                self._stop()
                raise ImageError(ImageFault.DECODER_DIED) from None

    def close(self) -> None:
        """End the child. The decoder may be used again."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return self._child.pid if self._child else None

    def _ask(self, image: bytes, pixels: memoryview) -> bytes:
        into, out = self._running()
        deadline = time.monotonic() + self._timeout_s + _GRACE_S
        write_all(into, LENGTH.pack(len(image)), deadline)
        write_all(into, image, deadline)
        code = read_code(out, deadline)
        if code == OK:
            read_into(out, pixels, deadline)
        return code

    def _running(self) -> tuple[int, int]:
        """File descriptors to write to and read from a child that is ready."""
        if self._child is None or self._child.poll() is not None:
            self._stop()
            self._child = self._spawn()
            _, out = _pipes(self._child)
            if read_code(out, time.monotonic() + _START_S) != READY:
                raise BrokenPipeError
        return _pipes(self._child)

    def _spawn(self) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).resolve().parent.parent)
        child = subprocess.Popen(
            [sys.executable, "-s", "-m", "faceverify.confined", str(self._max_pixels), str(self._timeout_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders print what they think of a picture
            env={"PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1", "OPJ_NUM_THREADS": "1"},
            cwd="/",
            bufsize=0,
        )
        for descriptor in _pipes(child):
            os.set_blocking(descriptor, False)
        return child

    def _stop(self) -> None:
        if self._child is None:
            return
        child, self._child = self._child, None
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _pipes(child: subprocess.Popen[bytes]) -> tuple[int, int]:
    assert child.stdin is not None and child.stdout is not None  # noqa: PT018 - both or neither
    return child.stdin.fileno(), child.stdout.fileno()


def _fault(code: bytes) -> ImageFault:
    try:
        return ImageFault(code.decode("ascii"))
    except ValueError:  # UnicodeDecodeError included
        return ImageFault.DECODER_DIED


if __name__ == "__main__":
    from faceverify.confined_child import serve

    serve(int(sys.argv[1]), float(sys.argv[2]))
