"""What a power cut leaves of a process's files: all that was synced, and of the rest nothing, or any part of it.

The process lives once, under strace. Its trace, played into a :class:`Disk`, gives the files as a cut at any moment leaves them. The disk is
as bad as POSIX allows: a write counts once its file was synced, a name (made, moved, removed) once its folder was; until then any sector of
a write may be there or not, and names are those of any moment since.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
CALLS = (
    *("openat", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink", "unlinkat"),
    *("writev", "pwritev", "pwritev2", "truncate", "fallocate", "copy_file_range", "link", "linkat", "symlink", "msync"),
)
"""Those of the second row have no meaning here: a life that has one cannot be played."""
MOST_WRITTEN = 1 << 24
_LINE = re.compile(r"\d+ +(\w+)\((.*)\) += (-?\d+)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FILE = re.compile(r"(\d+)<([^>]*)>")
_MEMORY = "-shm"
"""Ends the name of SQLite's index in shared memory: no power cut leaves anything of it that SQLite would look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One that succeeded. ``path``: the file it was on; ``said``: bytes that went to standard output."""

    name: str
    path: str = ""
    other: str = ""
    offset: int | None = None
    data: bytes = b""
    said: bytes = b""


@dataclass(slots=True)
class _File:
    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    since: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Writes since the last sync, by their offsets; without bytes: cut off there."""

    def do(self, offset: int, data: bytes | None) -> None:
        _done(self.now, offset, data)
        self.since.append((offset, data))

    def sync(self) -> None:
        if self.since:
            self.synced, self.since = bytes(self.now), []

    def left(self, dice: random.Random | None) -> bytes:
        if dice is None or not self.since:
            return self.synced
        content, share = bytearray(self.synced), dice.choice((0.1, 0.5, 0.9))
        for offset, data in self.since:
            if data is None:
                if dice.random() < share:
                    _done(content, offset, None)
                continue
            for first in range(0, len(data), SECTOR):
                if dice.random() < share:
                    _done(content, offset + first, data[first : first + SECTOR])
        return bytes(content)


def _done(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
    content.extend(bytes(max(0, offset - len(content))))
    if data is not None:
        content[offset : offset + len(data)] = data


class Disk:
    """Of one folder; what lies elsewhere is no part of it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._names, self._kept = str(folder), dict[str, _File](), dict[str, _File]()
        self._since: list[dict[str, _File]] = []

    def play(self, call: Call) -> bool:
        """Returns whether more is now sure to last than before. Raises ValueError for a call that has no meaning here."""
        if call.path == self._folder and call.name in {"fsync", "fdatasync"}:
            changed, self._kept, self._since = bool(self._since), dict(self._names), []
            return changed
        inside = [path for path in (call.path, call.other) if path.startswith(self._folder + "/")]
        if not inside:
            return False
        match call.name:
            case "openat":
                self._open(inside[0], truncate=call.offset == 0)
            case "write" | "pwrite64":
                file = self._names[inside[0]]
                file.do(len(file.now) if call.offset is None else call.offset, call.data)
            case "ftruncate":
                self._names[inside[0]].do(call.offset or 0, None)
            case "fsync" | "fdatasync":
                changed = bool(self._names[inside[0]].since)
                self._names[inside[0]].sync()
                return changed
            case "rename" | "renameat" | "renameat2":
                self._names[call.other] = self._names.pop(call.path)
                self._since.append(dict(self._names))
            case "unlink" | "unlinkat":
                del self._names[inside[0]]
                self._since.append(dict(self._names))
            case _:
                raise ValueError(f"{call.name} on {inside[0]}: not known what a power cut makes of it")
        return False

    def left(self, dice: random.Random | None = None) -> dict[str, bytes]:
        """Name → content, as a cut now leaves them: only what is sure to last, or, by ``dice``, any part of the rest as well."""
        names = self._kept if dice is None else dice.choice([self._kept, *self._since])
        return {path.rpartition("/")[2]: file.left(dice) for path, file in sorted(names.items()) if not path.endswith(_MEMORY)}

    def _open(self, path: str, *, truncate: bool) -> None:
        if path not in self._names:
            self._names[path] = _File()
            self._since.append(dict(self._names))
        elif truncate:
            self._names[path].do(0, None)


def prefix(trace: Path) -> list[str]:
    """Goes before a command whose calls are to be played."""
    calls = ",".join(f"?{call}" for call in CALLS)
    return [
        "strace",
        "-f",
        "-y",
        "-xx",
        "-s",
        str(MOST_WRITTEN),
        "-o",
        str(trace),
        "-e",
        f"trace={calls}",
        "-e",
        "signal=none",
        "--",
    ]


def calls(trace: Path) -> Iterator[Call]:
    """What a trace says was done, in its order."""
    begun: dict[str, str] = {}
    with trace.open(encoding="ascii") as file:
        for line in file:
            thread, _, rest = line.rstrip().partition(" ")
            if rest.endswith("<unfinished ...>"):
                begun[thread] = line.rstrip().removesuffix("<unfinished ...>")
                continue
            if resumed := _RESUMED.search(rest):
                line = begun.pop(thread) + resumed[1]  # noqa: PLW2901 - the call as one line
            if (found := _LINE.match(line)) and int(found[3]) >= 0:
                yield _call(found[1], found[2])


def _call(name: str, arguments: str) -> Call:
    texts = [_bytes(text) for text in _TEXT.findall(arguments)]
    last = arguments.rpartition(", ")[2]
    of = _FILE.match(arguments)
    if name in {"write", "pwrite64"} and of:
        if of[1] == "1":
            return Call(name=name, said=texts[0])
        return Call(name=name, path=_path(of[2]), data=texts[0], offset=int(last) if name == "pwrite64" else None)
    if name == "ftruncate" and of:
        return Call(name=name, path=_path(of[2]), offset=int(last))
    if name == "openat":
        made = "O_CREAT" in arguments
        return Call(name=name, path=texts[0].decode() if made else "", offset=0 if "O_TRUNC" in arguments else None)
    if of and not texts:
        return Call(name=name, path=_path(of[2]))
    paths: Sequence[str] = [text.decode() for text in texts]
    return Call(name=name, path=paths[0] if paths else "", other=paths[1] if len(paths) > 1 else "")


def _path(encoded: str) -> str:
    return _bytes(encoded).decode() if encoded.startswith("\\x") else encoded


def _bytes(encoded: str) -> bytes:
    return bytes.fromhex(encoded.replace("\\x", ""))
