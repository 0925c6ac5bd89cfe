"""A reader's panel over OSDP v2 (IEC 60839-11-5): lamp, buzzer, button and tamper switch, by libosdp (``make setup-osdp``).

Nothing but a secure channel under the panel's own key is ever used: no plain text, no install mode, no default key (SCBK-D), and no key is
ever sent. libosdp is C and parses what comes from outside the gate: it is loaded by the panel's process alone.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import time
from collections.abc import Callable
from typing import Any

from hardware.ports import BytePort, DeviceError, LampColour, PanelSignal, PanelStatus

TICK_S = 0.001
"""Longest wait for bytes: so late a new signal is seen."""
_REFRESHES = 4
"""libosdp goes one step a call; so many lead from a reply to the next command."""
GRACE_S = 1.5
"""A panel that is back within this time was never gone, as far as people are concerned: a bad frame costs it half a second."""
BEEP_WITHIN_S = 2.0
"""A beep that comes later tells nobody anything."""
REOPEN_S = 0.25
_TRIES, _REST_S = 3, 10.0
"""A panel that refuses the lamp so often in a row is not asked again for a while, and one that so often does not say whether it is open,
never: each refusal costs it the secure channel."""
_HEARD_MOST = 4096
_BLINK_TENTHS = 5

_COLOURS: dict[LampColour, int] = {"off": 0, "red": 1, "green": 2, "amber": 3, "blue": 4, "white": 7}
"""IEC 60839-11-5, osdp_LED."""


def library() -> Any:
    """The library, if it is installed. Raises DeviceError."""
    try:
        return importlib.import_module("osdp_sys")  # the package's other module, osdp, shares its name with a rival's
    except ImportError as error:
        raise DeviceError("panel", "libosdp is not installed", "make setup-osdp") from error


def label() -> str:
    """Which libosdp this is. A ready-made one waits 300 s after a bad frame before it speaks to the panel again. Raises DeviceError."""
    library()
    found = importlib.metadata.distribution("libosdp")
    ready_made = "manylinux" in (found.read_text("WHEEL") or "")
    return f"OSDP v2 secure channel, libosdp {found.version}" + (" as ready-made: a bad frame costs 300 s" if ready_made else "")


class _Line:
    """The serial line below libosdp, opened again when it went. What libosdp calls never raises: it could not carry that."""

    id = 0

    def __init__(self, open_port: Callable[[], BytePort]) -> None:
        self._open_port = open_port
        self._port: BytePort | None = None
        self._data = bytearray()
        self._reopen = 0.0
        self.fault = ""
        self.heard = False

    def wait(self, timeout: float) -> None:
        """Take in what comes, for up to ``timeout`` seconds."""
        try:
            if self._port is None and time.monotonic() >= self._reopen:
                self._port, self.fault = self._open_port(), ""
            if self._port is None:
                time.sleep(timeout)
                return
            self._data += self._port.read(_HEARD_MOST, timeout)
        except DeviceError as error:
            self._lose(error)
        self.heard = self.heard or bool(self._data)
        del self._data[:-_HEARD_MOST]

    def _lose(self, error: DeviceError) -> None:
        self.close()
        self.fault, self._reopen = str(error), time.monotonic() + REOPEN_S

    def close(self) -> None:
        port, self._port = self._port, None
        self._data.clear()
        if port is not None:
            port.close()

    # --- what libosdp calls --------------------------------------------------------------------------------------------------

    def read(self, limit: int) -> bytes:
        taken = bytes(self._data[:limit])
        del self._data[:limit]
        return taken

    def write(self, data: bytes) -> int:
        if self._port is not None:
            try:
                self._port.write(data)
            except DeviceError as error:
                self._lose(error)
        return len(data)  # lost, as on a cut wire: the missing answer tells

    def flush(self) -> None:
        self._data.clear()


class OsdpPanel:
    """A :class:`hardware.ports.ReaderPanel`. ``drops`` counts how often the secure channel was lost."""

    def __init__(self, open_port: Callable[[], BytePort], address: int, key: bytes, *, assistance_input: int = 0) -> None:
        """``open_port`` may raise DeviceError, now or ever. ``address``: 0 … 126. Raises DeviceError where libosdp is not installed."""
        self._osdp, self._line, self._assistance_input = library(), _Line(open_port), assistance_input
        self._osdp.set_loglevel(self._osdp.LOG_EMERG)
        panel = {"name": "panel", "address": address, "flags": self._osdp.FLAG_ENFORCE_SECURE, "scbk": key, "channel": self._line}
        self._context = self._osdp.ControlPanel([panel])
        self._context.set_event_callback(self._on_event)
        self._context.set_command_completion_callback(self._on_done)
        self._wanted = self._taken = PanelSignal(lamp="off")
        self._sent: PanelSignal | None = None
        self._shown: PanelSignal | None = None
        self._lit: PanelSignal | None = None
        """What the panel last said it shows, in this secure channel."""
        self._beep_by: float | None = None
        self._online = self._busy = self._ask = self._assistance = False
        self._tamper: bool | None = None
        self._refused = self._missed = self.drops = 0
        self._asks_left = _TRIES
        self._rest_until, self._good = 0.0, time.monotonic()
        self._told: PanelStatus | None = None

    def show(self, signal: PanelSignal) -> None:
        """As the port says."""
        self._wanted = signal

    def work(self, timeout: float) -> PanelStatus:
        """As the port says."""
        until = time.monotonic() + timeout
        while True:
            self._line.wait(TICK_S)
            for _ in range(_REFRESHES):
                self._context.refresh()
            now = time.monotonic()
            self._look(now)
            self._take(now)
            if self._online and not self._busy:
                self._command(now)
            status = self._status(now)
            if status != self._told or now >= until:
                self._told = status
                return status

    def close(self) -> None:
        """Let go of the line; again is harmless."""
        self._line.close()

    def _look(self, now: float) -> None:
        """Whether there is a secure channel. Without one nothing is sent and nothing is believed."""
        online = bool(self._context.status() & self._context.sc_status() & 1)
        if self._online and not online:
            self.drops += 1
            self._context.flush_commands(0)
            self._busy = False
        if online and not self._online:
            self._lit, self._ask = None, True
        self._online = online
        if online and self._refused < _TRIES and not self._line.fault:
            self._good, self._line.heard = now, False

    def _take(self, now: float) -> None:
        """Take up a new signal. A beep that the last one still owed, or that is too late, is missed."""
        late = self._beep_by is not None and now > self._beep_by
        if late or (self._beep_by is not None and self._wanted is not self._taken):
            self._missed, self._beep_by = self._missed + 1, None
        if self._wanted is not self._taken:
            self._taken = self._wanted
            self._beep_by = now + BEEP_WITHIN_S if self._taken.beeps else None

    # --- commands ------------------------------------------------------------------------------------------------------------

    def _command(self, now: float) -> None:
        """Send what is due: the lamp until the panel says it shows it, a beep once, a question after the tamper switch."""
        lit = self._lit is not None and _lamp(self._lit) == _lamp(self._taken)
        if not lit and now >= self._rest_until:
            self._sent = self._taken
            self._submit(self._osdp.CMD_LED, reader=0, led_number=0, control_code=1, temporary=False, **_lamp(self._taken))
        elif self._beep_by is not None:
            self._beep_by = None
            beeps = {"on_count": 1, "off_count": 1, "rep_count": self._taken.beeps}
            self._submit(self._osdp.CMD_BUZZER, reader=0, control_code=2, **beeps)
        elif lit:
            self._shown = self._taken
            if self._ask and self._asks_left:
                self._ask, self._asks_left = False, self._asks_left - 1
                self._submit(self._osdp.CMD_STATUS, type=self._osdp.STATUS_REPORT_LOCAL)

    def _submit(self, command: int, **parts: int) -> None:
        self._busy = True
        if not self._context.submit_command(0, {"command": command, **parts}):
            self._on_done(0, {"command": command}, self._osdp.COMPLETION_FAILED)

    def _on_done(self, _panel: int, command: dict[str, Any], result: int) -> None:
        """libosdp: a command was answered under the secure channel, or came to nothing. Must not raise."""
        self._busy = False
        done = result == self._osdp.COMPLETION_OK
        match command.get("command"):
            case self._osdp.CMD_LED if done:
                self._lit, self._refused = self._sent, 0
            case self._osdp.CMD_LED:
                self._refused += 1
                self._rest_until = time.monotonic() + _REST_S if self._refused >= _TRIES else 0.0
            case self._osdp.CMD_BUZZER if not done:
                self._missed += 1
            case self._osdp.CMD_STATUS if done:
                self._asks_left = _TRIES
            case _:
                pass

    # --- what it says ----------------------------------------------------------------------------------------------------------

    def _on_event(self, _panel: int, event: dict[str, Any]) -> int:
        """libosdp: the panel reports, under the secure channel. Must not raise."""
        report = event.get("report")
        if event.get("event") == self._osdp.EVENT_STATUS and isinstance(report, bytes):
            if event.get("type") == self._osdp.STATUS_REPORT_LOCAL and report:
                self._tamper = bool(report[0])
            elif event.get("type") == self._osdp.STATUS_REPORT_INPUT and len(report) > self._assistance_input:
                self._assistance = bool(report[self._assistance_input])
        return 0

    def _status(self, now: float) -> PanelStatus:
        fault = self._fault() if now - self._good > GRACE_S else ""
        if fault:
            self._shown = None
        return PanelStatus(fault=fault, shown=self._shown, assistance=self._assistance, tamper=self._tamper, missed=self._missed)

    def _fault(self) -> str:
        if self._line.fault:
            return self._line.fault
        if self._refused >= _TRIES:
            return "the panel refuses lamp commands"
        if self._line.heard:
            return "the panel answers, but not under its key: another key is set in it, none (install mode), or it has no secure channel"
        return "the panel does not answer"


def _lamp(signal: PanelSignal) -> dict[str, int]:
    """The permanent state of osdp_LED: colours, and how long each shows in tenths of a second."""
    colour = _COLOURS[signal.lamp]
    dark = _BLINK_TENTHS if signal.blink else 0
    return {"on_color": colour, "off_color": 0 if signal.blink else colour, "on_count": _BLINK_TENTHS, "off_count": dark}
