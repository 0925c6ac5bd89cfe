"""``python -m gate.console.serve --config FILE``: the officers' console of this gate and of the lanes it names, on loopback.

It holds no key, and no secret but the one by which a lane knows a console. Exit status 0 after SIGTERM or SIGINT, 2 where it cannot start.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from pathlib import Path

from gate.clock import SystemClock, civil_time
from gate.config import Config, ConfigError, load
from gate.console.app import Console
from gate.console.lanes import Bank
from gate.console.roster import Roster, open_roster
from gate.console.sessions import Sessions
from gate.doctor import refuse_foreign_names
from gate.processes.hardening import harden
from gate.ui.exercise import PROFILE, as_exercise
from gate.ui.serve import listen_on_localhost, serve, write_ready
from pki.errors import PkiError
from pki.signed_statement import parse_signers

EXIT_CONFIG = 2


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gate.console.serve", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--ready-file", type=Path, help="written with the port once the listener is up")
    options = parser.parse_args(arguments)
    harden()
    refuse_foreign_names()
    try:
        config = load(options.config)
        if config.console.port is None or config.console.roster is None:
            print(f"console: {options.config}: [console] names no port, or no roster", file=sys.stderr)
            return EXIT_CONFIG
        try:
            listeners = listen_on_localhost(config.console.port)
        except OSError as error:
            where = f"port {config.console.port} of localhost (127.0.0.1 and ::1)"
            print(f"console: {where}: {error.strerror} (free it, or name another one in console.port)", file=sys.stderr)
            return EXIT_CONFIG
        asyncio.run(_serve(config, listeners, options.ready_file))
    except (ConfigError, PkiError, OSError) as error:
        print(f"console: {error}", file=sys.stderr)
        return EXIT_CONFIG
    return 0


async def _serve(config: Config, listeners: list[socket.socket], ready: Path | None) -> None:
    """Until SIGTERM or SIGINT. Raises PkiError where the signers are none."""
    console, clock = config.console, SystemClock()
    folder, signers = console.roster, parse_signers(console.signers)
    assert folder is not None

    def roster() -> Roster:
        return open_roster(folder, signers)[0]

    bank = Bank((config.state_dir, *console.lanes))
    sessions = Sessions(roster, lambda: civil_time(clock.wall(), config.lane.checkpoint), console.page_origin)
    if ready:
        write_ready(ready, listeners[0].getsockname()[1])
    page = Console(bank, sessions, console.page_origin)
    app = page.app()
    await serve(as_exercise(app) if config.profile == PROFILE else app, page, *listeners)


if __name__ == "__main__":
    sys.exit(main())
