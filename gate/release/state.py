"""The format of what lies in ``/var/lib/autogate``, and how it follows the software: forth by migrations, back out of the copy taken before.

Each lane's state is a folder of its own there; ``state-format`` says how many of :data:`MIGRATIONS` went over them all. A migration rewrites only
files that may be as they once were. Evidence and what guards against going back may not: a log that is shorter than it was is a log that
somebody cut, and keys that were destroyed stay destroyed. Those files change by addition alone, which the release before reads, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pki.durable import read_file, write_file

STATE = Path("/var/lib/autogate")
HOME = Path(__file__).resolve().parents[2]
"""Where ``gate`` lies."""
FORMAT_FILE = "state-format"
KEPT_PACKAGES, BACKUPS, PACKS = "packages", "backups", "packs"
LASTING = (
    "audit*",
    "fleet*",
    "rules*",
    "crossings.sqlite3*",
    "highest-wall-time",
    "*-seen.json",
    "officer-counters.json",
    "*.newest",
    "*.key",
    "*.pub",
)
"""Files of a lane that no migration rewrites."""
MOST_FILE = 1 << 28
"""Octets of a file that is taken out of a copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step. ``files``: names in a lane's folder that ``up`` rewrites, makes or takes away, with ``*`` and ``?``; done twice it does no more than once."""

    files: tuple[str, ...]
    up: Callable[[Path], None]


MIGRATIONS: tuple[Migration, ...] = ()
"""All there ever were: the n-th leads to format n."""


class StateError(Exception):
    """The state cannot follow; it is as it was before that step."""


def forbidden(migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Names in migrations that could mean a lasting file, for the tests: none."""
    names = (name for each in migrations for name in each.files)
    return [name for name in names if "/" in name or any(fnmatch(name, one) or fnmatch(one.rstrip("*"), name) for one in LASTING)]


def format_of(state: Path) -> int | None:
    """None where nobody has said yet. Raises StateError."""
    path = state / FORMAT_FILE
    if not path.exists():
        return None
    try:
        return int(read_file(path, 16))
    except ValueError:
        raise StateError(f"{path} holds no number") from None


def lanes(state: Path) -> list[Path]:
    """The folders of lanes."""
    own = {KEPT_PACKAGES, BACKUPS, PACKS}
    return sorted(path for path in state.iterdir() if path.is_dir() and not path.is_symlink() and path.name not in own)


def migrate(state: Path = STATE) -> int:
    """Lead the state to this software's format, which is returned. Raises StateError where it is newer than that, or a step fails."""
    newest = len(MIGRATIONS)
    at = format_of(state)
    if at is None and not lanes(state):
        at = newest
    for number in range((at or 0) + 1, newest + 1):
        for lane in lanes(state):
            _as_owner(lane, ["up", str(number), str(lane)])
        _note(state, number)
    if at is not None and at > newest:
        raise StateError(f"the state has format {at}, this software knows {newest}: autogate-install --roll-back takes it back")
    _note(state, newest)
    return newest


def undo(state: Path, backup: Path) -> int:
    """Put the files that migrations changed since ``backup`` back as they were in it, and nothing else. Returns the format of then.

    The services have ended. Raises StateError.
    """
    then, at = _format_in(backup), format_of(state) or 0
    changed = sorted({name for each in MIGRATIONS[then:at] for name in each.files})
    for lane in lanes(state) if changed else ():
        _as_owner(lane, ["back", str(lane), *changed], backup)
    _note(state, then)
    return then


def _note(state: Path, number: int) -> None:
    write_file(state / FORMAT_FILE, f"{number}\n".encode())


def _format_in(backup: Path) -> int:
    try:
        with tarfile.open(backup) as copy:
            return int(next((content for name, content in _contents(copy) if name == f"./{FORMAT_FILE}"), b"0"))
    except (OSError, tarfile.TarError, ValueError) as error:
        raise StateError(f"{backup}: {error}") from None


def _as_owner(lane: Path, what: list[str], given: Path | None = None) -> None:
    """Work in a lane's folder as its owner: root follows no link that somebody else may have laid."""
    owner = lane.stat()
    command = [sys.executable, "-m", "gate.release.state", *what]
    who: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with (given or Path(os.devnull)).open("rb") as copy:
        done = subprocess.run(command, stdin=copy, stderr=subprocess.PIPE, check=False, text=True, cwd=HOME, **who)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise StateError(f"{lane.name}: {' '.join(what[:2])} failed: {last}")


def _contents(copy: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in copy:
        if member.isfile() and member.size <= MOST_FILE and (file := copy.extractfile(member)):
            yield member.name, file.read()


def _back(lane: Path, names: Sequence[str], copy: tarfile.TarFile) -> None:
    """In ``lane``: what matches ``names`` becomes what it is in ``copy``. Never through a link, for nothing is written but whole files."""
    for path in list(lane.iterdir()):
        if any(fnmatch(path.name, name) for name in names):
            path.unlink()
    for member, content in _contents(copy):
        folder, _, name = member.rpartition("/")
        if folder == f"./{lane.name}" and any(fnmatch(name, each) for each in names):
            write_file(lane / name, content)


def main(arguments: Sequence[str]) -> int:
    """What :func:`_as_owner` starts."""
    match arguments:
        case ["up", number, lane]:
            MIGRATIONS[int(number) - 1].up(Path(lane))
        case ["back", lane, *names]:
            with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as copy:
                _back(Path(lane), names, copy)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
