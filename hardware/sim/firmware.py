"""The simulated gate controller's firmware: the link's device end around the safety logic. No I/O, no clock.

Written as a board would run it: bytes from the line into :meth:`Firmware.receive`, pins into :meth:`Firmware.tick`, bytes for the
line out of :meth:`Firmware.transmit`. It works on without a host. ``docs/gate-link.md`` specifies it; ``hardware/firmware`` is the
same in C, and both must answer alike to the byte.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from hardware.controller.frame import Frame, FrameDecoder
from hardware.controller.messages import (
    NONCE_BYTES,
    Confirm,
    EventAck,
    EventReport,
    Hello,
    Message,
    Welcome,
    dictionary_hash,
    encode,
)
from hardware.controller.protocol import (
    COMMS_LOST_S,
    TELEMETRY_HZ,
    Close,
    CommandResult,
    GateCommand,
    OpenEntry,
    OpenExit,
    Outcome,
    Renew,
    SetSignal,
    Telemetry,
)
from hardware.controller.session import (
    DEVICE,
    HOST,
    RETRANSMIT_S,
    Agreement,
    Channel,
    Outbox,
    check_key,
    handshake_in,
    plain_frame,
)
from hardware.sim.interlock import Inputs, Interlock, Outputs

NAME = "autogate simulated controller 1"
_OUTCOMES_KEPT = 64
REPORTS_KEPT = 32
"""A host that leaves more happenings unacknowledged is none: its session ends, and telemetry tells the next one how things are."""
_COMMS_LOST_MS = COMMS_LOST_S * 1000
_RETRANSMIT_MS = round(RETRANSMIT_S * 1000)


class Device(Protocol):
    """A gate controller without its plant: firmware in whatever language. ``now_ms`` is milliseconds since it started."""

    def tick(self, now_ms: int, inputs: Inputs) -> Outputs: ...

    def receive(self, data: bytes, now_ms: int) -> None: ...

    def transmit(self) -> bytes: ...

    @property
    def refused_hosts(self) -> int: ...

    @property
    def rejected_frames(self) -> int: ...


def fresh_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


class Firmware:
    """One gate controller. ``now_ms`` is milliseconds since it started."""

    def __init__(self, key: bytes, inputs: Inputs, *, name: str = NAME, nonce: Callable[[], bytes] = fresh_nonce) -> None:
        """``nonce`` gives the device's nonces; anything but the default is for conversations that must repeat to the byte."""
        self._key, self._name, self._nonce = check_key(key), name, nonce
        self._interlock = Interlock(inputs)
        self._decoder = FrameDecoder()
        self._offer: Agreement | None = None
        self._channel: Channel | None = None
        self._heard = 0
        self._outcomes: OrderedDict[int, Outcome] = OrderedDict()
        self._highest = -1
        """Highest command id of this session: a lower one that is not remembered came too late."""
        self._reports: Outbox[EventReport] = Outbox(_RETRANSMIT_MS)
        self._reported = 0
        self._told: Telemetry | None = None
        self._out = bytearray()
        self.refused_hosts = 0
        """Confirms without the link key."""

    @property
    def rejected_frames(self) -> int:
        """Frames that were damaged, forged or repeated."""
        return self._decoder.damaged + (self._channel.rejected if self._channel else 0)

    def tick(self, now_ms: int, inputs: Inputs) -> Outputs:
        """Run the safety logic once, then talk."""
        outputs = self._interlock.tick(now_ms, inputs)
        if self._channel is not None and now_ms - self._heard > _COMMS_LOST_MS:
            self._channel = None  # nobody listens; the leases went long before
        self._queue_reports()
        self._tell(now_ms)
        return outputs

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the line; commands are executed at once, on the sensors of the last tick."""
        for frame in self._decoder.feed(data):
            greeting = handshake_in(frame)
            match greeting:
                case Hello():
                    self._welcome(greeting)
                case Confirm():
                    self._confirm(greeting, now_ms)
                case Welcome():
                    pass  # our own words, from an echoing line
                case None:
                    self._sealed(frame, now_ms)

    def transmit(self) -> bytes:
        """Take the bytes that are to go onto the line."""
        data = bytes(self._out)
        self._out.clear()
        return data

    # --- connecting ------------------------------------------------------------------------------------------------------

    def _welcome(self, hello: Hello) -> None:
        """Offer a session. The present one stays until the newcomer has proven the key: a Hello alone disturbs nobody."""
        self._offer = Agreement(
            key=self._key,
            host_nonce=hello.nonce,
            device_nonce=self._nonce(),
            dictionary=dictionary_hash(),
            firmware=self._name,
        )
        proof = self._offer.proof(DEVICE)
        offer = Welcome(nonce=self._offer.device_nonce, dictionary=self._offer.dictionary, proof=proof, firmware=self._name)
        self._out += plain_frame(offer)

    def _confirm(self, confirm: Confirm, now_ms: int) -> None:
        offer, self._offer = self._offer, None
        if offer is None or not offer.proven(HOST, confirm.proof):
            self.refused_hosts += 1
            return
        self._channel = offer.channel(sends=DEVICE, hears=HOST)
        self._heard = now_ms
        self._highest = -1
        self._reports, self._reported, self._told = Outbox(_RETRANSMIT_MS), 0, None
        self._interlock.new_host(now_ms)
        self._tell(now_ms)

    # --- the session -----------------------------------------------------------------------------------------------------

    def _sealed(self, frame: Frame, now_ms: int) -> None:
        message = self._channel.open(frame) if self._channel is not None else None
        if message is None or self._channel is None:
            return
        match message:
            case OpenEntry() | OpenExit() | Close() | SetSignal():
                outcome = self._once(message, now_ms)
                self._seal(CommandResult(command_id=message.command_id, outcome=outcome))
            case Renew():
                self._interlock.renew(message.lease_ms, now_ms)
            case EventAck():
                self._reports.acknowledge(message.number)
            case _:  # nothing a host says, and no sign of life either
                self._channel.rejected += 1
                return
        self._heard = now_ms

    def _once(self, command: GateCommand, now_ms: int) -> Outcome:
        """Execute an id the first time it is seen; afterwards only tell again what became of it."""
        known = self._outcomes.get(command.command_id)
        if known is not None:
            return known
        if command.command_id <= self._highest:
            return Outcome.EXPIRED
        outcome = self._interlock.execute(command, now_ms)
        self._highest = command.command_id
        self._outcomes[command.command_id] = outcome
        if len(self._outcomes) > _OUTCOMES_KEPT:
            self._outcomes.popitem(last=False)
        return outcome

    def _queue_reports(self) -> None:
        happenings, self._interlock.happenings = self._interlock.happenings, []
        for happening in happenings:
            if self._channel is None or len(self._reports) == REPORTS_KEPT:
                self._channel = None
                return  # telemetry tells a new host how things are
            self._reported += 1
            self._reports.put(self._reported, EventReport(number=self._reported, event=encode(happening)))

    def _tell(self, now_ms: int) -> None:
        report = self._reports.next(now_ms) if self._channel is not None else None
        if report is not None:
            self._seal(report)
        now = self._interlock.telemetry(now_ms)
        due = self._told is None or now_ms - self._told.uptime_ms >= 1000 / TELEMETRY_HZ
        if due or _without_time(now) != _without_time(self._told):
            self._told = now
            self._seal(now)

    def _seal(self, message: Message) -> None:
        if self._channel is not None:
            self._out += self._channel.seal(message)


def _without_time(telemetry: Telemetry | None) -> bytes:
    return encode(telemetry)[9:] if telemetry is not None else b""  # type byte and uptime stripped
