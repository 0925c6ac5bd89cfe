"""Broker, database, collectors and gates of a measurement: real ones, on this machine, in a folder of their own, ended by their process ids."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.fleet_gates import FROM, REVIVED, UNTIL, Gate, collector_signer, write_collector_key, write_keys
from benchmarks.fleet_generator import Plan
from benchmarks.fleet_relay import HOST
from gate.fleet.centre.database import migrate
from gate.fleet.engines import Engines, RunningNats, RunningPostgres
from gate.fleet.keys.authority import new_authority, request_for, write_key
from gate.fleet.keys.directory import Entry
from gate.fleet.messages import MOST_MESSAGE

STOP_S = 30.0


def end_in_order() -> None:
    """On SIGTERM everything that was started is ended, as on Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


class Child:
    """A process that tells JSON, a line at a time. ``last``: the newest line of each first key."""

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("ab") as told:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, text=True)
        self.last: dict[str, Any] = {}
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with contextlib.suppress(ValueError), self._came:
                told = json.loads(line)
                self.last |= told if isinstance(told, dict) else {"port": told}
                self._came.notify_all()
        with self._came:
            self.last.setdefault("ended", True)
            self._came.notify_all()

    def wait_for(self, key: str, timeout_s: float) -> Any:
        """What it tells under ``key``. Raises RuntimeError where it does not."""
        with self._came:
            if not self._came.wait_for(lambda: key in self.last or "ended" in self.last, timeout_s) or key not in self.last:
                raise RuntimeError(f"{self.process.args!r} did not tell {key}: {self.last}")
            return self.last.pop(key)

    def order(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        with contextlib.suppress(OSError):
            self.process.send_signal(how)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(STOP_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


@dataclass(slots=True)
class World:
    """``with World(folder, tls=True) as world:``. ``gates``: numbers of all that will be; ``revived``: of those that a power cut left."""

    folder: Path
    gates: Iterable[int]
    revived: tuple[int, ...] = ()
    tls: bool = False
    engines: Engines = field(default_factory=Engines)
    children: list[Child] = field(default_factory=list)
    collectors: dict[int, Child] = field(default_factory=dict)
    gave_up: int = 0
    """Collectors that ended by themselves as they started: over a bad line, or a slow one. What runs them starts them again, as systemd does."""
    _ports: dict[int, int | None] = field(default_factory=dict)
    nats: RunningNats = field(init=False)
    postgres: RunningPostgres = field(init=False)

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self.children):
            child.end()
        self.engines.stop()

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_keys(self.keys, [*map(Gate, self.gates), *(Gate(number, log_of=REVIVED) for number in self.revived)])
        write_collector_key(self.folder / "collector.key")
        self.nats = self.engines.nats(self.folder / "nats", config=self._tls() if self.tls else None)
        self.postgres = self.engines.postgres(self.folder / "postgres")
        migrate(self.dsn)

    @property
    def keys(self) -> Path:
        return self.folder / "keys.json"

    @property
    def dsn(self) -> str:
        return self.postgres.dsn

    @property
    def certificates(self) -> dict[str, str]:
        """Options of whoever speaks to the broker: files by what they are; none without TLS."""
        names = {"ca": "authority.pem", "certificate": "client.pem", "key": "client.key"}
        return {what: str(self.folder / name) for what, name in names.items()} if self.tls else {}

    def _tls(self) -> Path:
        """Both ends show a certificate of one authority. That a gate speaks for itself alone is not the broker's affair here: gates share
        connections.
        """
        now, authority = datetime.now(UTC), new_authority("fleet measurement", FROM)
        (self.folder / "authority.pem").write_bytes(authority.pem)
        entry = Entry(purpose="collector", name="measurement", public=collector_signer().public.hex(), since=FROM, until=UNTIL)
        for name in ("server", "client"):
            key = ec.generate_private_key(ec.SECP256R1())
            write_key(self.folder / f"{name}.key", key)
            request = request_for(key, name)
            issued = authority.issue_server(request, [HOST], now) if name == "server" else authority.issue(request, entry, now)
            (self.folder / f"{name}.pem").write_bytes(issued)
        files = {"cert_file": "server.pem", "key_file": "server.key", "ca_file": "authority.pem"}
        lines = [f'  {what}: "{self.folder / name}"' for what, name in files.items()]
        config = self.folder / "nats.conf"
        config.write_text("\n".join([f"max_payload: {MOST_MESSAGE}", "tls {", *lines, "  verify: true", "}"]) + "\n")
        return config

    def url(self, port: int | None = None) -> str:
        return f"{'tls' if self.tls else 'nats'}://{HOST}:{port or self.nats.port}"

    def collector(self, number: int, port: int | None = None) -> Child:
        own = ["--dsn", self.dsn, "--nats", self.url(port), "--keys", str(self.keys), "--name", f"c{number}"]
        own += ["--key", str(self.folder / "collector.key")]
        for what, file in self.certificates.items():
            own += ["--certificate-key" if what == "key" else f"--{what}", file]
        self.collectors[number] = self._child([sys.executable, "-m", "gate", "collect", *own], f"collector-{number}")
        self._ports[number] = port
        return self.collectors[number]

    def supervise(self) -> None:
        for number, collector in list(self.collectors.items()):
            if collector.process.poll() is not None:
                self.end(collector)
                self.gave_up += 1
                self.collector(number, self._ports[number])

    def generator(self, plan: Mapping[str, Any], port: int | None = None) -> Child:
        fleet = {"url": self.url(port), "signing_key": "none", "keys": str(self.keys), **self.certificates}
        file = self.folder / f"plan-{plan['number']}.json"
        file.write_bytes(msgspec.json.encode(Plan(folder=str(self.folder / "gates"), fleet=fleet, **plan)))
        (self.folder / "gates").mkdir(exist_ok=True)
        return self._child([sys.executable, "-m", "benchmarks.fleet_generator", str(file)], f"generator-{plan['number']}")

    def relay(self, name: str, seed: int, *options: str) -> Child:
        command = [sys.executable, "-m", "benchmarks.fleet_relay", "--to", str(self.nats.port), "--seed", str(seed), *options]
        return self._child(command, f"relay-{name}")

    def hostile(self, seed: int) -> Child:
        return self._child(
            [sys.executable, "-m", "benchmarks.fleet_hostile", "--nats", self.url(), "--seed", str(seed)], "hostile"
        )

    def _child(self, command: list[str], name: str) -> Child:
        child = Child(command, self.folder / f"{name}.log")
        self.children.append(child)
        return child

    def end(self, child: Child, how: signal.Signals = signal.SIGTERM) -> None:
        child.end(how)
        self.children.remove(child)
        self.collectors = {number: each for number, each in self.collectors.items() if each is not child}

    def final(self, generator: Child, timeout_s: float) -> Any:
        """What a generator found, once it has. Raises RuntimeError."""
        until = time.monotonic() + timeout_s
        while not generator.last.keys() & {"final", "ended"} and time.monotonic() < until:
            self.supervise()
            time.sleep(0.1)
        return generator.wait_for("final", 1)

    def progress(self, generators: Iterable[Child]) -> tuple[int, int]:
        """Records made and acknowledged, as told last."""
        told = [child.last for child in generators]
        return sum(each.get("made", 0) for each in told), sum(each.get("through", 0) for each in told)

    def journals(self) -> list[Path]:
        return sorted((self.folder / "gates").glob("journal-*.jsonl"))

    def receipts(self) -> list[Path]:
        return sorted(path for path in (self.folder / "gates").glob("receipts-*"))

    def jetstream_as_of(self, kept: Path | None) -> None:
        """The broker's files, while it does not run: those of the copy ``kept``, or none."""
        there = self.folder / "nats" / "jetstream"
        shutil.rmtree(there, ignore_errors=True)
        if kept:
            shutil.copytree(kept, there)
