"""How late the lane's loop is in the running demonstration, with reader and vision busy, and beside processes that import and load models.

The real service with its real processes serves one traveller upon another. As these leave reader and vision time, a neighbour of each
works without a pause: one reads chips, one measures faces, so that both processors are taken. In a second run two neighbours import and
load models over and over, and vision is killed now and then. A probe in the lane process keeps every lateness that the lane's own
histogram counts, and every one of a timer of 5 ms. Beside it runs a bare loop with the same timers, the same priority and nothing to do:
what it is late, the machine is. Figures begin with the first document: until then the workers load their models.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from benchmarks import machine, travellers
from benchmarks.lane_neighbours import working
from gate.processes import actor, lane
from gate.processes.lag import LoopLag
from hardware.controller.link import LinkDown, LinkUp
from hardware.controller.protocol import RENEW_EVERY_MS, GateEvent, LeaseLapsed

TICK_S = 0.005
P99_MS = 10.0
KILL_VISION_EVERY_S = 15.0
"""Four times a minute: the service gives up at six."""
LOOK_EVERY_S = 0.5
BARE, BUSY, CROWDED = "a bare loop beside it", "reader and vision busy", "vision killed, neighbours loading models"


# --- in the lane process ---------------------------------------------------------------------------------------------------


async def tick(late_ms: list[float], every_s: float = TICK_S) -> None:
    """Note for ever how late a sleep of ``every_s`` ends."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every_s
        await asyncio.sleep(every_s)
        late_ms.append((loop.time() - due) * 1000)


class Probe(LoopLag):
    """What one lane process felt since its first document."""

    __slots__ = ("_collecting", "beats_ms", "collections_ms", "lapsed", "loaded", "since", "ticks_ms")

    def __init__(self) -> None:
        super().__init__()
        self.beats_ms, self.ticks_ms, self.collections_ms = list[float](), list[float](), list[float]()
        self._collecting = 0.0
        gc.callbacks.append(self._collected)
        self.lapsed, self.loaded = 0, frozenset[str]()
        self.since: tuple[float, float] | None = None

    def note(self, seconds: float) -> None:
        super().note(seconds)
        self.beats_ms.append(seconds * 1000)

    def begin(self) -> None:
        """The first document lies there."""
        if self.since is None:
            self.since = time.perf_counter(), time.process_time()
            self.lapsed, self.loaded = 0, frozenset(sys.modules)
            self.beats_ms.clear()
            self.ticks_ms.clear()
            self.collections_ms.clear()

    def _collected(self, phase: str, _told: Mapping[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            self.collections_ms.append((time.perf_counter() - self._collecting) * 1000)

    def told(self) -> dict[str, Any]:
        began, processor = self.since or (time.perf_counter(), time.process_time())
        return {
            "beats_ms": self.beats_ms,
            "ticks_ms": self.ticks_ms,
            "collections_ms": self.collections_ms or [0.0],
            "lapsed": self.lapsed,
            "imported": sorted(sys.modules.keys() - self.loaded) if self.since else [],
            "cores": (time.process_time() - processor) / max(1e-9, time.perf_counter() - began),
            "mib": _own_mib(),
            "threads": threading.active_count(),
            "switch_interval_ms": sys.getswitchinterval() * 1000,
            "nice": os.getpriority(os.PRIO_PROCESS, 0),
        }


def probed(out: Path) -> int:
    """The lane process, with a probe. Writes what it felt to ``out`` when it ends."""
    probe = Probe()

    class Probed(actor.LaneActor):
        async def run(self) -> None:
            self.lag = probe
            ticking = asyncio.create_task(tick(probe.ticks_ms))
            try:
                await super().run()
            finally:
                ticking.cancel()
                out.write_text(json.dumps(probe.told()), encoding="ascii")

        def on_message(self, role: Any, message: Any) -> None:
            if type(message).__name__ == "DocumentPlaced":
                probe.begin()
            super().on_message(role, message)

        def on_controller(self, event: GateEvent | LinkUp | LinkDown) -> None:
            probe.lapsed += isinstance(event, LeaseLapsed)
            super().on_controller(event)

    lane.LaneActor = Probed  # type: ignore[misc]  # the process's own wiring, with this one part another
    return lane.main()


def _own_mib() -> dict[str, float]:
    """Proportional and unshared memory of this process."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.endswith("kB")}
    unshared = found["Private_Clean"] + found["Private_Dirty"]
    return {"proportional": round(found["Pss"], 1), "unshared": round(unshared, 1)}


def bare() -> None:
    """A loop with the lane's timers and priority and nothing else; tells what it felt when its input closes."""
    ticks_ms, beats_ms = list[float](), list[float]()

    async def run() -> None:
        lane.first_in_line()
        tasks = [asyncio.create_task(tick(ticks_ms)), asyncio.create_task(tick(beats_ms, RENEW_EVERY_MS / 1000))]
        await asyncio.to_thread(sys.stdin.readline)
        for task in tasks:
            task.cancel()

    sys.setswitchinterval(lane.SWITCH_INTERVAL_S)
    asyncio.run(run())
    print(json.dumps({"beats_ms": beats_ms, "ticks_ms": ticks_ms}))


# --- around it -------------------------------------------------------------------------------------------------------------


def demonstrate(folder: Path, ports: Sequence[str]) -> int:
    """The demonstration, with the probe in its lane process."""
    from gate.demo.run import add_arguments, demo_command

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    told = ["--headless", "--once", "--cast", str(folder / "cast.toml"), "--json", str(folder / "out.json")]
    told += ["--state", str(folder / "state"), "--traveller-port", ports[0], "--officer-port", ports[1]]

    def change(commands: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        probe = [sys.executable, "-m", "benchmarks.lane_lag", "--probe", str(folder / "probe.json")]
        return {**commands, "lane": [*probe, *commands["lane"][3:]]}

    return demo_command(parser.parse_args(told), change)


class Watch:
    """Follows the processes of a demonstration: what they take, and, where it is told to, the early end of vision."""

    def __init__(self, demonstration: subprocess.Popen[bytes], *, kills: bool) -> None:
        self._demonstration, self._kills = demonstration, kills
        self.taken_s: dict[tuple[str, int], float] = {}
        self.killed = 0

    def follow(self, limit_s: float) -> float:
        """Until it ends; the seconds that took. Raises RuntimeError where it is stuck."""
        began = killed = time.monotonic()
        while self._demonstration.poll() is None:
            for pid, name in self._processes():
                self.taken_s[name, pid] = _processor_s(pid)
                if name == "vision" and self._kills and time.monotonic() - killed > KILL_VISION_EVERY_S:
                    killed, self.killed = time.monotonic(), self.killed + 1
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() - began > limit_s:
                raise RuntimeError("the demonstration is stuck")
            time.sleep(LOOK_EVERY_S)
        return time.monotonic() - began

    def _processes(self) -> Iterator[tuple[int, str]]:
        pid = self._demonstration.pid
        with suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
                command = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                for word in command:
                    if word.startswith(b"gate.processes."):
                        yield int(child), word.decode().rpartition(".")[2]

    def cores(self, seconds: float) -> dict[str, float]:
        names = {name for name, _ in self.taken_s}
        return {n: round(sum(s for (name, _), s in self.taken_s.items() if name == n) / seconds, 3) for n in sorted(names)}


def _processor_s(pid: int) -> float:
    """Of a process and of those children of it that ended; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class BareLoop:
    """A context in which the bare loop runs beside whatever is measured."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.lane_lag", "--bare"]
        self._process = subprocess.Popen(
            command, cwd=machine.REPOSITORY, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def end(self) -> dict[str, Any]:
        """What it felt until now."""
        told = json.loads(self._process.communicate("end\n")[0])
        return {
            f"{BARE}, every {every}": machine.spread(told[name]) for name, every in (("beats_ms", "50 ms"), ("ticks_ms", "5 ms"))
        }

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def measure(count: int, *, crowded: bool = False) -> dict[str, Any]:
    """``count`` travellers one after another. Raises RuntimeError, with what was said, where the demonstration fails."""
    with tempfile.TemporaryDirectory(prefix="autogate-lag-") as name, ExitStack() as around:
        folder = Path(name)
        (folder / "cast.toml").write_text(travellers.cast(count), encoding="utf-8")
        ports = [str(port) for port in machine.free_ports(2)]
        common = [sys.executable, "-m", "benchmarks.lane_lag"]
        floor = around.enter_context(BareLoop())
        around.enter_context(working(("loading", "loading") if crowded else ("reader", "vision"), folder))
        said = around.enter_context((folder / "said").open("wb+"))
        command = [*common, "--demonstrate", str(folder), "--ports", *ports]
        demonstration = subprocess.Popen(command, cwd=machine.REPOSITORY, stdout=said, stderr=said)
        around.callback(demonstration.terminate)
        watch = Watch(demonstration, kills=crowded)
        seconds = watch.follow(120 + travellers.SECONDS_EACH * count * (3 if crowded else 1))
        beside = floor.end()
        if demonstration.returncode:
            log = (folder / "state" / "processes.log").read_text(encoding="utf-8")
            raise RuntimeError(f"it ended with {demonstration.returncode}\n{(folder / 'said').read_text(encoding='utf-8')}{log}")
        probe = json.loads((folder / "probe.json").read_text(encoding="ascii"))
        out = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return (
        _summary(probe, out["transactions"])
        | beside
        | {
            "seconds": round(seconds, 1),
            "vision killed": watch.killed,
            "cores taken": watch.cores(seconds),
        }
    )


def _summary(probe: Mapping[str, Any], transactions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "travellers": len(transactions),
        "opened": sum(one["outcome"] == "OPEN" for one in transactions),
        "lag of the lane, every 50 ms through its queue": machine.spread(probe["beats_ms"]),
        "lag of the lane, every 5 ms": machine.spread(probe["ticks_ms"]),
        "pauses of the lane for its garbage": machine.spread(probe["collections_ms"]),
        "leases that lapsed": probe["lapsed"],
        "modules that the lane imported meanwhile": probe["imported"],
        "the lane process": {
            "cores": round(probe["cores"], 3),
            "MiB": probe["mib"],
            "threads": probe["threads"],
            "nice": probe["nice"],
            "thread switch interval, ms": probe["switch_interval_ms"],
        },
    }


def goals(report: Mapping[str, Any]) -> dict[str, bool]:
    """Which goal is met."""
    busy, crowded = report[BUSY], report[CROWDED]
    lags = [busy["lag of the lane, every 50 ms through its queue"], busy["lag of the lane, every 5 ms"]]
    return {
        f"loop lag of the lane, {BUSY}: p99 < {P99_MS:.0f} ms": all(lag["p99"] < P99_MS for lag in lags),
        "the lane imports nothing after its first document": not any(
            report[name]["modules that the lane imported meanwhile"] for name in (BUSY, CROWDED)
        ),
        "no lease lapses, whatever is imported or loaded": not busy["leases that lapsed"] + crowded["leases that lapsed"],
    }


def main() -> int:
    """One process of a run."""
    if sys.argv[1:2] == ["--probe"]:
        out = Path(sys.argv[2])
        del sys.argv[1:3]
        return probed(out)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lane_lag", description=__doc__)
    parser.add_argument("--demonstrate", type=Path, metavar="FOLDER")
    parser.add_argument("--ports", nargs=2)
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    if options.bare:
        bare()
        return 0
    return demonstrate(options.demonstrate, options.ports)


if __name__ == "__main__":
    sys.exit(main())
