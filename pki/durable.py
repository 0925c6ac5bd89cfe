"""Files that a power cut leaves whole: the old one or the new one. Nothing is read through a link, or written through one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from pki.errors import PkiError, ReasonCode

UNFINISHED = ".new-"
"""Begins the name of a file that is still being written; one that is left behind belongs to nothing."""


def read_file(path: Path, limit: int) -> bytes:
    """A regular file of at most ``limit`` octets, no link. Raises PkiError(MALFORMED) naming it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(limit + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError as error:
        raise unusable(path, "is a link" if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})") from None
    if content is None or len(content) > limit:
        raise unusable(path, "is no file" if content is None else f"has more than {limit} octets")
    return content


def write_file(path: Path, content: bytes) -> None:
    """Write or replace ``path`` as a whole; when this returns it is on the disk. Raises OSError, ``path`` then being as it was.

    One writer at a time: the caller holds a lock where there could be two.
    """
    fresh = path.with_name(UNFINISHED + path.name)
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in ``folder`` on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unusable(path: Path, what: str) -> PkiError:
    return PkiError(ReasonCode.MALFORMED, f"{path}: {what}")
