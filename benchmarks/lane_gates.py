"""How many gates two cores carry: real actors, casework, rules, logs and sessions with telemetry twenty times a second, models stubbed.

Some processes hold lanes, each on one loop as many as fall to it; others simulate their gate controllers: firmware, interlock, plant, one
traveller upon another. Between them runs what would run over the serial lines, over local sockets. What the simulators take of the machine
is stated apart. A gate in operation has a process of its own; what that costs more is in the lag report.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import lane_stubs, machine
from gate.audit.log import FILE_NAME, AuditLog, AuditWriter
from gate.clock import SystemClock
from gate.evidence import Direction
from gate.policy.schema import RuleSet, load_rules
from gate.processes import lane as lane_process
from gate.processes import messages as m
from gate.processes.actor import LaneActor
from gate.processes.casework import Casework
from gate.processes.display import Display
from gate.processes.lag import LoopLag
from gate.records import DecisionRecord
from gate.registries.answers import Answers
from hardware.controller.host import CommandIds
from hardware.controller.link import HostSession, LinkBroken, LinkDown, LinkUp
from hardware.controller.protocol import LEASE_MS, RENEW_EVERY_MS, GateCommand, LeaseLapsed
from hardware.sim.firmware import Firmware
from hardware.sim.interlock import Drive
from hardware.sim.people import Manner
from hardware.sim.plant import Plant

GATES, HOSTS, SIMULATORS = 200, 2, 2
EVERY_S = 12.0
"""A traveller so often at each gate: 300 an hour."""
TICK_S = 0.05
"""A simulated controller looks at its sensors as often as it tells of them. A real one does so every millisecond, on its own processor."""
GREET_EVERY_S = 0.1
WARM_UP_S, P99_MS = 5.0, 10.0
STEPS = (50, 100, 200, 300, 400, 600, 800)
START_S = 60.0
WALK = Manner(walk_in_s=1.0, walk_out_s=1.0, react_s=0.2)


# --- gate controllers ------------------------------------------------------------------------------------------------------


class SimulatedGate(asyncio.Protocol):
    """Firmware and plant at one end of a socket. Somebody comes whenever the entry opens for an admission."""

    def __init__(self, began: float) -> None:
        self._began = began

    def connection_made(self, transport: Any) -> None:
        self._transport, now = transport, self._now
        self._plant = Plant(now)
        self._firmware = Firmware(lane_stubs.KEY, self._plant.sense())
        self._outputs = self._firmware.tick(0, self._plant.sense())
        self._ticking = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    @property
    def _now(self) -> float:
        return time.monotonic() - self._began

    def _tick(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        if self._outputs.entry is Drive.OPEN and not self._outputs.turn_back and not self._plant.people:
            self._plant.arrive(1, 0.0, WALK)
        now = self._now
        self._outputs = self._firmware.tick(round(now * 1000), self._plant.step(now, self._outputs))
        self._transport.write(self._firmware.transmit())

    def data_received(self, data: bytes) -> None:
        self._firmware.receive(data, round(self._now * 1000))
        self._transport.write(self._firmware.transmit())

    def connection_lost(self, _error: Exception | None) -> None:
        self._ticking.cancel()


async def simulate(path: Path) -> None:
    """Serve gate controllers at ``path`` until told to end; tell the processor time since they all ran, and until now."""
    began = time.monotonic()
    await asyncio.get_running_loop().create_unix_server(lambda: SimulatedGate(began), path)
    await asyncio.to_thread(sys.stdin.readline)
    begun = time.process_time()
    await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps({"processor_s": time.process_time() - begun}))


# --- lanes -----------------------------------------------------------------------------------------------------------------


class AllLag(LoopLag):
    """Keeps every value, of all lanes of the process."""

    __slots__ = ("late_ms",)

    def __init__(self, late_ms: list[float]) -> None:
        super().__init__()
        self.late_ms = late_ms

    def note(self, seconds: float) -> None:
        super().note(seconds)
        self.late_ms.append(seconds * 1000)


class Gate(asyncio.Protocol):
    """One lane with its session; workers and registries answer at once, in the same process, by messages that are encoded."""

    def __init__(self, folder: Path, rules: RuleSet, late_ms: list[float]) -> None:
        folder.mkdir()
        config = lane_stubs.config(folder, lane=f"bench-{folder.name}")
        self._clock, self.seen = SystemClock(), Counter[str]()
        self._ids = CommandIds(self._clock)
        self._log = AuditWriter(AuditLog(folder / FILE_NAME, lane_stubs.KEY))
        self._casework = casework = Casework(config, rules, self._log, clock=self._clock, helpers=self, key=lane_stubs.KEY)
        self.actor = LaneActor(config.timeouts, self._clock, self, casework, Display(config, self.tell))
        self.actor.lag = AllLag(late_ms)
        self._travellers = 0

    # the session

    def connection_made(self, transport: Any) -> None:
        self._running = asyncio.create_task(self.actor.run())
        self._transport, self._session = transport, HostSession(lane_stubs.KEY, self._clock.boot())
        for role in ("reader", "vision", "officer_screen"):
            self.actor.on_peer(role, {}, joined=True)
        self._greet()

    def _greet(self) -> None:
        if not self._session.up:
            self._hear(b"")
            asyncio.get_running_loop().call_later(GREET_EVERY_S, self._greet)

    def data_received(self, data: bytes) -> None:
        up = self._session.up
        self._hear(data)
        if up and not self._session.up:
            self._greet()

    def _hear(self, data: bytes) -> None:
        now = self._clock.boot()
        try:
            for event in self._session.receive(data, now):
                self.seen["lapsed"] += isinstance(event, LeaseLapsed)
                self.seen["sessions"] += isinstance(event, LinkUp)
                self.actor.on_controller(event)
            self._session.poll(now)
        except LinkBroken as broken:
            self.seen["broken"] += 1
            self.actor.on_controller(LinkDown(reason=broken.reason, what=broken.what))
            self._session = HostSession(lane_stubs.KEY, now)
        self._flush()

    def _flush(self) -> None:
        if data := self._session.outgoing():
            self._transport.write(data)

    def command(self, command: GateCommand) -> None:
        self._session.submit(command, self._clock.boot())
        self._flush()

    def next_command_id(self) -> int:
        return self._ids.next()

    def renew(self) -> None:
        self._session.renew(LEASE_MS)
        self._flush()

    async def close(self) -> None:
        """Hang up and close the log."""
        self._transport.close()
        self._running.cancel()
        await self._casework.settle()
        self._log.close()

    # travellers and workers

    def serve_every(self, seconds: float) -> None:
        """Let somebody put down a document now, and again and again."""
        asyncio.get_running_loop().call_later(seconds, self.serve_every, seconds)
        self.seen["came"] += 1
        self._say("reader", m.DocumentPlaced(boot=self._clock.boot()))

    def tell(self, role: m.Role, message: m.AnyMessage) -> None:
        if role != "director":
            msgspec.msgpack.encode(message)
        match message:
            case m.ReadDocument():
                self._travellers += 1
                self._say("reader", lane_stubs.page_read(message.transaction, self._travellers))
                self._say("reader", lane_stubs.document_checked(message.transaction, "ordinary", self._clock.boot()))
            case m.TravellerView(screen="lift"):
                self._say("reader", m.DocumentRemoved())
            case m.StartCapture():
                self._say("vision", lane_stubs.face_checked(message.transaction, "ordinary", self._clock.boot()))
            case m.TransactionEnded():
                self.seen[message.record.outcome] += 1
            case _:
                pass

    def _say(self, role: m.Role, message: m.AnyMessage) -> None:
        heard = msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=m.AnyMessage)
        self.actor.post(lambda: self.actor.on_message(role, heard))

    def ask_registries(
        self, read: m.MrzRead, document_class: str, direction: Direction
    ) -> Mapping[str, Coroutine[None, None, Answers]]:
        return lane_stubs.registry_answers()

    async def crossing_permitted(self, record: DecisionRecord) -> bool:
        return True

    def crossing_ended(self, transaction: str, end: str, *, at: datetime) -> None:
        pass


async def carry(folder: Path, path: Path, count: int, seconds: float) -> None:
    """Run ``count`` lanes against the controllers at ``path``; tell what they cost and how late they were."""
    loop, rules, late_ms, dice = asyncio.get_running_loop(), load_rules(), list[float](), random.Random(count)
    before = _resident_mib()
    gates = [Gate(folder / str(number), rules, late_ms) for number in range(count)]
    for number, gate in enumerate(gates):
        await asyncio.sleep(dice.uniform(0.5, 1.5) * RENEW_EVERY_MS / 1000 / count)  # real gates do not beat in step either
        await loop.create_unix_connection(lambda gate=gate: gate, path)
        loop.call_later(1.0 + EVERY_S * number / count, gate.serve_every, EVERY_S)
    lane_process.first_in_line()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    late_ms.clear()
    for gate in gates:
        gate.seen.clear()
    begun, processor = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    told = {
        "late_ms": list(late_ms),
        "processor_s": time.process_time() - processor,
        "wall_s": time.perf_counter() - begun,
        "mib": _resident_mib() - before,
        "seen": sum((gate.seen for gate in gates), Counter()),
    }
    print(json.dumps(told), flush=True)
    await asyncio.gather(*(gate.close() for gate in gates))


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


# --- all together ------------------------------------------------------------------------------------------------------------


def measure(gates: int, seconds: float, disk: Path) -> dict[str, Any]:
    """``gates`` for ``seconds`` after the warm-up. Raises RuntimeError where a process ends early."""
    with tempfile.TemporaryDirectory(prefix="autogate-gates-", dir=disk) as name, tempfile.TemporaryDirectory() as sockets:
        paths = [Path(sockets) / f"{number}.sock" for number in range(SIMULATORS)]
        simulators = [_start("--simulate", str(path)) for path in paths]
        hosts = []
        try:
            _until(lambda: all(path.exists() for path in paths))
            for number in range(HOSTS):
                folder = Path(name) / str(number)
                folder.mkdir()
                share = str(gates // HOSTS + (number < gates % HOSTS))
                where = ["--carry", str(folder), "--at", str(paths[number % SIMULATORS])]
                hosts.append(_start(*where, "--gates", share, "--seconds", str(seconds)))
            for host in hosts:
                _line(host)
            time.sleep(WARM_UP_S)
            for process in (*simulators, *hosts):
                _say(process)
            told = [json.loads(_line(host)) for host in hosts]
            for process in simulators:
                _say(process)
            simulated = [json.loads(_line(process)) for process in simulators]
        finally:
            for process in (*hosts, *simulators):
                process.kill()
                process.communicate()
    return _summary(gates, seconds, told, simulated)


def _summary(gates: int, seconds: float, told: list[dict[str, Any]], simulated: list[dict[str, Any]]) -> dict[str, Any]:
    seen = sum((Counter(host["seen"]) for host in told), Counter[str]())
    return {
        "gates": gates,
        "processes": {"lanes": HOSTS, "simulators": SIMULATORS},
        "seconds": seconds,
        "loop lag": machine.spread([late for host in told for late in host["late_ms"]]),
        "cores taken by lanes": round(sum(host["processor_s"] / host["wall_s"] for host in told), 3),
        "cores taken by simulators": round(sum(one["processor_s"] for one in simulated) / seconds, 3),
        "a lane: milliseconds of processor a second": round(sum(h["processor_s"] / h["wall_s"] for h in told) * 1000 / gates, 2),
        "a lane: MiB beyond its process": round(sum(host["mib"] for host in told) / gates, 2),
        "seen": dict(seen),
    }


def goals(report: Mapping[str, Any]) -> dict[str, bool]:
    """Which goal is met."""
    told = next(one for one in report["runs"] if one["gates"] == GATES)
    seen = told["seen"]
    return {
        f"{GATES} gates: loop lag p99 < {P99_MS:.0f} ms": told["loop lag"]["p99"] < P99_MS,
        f"{GATES} gates: travellers pass, no lease lapses, no session breaks": (
            seen.get("OPEN", 0) > 0 and not seen.get("lapsed", 0) and not seen.get("broken", 0)
        ),
    }


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.lane_gates", *arguments]
    return subprocess.Popen(command, cwd=machine.REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"a process of the benchmark ended with {process.wait()}")
    return line


def _until(condition: Any) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the simulated gate controllers did not start")
        time.sleep(0.02)


def main() -> int:
    """One process of a run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lane_gates", description=__doc__)
    parser.add_argument("--simulate", type=Path, metavar="SOCKET")
    parser.add_argument("--carry", type=Path, metavar="FOLDER")
    parser.add_argument("--at", type=Path, metavar="SOCKET")
    parser.add_argument("--gates", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    sys.setswitchinterval(lane_process.SWITCH_INTERVAL_S)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # five descriptors a lane
    asyncio.run(
        simulate(options.simulate) if options.simulate else carry(options.carry, options.at, options.gates, options.seconds)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
