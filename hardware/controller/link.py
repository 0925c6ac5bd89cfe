"""The host's end of one connection to the gate controller. No I/O, no clock: bytes and boot seconds in, bytes and events out.

A :class:`HostSession` lives from the opening of the port until something ends it (:class:`LinkBroken`); the next connection is a new
one. Commands go out one at a time and in order; each is sent again until its CommandResult comes. A controller that stays silent or
leaves a command unanswered is lost: the caller gives up the session, and the controller lets its leases lapse by itself.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import assert_never

from hardware.controller.frame import Frame, FrameDecoder
from hardware.controller.messages import (
    NONCE_BYTES,
    Confirm,
    EventAck,
    EventReport,
    Hello,
    Message,
    MessageError,
    Welcome,
    decode,
    dictionary_hash,
)
from hardware.controller.protocol import (
    COMMS_LOST_S,
    Close,
    CommandResult,
    Fault,
    GateCommand,
    GateEvent,
    LeaseLapsed,
    Obstruction,
    OpenEntry,
    OpenExit,
    Passage,
    Renew,
    SetSignal,
    Telemetry,
)
from hardware.controller.session import DEVICE, HOST, Agreement, Channel, Outbox, check_key, handshake_in, plain_frame

HELLO_EVERY_S = 0.1
KEEPALIVE_S = 0.25
"""Sign of life to the controller, well inside COMMS_LOST_S. It renews no lease."""
HELD_UP_S = 0.2
"""Longest time between two looks at the line that counts as listening: a host that was held up longer has not heard silence."""
COMMAND_TRIES = 12
"""Half a second without an answer (12 × RETRANSMIT_S): the controller does not work."""


@unique
class DownReason(StrEnum):
    """Why there is no link."""

    PORT = "port"
    """The serial device is missing or was unplugged."""
    SILENT = "silent"
    FOREIGN_DEVICE = "foreign_device"
    """What answers does not hold the link key."""
    OTHER_DICTIONARY = "other_dictionary"
    """The firmware reads the messages differently: update one of the two."""
    UNANSWERED = "unanswered"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """Both ends have proven the key. Whatever was opened before is closing; nothing of an earlier session holds."""

    firmware: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """The controller is out of reach. Commands without a result so far will get none: what became of them is unknown."""

    reason: DownReason
    what: str


class LinkBroken(Exception):
    """The session is over, and why."""

    def __init__(self, reason: DownReason, what: str) -> None:
        super().__init__(what)
        self.reason, self.what = reason, what


class HostSession:
    """One connection, from Hello until LinkBroken. ``now`` is always boot seconds."""

    def __init__(self, key: bytes, now: float) -> None:
        self._key = check_key(key)
        self._decoder = FrameDecoder()
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._firmware = ""
        self._channel: Channel | None = None
        self._commands: Outbox[GateCommand] = Outbox()
        self._events_seen = 0
        self._quiet, self._polled = 0.0, now
        self._hello_at = self._ping_at = now
        self._out = bytearray()
        self.up = False

    @property
    def damaged_frames(self) -> int:
        """Frames that the line damaged, plus those that were forged or repeated."""
        return self._decoder.damaged + (self._channel.rejected if self._channel else 0)

    def submit(self, command: GateCommand, now: float) -> None:
        """Queue ``command``; it goes out as soon as the one before it is answered. Raises MessageError if it cannot be encoded."""
        self._commands.put(command.command_id, command)
        self._send_due(now)

    def renew(self, lease_ms: int) -> None:
        if self.up:
            self._seal(Renew(lease_ms=lease_ms))

    def outgoing(self) -> bytes:
        """Take the bytes that are to be written now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes, now: float) -> list[GateEvent | LinkUp]:
        """Take bytes from the line. Raises LinkBroken if what answers is not our controller."""
        events: list[GateEvent | LinkUp] = []
        for frame in self._decoder.feed(data):
            greeting = handshake_in(frame)
            if isinstance(greeting, Welcome) and not self.up:
                self._confirm(greeting)
            elif greeting is None and self._channel is not None:
                events += self._sealed(self._channel, frame)
        self._send_due(now)
        return events

    def poll(self, now: float) -> None:
        """Send what is due by time. Raises LinkBroken on silence or on a command that stays unanswered."""
        self._quiet, self._polled = self._quiet + min(now - self._polled, HELD_UP_S), now
        if self._quiet > COMMS_LOST_S:
            raise LinkBroken(DownReason.SILENT, f"no valid frame for {COMMS_LOST_S:g} s")
        if not self.up and now >= self._hello_at:
            self._hello_at = now + HELLO_EVERY_S
            self._out += plain_frame(Hello(nonce=self._nonce, dictionary=dictionary_hash()))
        if self.up and now >= self._ping_at:
            self._ping_at = now + KEEPALIVE_S
            self._seal(EventAck(number=self._events_seen))
        self._send_due(now)
        if self._commands.tries > COMMAND_TRIES:
            raise LinkBroken(DownReason.UNANSWERED, f"no answer to a command sent {COMMAND_TRIES} times")

    def _confirm(self, welcome: Welcome) -> None:
        if welcome.dictionary != dictionary_hash():
            raise LinkBroken(DownReason.OTHER_DICTIONARY, f"firmware {welcome.firmware!r} speaks another dictionary")
        agreement = Agreement(
            key=self._key,
            host_nonce=self._nonce,
            device_nonce=welcome.nonce,
            dictionary=welcome.dictionary,
            firmware=welcome.firmware,
        )
        if not agreement.proven(DEVICE, welcome.proof):
            raise LinkBroken(DownReason.FOREIGN_DEVICE, f"{welcome.firmware!r} does not hold the link key")
        self._firmware = welcome.firmware
        self._channel = agreement.channel(sends=HOST, hears=DEVICE)
        self._out += plain_frame(Confirm(proof=agreement.proof(HOST)))

    def _sealed(self, channel: Channel, frame: Frame) -> list[GateEvent | LinkUp]:
        message = channel.open(frame)
        if message is None:
            return []
        self._quiet = 0.0
        events = self._events_in(message)
        if not self.up:  # the first sealed frame shows that the controller accepted our proof
            self.up = True
            return [LinkUp(firmware=self._firmware), *events]
        return events

    def _events_in(self, message: Message) -> list[GateEvent | LinkUp]:
        match message:
            case Telemetry():
                return [message]
            case CommandResult():
                return [message] if self._commands.acknowledge(message.command_id) else []
            case EventReport():
                return self._report(message)
            case (
                Hello()
                | Welcome()
                | Confirm()
                | EventAck()
                | OpenEntry()
                | OpenExit()
                | Close()
                | SetSignal()
                | Renew()
                | Passage()
                | Obstruction()
                | LeaseLapsed()
                | Fault()
            ):
                return []  # nothing a controller says in this place
            case _:
                assert_never(message)

    def _report(self, report: EventReport) -> list[GateEvent | LinkUp]:
        fresh = report.number == self._events_seen + 1
        if fresh:
            self._events_seen = report.number
        self._seal(EventAck(number=self._events_seen))
        if not fresh:
            return []
        try:
            event = decode(report.event)
        except MessageError:
            return []
        return [event] if isinstance(event, Passage | Obstruction | LeaseLapsed | Fault) else []

    def _send_due(self, now: float) -> None:
        command = self._commands.next(now) if self.up else None
        if command is not None:
            self._seal(command)

    def _seal(self, message: Message) -> None:
        if self._channel is not None:
            self._out += self._channel.seal(message)
