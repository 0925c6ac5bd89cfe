"""Decodes hostile images in a process that can do nothing else.

One image, one process: it has memory and a socket, no file, no network and no way to others; limits of memory, processor time and
system calls; it cannot dump core or be traced, and it ends with the picture. So a picture that takes its decoder over meets no other
traveller's. Its successor is forked beforehand by a keeper (:mod:`faceverify.confined_child`) and waits warm. Whatever an image does,
the caller gets pixels or an ImageError. The caller reads the header itself, so it knows how many bytes an answer may have; they come
through memory that the two share for this one picture and that no disk ever sees, and are copied before anybody looks at them.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from faceverify.confined_child import CODE, DONE, LENGTH, OK, PIXELS_AT, WANTED
from faceverify.image import MAX_PIXELS, ImageError, ImageFault, read_header

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TIMEOUT_S = 1.0
"""Wall-clock limit for one image. A portrait of 15 kB takes under 20 ms."""
_START_S = 20.0
"""The keeper imports OpenCV before it offers a worker; on a busy machine that takes seconds."""
_FORK_S = 2.0
"""Likewise what it may take for a worker later on; ten milliseconds on a machine that is not busy."""
_HEAP = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=268435456"
"""Memory that the rehearsal had stays with the worker: pages come back zeroed and late, and a portrait needs thousands."""


class ConfinedDecoder:
    """Encoded image in, BGR pixels out. Safe to call from several threads; one image at a time.

    The processes end with :meth:`close`, with this process, or with the *thread* that started them; they are started when needed.
    """

    def __init__(self, *, max_pixels: int = MAX_PIXELS, timeout_s: float = TIMEOUT_S) -> None:
        self._max_pixels, self._timeout_s = max_pixels, timeout_s
        self._keeper: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._spare: _Worker | None = None
        self._ready = False
        """Whether the keeper has offered a worker before."""
        self._lock = threading.Lock()

    def decode(self, image: bytes) -> NDArray[np.uint8]:
        """Pixels of shape (height, width, 3), uint8 BGR. Raises ImageError; the next image is decoded all the same."""
        import numpy as np

        header = read_header(image, max_pixels=self._max_pixels)
        pixels = np.empty((header.height, header.width, 3), np.uint8)
        with self._lock, self._worker() as worker:
            try:
                code = worker.decode(image, memoryview(pixels.data).cast("B"), self._timeout_s)
            except TimeoutError:
                raise ImageError(ImageFault.TIME_LIMIT) from None
            except OSError:
                pixels.fill(0)
                raise ImageError(ImageFault.DECODER_DIED) from None
        if code != OK:
            raise ImageError(_fault(code))
        return pixels

    def begin(self) -> None:
        """Start the processes without waiting for them. Raises ImageError (``decoder_died``) where that fails."""
        with self._lock, self._or_stop():
            self._running()

    def start(self) -> None:
        """Start the processes and wait until they are ready. Raises ImageError (``decoder_died``) where they cannot start."""
        with self._lock, self._or_stop():
            self._offered(self._running())

    def close(self) -> None:
        """End the processes. The decoder may be used again."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the keeper; None while there is none."""
        return self._keeper.pid if self._keeper else None

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        """The worker for one image. It is taken away afterwards, whatever came of it."""
        with self._or_stop():
            link = self._running()
            worker, self._spare = self._offered(link), None
        try:
            yield worker
        finally:
            worker.close()
            with contextlib.suppress(OSError):  # a keeper that died is replaced when it is needed
                link.send(DONE)

    @contextmanager
    def _or_stop(self) -> Iterator[None]:
        try:
            yield
        except OSError:  # TimeoutError included
            self._stop()
            raise ImageError(ImageFault.DECODER_DIED) from None

    def _offered(self, link: socket.socket) -> _Worker:
        """The worker that the keeper offers; wait for it where it has not done so yet."""
        if self._spare is None:
            link.send(WANTED)
            _wait(link.fileno(), time.monotonic() + (_FORK_S if self._ready else _START_S))
            _, descriptors, _, _ = socket.recv_fds(link, 1, 2, socket.MSG_CMSG_CLOEXEC)
            if len(descriptors) != 2:
                raise BrokenPipeError
            self._spare, self._ready = _Worker(*descriptors), True
        return self._spare

    def _running(self) -> socket.socket:
        """The socket to a keeper that lives. One that died took its worker with it."""
        if self._keeper is None or self._link is None or self._keeper.poll() is not None:
            self._stop()
            self._link, theirs = socket.socketpair()
            with theirs:
                self._keeper = self._spawn(theirs)
        return self._link

    def _spawn(self, link: socket.socket) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).resolve().parent.parent)
        return subprocess.Popen(
            [sys.executable, "-s", "-m", "faceverify.confined_child", str(self._max_pixels), str(self._timeout_s)],
            stdin=link.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # decoders print what they think of a picture
            env={"PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1", "OPJ_NUM_THREADS": "1", "GLIBC_TUNABLES": _HEAP},
            cwd="/",
        )

    def _stop(self) -> None:
        if self._spare is not None:
            self._spare.close()
        if self._link is not None:
            self._link.close()
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.wait()
        self._spare = self._link = self._keeper = None
        self._ready = False


class _Worker:
    """The socket and the memory of a process that decodes one image."""

    def __init__(self, channel: int, memory: int) -> None:
        self._channel, self._memory = socket.socket(fileno=channel), memory

    def decode(self, image: bytes, pixels: memoryview, timeout_s: float) -> bytes:
        """The code of the answer; ``pixels`` are filled where it is OK. Raises TimeoutError, and OSError where the worker died.

        What the worker does to the memory later, or to its size, reaches nobody: the pixels are read, not mapped.
        """
        os.pwrite(self._memory, image, 0)
        self._channel.send(LENGTH.pack(len(image)))
        _wait(self._channel.fileno(), time.monotonic() + timeout_s)
        answer = self._channel.recv(CODE.size, socket.MSG_DONTWAIT)
        if len(answer) != CODE.size:
            raise BrokenPipeError
        code = answer.rstrip(b"\0")
        if code == OK and os.preadv(self._memory, [pixels], PIXELS_AT) != len(pixels):
            raise BrokenPipeError
        return code

    def close(self) -> None:
        """Let go of the process, which then ends."""
        self._channel.close()
        os.close(self._memory)


def _wait(descriptor: int, deadline: float) -> None:
    """Until something can be read, or TimeoutError. A deadline is a time of :func:`time.monotonic`."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1e3):
        raise TimeoutError


def _fault(code: bytes) -> ImageFault:
    try:
        return ImageFault(code.decode("ascii"))
    except ValueError:  # UnicodeDecodeError included
        return ImageFault.DECODER_DIED
