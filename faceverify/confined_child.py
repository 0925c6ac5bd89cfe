"""The confined decoder's process: limits first, then one fork for each image (see :mod:`faceverify.confined`)."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from pathlib import Path
from typing import NoReturn

from faceverify.image import MAX_IMAGE_BYTES, ImageError, ImageFault, decode, read_header
from faceverify.pipes import CODE, LENGTH, OK, READY, read_code, read_into, write_all

_MEMORY_BYTES = 96 << 20
_MEMORY_PER_PIXEL = 64
"""Address space beyond what the child already has. A JPEG 2000 decoder holds four 32-bit planes and the wavelet's copy."""
_FILES = 16
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # linux/prctl.h


def serve(max_pixels: int, timeout_s: float) -> None:
    """The child's loop: ends when its parent closes the pipe."""
    import cv2

    cv2.setNumThreads(1)
    _confine(max_pixels)
    _reply(READY)
    while (image := _receive()) is not None:
        _answer(image, max_pixels, timeout_s)
        _wipe(image)


def _receive() -> bytearray | None:
    head = _read_exactly(LENGTH.size)
    if head is None:
        return None
    (length,) = LENGTH.unpack(head)
    return _read_exactly(length) if length <= MAX_IMAGE_BYTES else None


def _read_exactly(count: int) -> bytearray | None:
    data = bytearray(count)
    try:
        read_into(0, memoryview(data), None)
    except BrokenPipeError:
        return None
    return data


def _reply(code: bytes) -> None:
    write_all(1, CODE.pack(code), None)


def _wipe(data: bytearray) -> None:
    data[:] = bytes(len(data))


def _answer(image: bytearray, max_pixels: int, timeout_s: float) -> None:
    """Decode in a fork that dies with the image. It cannot reach the pipes to the parent, only one of its own."""
    header = read_header(image, max_pixels=max_pixels)
    pixels = bytearray(header.height * header.width * 3)
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        _grandchild(image, max_pixels, timeout_s, send)
    os.close(send)
    code = _collect(receive, pixels, time.monotonic() + timeout_s)
    os.kill(pid, signal.SIGKILL)
    _reply(code)
    if code == OK:
        write_all(1, pixels, None)
    _wipe(pixels)
    os.close(receive)
    os.waitpid(pid, 0)


def _collect(receive: int, pixels: bytearray, deadline: float) -> bytes:
    try:
        code = read_code(receive, deadline)
        if code == OK:
            read_into(receive, memoryview(pixels), deadline)
    except TimeoutError:
        return ImageFault.TIME_LIMIT.encode()
    except OSError:
        return ImageFault.DECODER_DIED.encode()
    return code


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
            _reply(OK)
            write_all(1, pixels.data.cast("B"), None)
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
    if libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
