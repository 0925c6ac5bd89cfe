"""Processes of a demonstration: started here, ended here by their ids, and what each took of processor and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

END_S = 30.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Of a process and all it started that still run: seconds of processor so far, bytes of memory now, shared pages divided among their users."""

    processor_s: float
    memory: int


class Children:
    """``log``: where they say what they have to say. They share ``environment`` beside this process's own."""

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self._log, self._environment = log, {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, tuple[str, ...]] = {}

    def start(self, name: str, *command: str) -> None:
        """``command``: arguments of Python."""
        self._commands[name] = command
        with self._log.open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C in the terminal is for whoever started them
            )

    def again(self, name: str) -> None:
        """One that ended, as it was started before."""
        self.start(name, *self._commands[name])

    def lost(self) -> list[str]:
        """Names of those that ended by themselves; each is told once."""
        ended = [name for name, process in self._running.items() if process.poll() is not None]
        for name in ended:
            del self._running[name]
        return ended

    def end(self, names: Sequence[str]) -> None:
        """Ask them to, together; whichever does not within :data:`END_S` is killed."""
        ending = [process for name in names if (process := self._running.pop(name, None))]
        for process in ending:
            process.send_signal(signal.SIGTERM)
        for process in ending:
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def end_all(self) -> None:
        self.end(list(self._running))

    def use(self) -> dict[str, Use]:
        """What each took, by name."""
        return {name: use(process.pid) for name, process in self._running.items()}


def use(pid: int) -> Use:
    """What a process and its descendants took; of one that is gone, nothing."""
    found = [_own(each) for each in (pid, *_descendants(pid))]
    return Use(processor_s=sum(each.processor_s for each in found), memory=sum(each.memory for each in found))


def _own(pid: int) -> Use:
    """Children of it that ended count with it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        shares = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return Use(processor_s=0.0, memory=0)
    memory = next((int(line.split()[1]) for line in shares if line.startswith("Pss:")), 0)
    return Use(processor_s=sum(map(int, fields[11:15])) * TICK_S, memory=memory << 10)


def _descendants(pid: int) -> Iterator[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
    except OSError:
        return
    for child in children:
        yield child
        yield from _descendants(child)
