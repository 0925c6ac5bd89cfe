"""Decodes hostile images in a process that can do nothing else.

``python -m faceverify.confined`` is long-lived and single-threaded; it forks one grandchild for each image. The grandchild has
limits of memory, processor time, files and processes, cannot dump core, cannot be traced, writes to one pipe only and dies with
the picture. Nothing touches a disk or shared memory. Whatever an image does to it, the caller gets pixels or an ImageError.

Wire, parent → child: length (4 bytes), image. Child → parent: code (16 bytes, NUL-padded, ``ok`` or an ImageFault), pixels.
The parent knows the pixels' shape from the header that it read itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from faceverify.image import MAX_IMAGE_BYTES, MAX_PIXELS, ImageError, ImageFault, decode, read_header

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TIMEOUT_S = 1.0
"""Wall-clock limit for one image. A portrait of 15 kB takes under 20 ms."""
_START_S = 20.0
"""The child imports OpenCV before it answers; on a busy machine that takes seconds."""
_GRACE_S = 0.5
"""What the child may take beyond an image's limit to notice it and to answer."""
_MEMORY_BYTES = 96 << 20
_MEMORY_PER_PIXEL = 64
"""Address space beyond what the child already has. A JPEG 2000 decoder holds four 32-bit planes and the wavelet's copy."""
_FILES = 16
_CODE = struct.Struct("16s")
_LENGTH = struct.Struct(">I")
_READY = b"ready"
_OK = b"ok"

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # linux/prctl.h


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
        if code != _OK:
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
        _write_all(into, _LENGTH.pack(len(image)), deadline)
        _write_all(into, image, deadline)
        code = _read_code(out, deadline)
        if code == _OK:
            _read_into(out, pixels, deadline)
        return code

    def _running(self) -> tuple[int, int]:
        """File descriptors to write to and read from a child that is ready."""
        if self._child is None or self._child.poll() is not None:
            self._stop()
            self._child = self._spawn()
            _, out = _pipes(self._child)
            if _read_code(out, time.monotonic() + _START_S) != _READY:
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


# --- pipes with a deadline (parent and child) ----------------------------------------------------------------------------


def _wait(descriptor: int, event: int, deadline: float | None) -> None:
    if deadline is None:  # the descriptor blocks
        return
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1e3):
        raise TimeoutError


def _write_all(descriptor: int, data: bytes | bytearray, deadline: float | None) -> None:
    rest = memoryview(data)
    while rest:
        _wait(descriptor, select.POLLOUT, deadline)
        rest = rest[os.write(descriptor, rest) :]


def _read_into(descriptor: int, target: memoryview, deadline: float | None) -> None:
    while target:
        _wait(descriptor, select.POLLIN, deadline)
        count = os.readv(descriptor, [target])
        if not count:
            raise BrokenPipeError
        target = target[count:]


def _read_code(descriptor: int, deadline: float) -> bytes:
    buffer = bytearray(_CODE.size)
    _read_into(descriptor, memoryview(buffer), deadline)
    return bytes(buffer).rstrip(b"\0")


# --- the child -----------------------------------------------------------------------------------------------------------


def serve(max_pixels: int, timeout_s: float) -> None:
    """The child's loop: ends when its parent closes the pipe."""
    import cv2

    cv2.setNumThreads(1)
    _confine(max_pixels)
    _reply(_READY)
    while (image := _receive()) is not None:
        code, pixels = _in_grandchild(image, max_pixels, timeout_s)
        _wipe(image)
        _reply(code)
        _write_all(1, pixels, None)
        _wipe(pixels)


def _receive() -> bytearray | None:
    head = _read_exactly(_LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    return _read_exactly(length) if length <= MAX_IMAGE_BYTES else None


def _read_exactly(count: int) -> bytearray | None:
    data = bytearray(count)
    try:
        _read_into(0, memoryview(data), None)
    except BrokenPipeError:
        return None
    return data


def _reply(code: bytes) -> None:
    _write_all(1, _CODE.pack(code), None)


def _wipe(data: bytearray) -> None:
    data[:] = bytes(len(data))


def _in_grandchild(image: bytearray, max_pixels: int, timeout_s: float) -> tuple[bytes, bytearray]:
    """Decode in a fork that dies with the image; it cannot reach the pipes to the parent, only one of its own."""
    header = read_header(image, max_pixels=max_pixels)
    pixels = bytearray(header.height * header.width * 3)
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        _grandchild(image, max_pixels, timeout_s, send)
    os.close(send)
    deadline = time.monotonic() + timeout_s
    try:
        code = _read_code(receive, deadline)
        if code == _OK:
            _read_into(receive, memoryview(pixels), deadline)
    except TimeoutError:
        code = ImageFault.TIME_LIMIT.encode()
    except OSError:
        code = ImageFault.DECODER_DIED.encode()
    finally:
        os.close(receive)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return (code, pixels) if code == _OK else (code, bytearray())


def _grandchild(image: bytearray, max_pixels: int, timeout_s: float, send: int) -> NoReturn:
    try:
        os.dup2(send, 1)  # the only descriptor it keeps
        os.closerange(2, _FILES)
        os.close(0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _limit(resource.RLIMIT_CPU, int(timeout_s) + 1)
        _limit(resource.RLIMIT_NPROC, 0)
        _limit(resource.RLIMIT_NOFILE, 0)
        try:
            pixels = decode(image, max_pixels=max_pixels)
        except ImageError as error:
            _reply(error.code.encode())
        except MemoryError:
            _reply(ImageFault.UNDECODABLE.encode())
        else:
            _reply(_OK)
            _write_all(1, pixels.tobytes(), None)
    finally:
        os._exit(0)


def _confine(max_pixels: int) -> None:
    """Limits of the child, which every grandchild inherits. Raises OSError: what cannot be confined must not serve."""
    space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()  # proc(5): first field, pages
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _limit(resource.RLIMIT_AS, space + _MEMORY_BYTES + _MEMORY_PER_PIXEL * max_pixels)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _FILES)


def _limit(which: int, value: int) -> None:
    resource.setrlimit(which, (value, value))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))
