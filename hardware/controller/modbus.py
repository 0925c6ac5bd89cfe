"""A gate controller on Modbus RTU, behind the same interface as the gate-link's: commands in, events out, from any thread.

Modbus proves nothing: whoever is on the line is the host, or the controller. Hence the name of the class, which every record bears, and hence
profiles that allow nothing unsafe want a signed waiver. What a forged order could do is what the controller's own safety rules let it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from hardware.controller.host import REOPEN_EVERY_S, STUCK_S, ControllerLink
from hardware.controller.link import DownReason, LinkBroken, LinkDown, LinkUp
from hardware.controller.messages import encode
from hardware.controller.modbus_line import ModbusLine, load_pymodbus
from hardware.controller.modbus_session import ModbusSession
from hardware.controller.protocol import LEASE_MS, TELEMETRY_HZ, CommandResult, GateCommand, GateEvent, Outcome, Renew
from hardware.ports import BytePort, Clock, DeviceError


class UnsafeUnauthenticatedLink(ControllerLink):
    """Thread-safe link to one gate controller. ``on_event`` is called from the link's own thread, one event at a time."""

    def __init__(
        self,
        open_port: Callable[[], BytePort],
        unit: int,
        clock: Clock,
        on_event: Callable[[GateEvent | LinkUp | LinkDown], None],
    ) -> None:
        """``open_port`` raises DeviceError where the port is missing; ``unit`` is the controller's address, 1 … 247. Raises DeviceError without pymodbus."""
        load_pymodbus()
        self._open_port, self._unit, self._clock, self._on_event = open_port, unit, clock, on_event
        self._up = False
        self._commands: deque[GateCommand] = deque()
        self._unsent: deque[CommandResult] = deque()
        self._renewed_until = 0.0
        self._round, self._damaged = clock.boot(), 0
        self._session: ModbusSession | None = None
        self._wake, self._stop = threading.Event(), threading.Event()
        self._lock = threading.Lock()  # guards what send() leaves for the thread
        self._thread = threading.Thread(target=self._run, name="modbus", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def send(self, command: GateCommand) -> None:
        encode(command)  # raises MessageError as the gate-link does
        with self._lock:
            if self._up:
                self._commands.append(command)
            else:
                self._unsent.append(CommandResult(command_id=command.command_id, outcome=Outcome.EXPIRED))
        self._wake.set()

    def renew(self, lease_ms: int = LEASE_MS) -> None:
        encode(Renew(lease_ms=lease_ms))
        self._renewed_until = self._clock.boot() + lease_ms / 1000
        self._wake.set()

    def close(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(STUCK_S)  # one that hangs in the driver ends with the process

    @property
    def damaged_frames(self) -> int:
        """Exchanges that had no usable answer: the line damaged the question or the answer."""
        session = self._session
        return self._damaged + (session.failed if session else 0)

    def stuck(self) -> str:
        late = self._clock.boot() - self._round > STUCK_S
        return self._thread.name if late or not self._thread.is_alive() else ""

    def _run(self) -> None:
        down: LinkDown | None = None
        while not self._stop.is_set():
            self._round = self._clock.boot()
            was_up, reason = self._connection()
            if was_up or down is None or down.reason is not reason.reason:
                down = reason  # told once, not four times a second
                self._on_event(down)
            self._report_unsent()
            self._stop.wait(REOPEN_EVERY_S)
        if down is None or down.reason is not DownReason.CLOSED:
            self._on_event(LinkDown(reason=DownReason.CLOSED, what="closed by the gate"))

    def _connection(self) -> tuple[bool, LinkDown]:
        """Open the port, hold one session to its end. Return whether it was ever up, and why it ended."""
        port: BytePort | None = None
        reason = LinkDown(reason=DownReason.CLOSED, what="closed by the gate")
        try:
            port = self._open_port()
            self._session = ModbusSession(ModbusLine(port, self._unit, self._clock), self._clock)
            self._serve(self._session)
        except DeviceError as error:
            reason = LinkDown(reason=DownReason.PORT, what=str(error))
        except LinkBroken as broken:
            reason = LinkDown(reason=broken.reason, what=broken.what)
        self._damaged, self._session = self.damaged_frames, None
        with self._lock:
            was_up, self._up = self._up, False
            self._commands.clear()  # what became of them is unknown; the next session knows nothing of them
        if port is not None:
            port.close()
        return was_up, reason

    def _serve(self, session: ModbusSession) -> None:
        while not self._stop.is_set():
            began = self._round = self._clock.boot()
            self._wake.clear()
            with self._lock:
                while self._commands:
                    session.submit(self._commands.popleft())
            events = session.exchange(max(0, int((self._renewed_until - began) * 1000)))
            self._up = session.up
            for event in events or ():
                self._on_event(event)
            self._report_unsent()
            if events is not None and not session.waiting:
                self._wake.wait(max(0.0, began + 1 / TELEMETRY_HZ - self._clock.boot()))

    def _report_unsent(self) -> None:
        while self._unsent:
            self._on_event(self._unsent.popleft())
