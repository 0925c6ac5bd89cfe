"""A reader's panel to plug in: libosdp's own peripheral device behind a pseudo-terminal. It knows nothing of the code that drives it.

``python -m hardware.sim.osdp_pd --tty-link PATH --key-file FILE`` makes ``PATH`` such a panel. Each line on its standard input is something
that happens to it: ``press``, ``release`` (the button), ``open``, ``shut`` (the enclosure), ``unplug``, ``plug``, ``deaf`` and ``hear`` (it
refuses commands). It prints ``ready``, then one JSON object for each command that it executed, and ends with its input.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from hardware.osdp import library
from hardware.osdp_key import read_key
from hardware.ports import DeviceError
from hardware.sim.terminal import Terminal

TICK_S = 0.001
STOP_S = 5.0
_COLOURS = {0: "off", 1: "red", 2: "green", 3: "amber", 4: "blue", 7: "white"}


class _Wire:
    """What libosdp reads and writes."""

    id = 0

    def __init__(self, terminal: Terminal) -> None:
        self._terminal, self._heard = terminal, bytearray()

    def take(self, data: bytes) -> None:
        self._heard += data

    def read(self, limit: int) -> bytes:
        taken = bytes(self._heard[:limit])
        del self._heard[:limit]
        return taken

    def write(self, data: bytes) -> int:
        self._terminal.write(data)
        return len(data)

    def flush(self) -> None:
        self._heard.clear()


class Device:
    """The panel. ``key`` None: no key was ever set in it, it is in install mode and takes the default one."""

    def __init__(self, link: Path, key: bytes | None, address: int = 0) -> None:
        self._osdp, self._terminal, self._deaf = library(), Terminal(link), False
        self._osdp.set_loglevel(self._osdp.LOG_EMERG)
        self._wire = _Wire(self._terminal)
        flags = self._osdp.FLAG_INSTALL_MODE if key is None else self._osdp.FLAG_ENFORCE_SECURE
        information = {"name": "sim", "address": address, "flags": flags, "scbk": key, "channel": self._wire}
        information |= {"version": 1, "model": 1, "vendor_code": 0xA9, "serial_number": 1, "firmware_version": 1}
        named = ("COMMUNICATION_SECURITY", "READER_LED_CONTROL", "READER_AUDIBLE_OUTPUT", "CONTACT_STATUS_MONITORING")
        abilities = [
            {"function_code": getattr(self._osdp, f"CAP_{name}"), "compliance_level": 1, "num_items": 1} for name in named
        ]
        self._context = self._osdp.PeripheralDevice(information, capabilities=abilities)
        self._context.set_command_callback(self._execute)
        self._open = False

    def serve(self, orders: int) -> None:
        """Serve until the descriptor ``orders`` closes."""
        selector, pending, line = selectors.DefaultSelector(), b"", self._terminal.plug()
        selector.register(orders, selectors.EVENT_READ)
        selector.register(line, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select(TICK_S)}
            if line in ready:
                self._wire.take(self._terminal.read())
            if orders in ready:
                if not (data := os.read(orders, 4096)):
                    break
                *told, pending = (pending + data).split(b"\n")
                for order in told:
                    if self._terminal.master is not None:
                        selector.unregister(line)
                    self._happen(order.decode())
                    if self._terminal.master is not None:
                        selector.register(line := self._terminal.master, selectors.EVENT_READ)
            for _ in range(2):
                self._context.refresh()
        self._terminal.unplug()

    def _happen(self, what: str) -> None:
        match what:
            case "press" | "release":
                self._report(self._osdp.STATUS_REPORT_INPUT, bytes([what == "press"]))
            case "open" | "shut":
                self._open = what == "open"
                self._report(self._osdp.STATUS_REPORT_LOCAL, bytes([self._open, 0]))
            case "unplug":
                self._terminal.unplug()
            case "plug":
                self._terminal.plug()
            case "deaf" | "hear":
                self._deaf = what == "deaf"
            case _:
                print(f"osdp_pd: cannot {what!r}", file=sys.stderr)

    def _report(self, kind: int, report: bytes) -> None:
        self._context.submit_event({"event": self._osdp.EVENT_STATUS, "type": kind, "report": report})

    def _execute(self, command: dict[str, Any]) -> tuple[int, None]:
        at = time.monotonic()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))  # osdp_sys drops a reference that it never took
        if self._deaf:
            return -1, None
        match command["command"]:
            case self._osdp.CMD_LED:
                colour = _COLOURS.get(command["on_color"], "?")
                print(json.dumps({"lamp": colour, "blink": command["off_count"] > 0, "at": at}), flush=True)
            case self._osdp.CMD_BUZZER:
                print(json.dumps({"beeps": command["rep_count"], "at": at}), flush=True)
            case self._osdp.CMD_STATUS:  # osdp_sys answers with naughts whatever is so: say it in the next report
                if self._open:
                    self._report(self._osdp.STATUS_REPORT_LOCAL, b"\1\0")
            case _:
                return -1, None
        return 0, None


class PluggedInPanel:
    """Starts and ends the process; for demonstrations, tests and measurements. Use it as a context manager."""

    def __init__(self, link: Path, key_file: Path | None, *, address: int = 0) -> None:
        """``link`` is what the host opens. ``key_file`` None: a panel in install mode."""
        self.tty, self.executed = link, list[dict[str, Any]]()
        """What the panel did, in order: ``{"lamp", "blink", "at"}`` or ``{"beeps", "at"}``, ``at`` in monotonic seconds."""
        self._command = [sys.executable, "-m", "hardware.sim.osdp_pd", "--tty-link", str(link), "--address", str(address)]
        self._command += [] if key_file is None else ["--key-file", str(key_file)]
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None

    def start(self) -> None:
        """Raises DeviceError."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            self.stop()
            raise DeviceError(str(self.tty), "the simulated panel did not start", "see its messages above")
        self._listener = threading.Thread(target=self._listen, args=(self._process,), name="panel", daemon=True)
        self._listener.start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.executed.append(json.loads(line))

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def happen(self, *orders: str) -> None:
        """Have something happen to it, as the module says."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{order}\n" for order in orders).encode())
        self._process.stdin.flush()

    def stop(self) -> None:
        """End the process; again is harmless."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._listener is not None:
            self._listener.join()
        if process.stdout is not None:
            process.stdout.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hardware.sim.osdp_pd", description="A reader's panel to plug in.")
    parser.add_argument("--tty-link", type=Path, required=True)
    parser.add_argument("--key-file", type=Path, help="without one the panel is in install mode")
    parser.add_argument("--address", type=int, default=0)
    options = parser.parse_args(arguments)
    device = Device(options.tty_link, read_key(options.key_file) if options.key_file else None, options.address)
    print("ready", flush=True)
    device.serve(sys.stdin.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
