"""Starts the processes of one lane, keeps them running, ends them by id.

A process that dies is started again, at most :data:`RESTARTS` times in :data:`RESTART_WINDOW_S`; the lane is told why it went, and takes
nobody meanwhile. One that goes on dying is given up: the lane stays out of service and shows the reason, until somebody has looked and
starts the service again; a lane process that goes on dying ends the service, and so does a configuration error, for restarting would mend
neither. One that lost its device is started again until the device is back, and one that the lane does without for ever.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gate.config import Config, ConfigError, load
from gate.fleet.updates.configuration import PROBATION_S, confirm, take_back, take_next
from gate.notify import OWN, Relay
from gate.processes.channel import ChannelClosed, say
from gate.processes.fitness import DRAIN_S
from gate.processes.hardening import WIPING
from gate.processes.messages import ProcessEnded
from gate.processes.worker import EXIT_CONFIG, EXIT_DEVICE
from gate.runtime import Runtime

RESTARTS, RESTART_WINDOW_S = 5, 60.0
DEVICE_RETRY_S = 2.0
"""A process that lost its device is started again this long after its last start, for as long as it takes."""
DISPENSABLE = frozenset({"panel", "health", "console", "verifier", "pictures", "fleet"})
"""Processes whose ends, however many and whatever they call them, end no service: what they drive tells people something and moves nothing."""
STOP_TIMEOUT_S = 5.0
LANE_STOP_S = DRAIN_S + 5.0
"""The lane serves, or lets out, whoever is inside; then it closes its books."""
SUPERVISE_S = 0.2
STOP_LOOK_S = 0.02
LAST_WORDS_BYTES = 65_536
"""As much of the log's end is searched for why a process ended: it may have filled a disk before."""


class ServiceError(Exception):
    """The service cannot go on: says which process and why."""


def commands(config_path: Path, config: Config, runtime: Runtime) -> dict[str, list[str]]:
    """The command line of each process of a lane, in the order they start."""
    python = [sys.executable, "-m"]
    common = ["--config", str(config_path), "--runtime", str(runtime.folder)]
    screen = ["--lane", str(runtime.lane_socket), "--secret-file"]
    screens = config.screens
    single_door = ["--single-door"] if config.lane.kind == "single_door" else []
    exercise = ["--exercise"] if config.profile == "training" else []
    pages = {
        "traveller": [str(screens.traveller_port), *_offers(config), *single_door, *exercise],
        "officer": [str(screens.officer_port), *exercise],
    }
    panel = {"panel": [*python, "gate.processes.panel", *common]} if config.panel.kind != "none" else {}
    registries = {"registries": [*python, "gate.processes.registries", *common]} if config.registries.named else {}
    return (
        {
            "vision": [*python, "gate.processes.vision", *common],
            "lane": [*python, "gate.processes.lane", *common],
            "reader": [*python, "gate.processes.reader", *common],
            **registries,
            **panel,
        }
        | {
            f"{who}_screen": [
                *python,
                "gate.ui.serve",
                who,
                *screen,
                str(runtime.secret_file_for(f"{who}_screen")),
                "--ready-file",
                str(runtime.ready_file(who)),
                "--port",
                *arguments,
            ]
            for who, arguments in pages.items()
        }
        | _console(config_path, config, runtime)
        | _health(config, runtime)
        | ({"audit": [*python, "gate.processes.audit", *common]} if config.audit.key else {})
        | _fleet(config_path, config, runtime)
    )


def _offers(config: Config) -> list[str]:
    """What the traveller's screen offers, as its process is told."""
    screens = config.screens
    touch = ["--touch"] if screens.touch else []
    longer = ["--more-time"] if screens.touch and screens.longer_times > 1 else []
    return [*touch, *longer, "--prompts", screens.prompts]


def _console(config_path: Path, config: Config, runtime: Runtime) -> dict[str, list[str]]:
    """The process that proves officers' orders where there is a roster, and the console where there is a port for it."""
    if config.console.roster is None:
        return {}
    runtime.secret_file_for("console")  # for whichever console watches this lane
    python, named = [sys.executable, "-m"], ["--config", str(config_path)]
    processes = {"verifier": [*python, "gate.console.verifier", *named, "--runtime", str(runtime.folder)]}
    if config.console.pictures:
        sockets = ["--lane", str(runtime.lane_socket), "--socket", str(runtime.pictures_socket)]
        known = ["--secret-file", str(runtime.secret_file_for("pictures")), "--origin", config.console.page_origin]
        processes["pictures"] = [*python, "gate.processes.pictures", *sockets, *known]
    if config.console.port is not None:
        ready = ["--ready-file", str(runtime.ready_file("console"))]
        processes["console"] = [*python, "gate.console.serve", *named, *ready]
    return processes


def _health(config: Config, runtime: Runtime) -> dict[str, list[str]]:
    """The process that answers on the lane's health, where a port is configured for it."""
    if config.health.port is None:
        return {}
    command = [sys.executable, "-m", "gate.processes.health", "--lane", str(runtime.lane_socket), "--secret-file"]
    return {"health": [*command, str(runtime.secret_file_for("health")), "--port", str(config.health.port)]}


def _fleet(config_path: Path, config: Config, runtime: Runtime) -> dict[str, list[str]]:
    """The process that tells the centre, where there is one."""
    if config.fleet is None:
        return {}
    command = [sys.executable, "-m", "gate.processes.fleet", "--config", str(config_path), "--lane", str(runtime.lane_socket)]
    return {"fleet": [*command, "--secret-file", str(runtime.secret_file_for("fleet"))]}


@dataclass(slots=True)
class _Process:
    name: str
    command: Sequence[str]
    running: subprocess.Popen[bytes]
    log_from: int
    """Where the log stood when the running process started."""
    starts: list[float] = field(default_factory=list)
    told: bool = False
    """The lane knows of the end of what ran last."""


class Service:
    """The processes of one lane. Drive it with :meth:`poll` a few times a second."""

    def __init__(self, commands: Mapping[str, Sequence[str]], log: Path, runtime: Runtime | None = None) -> None:
        """``log`` collects what the processes say on standard error: faults, never anything about a traveller.

        With ``runtime`` the lane is told why a process ended, and the service manager what the lane tells (``gate.notify``).
        """
        self.given_up: dict[str, str] = {}
        """Processes that are not started any more, and why."""
        self._runtime, self._relay = runtime, None if runtime is None else Relay(runtime.notify_socket)
        self._untold: dict[str, str] = {}
        self._log = log.open("ab")
        self._processes = [
            _Process(name, command, self._start(command), self._log.tell(), [time.monotonic()])
            for name, command in commands.items()
        ]

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if name not in OWN}
        environment = kept | WIPING | {"ORT_DISABLE_TELEMETRY": "1"}
        log = self._log  # a process group of its own: Ctrl-C is for the service, which ends the lane in order
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, process_group=0)

    @property
    def pids(self) -> dict[str, int]:
        return {process.name: process.running.pid for process in self._processes}

    def poll(self) -> None:
        """Start again what died. Raises ServiceError when that does not help."""
        if self._relay:
            self._relay.forward()
        self._tell_lane()
        for process in self._processes:
            status = process.running.poll()
            if status is None or process.name in self.given_up:
                continue
            if status == EXIT_CONFIG and process.name not in DISPENSABLE:
                raise ServiceError(self._last_words(process))
            if not process.told:
                process.told, self._untold[process.name] = True, self._last_words(process)
            now = time.monotonic()
            # Plugged in again some time, or without it a gate is still a gate: no reason to give up.
            if status == EXIT_DEVICE or process.name in DISPENSABLE:
                if now - process.starts[-1] < DEVICE_RETRY_S:
                    continue
                process.starts.clear()
            process.starts = [start for start in process.starts if now - start < RESTART_WINDOW_S]
            if len(process.starts) > RESTARTS:
                self._give_up(process)
                continue
            process.starts.append(now)
            process.log_from = Path(self._log.name).stat().st_size
            process.running, process.told = self._start(process.command), False
            if process.name == "lane":
                self._untold |= self.given_up

    def _give_up(self, process: _Process) -> None:
        why = f"{len(process.starts)} ends within a minute; {self._last_words(process)}"
        if process.name == "lane":
            raise ServiceError(why)
        print(f"service: {process.name} is given up: {why}", file=sys.stderr, flush=True)
        self.given_up[process.name] = self._untold[process.name] = why

    def _tell_lane(self) -> None:
        """Tell the lane what it was not told yet; one that is away is told when it is back."""
        runtime = self._runtime
        for name, why in list(self._untold.items()) if runtime else ():
            assert runtime is not None
            with suppress(ChannelClosed):
                say(runtime.lane_socket, "service", runtime.secret_for("service"), ProcessEnded(process=name, why=why))
                del self._untold[name]

    def _last_words(self, process: _Process) -> str:
        """The line with which the process gave up: it says what is wrong and what to do."""
        who = process.name.removesuffix("_screen")
        with Path(self._log.name).open("rb") as log:
            log.seek(max(process.log_from, Path(self._log.name).stat().st_size - LAST_WORDS_BYTES))
            said = [line for line in log.read().decode(errors="replace").splitlines() if line.startswith(who)]
        return said[-1] if said else f"{process.name} gave up: see {self._log.name}"

    def hurry(self) -> None:
        """Let a lane that is being stopped end now: the controller lets out whoever is inside."""
        for process in self._processes:
            if process.name == "lane":
                process.running.send_signal(signal.SIGINT)

    def _stop_lane(self) -> None:
        """The lane ends while all others still work: they are needed for whoever is inside."""
        deadline = time.monotonic() + LANE_STOP_S
        for process in self._processes:
            if process.name == "lane":
                process.running.terminate()
                while process.running.poll() is None and time.monotonic() < deadline:
                    if self._relay:
                        self._relay.forward()
                    time.sleep(STOP_LOOK_S)

    def stop(self, *, at_once: bool = False) -> None:
        """End all processes; kill by id what does not end in time. Never raises.

        The lane first serves whoever is inside, unless it is to end ``at_once``: then its leases lapse.
        """
        if self._relay:
            self._relay.stopping()
        self.hurry() if at_once else self._stop_lane()
        order = sorted(self._processes, key=lambda process: process.name == "lane")
        for process in order:
            if process.name != "lane":
                process.running.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process in order:
            try:
                process.running.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.running.kill()
                process.running.wait()
        self._log.close()
        if self._relay:
            self._relay.close()


def serve_command(config_path: Path) -> int:
    """``autogate serve FILE``: run a lane until SIGTERM or Ctrl-C. Returns the exit status."""
    try:
        if told := take_next(config_path):
            print(f"autogate serve: {told}", file=sys.stderr)
        config = load(config_path)
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    asked: list[int] = []  # no Event: its lock may be held by the very line that the signal interrupts, and would be for ever
    services: list[Service] = []

    def end(number: int, _: object) -> None:
        for service in services if asked else ():
            service.hurry()  # told twice
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if not Path(config.controller.device).exists():  # it may be plugged in any time: a state of the lane, no end of the service
        absent = "absent, the lane stays out of service (plug the gate controller in, or correct controller.device)"
        print(f"autogate serve: {config.controller.device}: {absent}", file=sys.stderr)
    runtime = Runtime.create()
    config.state_dir.mkdir(parents=True, exist_ok=True)
    service = Service(commands(config_path, config, runtime), config.state_dir / "processes.log", runtime)
    services.append(service)
    good_from = time.monotonic() + PROBATION_S
    try:
        while not asked:
            service.poll()
            if time.monotonic() > good_from:
                good_from = math.inf
                confirm(config_path)
            time.sleep(SUPERVISE_S)
    except ServiceError as error:
        print(f"autogate serve: {error}", file=sys.stderr)
        if take_back(config_path):
            print("autogate serve: the next start has the configuration of before", file=sys.stderr)
        return EXIT_CONFIG
    finally:
        service.stop()
        runtime.remove()
    return 0
