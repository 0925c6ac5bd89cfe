"""The host's end of one connection to a gate controller on Modbus: orders out, status in, 20 times a second. Blocks on its line alone.

Every exchange is one order written (function 16) and one status read (function 4). The order carries a *beat*, a number that goes up by one each time,
and the status tells the newest that the controller took. A status counts only with the beat of this very exchange: a late answer, or one of before
the order, is none. An order that is repeated or overtaken by the line has an old beat, and the controller drops it. A command stays in
every order until the status tells its outcome; its id is executed once. So whatever fails is simply said again.
"""

from __future__ import annotations

import secrets
from collections import deque

from hardware.controller.link import COMMAND_TRIES, HELD_UP_S, DownReason, LinkBroken, LinkUp
from hardware.controller.messages import MessageError
from hardware.controller.modbus_line import AnswerIsException, ModbusLine, NoAnswer
from hardware.controller.modbus_map import (
    IDENTITY_BLOCK,
    MAGIC,
    NEW_SESSION,
    ORDER_BLOCK,
    STATUS_BLOCK,
    Status,
    identity_in,
    map_hash,
    order,
    status_in,
)
from hardware.controller.protocol import COMMS_LOST_S, GateCommand, GateEvent
from hardware.ports import Clock

WARNING = "Modbus RTU, UnsafeUnauthenticatedLink"
"""Stands beside the controller's name wherever that is shown or recorded."""
_BEATS = 1 << 16


class ModbusSession:
    """One connection, until LinkBroken. One thread."""

    def __init__(self, line: ModbusLine, clock: Clock) -> None:
        self._line, self._clock = line, clock
        self._beat = secrets.randbelow(_BEATS)
        self._session, self._seen = NEW_SESSION, 0
        self._commands: deque[GateCommand] = deque()
        self._tries = 0
        self._quiet, self._asked = 0.0, clock.boot()
        self.up = False
        self.failed = 0
        """Exchanges without a usable answer."""

    def submit(self, command: GateCommand) -> None:
        """Queue ``command``; commands are said one at a time and in order."""
        self._commands.append(command)

    @property
    def waiting(self) -> bool:
        """Whether a command is still to be said or answered."""
        return bool(self._commands)

    def exchange(self, renew_ms: int = 0) -> list[GateEvent | LinkUp] | None:
        """Say what there is to say and hear how things are; what is new of it. None where that failed and is to be done again.

        ``renew_ms``: what is left of the lease that the lane last renewed, however often that was said; 0: nothing. Raises LinkBroken, DeviceLost.
        """
        now = self._clock.boot()
        silent = now - self._asked
        if silent > COMMS_LOST_S and self._commands:
            raise LinkBroken(
                DownReason.SILENT, f"held up for {silent:.1f} s with a command of before: whom it was for may be gone"
            )
        self._quiet, self._asked = self._quiet + min(silent, HELD_UP_S), now
        try:
            events = self._converse(renew_ms) if self.up else self._greet()
        except (NoAnswer, MessageError) as error:
            self.failed += 1
            if self._quiet > COMMS_LOST_S:
                raise LinkBroken(DownReason.SILENT, f"no usable answer for {COMMS_LOST_S:g} s, last: {error}") from error
            return None
        self._quiet = 0.0
        return events

    def _greet(self) -> list[GateEvent | LinkUp]:
        """Make sure whom we speak to, then have a new session begun: whatever was opened before is closing."""
        try:
            identity = identity_in(self._line.read(IDENTITY_BLOCK.address, IDENTITY_BLOCK.count))
        except AnswerIsException as error:
            raise LinkBroken(DownReason.FOREIGN_DEVICE, f"no gate controller: it answers with {error}") from error
        if identity.magic != MAGIC:
            raise LinkBroken(DownReason.FOREIGN_DEVICE, "no gate controller: other registers stand where its identity should")
        if identity.map != map_hash():
            raise LinkBroken(DownReason.OTHER_DICTIONARY, f"{identity.name!r} has another register map")
        status = self._told(order(session=NEW_SESSION, beat=self._next_beat()))
        self._session, self._seen = status.session, status.events
        self.up = True
        return [LinkUp(firmware=f"{identity.name} ({WARNING})"), status.telemetry]

    def _converse(self, renew_ms: int) -> list[GateEvent | LinkUp]:
        command = self._commands[0] if self._commands else None
        said = order(session=self._session, beat=self._next_beat(), renew_ms=renew_ms, command=command)
        status = self._told(said)
        events: list[GateEvent | LinkUp] = [*self._happened(status), status.telemetry]
        if command is not None:
            events[:0] = self._outcome(command, status)
        return events

    def _told(self, said: list[int]) -> Status:
        """Write the order, read the status. Raises NoAnswer, MessageError, LinkBroken."""
        self._line.write(ORDER_BLOCK.address, said)
        status = status_in(self._line.read(STATUS_BLOCK.address, STATUS_BLOCK.count))
        if status.session == NEW_SESSION:
            raise MessageError("a session without a number")
        if self._session not in (NEW_SESSION, status.session):
            raise LinkBroken(
                DownReason.UNANSWERED, "the controller began another session: it restarted, or somebody else speaks to it"
            )
        if status.beat != self._beat:
            raise NoAnswer("a status from before the order")
        return status

    def _outcome(self, command: GateCommand, status: Status) -> list[GateEvent | LinkUp]:
        if status.result.command_id == command.command_id:
            self._commands.popleft()
            self._tries = 0
            return [status.result]
        self._tries += 1
        if self._tries > COMMAND_TRIES:
            raise LinkBroken(DownReason.UNANSWERED, f"no outcome of a command that was taken {COMMAND_TRIES} times")
        return []

    def _happened(self, status: Status) -> list[GateEvent]:
        events = status.happened_since(self._seen)
        if events is None:
            raise LinkBroken(DownReason.SILENT, "more happened than the controller keeps: some of it is lost")
        self._seen = status.events
        return events

    def _next_beat(self) -> int:
        self._beat = (self._beat + 1) % _BEATS
        return self._beat
