"""``python -m benchmarks.kill_controller --tty-link PATH --control PATH --key-file PATH [--firmware c] [--travel-s S]``

The simulated gate controller as a witness: what the plant logs goes to standard output as it happens, with boot times, and so does how
late a tick came. Bytes of the line pass through here for either firmware, so that the moment of the host's last renewal is known.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any

from hardware.controller.frame import FrameDecoder
from hardware.controller.messages import encode
from hardware.controller.protocol import OpenEntry, OpenExit, Purpose, Renew
from hardware.sim import controller
from hardware.sim.controller import NICE, TICK_S, Simulation
from hardware.sim.plant import TRAVEL_S
from hardware.sim.terminal import Terminal

HELD_UP_S = 0.02
"""A tick that comes this much late makes a trial void: a board's processor does nothing else."""
_LEASES = {encode(each)[:1] for each in (Renew(), OpenEntry(command_id=1, purpose=Purpose.ADMIT), OpenExit(command_id=1))}
"""An opening begins with a lease of its own: a host that dies after the order and before its next renewal has renewed with the order."""


def boot() -> float:
    """Seconds since boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Witness(Simulation):
    """Tells what it sees."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._frames, self._due = FrameDecoder(), time.monotonic()
        self._renewed = 0.0

    def plug(self) -> None:
        if self.terminal.master is None:
            self.selector.register(self.terminal.plug(), selectors.EVENT_READ, self.listen)

    def unplug(self) -> None:
        if self.terminal.master is not None:
            self.selector.unregister(self.terminal.master)
            self.terminal.unplug()

    def listen(self) -> None:
        data = self.terminal.read()
        if any(frame.payload[:1] in _LEASES for frame in self._frames.feed(data)):
            self._renewed = boot()
        self.firmware.receive(data, self._ms(self._present()))
        self.terminal.write(self.firmware.transmit())

    def tick(self) -> None:
        late, self._due = time.monotonic() - self._due, time.monotonic() + TICK_S
        super().tick()
        offset = boot() - self._now
        while self.plant.log:
            line = self.plant.log.popleft()
            self._tell(line["t"] + offset, line["what"])
        if late > HELD_UP_S:
            self._tell(boot(), "held up", seconds=late)

    def witness(self) -> dict[str, Any]:
        """When the last renewal came (boot seconds, 0: none yet), and what must never have happened."""
        return {"renewed": self._renewed, "now": boot(), "violations": self.plant.violations}

    def _tell(self, at: float, what: str, **more: float) -> None:
        print(json.dumps({"boot": at, "what": what, **more}), flush=True)


def first_in_line() -> None:
    """Firmware has a processor of its own: a witness that waits for its turn proves nothing. For this process and the firmware's in C."""
    gc.collect()
    gc.freeze()
    gc.disable()  # nothing here is cyclic
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_controller")
    parser.add_argument("--tty-link", type=Path, required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--key-file", type=Path, required=True)
    parser.add_argument("--firmware", choices=("python", "c"), default="python")
    parser.add_argument("--travel-s", type=float, default=TRAVEL_S)
    options = parser.parse_args()
    first_in_line()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    key = options.key_file.read_bytes()
    simulation = Witness(Terminal(options.tty_link), key, travel_s=options.travel_s, kind=options.firmware)
    controller._ORDERS["witness"] = Witness.witness  # one order more, in this process alone
    controller._Control(simulation, options.control)  # the same control socket
    simulation.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, simulation.stop)
    simulation.plug()
    print(json.dumps({"boot": boot(), "what": "ready"}), flush=True)
    try:
        simulation.run()
    finally:
        simulation.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
