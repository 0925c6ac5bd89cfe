"""A unit, started by hand as it says, and what the service manager then hears; and which system calls it makes."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time

import units
from sandbox import Failed, Root

READY_S, PROOF_S, STOP_S = 60.0, 15.0, 60.0
ENTERING = frozenset({"mount", "umount2", "unshare", "chroot", "setgroups", "setresuid", "setresgid", "capset"})
"""Calls of what enters the root and gives up its rights, before the gate begins."""
CONFIG = """\
profile = "demo"
state_dir = "/var/lib/autogate/{lane}"

[lane]
id = "demo-1"
checkpoint = "CGK"
direction = "departure"

[scanner]
kind = "simulator"
address = "/run/autogate/{lane}/scanner.sock"

[camera]
kind = "simulator"
address = "/run/autogate/{lane}/camera.sock"

[controller]
device = "/run/autogate/{lane}/controller.tty"
key_file = "/var/lib/autogate/{lane}/gate.key"

[face]
pack = "demo"
packs_dir = "/var/lib/autogate/{lane}/packs"

[trust]
store = "/etc/autogate/trust"

[audit]
sealing_key = "/var/lib/autogate/{lane}/sealing.key"
key = "/var/lib/autogate/{lane}/audit.key"
"""
"""The demonstration's lane, with all its devices away: it waits for them, and that is a state, not a fault."""

PRETEND_STATES = """
from datetime import UTC, datetime
from pathlib import Path
from gate.demo.cast import DEFAULT_CAST, load_cast
from gate.demo.issue import create_states, trust_store
from gate.demo.trust import write_trust
cast, now = load_cast(DEFAULT_CAST), datetime.now(UTC)
write_trust(trust_store(cast, create_states(cast, now)), Path("/etc/autogate/trust"), None, now)
"""
"""Makes the demonstration's trust store where the configuration names it."""


def shown(root: Root, lane: str) -> str:
    """READY=1, WATCHDOG=1 again and again, and after SIGTERM STOPPING=1 and status 0. Raises Failed."""
    _configure(root, lane)
    command, environment = units.started(units.FOLDER / "autogate@.service", lane)
    root.run("install", "-d", "-m", "0700", "-o", "autogate", "-g", "autogate", f"/run/autogate/{lane}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = root.path / "run/notify"
        manager.bind(str(path))
        path.chmod(0o777)
        told = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "10000000"}
        running = root.start(command, user="autogate", env=environment | told, strict=True)
        try:
            begun = time.monotonic()
            _hear(manager, "READY=1", READY_S, running)
            ready = time.monotonic() - begun
            for _ in range(3):
                _hear(manager, "WATCHDOG=1", PROOF_S, running)
            running.send_signal(signal.SIGTERM)
            _hear(manager, "STOPPING=1", STOP_S, running)
            status = running.wait(STOP_S)
        finally:
            running.kill()
            path.unlink()
    if status != 0:
        raise Failed(f"status {status} after SIGTERM: {running.stdout.read() if running.stdout else ''}")
    return f"READY=1 after {ready:.1f} s, WATCHDOG=1 three times, after SIGTERM STOPPING=1 and status 0; as the unit starts it"


def calls(root: Root, cast: str) -> str:
    """That a gate with travellers makes no system call that the unit's filter refuses. Raises Failed.

    strace has the kernel hand it those calls alone, so that the gate keeps its pace. That it would have seen them is shown by the
    ones that entering the root takes.
    """
    log = root.path / "calls"
    demo = ["autogate", "demo", "--headless", "--once", "--cast", cast, "--state", "/var/tmp/traced"]  # noqa: S108 - its own
    allowed = ",".join(f"?{call}" for call in sorted(units.allowed_calls(units.FOLDER / "autogate@.service", groups())))
    watched = [
        "strace",
        "--follow-forks",
        "--seccomp-bpf",
        "--quiet=all",
        f"--trace=!{allowed}",
        "--signal=none",
        "--output",
        str(log),
    ]
    done = subprocess.run(
        [*watched, *root.entered(demo, user="autogate")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
        env=root.environment(),
    )
    made = set(re.findall(r"^(?:\d+ +)?(\w+)\(", log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE))
    if done.returncode or not made >= {"mount", "chroot"} or made - ENTERING:
        raise Failed(f"status {done.returncode}, calls that the unit refuses: {sorted(made - ENTERING)}\n{done.stdout[-1000:]}")
    return "of those that the unit's filter refuses, a gate with two travellers made none (seen through the kernel's own filter)"


def groups() -> dict[str, list[str]]:
    """As this machine's systemd defines them."""
    listed = subprocess.run(["systemd-analyze", "syscall-filter"], check=True, capture_output=True, text=True).stdout
    found: dict[str, list[str]] = {}
    for line in listed.splitlines():
        if line.startswith("@"):
            members = found.setdefault(line.strip(), [])
        elif (word := line.strip()) and not word.startswith("#"):
            members.append(word)
    return found


def _configure(root: Root, lane: str) -> None:
    (root.path / f"etc/autogate/{lane}.toml").write_text(CONFIG.format(lane=lane), encoding="utf-8")
    root.run("/usr/lib/autogate/bin/python", "-I", "-c", PRETEND_STATES)
    root.run("chgrp", "--recursive", "autogate", "/etc/autogate")
    root.run("chmod", "--recursive", "u=rwX,g=rX,o=", "/etc/autogate")


def _hear(manager: socket.socket, line: str, seconds: float, running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        manager.settimeout(min(left, 0.5))
        try:
            if line in manager.recv(4096).decode().split("\n"):
                return
        except TimeoutError:
            if running.poll() is not None:
                break
    running.kill()
    raise Failed(f"{line} was not said: {running.stdout.read()[-2000:] if running.stdout else ''}")
