"""Looks for what nobody may leave behind: windows of known secrets in the memory of processes and in files.

A window is :data:`WINDOW` octets of a secret, and there is one at each of its octets; memory is compared at every eighth octet. So each
copy of 23 octets is found, wherever and however it lies. Windows that say too little (fewer than :data:`DISTINCT` values: plain grey, a
picture's edge, zeros) or that count up or down (tables) are not searched for. What somebody encoded, encrypted or turned into other numbers is not found: who wants that
found gives it as a secret of its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

WINDOW, WORD = 16, 8
DISTINCT = 8
BLOCK = 1 << 20
"""Octets that are read and compared at a time."""
TABLE_BITS = 24
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)
"""Odd and without pattern: what two words come to, multiplied by these and added, is a window's fingerprint."""
_SHARED = ("/memfd:", "/dev/shm/")

Found = Counter[str]
"""How many windows of each secret were found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """``name`` says what it is; several may bear one name (the rows of a picture, the frames of a camera)."""

    name: str
    content: bytes = field(repr=False)


class Windows:
    """The windows of all ``secrets`` that say something, to be looked for in anything; without those that ``public`` contents have, too."""

    def __init__(self, secrets: Iterable[Secret], public: Iterable[bytes] = ()) -> None:
        self.names: list[str] = []
        parts, owners = [], []
        for secret in secrets:
            if secret.name not in self.names:
                self.names.append(secret.name)
            parts.append(_telling(secret.content))
            owners.append(np.full(parts[-1].size, self.names.index(secret.name), np.uint16))
        prints, first = np.unique(np.concatenate([*parts, np.empty(0, np.uint64)]), return_index=True)
        secret = ~np.isin(prints, np.concatenate([*map(_telling, public), np.empty(0, np.uint64)]))
        self._prints = prints[secret]
        self._owners = np.concatenate([*owners, np.empty(0, np.uint16)])[first[secret]]
        self._table = np.zeros(1 << TABLE_BITS, np.bool_)
        self._table[_slot(self._prints)] = True

    def __len__(self) -> int:
        return int(self._prints.size)

    def of(self, name: str) -> int:
        """How many windows there are of one name, but for those that another name had before."""
        return int((self._owners == self.names.index(name)).sum())

    def found_in(self, memory: bytes) -> Found:
        """What is in ``memory``, which begins at a multiple of eight of wherever it lay."""
        if len(memory) < WINDOW:
            return Counter()
        words = np.frombuffer(memory, "<u8", len(memory) // WORD)
        prints = _prints(words[:-1], words[1:])
        maybe = prints[self._table[_slot(prints)]]
        if not maybe.size or not self._prints.size:
            return Counter()
        places = np.minimum(np.searchsorted(self._prints, maybe), self._prints.size - 1)
        owners = self._owners[places[self._prints[places] == maybe]]
        return Counter(
            {self.names[owner]: int(count) for owner, count in zip(*np.unique(owners, return_counts=True), strict=True)}
        )


def _telling(content: bytes) -> NDArray[np.uint64]:
    """Fingerprints of the windows at every octet, without those that say too little."""
    if len(content) < WINDOW:
        return np.empty(0, np.uint64)
    octets = sliding_window_view(np.frombuffer(content, np.uint8), WINDOW)
    steps = np.diff(octets, axis=1)
    distinct = 1 + (np.diff(np.sort(octets, axis=1), axis=1) != 0).sum(axis=1)
    telling = (distinct >= DISTINCT) & (steps != steps[:, :1]).any(axis=1)
    count = len(content) - WORD + 1
    words = np.ndarray((count,), "<u8", content, strides=(1,))
    return _prints(words[:-WORD], words[WORD:])[telling]


def _prints(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.asarray(first * _FACTORS[0] + second * _FACTORS[1], np.uint64)


def _slot(prints: NDArray[np.uint64]) -> NDArray[np.intp]:
    return np.asarray(prints >> np.uint64(64 - TABLE_BITS), np.intp)


# --- memory ------------------------------------------------------------------------------------------------------------------


def in_process(pid: int, windows: Windows) -> dict[str, Found]:
    """By the kind of mapping (``[heap]``, ``stack of`` a thread, ``anonymous``, a file's name): all that a process can write or shares, and what it
    holds open without a name. Raises PermissionError where this user may not look, ProcessLookupError where it is gone.
    """
    found: dict[str, Found] = {}
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end, name in _mappings(pid):
            if told := _in_range(memory.fileno(), windows, start, end):
                found[name] = found.get(name, Counter()) + told
    for descriptor in _unnamed_files(pid):
        if told := in_file(descriptor, windows):
            found["memfd"] = found.get("memfd", Counter()) + told
    return found


def _mappings(pid: int) -> Iterator[tuple[int, int, str]]:
    stacks = _stacks(pid)
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
        addresses, rights, _, _, _, *path = line.split(maxsplit=5)
        name = path[0] if path else "anonymous"
        of_a_file = name.startswith("/") and not name.startswith(_SHARED)
        if rights[0] == "r" and not (of_a_file and "w" not in rights) and name not in {"[vvar]", "[vdso]", "[vsyscall]"}:
            start, end = (int(address, 16) for address in addresses.split("-"))
            threads = [thread for thread, pointer in stacks if start <= pointer < end]
            yield start, end, f"stack of {threads[0]}" if threads else name


def _stacks(pid: int) -> list[tuple[str, int]]:
    """Each thread's name, and where its stack stands while it waits in the system (proc_pid_syscall(5))."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            told = (task / "syscall").read_text(encoding="ascii").split()
            if len(told) > 2:  # else it runs
                found.append(((task / "comm").read_text(encoding="utf-8").strip(), int(told[-2], 16)))
    return found


def _unnamed_files(pid: int) -> list[Path]:
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if str(descriptor.readlink()).startswith(_SHARED):
                found.append(descriptor)
    return found


def _in_range(memory: int, windows: Windows, start: int, end: int) -> Found:
    """From ``start`` to ``end``, in blocks that overlap so that no window is missed. What goes away meanwhile holds nothing."""
    found: Found = Counter()
    for at in range(start, end, BLOCK):
        with suppress(OSError):  # unmapped since, or nothing behind it (a guard, a device)
            found += windows.found_in(os.pread(memory, min(BLOCK + WORD, end - at), at))
    return found


def family(pids: dict[str, int]) -> dict[str, int]:
    """``pids`` and all their descendants, who are named after them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parent = int((entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = dict(pids)
    for name, pid in pids.items():
        heirs = list(children.get(pid, ()))
        while heirs:
            heir = heirs.pop()
            found[f"{name}, child {heir}"] = heir
            heirs += children.get(heir, ())
    return found


def in_processes(pids: dict[str, int], windows: Windows) -> dict[str, Found]:
    """By process and mapping, where anything was found. One that ends meanwhile takes with it what it held."""
    found = {}
    for name, pid in family(pids).items():
        with suppress(ProcessLookupError, FileNotFoundError):
            found |= {f"{name} {mapping}": told for mapping, told in in_process(pid, windows).items()}
    return found


# --- files -------------------------------------------------------------------------------------------------------------------


def in_file(path: Path, windows: Windows) -> Found:
    found: Found = Counter()
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        for at in range(0, size, BLOCK):
            found += windows.found_in(os.pread(file.fileno(), BLOCK + WORD, at))
    return found


def in_files(folders: Iterable[Path], windows: Windows, but: frozenset[Path] = frozenset()) -> dict[str, Found]:
    """By path, where anything was found in files below ``folders``; ``but``: files that were there before."""
    found = {}
    for path in sorted(files_below(folders) - but):
        with suppress(FileNotFoundError):
            if told := in_file(path, windows):
                found[str(path)] = told
    return found


def files_below(folders: Iterable[Path]) -> set[Path]:
    """All regular files below ``folders``, links not followed."""
    return {
        Path(folder) / name
        for each in folders
        for folder, _, names in os.walk(each)
        for name in names
        if (Path(folder) / name).is_file() and not (Path(folder) / name).is_symlink()
    }
