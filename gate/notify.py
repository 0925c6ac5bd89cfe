"""What the service manager is told, in the datagrams that ``sd_notify(3)`` specifies: ready, working, what it does now, stopping.

The lane alone proves that the gate works (``gate/processes/watchdog.py``), and tells the service; the service passes on what it was told
and never makes a proof of its own. So a lane that hangs, and a service that hangs, both end the pings, and systemd need listen to nobody
but the service's main process.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

ADDRESS = "NOTIFY_SOCKET"
OWN = (ADDRESS, "WATCHDOG_USEC", "WATCHDOG_PID")
"""What systemd puts into the environment for the main process alone."""
READY, PROOF, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"
STATUS = "STATUS="
LONGEST = 1024
"""Bytes of a datagram: a line on what the lane does."""


def notify(address: str, *lines: str) -> None:
    """Send ``lines`` to the socket ``address`` (``@`` begins an abstract name; empty: nobody wants to know). Never waits, never raises."""
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        sender.sendto("\n".join(lines).encode()[:LONGEST], name)


def tell(*lines: str) -> None:
    """:func:`notify` whoever started this process, where they want to know."""
    notify(os.environ.get(ADDRESS, ""), *lines)


class Relay:
    """Where the lane tells the service; :meth:`forward` passes on to the service manager what a lane may say."""

    def __init__(self, path: Path) -> None:
        """Listen at ``path``. Raises OSError."""
        self._manager = os.environ.get(ADDRESS, "")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        path.chmod(0o600)

    def forward(self) -> None:
        """Pass on what came since. Never waits."""
        with suppress(OSError):  # nothing more, for now
            while said := self._socket.recv(LONGEST):
                lines = said.decode(errors="replace").split("\n")
                notify(self._manager, *(line for line in lines if line in {READY, PROOF} or line.startswith(STATUS)))

    def stopping(self) -> None:
        notify(self._manager, STOPPING)

    def close(self) -> None:
        self._socket.close()
