"""What every process of the gate does first: no core dump, no peeking by others, no life after its parent or without its threads, no death
of a word that a full disk does not take.

Linux only (prctl, glibc); a failure to harden is an error, not a shrug.
"""

from __future__ import annotations

import ctypes
import io
import os
import resource
import signal
import sys
import threading
import traceback
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
WIPING = {"GLIBC_TUNABLES": "glibc.malloc.perturb=255:glibc.malloc.tcache_count=0"}
"""Environment of a process whose ``free()`` overwrites what it takes back, before anybody else can have it. Without the second setting
blocks up to a kilobyte go to a cache of the thread's, and keep what they held."""
_TRIED = (64, 600, 20_000)
"""Sizes of blocks, in octets, that are freed to see what becomes of them. The largest ones (128 KiB and more) go back to the system at once."""
_MARK = bytes(range(1, 33))
_STACK_BYTES, _OWN_BYTES = 512 * 1024, 1024
"""How far below a thread's frames its stack is overwritten: matrix products have 64 KiB of panels there. And what the call itself needs."""
_LINKS = 32
"""Octets at the start of a free block where the allocator keeps its own lists."""


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def _thread_died(failure: threading.ExceptHookArgs) -> None:
    """A bug in a thread: nobody may go on as if it still worked. The process ends; the service starts it again."""
    traceback.print_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


class _LostWords(io.FileIO):
    """Standard error into a file that may take no more: what is said then is lost, and nobody dies of having said it."""

    def write(self, said: Any) -> int:
        try:
            return super().write(said) or 0
        except OSError:
            return memoryview(said).nbytes


def _speak_without_fear() -> None:
    own = sys.__stderr__
    if own is not None and sys.stderr is own:
        words = _LostWords(own.fileno(), "w", closefd=False)
        sys.stderr = io.TextIOWrapper(words, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def dump_nothing() -> None:
    """Forbid core dumps and ptrace by equals: what this process holds of people stays in it. Raises OSError."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(PR_SET_DUMPABLE, 0)


def harden() -> None:
    """Dump nothing; end with the parent, and with any thread that dies of a bug; go on where the log of processes is full. Raises OSError."""
    _speak_without_fear()
    threading.excepthook = _thread_died
    parent = os.getppid()
    dump_nothing()
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the parent went between the two calls: nobody would tell us
        raise SystemExit(0)


def overwrite_what_is_freed() -> None:
    """For processes through which faces go: see to it that memory is overwritten when it is given back, in C as in Python.

    glibc reads its settings when a process starts, so one that was started without :data:`WIPING` starts itself again, as the same
    process. Raises OSError where memory is not overwritten all the same: this is another C library, or another allocator.
    """
    if any(os.environ.get(name) != value for name, value in WIPING.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **WIPING})  # noqa: S606 - ourselves
    if kept := [size for size in _TRIED if _survives_free(size)]:
        raise OSError(f"blocks of {kept} octets keep what they held when they are freed: the gate needs glibc's own allocator")


def _survives_free(size: int) -> bool:
    """Whether a block that was given back still holds what was written to it. Nothing else runs meanwhile (PyDLL keeps the lock)."""
    libc = ctypes.PyDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    block, behind = libc.malloc(size), libc.malloc(size)  # with one behind it a block does not go back to the system
    ctypes.memmove(block, _MARK * (size // len(_MARK)), size // len(_MARK) * len(_MARK))
    libc.free(block)
    left = ctypes.string_at(block + _LINKS, size - _LINKS)
    libc.free(behind)
    return _MARK[:16] in left


_Segment = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)


def wipe_stack() -> None:
    """Overwrite what calls that are over have left on this thread's stack: fragments of what they copied, which nobody frees.

    Call it where the work was called from, or nearer to the thread's beginning, and in a thread that is not the main one.
    """
    libc, here = ctypes.PyDLL(None), list[int]()

    def note(segment: int, _size: int, _data: int) -> int:
        here.append(segment)  # a variable of the caller's, so on the stack, and as deep as the next call from here
        return 1

    libc.dl_iterate_phdr(_Segment(note), None)
    ctypes.memset(here[0] - _OWN_BYTES - _STACK_BYTES, 0, _STACK_BYTES)
