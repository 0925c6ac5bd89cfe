"""Takes every system call from this process but the few that computing needs, for good (seccomp(2), Linux).

What is refused fails with EPERM: no file, no socket, no process, no signal to others, no clock to set. Limits of resources bind nobody
who is root; this does. The filter is a table of numbers and a few lines of classic BPF.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from functools import cache

PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_NUMBER, _ARCHITECTURE = 0, 4  # struct seccomp_data
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K

# read write close mmap munmap mremap brk madvise futex sendto recvfrom sched_yield rt_sigreturn exit exit_group
_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, (0, 1, 3, 9, 11, 25, 12, 28, 202, 44, 45, 24, 15, 60, 231)),
    "aarch64": (0xC00000B7, (63, 64, 57, 222, 215, 216, 214, 233, 98, 206, 207, 124, 139, 93, 94)),
}
"""By machine: its number in linux/audit.h, and those of the calls above in the kernel's table."""


def only_compute() -> None:
    """From here on this process may work on memory and use what is open. Raises OSError where the kernel or the machine cannot."""
    machine = platform.machine()
    if machine not in _CALLS:
        raise OSError(errno.ENOSYS, f"no filter of system calls for {machine}")
    rules = _rules(*_CALLS[machine])
    program = ctypes.create_string_buffer(rules, len(rules))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(rules) // 8, ctypes.addressof(program)))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(head))


def prctl(option: int, value: int, more: int = 0) -> None:
    """Change a property of this process, for the better. Raises OSError."""
    if _libc().prctl(option, *map(ctypes.c_ulong, (value, more, 0, 0))) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _rules(architecture: int, calls: tuple[int, ...]) -> bytes:
    """The filter as an array of struct sock_filter: another architecture's numbers end the process, other calls are refused."""
    rules = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    rules += [(_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)]
    rules += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *rule) for rule in rules)
