"""The confined decoder's processes (see :mod:`faceverify.confined`).

The *keeper* never sees an image. It forks one *worker* for each, hands the caller the worker's socket and memory over its own socket,
and makes an end of the worker when it is told to. The next worker is forked after that, so at no time do two pictures exist, and it
rehearses while nobody waits: pages that a forked process writes for the first time cost more than decoding a portrait.

Caller → keeper: one octet, WANTED or DONE. Keeper → caller: one octet with two descriptors. Caller → worker: the image's length, the
image lying at the start of the memory. Worker → caller: a code (``ok`` or an ImageFault), the pixels lying behind PIXELS_AT.
"""

from __future__ import annotations

import contextlib
import gc
import math
import mmap
import os
import resource
import select
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from faceverify.image import MAX_IMAGE_BYTES, ImageError, ImageFault, decode
from faceverify.seccomp import only_compute, prctl

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WANTED, DONE = b"w", b"d"
CODE = struct.Struct("16s")
LENGTH = struct.Struct(">I")
OK = b"ok"
PIXELS_AT = MAX_IMAGE_BYTES
"""Where in the shared memory the pixels lie: behind the largest image."""

_IDLE_S = 0.05
"""How long after an image the next worker may wait to be forked, unless it is wanted: the caller has work to do with the pixels."""
_WIPE_S = 0.05
"""What a worker may take to overwrite a picture before it is killed."""
_REHEARSAL = (531, 413)
"""A portrait's usual size: rows and columns (Doc 9303-9, 35 x 45 mm at 300 dpi)."""
_MEMORY_BYTES = 96 << 20
_MEMORY_PER_PIXEL = 64
"""Address space beyond what the keeper has. A JPEG 2000 decoder holds four 32-bit planes and the wavelet's copy."""
_FILES = 16
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4  # linux/prctl.h


def serve(max_pixels: int, timeout_s: float) -> None:
    """The keeper's loop: ends when its caller closes the socket, which is descriptor 0."""
    import cv2

    cv2.setNumThreads(1)
    pictures = _pictures() if math.prod(_REHEARSAL) <= max_pixels else ()
    harden(max_pixels)
    caller = socket.socket(fileno=0)
    gc.freeze()
    gc.disable()  # a collection would touch, and so copy, what worker and keeper share
    hurried = False
    while True:
        worker = _fork(caller, max_pixels, timeout_s, () if hurried else pictures)
        over = _said(caller, DONE)
        _end(worker)
        if not over:
            return
        hurried = bool(select.select([caller], [], [], _IDLE_S)[0])
        if hurried and not _said(caller, WANTED):
            return


def harden(max_pixels: int) -> None:
    """The keeper's limits, which every worker inherits. Raises OSError: what cannot be confined must not serve."""
    space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()  # proc(5): first field, pages
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(_PR_SET_DUMPABLE, 0)
    _limit(resource.RLIMIT_AS, space + _MEMORY_BYTES + _MEMORY_PER_PIXEL * max_pixels)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _FILES)


def _limit(which: int, value: int) -> None:
    resource.setrlimit(which, (value, value))


def _pictures() -> tuple[bytes, ...]:
    """What workers rehearse with: nothing but grey, encoded both ways. Decoding once also loads what decoding needs."""
    import cv2
    import numpy as np

    grey = np.full((*_REHEARSAL, 3), 128, np.uint8)
    encoded = tuple(cv2.imencode(kind, grey)[1].tobytes() for kind in (".jp2", ".jpg"))
    for image in encoded:
        decode(image)
    return encoded


def _said(caller: socket.socket, word: bytes) -> bool:
    """Wait for the word; False where the caller is gone. A WANTED that crossed our offer says nothing new."""
    while (heard := caller.recv(1)) != word:
        if not heard:
            return False
    return True


def _fork(caller: socket.socket, max_pixels: int, timeout_s: float, pictures: tuple[bytes, ...]) -> int:
    """A worker with a socket and memory of its own, offered to the caller. Returns its process id."""
    ours, theirs = socket.socketpair()
    area = os.memfd_create("picture")
    os.ftruncate(area, PIXELS_AT + 3 * max_pixels)
    pid = os.fork()
    if pid == 0:
        _work(theirs.fileno(), area, max_pixels, timeout_s, pictures)
    with contextlib.suppress(OSError):  # a caller that is gone: the next word that does not come will tell
        socket.send_fds(caller, [WANTED], [ours.fileno(), area])
    ours.close()
    theirs.close()
    os.close(area)
    return pid


def _end(pid: int) -> None:
    """Let the worker overwrite its memory and go; kill it where it does not."""
    handle = os.pidfd_open(pid)
    select.select([handle], [], [], _WIPE_S)
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    os.close(handle)
    os.waitpid(pid, 0)


def _work(channel: int, area: int, max_pixels: int, timeout_s: float, pictures: tuple[bytes, ...]) -> NoReturn:
    """One image, and the end. Of descriptors there remains the socket, of system calls those that work on memory and on it."""
    try:
        memory = mmap.mmap(area, PIXELS_AT + 3 * max_pixels)
        os.dup2(channel, 0)
        os.closerange(1, _FILES)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _limit(resource.RLIMIT_CPU, int(timeout_s) + 2)
        _limit(resource.RLIMIT_NPROC, 0)
        _limit(resource.RLIMIT_FSIZE, 0)
        _limit(resource.RLIMIT_NOFILE, 0)
        caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=0)
        only_compute()
        for picture in pictures:
            _wipe(_put(memory, decode(picture)))
        _serve_one(caller, memory, max_pixels)
    finally:
        os._exit(0)


def _serve_one(caller: socket.socket, memory: mmap.mmap, max_pixels: int) -> None:
    (length,) = LENGTH.unpack(caller.recv(LENGTH.size))
    image = bytearray(memory[: min(length, MAX_IMAGE_BYTES)])
    try:
        pixels = decode(image, max_pixels=max_pixels)
    except ImageError as error:
        caller.send(CODE.pack(error.code.encode()))
        return
    except MemoryError:
        caller.send(CODE.pack(ImageFault.UNDECODABLE.encode()))
        return
    shared = _put(memory, pixels)
    caller.send(CODE.pack(OK))
    caller.recv(1)  # nothing comes: the caller has read the pixels and closes
    _wipe(pixels, shared)
    memory[: len(image)] = image[:] = bytes(len(image))


def _put(memory: mmap.mmap, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    shared = np.frombuffer(memory, np.uint8, pixels.size, PIXELS_AT).reshape(pixels.shape)
    shared[...] = pixels
    return shared


def _wipe(*pictures: NDArray[np.uint8]) -> None:
    for pixels in pictures:
        pixels.fill(0)


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))
