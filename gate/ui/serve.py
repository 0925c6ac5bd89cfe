"""``python -m gate.ui.serve traveller|officer --lane SOCKET --secret-file F --port P --ready-file F2``: one listener on loopback.

Exit status 0 after SIGTERM or SIGINT, 2 where it cannot start (one line says why and what to do).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import uvicorn
from starlette.applications import Starlette

from gate.doctor import LOOPBACK, LOOPBACK_SIX, NO_SUCH_ADDRESS, refuse_foreign_names
from gate.processes.hardening import harden
from gate.ui.exercise import as_exercise
from gate.ui.feed import officer_feed, traveller_feed
from gate.ui.officer.app import create_app as officer_app
from gate.ui.traveller.app import Offers
from gate.ui.traveller.app import create_app as traveller_app

CONNECTIONS = 64
"""At once; a kiosk holds one or two."""
GRACE_S = 2
"""For answers under way when the process is told to end; streams end at once."""


class _Server(uvicorn.Server):
    """uvicorn, whose end is ours to command: it would raise the signal again and die of it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(port: int, host: str = LOOPBACK) -> socket.socket:
    """A listening socket on loopback. Raises OSError where the port is taken."""
    listener = socket.socket(socket.AF_INET6 if host == LOOPBACK_SIX else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def listen_on_localhost(port: int) -> list[socket.socket]:
    """One port on all that ``localhost`` means: browsers ask ``::1`` first, and whoever listened there alone would be taken for this page.

    Raises OSError where either is somebody else's.
    """
    listener = listen(port)
    try:
        return [listener, listen(listener.getsockname()[1], LOOPBACK_SIX)]
    except OSError as error:
        if error.errno in NO_SUCH_ADDRESS:
            return [listener]
        listener.close()
        raise


class Followed(Protocol):
    """What fills a page's feed: follows lanes until cancelled, ends open pages when closed."""

    async def run(self) -> None: ...
    def close(self) -> None: ...


async def serve(app: Starlette, feed: Followed, *listeners: socket.socket) -> None:
    """Serve ``app`` on ``listeners`` and follow the lane until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)

    def stop() -> None:
        feed.close()
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    following = asyncio.create_task(feed.run())
    try:
        await server.serve(sockets=[*listeners])
    finally:
        following.cancel()


def write_ready(path: Path, port: int) -> None:
    """Say that the listener is up, all at once: ``path`` holds ``{"port": …}`` or does not exist."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(f'{{"port": {port}}}\n')
    os.replace(draft, path)  # noqa: PTH105 - the atomic one, by its name


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gate.ui.serve", description=__doc__)
    parser.add_argument("page", choices=("traveller", "officer"))
    parser.add_argument("--lane", type=Path, required=True, help="the lane's local socket")
    parser.add_argument("--secret-file", type=Path, required=True, help="file with the secret of this run")
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--ready-file", type=Path, help="written with the port once the listener is up")
    parser.add_argument("--touch", action="store_true", help="the traveller's screen can be touched")
    parser.add_argument("--more-time", action="store_true", help="the lane waits longer for who asks for it")
    parser.add_argument("--prompts", choices=("off", "tones", "spoken"), default="off", help="what a traveller hears")
    parser.add_argument("--single-door", action="store_true", help="nobody enters this gate: it has one door")
    parser.add_argument("--exercise", action="store_true", help="the page says that nobody crosses a border")
    options = parser.parse_args(arguments)
    harden()
    refuse_foreign_names()
    try:
        secret = options.secret_file.read_text().strip()
        listener = listen(options.port)
    except OSError as error:
        where = f"port {options.port}" if error.filename is None else error.filename
        print(f"{options.page} page: {where}: {error.strerror} (free it, or name another one)", file=sys.stderr)
        return 2
    if options.ready_file:
        write_ready(options.ready_file, listener.getsockname()[1])
    shown: Callable[[Starlette], Starlette] = as_exercise if options.exercise else lambda app: app
    if options.page == "traveller":
        feed = traveller_feed(options.lane, secret)
        offers = Offers(touch=options.touch, more_time=options.more_time, prompts=options.prompts)
        asyncio.run(serve(shown(traveller_app(feed, offers, feed.tell, single_door=options.single_door)), feed, listener))
    else:
        officers = officer_feed(options.lane, secret)
        asyncio.run(serve(shown(officer_app(officers)), officers, listener))
    return 0


if __name__ == "__main__":
    sys.exit(main())
