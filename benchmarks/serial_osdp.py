"""A reader's panel over OSDP with a secure channel: from a signal to its execution, clean and bad, beside what libosdp does by itself.

The counterpart is libosdp's own device in another process; it says what it executed and when, on the same clock.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import spread
from benchmarks.serial_links import APART_S, FAULTS
from hardware import osdp
from hardware.controller.serial_port import SerialPort
from hardware.osdp_key import read_key
from hardware.ports import PanelSignal
from hardware.sim.osdp_pd import PluggedInPanel
from hardware.sim.relay import FaultRelay

PEER = Path(sys.prefix) / "peer-libosdp" / "bin" / "python"
"""Has libosdp as it comes ready-made (``make setup-osdp-peer``)."""
DEFAULTS = Path(__file__).with_name("serial_osdp_defaults.py")
MOST_BEEPS = 255
"""A beep's number is how often it sounds; OSDP has a byte for that."""
WAIT_S = 20.0
SLOW_MS = 20.0
DEFAULTS_S = 20.0


@contextmanager
def plugged_in() -> Iterator[tuple[PluggedInPanel, Path]]:
    """A device, and its key."""
    with tempfile.TemporaryDirectory(prefix="serial-") as name:
        folder = Path(name)
        key_file = folder / "panel.key"
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_hex(16))
        with PluggedInPanel(folder / "tty", key_file) as device:
            yield device, key_file


def until_shown(panel: osdp.OsdpPanel, signal: PanelSignal) -> None:
    panel.show(signal)
    deadline = time.monotonic() + WAIT_S
    while panel.work(0.05).shown is not signal:
        assert time.monotonic() < deadline, f"not shown within {WAIT_S:.0f} s"


def pause(panel: osdp.OsdpPanel, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        panel.work(left)


def clean(commands: int) -> dict[str, Any]:
    """``executed_ms``: from the wish to the device's execution; ``outcome_ms``: until its answer was known. No relay."""
    with plugged_in() as (device, key_file):
        panel = osdp.OsdpPanel(lambda: SerialPort(str(device.tty)), 0, read_key(key_file))
        until_shown(panel, PanelSignal(lamp="white"))
        begun, took = [], []
        for number in range(commands):
            begun.append(time.monotonic())
            until_shown(panel, PanelSignal(lamp=("red", "blue")[number % 2]))
            took.append(1000 * (time.monotonic() - begun[-1]))
            pause(panel, random.uniform(0, APART_S))
        panel.close()
        executed = [1000 * (did["at"] - start) for did, start in zip(device.executed[1:], begun, strict=True)]
        return {"executed_ms": spread(executed), "outcome_ms": spread(took)}


def faulty(orders: int, limit_ms: float = SLOW_MS) -> dict[str, Any]:
    """A lamp and a numbered beep each, on a bad line: the lamp must come, the beep must come once or be told as missed."""
    took, sent, heard, missed = [], 0, Counter[int](), 0
    for seed in range(1 + (orders - 1) // MOST_BEEPS):
        some = min(MOST_BEEPS, orders - sent)
        with plugged_in() as (device, key_file), FaultRelay(device.tty.parent, device.tty, seed=seed) as relay:
            panel = osdp.OsdpPanel(lambda relay=relay: SerialPort(str(relay.tty)), 0, read_key(key_file))
            until_shown(panel, PanelSignal(lamp="white"))
            relay.line(**FAULTS)
            for number in range(1, some + 1):
                begun = time.monotonic()
                until_shown(panel, PanelSignal(lamp=("red", "blue")[number % 2], beeps=number))
                took.append(1000 * (time.monotonic() - begun))
                pause(panel, APART_S)
            relay.line()
            pause(panel, 1.0)
            missed += panel.work(0.0).missed
            panel.close()
            heard.update(1000 * seed + did["beeps"] for did in device.executed if "beeps" in did)
            sent += some
    slow = [each for each in took if each > limit_ms]
    return {
        "orders": sent,
        "outcome_ms": spread(took),
        "recovery_ms": spread(slow) if slow else {"n": 0},
        "duplicates": sum(times - 1 for times in heard.values()),
        "missing": max(0, sent - len(heard) - missed),
        "told_missed": missed,
        "told_missed_but_done": missed - (sent - len(heard)),
        "unsafe": [],
    }


def defaults(python: str, commands: int, faults: dict[str, float]) -> dict[str, Any]:
    """libosdp's own control panel, run by ``python``, for :data:`DEFAULTS_S` at most."""
    with plugged_in() as (device, key_file), FaultRelay(device.tty.parent, device.tty, seed=7) as relay:
        command = [python, str(DEFAULTS), str(relay.tty), str(key_file), str(min(commands, MOST_BEEPS)), str(DEFAULTS_S)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
            assert peer.stdin is not None
            assert peer.stdout is not None
            peer.stdout.readline()
            relay.line(**faults)
            peer.stdin.write(b"\n")
            peer.stdin.flush()
            told = json.loads(peer.stdout.readline())
            relay.line()
        ordered = {int(beep): at for beep, at in told["ordered"].items()}
        did = Counter(each["beeps"] for each in device.executed if "beeps" in each)
        first = {each["beeps"]: each["at"] for each in reversed(device.executed) if "beeps" in each}
        took = [1000 * (first[beep] - at) for beep, at in ordered.items() if beep in first]
        return {
            "orders": len(ordered),
            "executed_ms": spread(took),
            "outcome_ms": spread(took),
            "duplicates": sum(times - 1 for times in did.values()),
            "missing": len(ordered) - len(did),
            "told_failed_but_done": len(did.keys() - set(told["done"])),
        }


def measure(commands: int = 2000, orders: int = 400) -> dict[str, dict[str, dict[str, Any]]]:
    """Rows of the table of serial links: ``clean`` and ``faulty`` of each."""
    rows = {"OSDP secure channel, libosdp": {"clean": clean(commands), "faulty": faulty(orders)}}
    for name, python in {
        "libosdp, 20 ms refresh, our build": sys.executable,
        "libosdp as ready-made, defaults": str(PEER),
    }.items():
        if Path(python).exists():
            rows[name] = {"clean": defaults(python, commands, {}), "faulty": defaults(python, commands, FAULTS)}
    return rows


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
