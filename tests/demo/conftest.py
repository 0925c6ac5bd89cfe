"""Runs the real demonstration, as a user would, several at once, and lets the tests look at what each left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from faceverify.packs import install_open_pack
from gate.demo.cast import DEFAULT_CAST
from hardware.sim.compiled import PROGRAM

HERE = Path(__file__).parent
LIMIT_S = 240
PANEL = ("--panel", "osdp" if find_spec("osdp_sys") else "simulator")


@dataclass(frozen=True)
class Run:
    """A demonstration that ended. ``state`` is its state folder, ``result`` its JSON."""

    state: Path
    result: dict[str, Any]
    output: str

    def log(self) -> str:
        """What the processes said."""
        return (self.state / "processes.log").read_text(encoding="utf-8")

    def outcomes(self) -> dict[str, tuple[str, list[str]]]:
        return {each["traveller"]: (each["outcome"], each["reasons"]) for each in self.result["transactions"]}


STAGE = ThreadPoolExecutor(2)
"""More demonstrations than that at once are no gates any more: two processors do not keep the leases of five."""


class Performance:
    """A demonstration that runs in the background, as soon as there is room for it."""

    def __init__(self, name: str, cast: str, *without: str, options: Sequence[str] = ()) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"ag-{name}-"))
        (self.folder / "cast.toml").write_text(cast, encoding="utf-8")
        self.ports = ports = free_ports()
        command = [sys.executable, str(HERE / "perform.py"), ",".join(without), "--headless", "--once"]
        command += ["--json", str(self.folder / "out.json"), "--cast", str(self.folder / "cast.toml")]
        command += ["--state", str(self.folder / "state"), "--traveller-port", ports[0], "--officer-port", ports[1], *options]
        self._process: subprocess.Popen[bytes] | None = None
        self._status = STAGE.submit(self._play, command)

    def _play(self, command: list[str]) -> int:
        environment = {**os.environ, "TMPDIR": str(self.folder), "PYTHONPATH": ""}
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            return self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            return self._process.wait(30)

    def plays(self) -> bool:
        """Whether it is still to come to its end."""
        return not self._status.done()

    def ended(self) -> Run:
        """Wait for the end. Fails the test, with all that was said, if it did not end well."""
        status = self._status.result()
        output = (self.folder / "output").read_text(encoding="utf-8")
        log = self.folder / "state" / "processes.log"
        assert status == 0, f"exit {status}\n{output}\n{log.read_text() if log.exists() else ''}"
        return Run(self.folder / "state", json.loads((self.folder / "out.json").read_text(encoding="utf-8")), output)

    def close(self) -> None:
        if not self._status.cancel() and self._process is not None and self.plays():
            self._process.terminate()
            self._status.result(30)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_ports() -> tuple[str, str]:
    """Two ports nobody listens on now, outside the range from which connections take theirs."""
    found: list[str] = []
    while len(found) < 2:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(str(port))
    return found[0], found[1]


def only(cast: str, *ids: str) -> str:
    """The cast with these travellers alone."""
    head, *travellers = cast.split("[[traveller]]")
    return head + "".join(f"[[traveller]]{part}" for part in travellers if any(f'id = "{name}"\n' in part for name in ids))


@pytest.fixture(scope="session")
def performances() -> Iterator[dict[str, Performance]]:
    """Every demonstration the tests look at, two at a time."""
    cast = DEFAULT_CAST.read_text(encoding="utf-8")
    openers = only(cast, "ordinary", "service", "diplomatic")
    reference_firmware = (
        ["--controller", "c"] if PROGRAM.exists() else []
    )  # without a compiler there is none (tests/hardware says so)
    running = {
        "default": Performance("default", cast),
        "changed": Performance(
            "changed", (HERE / "changed.toml").read_text(encoding="utf-8"), options=[*reference_firmware, *PANEL]
        ),
        "single_door": Performance(
            "single", only(cast, "diplomatic", "two-on-one"), options=["--lane", "single_door", "--line", "bad"]
        ),
        "without_pki": Performance("pki", openers, "pki"),
        "without_faceverify": Performance("face", openers, "faceverify"),
    }
    yield running
    for performance in running.values():
        performance.close()


@pytest.fixture(scope="session")
def default_run(performances: dict[str, Performance]) -> Run:
    return performances["default"].ended()


@pytest.fixture(scope="session")
def changed_run(performances: dict[str, Performance]) -> Run:
    return performances["changed"].ended()


@pytest.fixture
def open_pack_run(shared_dir: Path, tmp_path: Path) -> Iterator[Run]:
    """Two travellers whose faces are compared with the open pack, PAD and all."""
    pack = install_open_pack(shared_dir / "models", tmp_path / "open")
    cast = only(DEFAULT_CAST.read_text(encoding="utf-8"), "diplomatic", "borrowed")
    performance = Performance("open", cast, options=["--faces", str(pack.folder)])
    yield performance.ended()
    performance.close()


@pytest.fixture
def modbus_run() -> Iterator[Run]:
    """Two travellers at a gate whose controller is spoken to over Modbus."""
    cast = only(DEFAULT_CAST.read_text(encoding="utf-8"), "ordinary", "two-on-one")
    performance = Performance("modbus", cast, options=["--controller", "modbus", *PANEL])
    yield performance.ended()
    performance.close()


@pytest.fixture(scope="session")
def demonstrate() -> Callable[..., Iterator[Run]]:
    """Run some of a cast's travellers before a recording, with a health process; for fixtures to yield from."""

    def demonstrate(name: str, cast: Path, travellers: Sequence[str], film: Path) -> Iterator[Run]:
        options = ["--camera", str(film), "--health-port", free_ports()[0]]
        performance = Performance(name, only(cast.read_text(encoding="utf-8"), *travellers), options=options)
        yield performance.ended()
        performance.close()

    return demonstrate


@pytest.fixture(scope="session")
def perform() -> Callable[..., Iterator[Run]]:
    """Run a whole cast with options of its own; for fixtures to yield from."""

    def perform(name: str, cast: str, *options: str) -> Iterator[Run]:
        performance = Performance(name, cast, options=options)
        yield performance.ended()
        performance.close()

    return perform


@pytest.fixture
def pages_performance() -> Iterator[Performance]:
    """A short demonstration that starts now, to be watched."""
    performance = Performance(
        "pages", only(DEFAULT_CAST.read_text(encoding="utf-8"), "ordinary", "service-without-permit", "borrowed")
    )
    yield performance
    performance.close()
