"""A gate controller to plug in: firmware and plant as a process of its own, behind a pseudo-terminal.

``python -m hardware.sim.controller --tty-link PATH --control PATH --key-file PATH [--seed N] [--travel-s S] [--firmware c] [--lane single_door] [--until-stdin-closes]``

``--tty-link`` becomes a symbolic link to the pseudo-terminal (a stable name, as under ``/dev/serial/by-id``), ``--key-file`` holds the
link key as raw bytes. ``--firmware c`` runs the reference firmware in C, ``modbus`` the controller of ``docs/modbus.md``; either then has the line to itself. ``--control`` is a Unix socket: one JSON object a line in, one out, ``{"ok": true, …}`` or ``{"ok": false, "error": …}``.
What it understands is :data:`_ORDERS`. The process prints ``ready``, and ends on ``stop``, on SIGTERM and, if told so, with the process that
holds the other end of its standard input.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self, get_args

from hardware.controller.protocol import Door, LaneKind
from hardware.ports import DeviceError
from hardware.sim.compiled import MODBUS, PROGRAM, CompiledFirmware
from hardware.sim.firmware import Device, Firmware
from hardware.sim.interlock import Inputs
from hardware.sim.occupancy import Company
from hardware.sim.people import Manner
from hardware.sim.plant import TRAVEL_S, Plant
from hardware.sim.terminal import Terminal

TICK_S = 0.01
NICE = -15
HELD_UP_S = 0.1
"""Ten ticks late: the machine stood still, not the plant."""
_MAX_STEP_S = 0.05
"""A process that was held up lets the plant move in steps of at most this length, so that no sensor edge is jumped over."""
_LOG_SHOWN = 500
_START_S = 10.0
_STOP_S = 5.0


FirmwareKind = Literal["python", "c", "modbus"]
"""``modbus``: the controller in C that speaks Modbus RTU in place of the gate-link."""


def firmware(kind: FirmwareKind, key: bytes, inputs: Inputs) -> Device:
    """A controller fresh from power-on. Raises DeviceError where one in C was not built."""
    if kind == "python":
        return Firmware(key, inputs)
    return CompiledFirmware(key, inputs, PROGRAM if kind == "c" else MODBUS)


class Simulation:
    """Firmware, plant and pseudo-terminal, run in real time by :meth:`run`."""

    def __init__(
        self,
        terminal: Terminal,
        key: bytes,
        *,
        seed: int | None = None,
        travel_s: float = TRAVEL_S,
        kind: FirmwareKind = "python",
        lane: LaneKind = "mantrap",
    ) -> None:
        self._began = time.monotonic()
        self.random = random.Random(seed) if seed is not None else None
        self.plant = Plant(self._began, travel_s, lane, self.random)
        self.firmware = firmware(kind, key, self.plant.sense())
        self._outputs = self.firmware.tick(0, self.plant.sense())
        self._now = self._began
        self._held_up = 0.0
        self.terminal = terminal
        self.stopping = False
        self.selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Tick and answer until stopped."""
        due = time.monotonic()
        while not self.stopping:
            for key, _ in self.selector.select(max(0.0, due - time.monotonic())):
                key.data()
            if time.monotonic() >= due:
                self.tick()
                due = max(due + TICK_S, time.monotonic())

    def tick(self) -> None:
        target = self._present()
        while self._now < target:
            self._now = min(target, self._now + _MAX_STEP_S)
            self._outputs = self.firmware.tick(self._ms(self._now), self.plant.step(self._now, self._outputs))
        self.terminal.write(self.firmware.transmit())

    def listen(self) -> None:
        """Bytes came over the line: commands are executed and answered at once.

        At the present time, not that of the last tick: a renewal that waited while this process was held up still counts.
        """
        self.firmware.receive(self.terminal.read(), self._ms(self._present()))
        self.terminal.write(self.firmware.transmit())

    def plug(self) -> None:
        if self.terminal.master is None:
            line = self.terminal.plug()
            if isinstance(self.firmware, CompiledFirmware):
                self.firmware.plug(line)
            else:
                self.selector.register(line, selectors.EVENT_READ, self.listen)

    def unplug(self) -> None:
        if self.terminal.master is not None:
            if isinstance(self.firmware, CompiledFirmware):
                self.firmware.unplug()
            else:
                self.selector.unregister(self.terminal.master)
            self.terminal.unplug()

    def close(self) -> None:
        self.unplug()
        if isinstance(self.firmware, CompiledFirmware):
            self.firmware.close()

    def stop(self) -> None:
        self.stopping = True

    def _present(self) -> float:
        """The plant's time. It stands still while this process was held up: firmware has a processor of its own, and a machine that
        stood still as a whole would otherwise look like a host that died.
        """
        now = time.monotonic() - self._held_up
        if (late := now - self._now) > HELD_UP_S:
            self._held_up += late - TICK_S
            now = self._now + TICK_S
        return now

    def _ms(self, now: float) -> int:
        return int((now - self._began) * 1000)

    # --- orders over the control socket ----------------------------------------------------------------------------------

    def arrive(
        self,
        *,
        people: int = 1,
        walk_in_s: float = 1.0,
        walk_out_s: float = 1.0,
        react_s: float = 0.2,
        gap_s: float = 0.3,
        pushy: bool = False,
        luggage: bool = False,
        company: Company = "",
    ) -> None:
        """A party comes to the entry. With a seed each time varies by ± 10 %."""
        vary = self.random.uniform(0.9, 1.1) if self.random else 1.0
        manner = Manner(
            walk_in_s=walk_in_s * vary,
            walk_out_s=walk_out_s * vary,
            react_s=react_s * vary,
            pushy=pushy,
            luggage=luggage,
            company=company,
        )
        self.plant.arrive(people, gap_s, manner)

    def leave(self) -> None:
        self.plant.give_up()

    def set_switch(self, name: str, on: bool) -> None:
        setattr(self.plant, name, bool(on))
        self.plant.note(f"{name} {'on' if on else 'off'}")

    def set_leaf(self, name: str, door: str, on: bool) -> None:
        setattr(self.plant.leaves[Door[door.upper()]], name, bool(on))
        self.plant.note(f"{door} {name} {'on' if on else 'off'}")

    def state(self) -> dict[str, Any]:
        return {
            **self.plant.state(),
            "plugged": self.terminal.master is not None,
            "refused_hosts": self.firmware.refused_hosts,
            "rejected_frames": self.firmware.rejected_frames,
            "log": list(self.plant.log)[-_LOG_SHOWN:],
        }


_ORDERS: dict[str, Callable[..., dict[str, Any] | None]] = {
    "arrive": Simulation.arrive,
    "leave": Simulation.leave,
    "plug": Simulation.plug,
    "unplug": Simulation.unplug,
    "state": Simulation.state,
    "stop": Simulation.stop,
    "fire": lambda sim, on: sim.set_switch("fire", on),
    "mains": lambda sim, on: sim.set_switch("mains", on),
    "blind": lambda sim, on: sim.set_switch("blind", on),
    "object": lambda sim, on: sim.set_switch("object_left", on),
    "obstruct": lambda sim, door, on: sim.set_leaf("obstructed", door, on),
    "jam": lambda sim, door, on: sim.set_leaf("jammed", door, on),
    "lie": lambda sim, door, on: sim.set_leaf("lies", door, on),
}
"""``do`` and the keyword arguments that go with it. ``blind``: the occupancy sensor is uncertain; ``object``: left luggage."""


def obey(simulation: Simulation, line: bytes) -> bytes:
    """Carry out one line of the control socket; the answer line."""
    try:
        order = json.loads(line)
        answer = _ORDERS[order.pop("do")](simulation, **order)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"}).encode() + b"\n"
    return json.dumps({"ok": True, **(answer or {})}).encode() + b"\n"


class _Control:
    """The control socket's clients."""

    def __init__(self, simulation: Simulation, path: Path) -> None:
        self._simulation = simulation
        self._listener = socket.socket(socket.AF_UNIX)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        self._listener.listen()
        simulation.selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        pending = bytearray()
        self._simulation.selector.register(client, selectors.EVENT_READ, lambda: self._serve(client, pending))

    def _serve(self, client: socket.socket, pending: bytearray) -> None:
        with contextlib.suppress(OSError):
            data = client.recv(65536)
            if data:
                pending += data
                while b"\n" in pending:
                    line, _, rest = bytes(pending).partition(b"\n")
                    pending[:] = rest
                    client.sendall(obey(self._simulation, line))
                return
        self._simulation.selector.unregister(client)
        client.close()


class SimulatedController:
    """Starts and ends the process; for the demo and for tests. Use it as a context manager."""

    def __init__(
        self,
        folder: Path,
        key: bytes,
        *,
        seed: int | None = None,
        travel_s: float = TRAVEL_S,
        firmware: FirmwareKind = "python",
        lane: LaneKind = "mantrap",
    ) -> None:
        """Its files live in ``folder``, which must exist: :attr:`tty` is what the host opens."""
        self._firmware, self._lane = firmware, lane
        self.tty, self._socket, self._key_file = (
            folder / "gate-controller",
            folder / "gate-control.sock",
            folder / "gate-controller.key",
        )
        self._key, self._seed, self._travel_s = key, seed, travel_s
        self._process: subprocess.Popen[bytes] | None = None
        self._client: socket.socket | None = None
        self._answers = b""

    def start(self) -> None:
        """Start the process and wait until it can be opened. Raises DeviceError."""
        with os.fdopen(os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(self._key)
        command = [sys.executable, "-m", "hardware.sim.controller", "--tty-link", str(self.tty)]
        command += ["--control", str(self._socket), "--key-file", str(self._key_file)]
        command += ["--lane", self._lane]
        command += ["--firmware", self._firmware, "--until-stdin-closes", "--travel-s", str(self._travel_s)] + (
            ["--seed", str(self._seed)] if self._seed is not None else []
        )
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            self.stop()
            raise DeviceError(str(self.tty), "the simulated gate controller did not start", "see its messages above")
        self._key_file.unlink()  # read; a key need not lie about
        self._client = socket.socket(socket.AF_UNIX)
        self._client.settimeout(_START_S)
        self._client.connect(str(self._socket))

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def control(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Give one order and return its answer. Raises DeviceError if it was refused or the process is gone."""
        if self._client is None:
            raise DeviceError(str(self._socket), "the simulated gate controller is not running")
        try:
            self._client.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            while b"\n" not in self._answers:
                chunk = self._client.recv(65536)
                if not chunk:
                    raise DeviceError(str(self._socket), "the simulated gate controller is gone")
                self._answers += chunk
        except OSError as error:
            raise DeviceError(str(self._socket), "the simulated gate controller does not answer") from error
        line, _, self._answers = self._answers.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise DeviceError(str(self._socket), answer["error"])
        return answer

    def stop(self) -> None:
        """End the process; again is harmless."""
        if self._client is not None:
            self._client.close()
            self._client = None
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()  # the closed standard input ends it
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hardware.sim.controller", description="simulated gate controller")
    parser.add_argument("--tty-link", type=Path, required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--key-file", type=Path, required=True)
    parser.add_argument("--seed", type=int, help="lets people's times vary by 10 %%")
    parser.add_argument("--travel-s", type=float, default=TRAVEL_S, help="seconds a leaf takes to open or shut")
    parser.add_argument("--firmware", choices=get_args(FirmwareKind), default="python", help="those in C: make firmware")
    parser.add_argument("--lane", choices=get_args(LaneKind), default="mantrap")
    parser.add_argument("--until-stdin-closes", action="store_true")
    options = parser.parse_args()
    with contextlib.suppress(PermissionError):  # firmware has a processor of its own: nothing else may make its clock stumble
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    simulation = Simulation(
        Terminal(options.tty_link),
        options.key_file.read_bytes(),
        seed=options.seed,
        travel_s=options.travel_s,
        kind=options.firmware,
        lane=options.lane,
    )
    _Control(simulation, options.control)
    if options.until_stdin_closes:
        simulation.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, simulation.stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started it, who then closes the input
    signal.signal(signal.SIGTERM, lambda *_: simulation.stop())
    simulation.plug()
    print("ready", flush=True)
    try:
        simulation.run()
    finally:
        simulation.close()
        options.control.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
