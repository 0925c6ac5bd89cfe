"""Full recordings of what passed between a reader and a *virtual* chip, and chips that replay them.

Contents of a real chip are never recorded: :class:`Recorder` takes a :class:`VirtualPassport` and nothing else
(``hardware.emrtd.transcript`` keeps lengths, statuses and times of any chip). A recording is one JSON object a line: ``command`` with
its ``response`` (hex) or, where the tag was lost, without one; or ``reconnect`` with what it returned. A reading replays if its random
bytes are those of the recorded one (``read_chip(…, random=…)``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TextIO

from hardware.ports import TagLost
from hardware.sim.chip import VirtualPassport

SHOWN = 24
"""Hex digits of a command that a message shows."""


class ReplayError(Exception):
    """The reader did something else than in the recording, or what is said to be one is none."""


class Recorder:
    """A transceiver that passes everything to ``chip`` and writes it to ``out``. Raises TypeError for a chip that is not virtual."""

    def __init__(self, chip: VirtualPassport, out: TextIO) -> None:
        if not isinstance(chip, VirtualPassport):
            raise TypeError("only virtual chips are recorded")
        self._chip, self._out = chip, out

    def transceive(self, command: bytes) -> bytes:
        event = {"command": command.hex()}
        try:
            response = self._chip.transceive(command)
            event["response"] = response.hex()
        finally:
            self._write(event)
        return response

    def reconnect(self, timeout: float) -> bool:
        came = self._chip.reconnect(timeout)
        self._write({"reconnect": came})
        return came

    def _write(self, event: dict[str, Any]) -> None:
        self._out.write(json.dumps(event) + "\n")


class ReplayedChip:
    """Answers as the chip of a recording did, as long as it is asked the same. Raises ReplayError at the first difference."""

    def __init__(self, lines: Iterable[str]) -> None:
        try:
            self._events = [json.loads(line) for line in lines if line.strip()]
        except ValueError as error:
            raise ReplayError(f"no recording: {error}") from error
        if not all(isinstance(event, dict) for event in self._events):
            raise ReplayError("no recording: a line that is no object")
        self._next = 0

    @property
    def finished(self) -> bool:
        """Was everything asked that stands in the recording?"""
        return self._next == len(self._events)

    def transceive(self, command: bytes) -> bytes:
        """Raises TagLost where the recorded chip was lost, and ReplayError."""
        event = self._take("command")
        if event["command"] != command.hex():
            raise self._differs(str(event["command"])[:SHOWN], command.hex()[:SHOWN])
        if "response" not in event:
            raise TagLost("recording", "the chip left the field, as it did when this was recorded")
        try:
            return bytes.fromhex(event["response"])
        except (TypeError, ValueError) as error:
            raise ReplayError(f"event {self._next}: a response that is no hex") from error

    def reconnect(self, timeout: float) -> bool:  # noqa: ARG002 - the recorded chip's time has passed
        """Raises ReplayError."""
        return self._take("reconnect")["reconnect"] is True

    def _take(self, kind: str) -> dict[str, Any]:
        if self.finished:
            raise self._differs("the end", f"a {kind}")
        event: dict[str, Any] = self._events[self._next]
        self._next += 1
        if kind not in event:
            raise self._differs(f"a {'/'.join(event)}", f"a {kind}")
        return event

    def _differs(self, recorded: str, now: str) -> ReplayError:
        return ReplayError(f"event {self._next}: recorded {recorded}, the reader now sends {now}")
