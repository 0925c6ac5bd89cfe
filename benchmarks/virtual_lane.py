"""Host session, firmware, interlock and plant in virtual time, joined by a line that loses, damages, doubles and delays. No clock."""

from __future__ import annotations

import random

from hardware.controller.link import HostSession, LinkBroken, LinkUp
from hardware.controller.protocol import CommandResult, GateCommand, GateEvent, LaneKind, Outcome
from hardware.sim.firmware import Firmware
from hardware.sim.occupancy import PERSONS, Company
from hardware.sim.people import Manner
from hardware.sim.plant import Plant

KEY = bytes(range(32))
TICK_S = 0.01
RENEW_TICKS = 5


class BadLine:
    """One direction of a serial line. Its four habits are probabilities: loss and doubling of a write, flips and noise of bytes."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.loss, self.doubling = dice.uniform(0, 0.05), dice.uniform(0, 0.05)
        self.flips, self.noise = dice.uniform(0, 0.004), dice.uniform(0, 0.02)

    def carry(self, data: bytes) -> bytes:
        """What arrives of ``data``."""
        dice = self._dice
        if data and dice.random() < self.loss:
            return b""
        arrived = bytes(byte ^ (1 << dice.randrange(8) if dice.random() < self.flips else 0) for byte in data)
        if dice.random() < self.noise:
            arrived = dice.randbytes(dice.randrange(40)) + arrived
        return arrived * (2 if dice.random() < self.doubling else 1)


class VirtualLane:
    """Runs until told otherwise; ``host`` is None while there is no session."""

    def __init__(self, dice: random.Random, kind: LaneKind = "mantrap") -> None:
        self._to_device, self._to_host = BadLine(dice), BadLine(dice)
        self._ticks = 0
        self.plant = Plant(0.0, kind=kind, dice=dice)
        self._firmware = Firmware(KEY, self.plant.sense())
        self._outputs = self._firmware.tick(0, self.plant.sense())
        self.host: HostSession | None = None
        self.outcomes: dict[int, list[Outcome]] = {}
        self.breaks = 0
        self.renewing = True
        self.heard: list[GateEvent | LinkUp | None] = []
        """What the host heard; None: its session broke. The caller clears it."""

    @property
    def now(self) -> float:
        return self._ticks * TICK_S

    @property
    def damaged(self) -> int:
        return self._firmware.rejected_frames + (self.host.damaged_frames if self.host else 0)

    def connect(self) -> None:
        """Begin a session, anew where one broke."""
        self.host = HostSession(KEY, self.now)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            self._tick()

    def submit(self, command: GateCommand) -> bool:
        """Hand over a command; False where there is no link to send it on."""
        if self.host is None or not self.host.up:
            return False
        self.host.submit(command, self.now)
        return True

    def arrive(self, dice: random.Random) -> None:
        """A person, seldom two, comes to the entry, now and then with whom the sensor may not count."""
        company: Company = dice.choice(tuple(PERSONS)) if dice.random() < 0.3 else ""
        manner = Manner(walk_in_s=0.4, walk_out_s=0.4, react_s=0.1, company=company)
        self.plant.arrive(dice.choice((1, 1, 1, 2)), 0.3, manner)

    def _tick(self) -> None:
        self._ticks += 1
        self._outputs = self._firmware.tick(self._ticks * 10, self.plant.step(self.now, self._outputs))
        if self.host is None:
            self._firmware.transmit()
            self.connect()
            return
        try:
            self._exchange(self.host)
        except LinkBroken:
            self.host, self.breaks = None, self.breaks + 1
            self.heard.append(None)

    def _exchange(self, host: HostSession) -> None:
        if self.renewing and self._ticks % RENEW_TICKS == 0:
            host.renew(250)
        host.poll(self.now)
        for _ in range(3):  # question, answer, acknowledgement within a tick
            self._firmware.receive(self._to_device.carry(host.outgoing()), self._ticks * 10)
            for event in host.receive(self._to_host.carry(self._firmware.transmit()), self.now):
                self.heard.append(event)
                if isinstance(event, CommandResult):
                    self.outcomes.setdefault(event.command_id, []).append(event.outcome)
