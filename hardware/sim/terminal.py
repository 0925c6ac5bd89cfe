"""A serial line to plug in: a pseudo-terminal behind a stable name, as devices have one under ``/dev/serial/by-id``."""

from __future__ import annotations

import contextlib
import os
import pty
import tty
from pathlib import Path


class Terminal:
    """The pseudo-terminal: plugged in it has a link that the host can open; unplugged it hangs up."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self.master: int | None = None
        self._slave = -1  # stays open here, so that a host may come and go
        self._former = ""

    def plug(self) -> int:
        """Make a pseudo-terminal of a new name behind the same link, as a device gets a new number each time; its controlling end."""
        if self.master is not None:
            return self.master
        self.master, self._slave = pty.openpty()
        if os.ttyname(self._slave) == self._former:
            taken = self.master, self._slave
            self.master, self._slave = pty.openpty()
            for descriptor in taken:
                os.close(descriptor)
        self._former = os.ttyname(self._slave)
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        fresh = self._link.with_name(self._link.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self._former)
        fresh.replace(self._link)
        return self.master

    def unplug(self) -> None:
        if self.master is not None:
            self._link.unlink(missing_ok=True)
            os.close(self._slave)
            os.close(self.master)
            self.master = None

    def read(self) -> bytes:
        try:
            return os.read(self.master, 4096) if self.master is not None else b""
        except OSError:  # nothing there
            return b""

    def write(self, data: bytes) -> None:
        """Write what fits; what nobody reads is lost, as on a wire."""
        if self.master is not None and data:
            with contextlib.suppress(BlockingIOError):
                os.write(self.master, data)
