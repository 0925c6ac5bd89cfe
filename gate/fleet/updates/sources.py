"""Where a repository is read from: a folder (a mirror, a stick that was carried in), or the broker's object store.

Whoever holds the source is believed nothing; TUF's client (:mod:`gate.fleet.updates.client`) judges what it hands over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

CHUNK = 1 << 16
GONE = "gone"
"""Folder in a repository's with the names of what was deleted there."""
_NAME = re.compile(r"(metadata|targets)(/[A-Za-z0-9%][A-Za-z0-9._%-]{0,150}){1,5}")


class Source(Protocol):
    """A repository's files by name: ``metadata/3.targets.json``, ``targets/rules/<SHA-256>.000007-….tar``."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """The octets of one; whoever asks stops where they are too many. Raises FileNotFoundError where there is none, OSError, each also in between."""


def check_name(name: str) -> str:
    """Raises FileNotFoundError for what no repository holds: no name leads out of it."""
    if not _NAME.fullmatch(name):
        raise FileNotFoundError(name)
    return name


class Folder:
    """A repository in ``folder``, as :mod:`gate.fleet.updates.repository` lays it out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def chunks(self, name: str) -> Iterator[bytes]:
        """:meth:`Source.chunks`."""
        with (self._folder / check_name(name)).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
