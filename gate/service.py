"""Starts the processes of one lane, keeps them running, ends them by id.

A process that dies is started again, at most :data:`RESTARTS` times in :data:`RESTART_WINDOW_S`; the lane refers travellers
meanwhile. One that lost its device is started again until the device is back. A process that ends with a configuration error ends the service: restarting would not mend it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gate.config import Config, ConfigError, load
from gate.processes.worker import EXIT_CONFIG, EXIT_DEVICE
from gate.runtime import Runtime

RESTARTS, RESTART_WINDOW_S = 5, 60.0
DEVICE_RETRY_S = 2.0
"""A process that lost its device is started again this long after its last start, for as long as it takes."""
DISPENSABLE = frozenset({"panel"})
"""Processes whose crashes, however many, end no service: what they drive tells people something and moves nothing."""
STOP_TIMEOUT_S = 5.0
SUPERVISE_S = 0.2


class ServiceError(Exception):
    """The service cannot go on: says which process and why."""


def commands(config_path: Path, config: Config, runtime: Runtime) -> dict[str, list[str]]:
    """The command line of each process of a lane, in the order they start."""
    python = [sys.executable, "-m"]
    common = ["--config", str(config_path), "--runtime", str(runtime.folder)]
    screen = ["--lane", str(runtime.lane_socket), "--secret-file"]
    ports = {"traveller": config.screens.traveller_port, "officer": config.screens.officer_port}
    panel = {"panel": [*python, "gate.processes.panel", *common]} if config.panel.kind != "none" else {}
    return {
        "vision": [*python, "gate.processes.vision", *common],
        "lane": [*python, "gate.processes.lane", *common],
        "reader": [*python, "gate.processes.reader", *common],
        **panel,
    } | {
        f"{who}_screen": [
            *python,
            "gate.ui.serve",
            who,
            *screen,
            str(runtime.secret_file_for(f"{who}_screen")),
            "--port",
            str(port),
            "--ready-file",
            str(runtime.ready_file(who)),
        ]
        for who, port in ports.items()
    }


@dataclass(slots=True)
class _Process:
    name: str
    command: Sequence[str]
    running: subprocess.Popen[bytes]
    log_from: int
    """Where the log stood when the running process started."""
    starts: list[float] = field(default_factory=list)


class Service:
    """The processes of one lane. Drive it with :meth:`poll` a few times a second."""

    def __init__(self, commands: Mapping[str, Sequence[str]], log: Path) -> None:
        """``log`` collects what the processes say on standard error: faults, never anything about a traveller."""
        self._log = log.open("ab")
        self._processes = [
            _Process(name, command, self._start(command), self._log.tell(), [time.monotonic()])
            for name, command in commands.items()
        ]

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=environment)

    @property
    def pids(self) -> dict[str, int]:
        return {process.name: process.running.pid for process in self._processes}

    def poll(self) -> None:
        """Start again what died. Raises ServiceError when that does not help."""
        for process in self._processes:
            status = process.running.poll()
            if status is None:
                continue
            if status == EXIT_CONFIG:
                raise ServiceError(self._last_words(process))
            now = time.monotonic()
            # Plugged in again some time, or without it a gate is still a gate: no reason to give up.
            if status == EXIT_DEVICE or process.name in DISPENSABLE:
                if now - process.starts[-1] < DEVICE_RETRY_S:
                    continue
                process.starts.clear()
            process.starts = [start for start in process.starts if now - start < RESTART_WINDOW_S]
            if len(process.starts) > RESTARTS:
                raise ServiceError(f"{len(process.starts)} ends within a minute; {self._last_words(process)}")
            process.starts.append(now)
            process.log_from = Path(self._log.name).stat().st_size
            process.running = self._start(process.command)

    def _last_words(self, process: _Process) -> str:
        """The line with which the process gave up: it says what is wrong and what to do."""
        who = process.name.removesuffix("_screen")
        with Path(self._log.name).open("rb") as log:
            log.seek(process.log_from)
            said = [line for line in log.read().decode(errors="replace").splitlines() if line.startswith(who)]
        return said[-1] if said else f"{process.name} gave up: see {self._log.name}"

    def stop(self) -> None:
        """End all processes, the lane last; kill by id what does not end in time. Never raises."""
        order = sorted(self._processes, key=lambda process: process.name == "lane")
        for process in order:
            process.running.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process in order:
            try:
                process.running.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.running.kill()
                process.running.wait()
        self._log.close()


def serve_command(config_path: Path) -> int:
    """``autogate serve FILE``: run a lane until SIGTERM or Ctrl-C. Returns the exit status."""
    try:
        config = load(config_path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    if not Path(config.controller.device).exists():  # it may be plugged in any time: a state of the lane, no end of the service
        absent = "absent, the lane stays out of service (plug the gate controller in, or correct controller.device)"
        print(f"autogate serve: {config.controller.device}: {absent}", file=sys.stderr)
    runtime = Runtime.create()
    config.state_dir.mkdir(parents=True, exist_ok=True)
    service = Service(commands(config_path, config, runtime), config.state_dir / "processes.log")
    try:
        while not ended.wait(SUPERVISE_S):
            service.poll()
    except ServiceError as error:
        print(f"autogate serve: {error}", file=sys.stderr)
        return EXIT_CONFIG
    finally:
        service.stop()
        runtime.remove()
    return 0
