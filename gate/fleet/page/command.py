"""``autogate fleet page``: the page's process, on loopback. It holds no key; its login to the database may read the page's views alone."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path

from gate import notify
from gate.clock import CHECKPOINT_ZONES, SystemClock, civil_time
from gate.console.roster import Roster, open_roster
from gate.console.sessions import Sessions
from gate.doctor import refuse_foreign_names
from gate.fleet.command import DSN
from gate.fleet.page.app import FleetPage
from gate.fleet.page.reading import FleetFeed
from gate.processes.hardening import harden
from gate.ui.serve import listen, serve, write_ready
from pki.errors import PkiError
from pki.signed_statement import parse_signers

PORT = 8430
EXIT_USAGE = 2


def add_arguments(word: str, parser: argparse.ArgumentParser) -> None:  # noqa: ARG001 - as the commands of all rooms
    said = os.environ.get(DSN, "")
    parser.add_argument("--dsn", default=said, help=f"the centre's database; else {DSN} names it, or libpq's own variables")
    parser.add_argument("--roster", type=Path, required=True, metavar="DIR", help="who may look (autogate officers)")
    parser.add_argument("--signer", action="append", required=True, metavar="NAME:KEY", help="one of whom two sign the roster")
    parser.add_argument("--port", type=int, default=PORT, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--origin", default="", help="the page's address as people see it, where something stands before it")
    parser.add_argument("--clock-of", choices=sorted(CHECKPOINT_ZONES), default="CGK", help="by whose clock viewers' shifts go")
    parser.add_argument("--ready-file", type=Path, help="written with the port once the listener is up")


def run(word: str, options: argparse.Namespace) -> int:  # noqa: ARG001 - as the commands of all rooms
    """Until SIGTERM or SIGINT. Returns 0, or 2 where it cannot start."""
    harden()
    refuse_foreign_names()
    try:
        listener = listen(options.port)
        asyncio.run(_serve(options, listener))
    except (PkiError, OSError) as error:
        print(f"autogate fleet page: {error}", file=sys.stderr)
        return EXIT_USAGE
    return 0


async def _serve(options: argparse.Namespace, listener: socket.socket) -> None:
    signers, clock, port = parse_signers(tuple(options.signer)), SystemClock(), listener.getsockname()[1]
    origin = options.origin or f"http://localhost:{port}"

    def roster() -> Roster:
        return open_roster(options.roster, signers)[0]

    roster()  # better refused now than when somebody comes
    sessions = Sessions(roster, lambda: civil_time(clock.wall(), options.clock_of), origin)
    feed = FleetFeed(options.dsn)
    if options.ready_file:
        write_ready(options.ready_file, port)
    notify.tell(notify.READY)  # whoever comes from now on is served
    await serve(FleetPage(feed, sessions, origin).app(), feed, listener)
