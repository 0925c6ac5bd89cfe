"""The gate controller as the lane sees it: commands in, events out, from any thread.

:class:`GateLink` runs one thread that opens the port, reads it, keeps the session, and after a loss tries again until the controller
is back, and one that writes, so that nobody who sends ever waits for the line. It never invents a renewal: only the caller's loop knows whether it works.
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from hardware.controller.link import DownReason, HostSession, LinkBroken, LinkDown, LinkUp
from hardware.controller.messages import encode
from hardware.controller.protocol import LEASE_MS, CommandResult, GateCommand, GateEvent, Outcome, Renew
from hardware.controller.session import check_key
from hardware.ports import BytePort, Clock, DeviceError, DeviceLost

REOPEN_EVERY_S = 0.25
STUCK_S = 3.0
"""A thread of the link that did not come round for this long hangs in the driver: a write gives up after two seconds."""
_READ_TIMEOUT_S = 0.01
"""How often the session looks at the clock while the line is silent; a fourth of the retransmission time."""
_READ_BYTES = 4096


class CommandIds:
    """64-bit command ids that no other process of this gate uses: boot milliseconds, a random start, then counting.

    After a restart of the process the milliseconds are higher; after a restart of the machine they are not, hence the random part.
    """

    def __init__(self, clock: Clock) -> None:
        self._next = (int(clock.boot() * 1000) & 0xFF_FFFF_FFFF) << 24 | secrets.randbits(23)

    def next(self) -> int:
        """A fresh id. One thread only."""
        self._next += 1
        return self._next


class ControllerLink(Protocol):
    """What the lane process asks of a link to a gate controller, whatever is spoken on it. Thread-safe; nothing here waits for the line.

    The events that it tells: LinkUp and LinkDown as the controller comes and goes, in between what the controller says, in its order.
    """

    def start(self) -> None:
        """Begin to connect. The first event says whether that worked: LinkUp or LinkDown."""
        ...

    def send(self, command: GateCommand) -> None:
        """Send ``command``; its CommandResult comes as an event. Without a link it is not sent and comes back as EXPIRED.

        Raises MessageError if a field does not fit the protocol.
        """
        ...

    def renew(self, lease_ms: int = LEASE_MS) -> None:
        """Tell the controller that the lane loop works. Without a link: nothing."""
        ...

    def close(self) -> None:
        """Give up the link: nothing is renewed from now on, and the controller lets its leases lapse. The last event is LinkDown(CLOSED)."""
        ...

    @property
    def damaged_frames(self) -> int:
        """How many frames the line damaged, or somebody forged or repeated, since the start."""
        return 0

    def stuck(self) -> str:
        """Which of the link's own threads hangs, or is dead; empty while all go round. That the controller is away is no reason."""
        return ""


class GateLink(ControllerLink):
    """Thread-safe link to one gate controller. ``on_event`` is called from the link's own thread, one event at a time."""

    def __init__(
        self,
        open_port: Callable[[], BytePort],
        key: bytes,
        clock: Clock,
        on_event: Callable[[GateEvent | LinkUp | LinkDown], None],
    ) -> None:
        """``open_port`` raises DeviceError where the port is missing. Raises ValueError on a key that is too short."""
        self._open_port, self._key, self._clock, self._on_event = open_port, check_key(key), clock, on_event
        self._lock = threading.Lock()  # guards the session and the port's writing side
        self._session: HostSession | None = None
        self._port: BytePort | None = None
        self._unsent: deque[CommandResult] = deque()
        self._outgoing: queue.SimpleQueue[tuple[BytePort, bytes] | None] = queue.SimpleQueue()
        self._broken: DeviceLost | None = None
        self._stop = threading.Event()
        self._round = clock.boot()
        self._writing_since: float | None = None
        self._damaged = 0
        self._thread = threading.Thread(target=self._run, name="gate-link", daemon=True)
        self._writer = threading.Thread(target=self._write, name="gate-link-writer", daemon=True)

    def start(self) -> None:
        self._writer.start()
        self._thread.start()

    def send(self, command: GateCommand) -> None:
        encode(command)
        with self._lock:
            if self._session is None or not self._session.up:
                self._unsent.append(CommandResult(command_id=command.command_id, outcome=Outcome.EXPIRED))
                return
            self._session.submit(command, self._clock.boot())
            self._flush()

    def renew(self, lease_ms: int = LEASE_MS) -> None:
        encode(Renew(lease_ms=lease_ms))
        with self._lock:
            if self._session is not None and not self._stop.is_set():
                self._session.renew(lease_ms)
                self._flush()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(STUCK_S)  # one that hangs in the driver ends with the process
        self._outgoing.put(None)

    @property
    def damaged_frames(self) -> int:
        session = self._session
        return self._damaged + (session.damaged_frames if session else 0)

    def stuck(self) -> str:
        now, writing = self._clock.boot(), self._writing_since
        if now - self._round > STUCK_S or not self._thread.is_alive():
            return self._thread.name
        return self._writer.name if writing is not None and now - writing > STUCK_S else ""

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
        session: HostSession | None = None
        port: BytePort | None = None
        try:
            port = self._open_port()
            session = HostSession(self._key, self._clock.boot())
            with self._lock:
                self._session, self._port, self._broken = session, port, None
            self._serve(session, port)
            reason = LinkDown(reason=DownReason.CLOSED, what="closed by the gate")
        except DeviceError as error:
            reason = LinkDown(reason=DownReason.PORT, what=str(error))
        except LinkBroken as broken:
            reason = LinkDown(reason=broken.reason, what=broken.what)
        with self._lock:
            self._damaged += session.damaged_frames if session else 0
            self._session = self._port = None
            if port is not None:
                port.close()
        return session is not None and session.up, reason

    def _serve(self, session: HostSession, port: BytePort) -> None:
        while not self._stop.is_set():
            self._round = self._clock.boot()
            data = port.read(_READ_BYTES, _READ_TIMEOUT_S)
            with self._lock:
                events = session.receive(data, self._clock.boot())
                self._flush()
            for event in events:
                self._on_event(event)
            self._report_unsent()
            if self._broken is not None:
                raise self._broken
            with self._lock:  # after reading: what already lies in the port is no silence
                session.poll(self._clock.boot())
                self._flush()

    def _report_unsent(self) -> None:
        while self._unsent:
            self._on_event(self._unsent.popleft())

    def _flush(self) -> None:
        """Hand what the session has to say to the writing thread. Call with the lock held; never waits for the line."""
        data = self._session.outgoing() if self._session is not None else b""
        if data and self._port is not None:
            self._outgoing.put((self._port, data))

    def _write(self) -> None:
        """The writing thread: a line that takes nothing holds up nobody else, and ends its session."""
        while (item := self._outgoing.get()) is not None:
            port, data = item
            if port is not self._port:
                continue  # said to a session that ended
            self._writing_since = self._clock.boot()
            try:
                port.write(data)
            except DeviceLost as error:
                if port is self._port:
                    self._broken = error
            self._writing_since = None
