"""strace around a process of the gate: by which calls it makes anything last, and what becomes of it at the n-th of them.

A signal comes when the call is entered, so whoever is killed there has not done it any more: that is the state between two calls. An error
is answered in place of the call. strace counts by call and thread, and here by file as well. It stays the parent from the first instruction
on, so it follows processes that nobody else may look into (``gate.processes.hardening``); to tell files from one another it needs
CAP_SYS_PTRACE, as root has it.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LASTING = (
    *("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "copy_file_range"),
    *("fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync"),
    *("truncate", "ftruncate", "fallocate", "rename", "renameat", "renameat2"),
    *("link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"),
)
"""Calls that change a file, a folder or what is sent over a serial line, and those that wait for a disk. Not among them: messages on local
sockets (``sendto``), of which nothing lasts, and opening a file, which alone writes nothing into it.
"""
_LINE = re.compile(r"(\d+) +(\w+)\(([^,)]*)")
_NAME = re.compile(r"[<\"]([^<>\"]*)[<>\"]")
_CAP_SYS_PTRACE = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """What befalls the ``number``-th ``call`` on ``file``. ``error``: an errno that is answered in place of it; empty: SIGKILL. ``lasting``: in
    place of every later one on that file, too.
    """

    call: str
    file: str
    number: int
    error: str = ""
    lasting: bool = False

    @property
    def rule(self) -> str:
        """As strace reads it."""
        what = f"error={self.error}" if self.error else "signal=SIGKILL"
        return f"inject={self.call}:{what}:when={self.number}{'+' if self.lasting else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What one life did, each call once, with its file and number. ``hidden``: by call and file, further ones whose number another thread came
    to earlier, so that no blow reaches them; ``elsewhere``: on what is no file of this life.
    """

    made: frozenset[tuple[str, str, int]]
    hidden: dict[str, int]
    elsewhere: dict[str, int]

    def counts(self) -> dict[str, int]:
        """By call and file."""
        return dict(sorted(Counter(f"{call} {file}" for call, file, _ in self.made).items()))


@dataclass(frozen=True, slots=True)
class Places:
    """Names of files that are the same in every run: relative to ``folder``, and ``terminal`` for the serial line that ``line`` links to."""

    folder: Path
    line: Path | None = None

    def name(self, path: str) -> str | None:
        """None where it is no place of this life."""
        if self.line is not None and path == str(self.line.resolve()):
            return "terminal"
        return str(Path(path).relative_to(self.folder)) if Path(path).is_relative_to(self.folder) else None

    def path(self, name: str) -> Path:
        if name == "terminal" and self.line is not None:
            return self.line.resolve()
        return self.folder / name


def available() -> bool:
    """Whether strace is there and may tell files from one another."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    capabilities = int(re.findall(r"CapEff:\s*([0-9a-f]+)", status)[0], 16)
    return shutil.which("strace") is not None and bool(capabilities >> _CAP_SYS_PTRACE & 1)


def prefix(trace: Path, places: Places, blow: Blow | None = None) -> list[str]:
    """Goes before a command. What it calls (where there is a blow: on that file) is written to ``trace``."""
    calls = ",".join(f"?{call}" for call in LASTING)
    struck = ["-e", blow.rule, "-P", str(places.path(blow.file))] if blow else []
    return ["strace", "-f", "-y", "-o", str(trace), "-e", f"trace={calls}", "-e", "signal=none", *struck, "--"]


def calls(trace: Path, places: Places) -> Calls:
    """Read a trace whose strace has ended."""
    counted: Counter[tuple[str, str, str]] = Counter()
    made: set[tuple[str, str, int]] = set()
    hidden: Counter[str] = Counter()
    elsewhere: Counter[str] = Counter()
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        thread, call, about = found.groups()
        about = path_of(about)
        file = places.name(about)
        if file is None:
            elsewhere[f"{call} {about}"] += 1
            continue
        counted[thread, call, file] += 1
        place = (call, file, counted[thread, call, file])
        if place in made:
            hidden[f"{call} {file}"] += 1
        made.add(place)
    return Calls(made=frozenset(made), hidden=dict(hidden), elsewhere=dict(elsewhere))


def path_of(about: str) -> str:
    """The path out of a first argument as strace prints it: ``7</x/audit.sqlite3-wal>``, ``"/x/y"``; empty where there is none."""
    found = _NAME.search(about)
    return found[1] if found else ""


def child_of(pid: int) -> int | None:
    """The process that ``pid``, a strace, began; None where there is none any more."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(children[0]) if children else None
