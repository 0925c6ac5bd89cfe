"""What the confined decoder and its parent say to each other, and pipes with a deadline.

Parent → child: length (4 bytes), image. Child → parent: code (16 bytes, NUL-padded, ``ok`` or an ImageFault), then the pixels.
A deadline is a time of :func:`time.monotonic`; None where the descriptor itself blocks.
"""

from __future__ import annotations

import os
import select
import struct
import time

CODE = struct.Struct("16s")
LENGTH = struct.Struct(">I")
READY = b"ready"
OK = b"ok"


def _wait(descriptor: int, event: int, deadline: float | None) -> None:
    if deadline is None:  # the descriptor blocks
        return
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1e3):
        raise TimeoutError


def write_all(descriptor: int, data: bytes | bytearray | memoryview, deadline: float | None) -> None:
    rest = memoryview(data)
    while rest:
        _wait(descriptor, select.POLLOUT, deadline)
        rest = rest[os.write(descriptor, rest) :]


def read_into(descriptor: int, target: memoryview, deadline: float | None) -> None:
    while target:
        _wait(descriptor, select.POLLIN, deadline)
        count = os.readv(descriptor, [target])
        if not count:
            raise BrokenPipeError
        target = target[count:]


def read_code(descriptor: int, deadline: float) -> bytes:
    buffer = bytearray(CODE.size)
    read_into(descriptor, memoryview(buffer), deadline)
    return bytes(buffer).rstrip(b"\0")
