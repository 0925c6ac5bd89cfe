"""The lane under systemd as the first process: started, watched, stopped and started again by the packages' scripts, under every limit of its unit.

systemd-nspawn boots the root (Debian: systemd-container), with a network of its own that leads nowhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Self

from sandbox import Failed, Root

NSPAWN = "systemd-nspawn"
ABSENT = f"not shown: {NSPAWN} is absent (Debian: systemd-container)"
BOOT_S, STEP_S = 60.0, 90.0


class Booted:
    """``root``, running. Raises Failed where it does not boot."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def __enter__(self) -> Self:
        options = ["--quiet", "--boot", "--register=no", "--keep-unit", "--private-network", "--console=pipe"]
        named = [f"--directory={self._root.path}", f"--machine=autogate-{os.getpid()}"]
        self._nspawn = subprocess.Popen(
            [NSPAWN, *options, *named], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until(BOOT_S, "it boots", lambda: self.run("systemctl", "is-system-running") in {"running", "degraded"})
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._nspawn.terminate()
        try:
            self._nspawn.wait(STEP_S)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()

    def run(self, *command: str) -> str:
        """What ``command`` said in there; empty where nothing runs yet."""
        children = self._first(self._nspawn.pid)
        if not children:
            return ""
        entered = ["nsenter", "--target", children, "--mount", "--pid", "--uts", "--ipc", "--net", *command]
        return subprocess.run(entered, capture_output=True, text=True, check=False, timeout=STEP_S).stdout.strip()

    @staticmethod
    def _first(pid: int) -> str:
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123 - no file of a folder
                return file.read().split()[0]
        except (OSError, IndexError):
            return ""


def shown(root: Root, lane: str) -> str:
    """Raises Failed."""
    if shutil.which(NSPAWN) is None:
        if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1":
            raise Failed(ABSENT)
        return ABSENT
    unit = f"autogate@{lane}"
    with Booted(root) as machine:

        def told(name: str) -> str:
            return machine.run("systemctl", "show", "--value", f"--property={name}", unit)

        machine.run("systemctl", "start", unit)
        if told("ActiveState") != "active":
            raise Failed(machine.run("journalctl", "--no-pager", "--lines=40", f"--unit={unit}"))
        limits = _limits(machine, told("MainPID"))
        lane_process = machine.run("pgrep", "--full", "gate.processes.lane").split()[0]
        machine.run("kill", "-STOP", lane_process)
        until(
            STEP_S, "the watchdog starts a stuck lane again", lambda: told("NRestarts") == "1" and told("ActiveState") == "active"
        )
        machine.run("/var/lib/dpkg/info/autogate.prerm", "upgrade")
        if (told("ActiveState"), told("ExecMainStatus")) != ("inactive", "0"):
            raise Failed(f"{unit} did not end well: {told('Result')}")
        machine.run("/var/lib/dpkg/info/autogate.postinst", "configure")
        until(STEP_S, "what ran runs again", lambda: told("ActiveState") == "active")
        machine.run("systemctl", "stop", unit)
    return f"started ({limits}); a lane that was held up was started again by the watchdog; ended and started by the packages' scripts"


def _limits(machine: Booted, pid: str) -> str:
    """That the kernel knows what the unit says. Raises Failed."""
    status = dict(re.findall(r"^(\w+):\s+(\S+)", machine.run("cat", f"/proc/{pid}/status"), re.MULTILINE))
    have = {name: status.get(name) for name in ("NoNewPrivs", "Seccomp", "CapBnd", "CapEff")}
    if have != {"NoNewPrivs": "1", "Seccomp": "2", "CapBnd": "0" * 16, "CapEff": "0" * 16} or status["Uid"] == "0":
        raise Failed(f"the limits are not in force: {have}")
    return "no rights, filter in force"


def until(seconds: float, what: str, true: Callable[[], bool]) -> None:
    """Raises Failed."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.5)
