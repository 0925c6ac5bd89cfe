"""What every process of the gate does first: no core dump, no peeking by others, no life after its parent or without its threads.

Linux only (prctl); a failure to harden is an error, not a shrug.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import traceback

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def _thread_died(failure: threading.ExceptHookArgs) -> None:
    """A bug in a thread: nobody may go on as if it still worked. The process ends; the service starts it again."""
    traceback.print_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


def dump_nothing() -> None:
    """Forbid core dumps and ptrace by equals: what this process holds of people stays in it. Raises OSError."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(PR_SET_DUMPABLE, 0)


def harden() -> None:
    """Dump nothing; end with the parent, and with any thread that dies of a bug. Raises OSError."""
    threading.excepthook = _thread_died
    parent = os.getppid()
    dump_nothing()
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the parent went between the two calls: nobody would tell us
        raise SystemExit(0)
