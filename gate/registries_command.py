"""``autogate registries refresh|status GATE.toml``: fetch the snapshots that a gate answers from without network, and say how good they are.

Both do one thing and end: a timer starts ``refresh`` (docs/operations.md).
"""

from __future__ import annotations

import argparse
import http.client
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from gate.clock import WALL_FLOOR_FILE, SystemClock, WallFloor
from gate.config import Config, ConfigError, Registry, load
from gate.evidence import IN_SNAPSHOT
from gate.policy.entries import Tolerance
from gate.policy.schedule import read_schedule
from gate.policy.schema import RulesError, RuleSet
from gate.processes.hardening import dump_nothing
from gate.registries import transport
from gate.registries.contracts import CONTRACTS, CROSSING
from gate.registries.crossing import FILE_NAME
from gate.registries.crossing_file import OutboxError, standing
from gate.registries.envelope import public_key
from gate.registries.snapshot import Head, SnapshotRefused
from gate.registries.snapshot_store import WATCHLIST, SnapshotStore
from gate.registries.sources import snapshot_store
from gate.registries.wanted import FACTS, unnamed

EXIT_OK, EXIT_FOUND, EXIT_BROKEN = 0, 1, 2
READ_S, FETCH_S = 10.0, 300.0
"""Seconds for one read, and for a whole snapshot: a registry that drips bytes is hung up on."""


class FetchError(Exception):
    """The registry did not hand over a snapshot."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``autogate registries``."""
    orders = parser.add_subparsers(dest="registries", required=True)
    for order, what in (
        ("refresh", "fetch the snapshots of all configured registries and put them in place"),
        ("status", "say how old the snapshots are, what they still open for, and which crossings are still to be told"),
    ):
        orders.add_parser(order, help=what).add_argument("config", type=Path)


def registries_command(options: argparse.Namespace) -> int:
    """Run one order. Returns the exit status: 0 done, 1 something is wrong with a registry, 2 cannot be done as asked."""
    try:
        dump_nothing()  # whole lists of people go through here, and the key that seals them
        config = load(options.config)
        store = _store(config)
        now = SystemClock(WallFloor(config.state_dir / WALL_FLOOR_FILE)).wall()
        return refresh(config, store, now) if options.registries == "refresh" else status(config, store, now)
    except (ConfigError, RulesError, OutboxError, OSError, ValueError) as error:
        print(f"registries: {error}", file=sys.stderr)
        return EXIT_BROKEN


def refresh(config: Config, store: SnapshotStore, now: datetime) -> int:
    """Fetch and import what can be had. One registry that fails keeps none of the others from it."""
    failed = False
    for name, section in _answering(config):
        try:
            head = _fetched(name, section, config, store, now)
            print(f"{name}: version {head.version} of {head.as_of}, {head.entries} entries, until {head.expires}")
        except (SnapshotRefused, FetchError, http.client.HTTPException, sqlite3.Error, OSError, ValueError) as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
    return EXIT_FOUND if failed else EXIT_OK


def status(config: Config, store: SnapshotStore, now: datetime) -> int:
    """Print a line for each registry, one for each tolerance that its snapshot may use, and one for the crossings."""
    rules = read_schedule(config, now).at(now).rules
    absent = unnamed(config, rules, now)
    for name in absent:
        print(f"{name}: not named, and the rules do not do without it")
    found = bool(absent)
    for name, _ in _answering(config):
        try:
            head = _head(store, name)
            head.check_time(now)
        except SnapshotRefused as refused:
            found = True
            print(f"{name}: says nothing: {refused}")
            continue
        print(f"{name}: version {head.version}, {_span(now - head.as_of)} old, {head.entries} entries, until {head.expires}")
        for line in _allowed(rules, config.profile, name, head, now):
            print(f"  {line}")
    waiting = standing(config.state_dir / FILE_NAME)
    since = f", the oldest for {_span(now - waiting.oldest)}" if waiting.oldest else ""
    print(f"crossings: {waiting.waiting} to be told{since}; {waiting.aside} set aside")
    return EXIT_FOUND if found or waiting.aside else EXIT_OK


def _store(config: Config) -> SnapshotStore:
    store = snapshot_store(config)
    if store is None:
        raise OSError("no [registries.snapshots]: name a folder and the file of a key")
    return store


def _answering(config: Config) -> Iterator[tuple[str, Registry]]:
    return ((name, section) for name, section in config.registries.named.items() if name != CROSSING)


def _fetched(name: str, section: Registry, config: Config, store: SnapshotStore, now: datetime) -> Head:
    tls = transport.tls_context(config.registries.tls) if config.registries.tls and section.url.startswith("https:") else None
    connection = transport.connection(section.url, tls, READ_S)
    with _hung_up(connection):
        connection.request("GET", transport.path(section.url, f"/snapshots/{name}?gate={store.gate}"))
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise FetchError(f"the registry answers {response.status} {response.reason}")
        return store.take(CONTRACTS[name], cast("BinaryIO", response), public_key(section.key), now)


@contextmanager
def _hung_up(connection: http.client.HTTPConnection) -> Iterator[None]:
    """Connected. Whatever happens within, it is over after :data:`FETCH_S`."""
    with closing(connection):
        connection.connect()
        sock = connection.sock  # the connection forgets it where the other end says that it will close

        def hang_up() -> None:
            with suppress(OSError):  # already gone
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's: it would take TLS off beneath the reader

        timer = threading.Timer(FETCH_S, hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _head(store: SnapshotStore, name: str) -> Head:
    if name == WATCHLIST:
        index, head = store.open_watchlist()
        index.close()
        return head
    with closing(store.open_books(name)) as file:
        return file.head


def _allowed(rules: RuleSet, profile: str, name: str, head: Head, now: datetime) -> Iterator[str]:
    """What the rules make of good news from this snapshot: tolerance by tolerance, for which classes, and for how long still."""
    for tolerance in rules.tolerances(profile, now):
        if tolerance.fact in FACTS[name] and tolerance.value.endswith(IN_SNAPSHOT) and tolerance.max_age_s is not None:
            left = head.as_of + timedelta(seconds=tolerance.max_age_s) - now
            until = f"for {_span(left)} still" if left >= timedelta() else f"over for {_span(-left)}"
            yield f"{tolerance.id} ({', '.join(_classes(rules, tolerance))}): {until}"


def _classes(rules: RuleSet, tolerance: Tolerance) -> list[str]:
    return sorted({grant.entry.document_class for grant in rules.grants if tolerance.id in grant.entry.tolerances})


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60:02} min"
