"""A bad serial line to put between a host and a device, whatever they speak: a process that carries bytes between two pseudo-terminals.

``python -m hardware.sim.relay --device PATH --tty-link PATH [--seed N]``

The host opens ``--tty-link``, a stable name as under ``/dev/serial/by-id``; the relay opens ``--device``. A device that hangs up is unplugged
from the host, too, and comes back under another name. Orders come in on standard input, one JSON object a line, each answered by one on
standard output, ``{"ok": true, …}`` or ``{"ok": false, "error": …}``; :data:`_ORDERS` says which. The process ends when its standard input closes.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import itertools
import json
import os
import random
import selectors
import signal
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from hardware.ports import DeviceError
from hardware.sim.bad_line import BadLine, Faults, Piece
from hardware.sim.terminal import Terminal

POLL_S = 0.005
"""How often noise, held bursts and a device that is gone are looked after."""
REOPEN_EVERY_S = 0.05
_STOP_S = 5.0

LineKind = Literal["clean", "bad"]
BAD_LINE: Mapping[str, Any] = MappingProxyType({"flip": 1e-3, "drop": 0.01})
"""What a gate must bear and never show: a bit turned in a thousandth of the bytes, a hundredth of the bursts lost, both ways."""
End = Literal["device", "host"]
OTHER: dict[End, End] = {"device": "host", "host": "device"}


class Relay:
    """The process's own side. A line bears the name of the end at which it arrives."""

    def __init__(self, device: Path, terminal: Terminal, seed: int) -> None:
        self._path, self._terminal = device, terminal
        self._dice = random.Random(f"{seed} plug")
        self.lines: dict[End, BadLine] = {end: BadLine(Faults(), random.Random(f"{seed} {end}")) for end in OTHER}
        self._due: list[tuple[float, int, End, bytes]] = []
        self._count = itertools.count()
        self._device = -1
        self._out = False
        self._hang_up_every_s = self._out_for_s = 0.0
        self._replug_at, self._hang_up_at, self._reopen_at = 0.0, float("inf"), 0.0
        self.unplugged = 0
        self.stopping = False
        self.selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Carry until stopped."""
        while not self.stopping:
            wait = self._due[0][0] - time.monotonic() if self._due else POLL_S
            for key, _ in self.selector.select(min(POLL_S, max(0.0, wait))):
                key.data()
            self._look_after(time.monotonic())

    def _look_after(self, now: float) -> None:
        for end, line in self.lines.items():
            self._schedule(end, line.poll(now))
        while self._due and self._due[0][0] <= now:
            _, _, end, data = heapq.heappop(self._due)
            self._arrive(end, data)
        if self._device < 0 and now >= self._reopen_at:
            self._reopen_at = now + REOPEN_EVERY_S
            self.open_device()
        if now >= self._hang_up_at:
            self._hang_up_at = float("inf")
            self._hang_up(now + self._out_for_s)
        elif self._out and now >= self._replug_at:
            self.plug()

    def _schedule(self, end: End, pieces: list[Piece]) -> None:
        for piece in pieces:
            heapq.heappush(self._due, (piece.due, next(self._count), OTHER[end] if piece.back else end, piece.data))

    def _carry(self, end: End, data: bytes) -> None:
        now = time.monotonic()
        self._schedule(end, self.lines[end].carry(data, now))

    def _arrive(self, end: End, data: bytes) -> None:
        """Write what fits; what nobody reads is lost, as on a wire."""
        if end == "host":
            self._terminal.write(data)
        elif self._device >= 0:
            with contextlib.suppress(OSError):
                os.write(self._device, data)

    # --- the two ends ----------------------------------------------------------------------------------------------------

    def _from_host(self) -> None:
        if data := self._terminal.read():
            self._carry("device", data)

    def _from_device(self) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = os.read(self._device, 4096)
        if data:
            self._carry("host", data)
        else:
            self._lose_device()

    def open_device(self) -> None:
        """Open the device, if it is there."""
        try:
            device = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            return  # not there yet
        try:
            tty.setraw(device)
        except termios.error:
            os.close(device)  # gone again
            return
        self._device = device
        self.selector.register(self._device, selectors.EVENT_READ, self._from_device)
        self._show()

    def _lose_device(self) -> None:
        self.selector.unregister(self._device)
        os.close(self._device)
        self._device = -1
        self._hide()

    def _show(self) -> None:
        if self._terminal.master is None and self._device >= 0 and not self._out:
            self.selector.register(self._terminal.plug(), selectors.EVENT_READ, self._from_host)

    def _hide(self) -> None:
        if self._terminal.master is not None:
            self.selector.unregister(self._terminal.master)
            self._terminal.unplug()
            self._due.clear()
            self.unplugged += 1

    def _hang_up(self, until: float) -> None:
        self._out, self._replug_at = True, until
        self._hide()

    def close(self) -> None:
        self._hide()

    # --- orders ------------------------------------------------------------------------------------------------------------

    def line(self, *, to: str = "both", **faults: Any) -> None:
        """Give the direction towards ``to`` (``device``, ``host``, ``both``) these habits, and no others."""
        habits = Faults(**faults)
        for end in OTHER if to == "both" else (to,):
            self.lines[end].set(habits)  # type: ignore[index]  # another word is answered as an error

    def unplug(self) -> None:
        self._hang_up(float("inf"))

    def plug(self) -> None:
        self._out = False
        self._show()
        self._set_alarm()

    def hang_up(self, *, every_s: float, for_s: float) -> None:
        """Unplug by itself, on the average after ``every_s`` seconds, for ``for_s`` each; ``every_s`` 0: no more."""
        self._hang_up_every_s, self._out_for_s = float(every_s), float(for_s)
        self._set_alarm()

    def _set_alarm(self) -> None:
        every = self._hang_up_every_s
        self._hang_up_at = time.monotonic() + self._dice.expovariate(1 / every) if every else float("inf")

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"plugged": self._terminal.master is not None, "unplugged": self.unplugged}
        return state | {end: dict(line.seen) for end, line in self.lines.items()}


_ORDERS: dict[str, Callable[..., dict[str, Any] | None]] = {
    "line": Relay.line,
    "unplug": Relay.unplug,
    "plug": Relay.plug,
    "hang_up": Relay.hang_up,
    "state": Relay.state,
}


def obey(relay: Relay, order: bytes) -> bytes:
    """Carry out one order; the answer."""
    try:
        told = json.loads(order)
        answer = _ORDERS[told.pop("do")](relay, **told)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"}).encode() + b"\n"
    return json.dumps({"ok": True, **(answer or {})}).encode() + b"\n"


class FaultRelay:
    """Starts and ends the process; for tests and measurements. Use it as a context manager; one thread gives orders."""

    def __init__(self, folder: Path, device: Path, *, seed: int = 0, name: str = "relay") -> None:
        """``device``: what to open, by its stable name. :attr:`tty`, in ``folder``, which must exist, is what the host opens."""
        self.tty, self._device, self._seed = folder / name, device, seed
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until the host can open it. Raises DeviceError."""
        command = [sys.executable, "-m", "hardware.sim.relay", "--device", str(self._device), "--tty-link", str(self.tty)]
        command += ["--seed", str(self._seed)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            self.stop()
            raise DeviceError(str(self.tty), "the relay did not start", "see its messages above")

    def line(self, *, to: Literal["device", "host", "both"] = "both", **faults: float | bool) -> None:
        """From now on bytes towards ``to`` meet these :class:`Faults`; without any the line is clean."""
        self.order("line", to=to, **faults)

    def unplug(self) -> None:
        self.order("unplug")

    def plug(self) -> None:
        """Plug in again, under another device name behind the same link."""
        self.order("plug")

    def hang_up(self, *, every_s: float, for_s: float) -> None:
        self.order("hang_up", every_s=every_s, for_s=for_s)

    def state(self) -> dict[str, Any]:
        """``plugged``, how often ``unplugged``, and for each end what was done to the bytes towards it."""
        return self.order("state")

    def order(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Give one order and return its answer. Raises DeviceError if it was refused or the process is gone."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise DeviceError(str(self.tty), "the relay is not running")
        try:
            process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError as error:
            raise DeviceError(str(self.tty), "the relay is gone") from error
        answer: dict[str, Any] = json.loads(line or b'{"ok": false, "error": "the relay is gone"}')
        if not answer["ok"]:
            raise DeviceError(str(self.tty), answer["error"])
        return answer

    def stop(self) -> None:
        """End the process; again is harmless."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hardware.sim.relay", description="a bad serial line")
    parser.add_argument("--device", type=Path, required=True)
    parser.add_argument("--tty-link", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started it, who then closes the input
    relay = Relay(options.device, Terminal(options.tty_link), options.seed)
    pending = bytearray()

    def take_orders() -> None:
        data = os.read(sys.stdin.fileno(), 65536)
        relay.stopping = not data
        pending.extend(data)
        while b"\n" in pending:
            order, _, rest = bytes(pending).partition(b"\n")
            pending[:] = rest
            sys.stdout.buffer.write(obey(relay, order))
            sys.stdout.flush()

    relay.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, take_orders)
    relay.open_device()
    print("ready", flush=True)
    relay.run()
    relay.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
