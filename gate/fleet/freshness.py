"""As of when the lists speak by which a gate decides where a registry is silent: the snapshots that it has, each looked into when it was replaced."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Protocol

from gate.config import Config
from gate.registries.snapshot import Head, SnapshotRefused
from gate.registries.snapshot_store import WATCHLIST, SnapshotStore
from gate.registries.sources import snapshot_store

_Stamp = tuple[int, int, int]


class Lists(Protocol):
    def told(self) -> dict[str, str]:
        """List → instant (ISO 8601) as of which it speaks."""
        ...


class Freshness:
    """For one thread."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: dict[str, tuple[_Stamp, str]] = {}

    def told(self) -> dict[str, str]:
        """Registry → instant (ISO 8601) of its snapshot, of those that may speak."""
        try:
            store = snapshot_store(self._config)
        except (OSError, ValueError):
            return {}
        if store is None:
            return {}
        found = {name: self._as_of(store, name) for name in self._config.registries.named}
        return {name: as_of for name, as_of in found.items() if as_of}

    def _as_of(self, store: SnapshotStore, registry: str) -> str:
        """Empty where there is no snapshot, or it may not speak."""
        stamp = _stamp(store.path(registry))
        if stamp is None:
            return ""
        known = self._known.get(registry)
        if known is None or known[0] != stamp:
            known = self._known[registry] = (stamp, _read(store, registry))
        return known[1]


def _stamp(path: Path) -> _Stamp | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns, told.st_size


def _read(store: SnapshotStore, registry: str) -> str:
    try:
        return _head(store, registry).as_of.astimezone(UTC).isoformat()
    except (SnapshotRefused, OSError, sqlite3.Error, ValueError):
        return ""


def _head(store: SnapshotStore, registry: str) -> Head:
    if registry == WATCHLIST:
        index, head = store.open_watchlist()
        index.close()
        return head
    with closing(store.open_books(registry)) as file:
        return file.head
