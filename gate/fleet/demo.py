"""``autogate fleet demo``: a broker, a database, a collector, twenty gates at two airports and the fleet page, all on this machine.

Two gates are demonstrations with the real rooms, simulated devices and pretend people (``autogate demo``); the others are simulated lanes
(:mod:`gate.fleet.demo_airport`). All enrol as in operation, speak mutual TLS, and keep what they tell until the centre's receipt.
The two real ones also take what the centre rolls out to them (:mod:`gate.fleet.demo_updates`): a rule set that is good, and one that is not.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

import msgspec
import psycopg

from gate.audit.keys import SIGNER_FILE
from gate.audit.log import FILE_NAME as LOG_FILE
from gate.config_sections import Rules, Section
from gate.fleet.command import DSN
from gate.fleet.demo_children import Children, Use, use
from gate.fleet.demo_keys import VIEWER, DemoKeys, Enrolled
from gate.fleet.demo_rollouts import Rollouts
from gate.fleet.demo_updates import DemoUpdates
from gate.fleet.engines import EngineError, Engines, RunningNats, RunningPostgres, free_port, missing
from gate.fleet.keys.command import CERTIFICATE, EVENT_KEY, TLS_KEY
from gate.fleet.messages import gate_id
from gate.fleet.updates.targets import UpdateError
from gate.simulation.scenario import load_scenario
from pki.errors import PkiError

AIRPORTS, GATES = ("CGK", "DPS"), 20
REAL, REAL_NAME = "demo-1", "demonstration"
"""Names of an airport's real gate, and of its process."""
STATE, PAGE_PORT, REAL_PORTS = Path(".state/fleet"), 8430, 8432
BEFORE_H = 4.0
LOOK_S, DRAIN_S, REAL_S = 0.5, 30.0, 60.0
ROLLED_S = 90.0
"""Beyond its time the demonstration waits so long for a roll-out to end: on a busy machine its gates start late."""
DIRECTED_S, ASKED_S = 1.0, 2.0
"""Between two looks of the director, and of a real gate that asks what it is assigned: in operation nobody stands by and watches."""
TRIES = 3
"""Of a real gate to start: on a busy machine its lane may not come in time."""
MARK = "fleet-demo"
"""A file that says that the folder is a demonstration's, and may be made anew."""
EXIT_OK, EXIT_FOUND, EXIT_CANNOT = 0, 1, 2
MIB = 1 << 20


def add_arguments(word: str, parser: argparse.ArgumentParser) -> None:  # noqa: ARG001 - as the commands of all rooms
    parser.add_argument(
        "--state", type=Path, default=STATE, metavar="DIR", help="everything lies there, and is made anew each time"
    )
    parser.add_argument("--minutes", type=float, help="end by itself after so long, instead of on Ctrl-C")
    parser.add_argument("--port", type=int, default=PAGE_PORT, help="of the page")
    parser.add_argument("--before", type=float, default=BEFORE_H, metavar="HOURS", help="so much has happened when it begins")
    parser.add_argument(
        "--real", type=int, choices=(0, 1, 2), default=2, help="gates that are real demonstrations, each some ten processes"
    )


def run(word: str, options: argparse.Namespace) -> int:  # noqa: ARG001 - as the commands of all rooms
    """Returns what the independent reader says at the end, or 2 where it cannot begin."""
    if what := _lacking():
        print(f"autogate fleet demo: {what}", file=sys.stderr)
        return EXIT_CANNOT
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Engines() as engines:
            return FleetDemo(options, engines).play()
    except (EngineError, PkiError, UpdateError, OSError, psycopg.Error) as error:
        print(f"autogate fleet demo: {error}", file=sys.stderr)
        return EXIT_CANNOT
    except KeyboardInterrupt:  # before it had begun
        return EXIT_CANNOT


def _lacking() -> str:
    """What has to be installed first; empty: nothing."""
    if absent := [name for name in ("nats", "psycopg", "tuf") if find_spec(name) is None]:
        return f"{', '.join(absent)}: install autogate with its extras fleet and centre (make setup)"
    what = missing()
    return f"{what}: on Debian, apt-get install nats-server postgresql" if what else ""


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class FleetDemo:
    def __init__(self, options: argparse.Namespace, engines: Engines) -> None:
        self._options, self._engines = options, engines
        self._folder: Path = options.state.resolve()
        _begin_anew(self._folder)
        self._keys = DemoKeys(folder=self._folder / "authority")
        self._updates = DemoUpdates(self._folder / "updates", self._keys)
        self._equipped: dict[str, tuple[Rules, Path]] = {}
        self._real = AIRPORTS[: options.real]
        self._password = secrets.token_urlsafe(12)

    @property
    def _dsn_file(self) -> Path:
        return self._folder / "dsn"

    def play(self) -> int:
        begun = time.monotonic()
        database = self._engines.postgres(self._folder / "postgres")
        port = free_port()
        self._keys.make(port)
        self._keys.enrol(self._wanted())
        rollouts = self._prepared()
        self._keys.roster(self._folder / "roster", self._password)
        self._dsn_file.touch(mode=0o600)
        self._dsn_file.write_text(database.dsn, encoding="ascii")
        configuration = self._folder / "authority" / "nats.conf"
        broker = RunningNats(["nats-server", "-c", str(configuration)], self._folder / "nats.log", port)
        children = Children(self._folder / "processes.log", {DSN: database.dsn})
        try:
            url = f"tls://{broker.url.removeprefix('nats://')}"
            self._start_centre(children, url)
            self._say(time.monotonic() - begun)
            self._start_gates(children, url)
            lost = self._wait(children, rollouts, database.dsn)
            self._tell_rollouts(rollouts, database.dsn)
            self._tell_use(children, broker, database, time.monotonic() - begun)
            self._drain(children, database.dsn)
        finally:
            children.end_all()
            broker.stop()
        if lost:
            print(f"autogate fleet demo: {lost} ended: see {self._folder / 'processes.log'}", file=sys.stderr)
            return EXIT_CANNOT
        return self._verify(database)

    def _prepared(self) -> Rollouts:
        """What is rolled out, first at one airport, then at the other."""
        self._updates.make()
        self._equipped = {airport: self._updates.equip(self._gate(airport, REAL).folder) for airport in self._real}
        stages = {airport: [self._gate(airport, REAL).name] for airport in self._real}
        return Rollouts(self._updates.allow(stages) if stages else ())

    # --- who is there -------------------------------------------------------------------------------------------------------------

    def _lanes(self, airport: str) -> dict[str, int]:
        """Simulated ones by direction."""
        each = GATES // len(AIRPORTS)
        arrival = each // 2 - (airport in self._real)
        return {"departure": each - each // 2, "arrival": arrival}

    def _wanted(self) -> Iterator[Enrolled]:
        yield Enrolled(purpose="collector", name="centre", folder=self._folder / "keys" / "centre")
        yield Enrolled(purpose="director", name="director", folder=self._folder / "keys" / "director")
        for bank in load_scenario().bank:
            if bank.airport in AIRPORTS:
                for number in range(1, self._lanes(bank.airport)[bank.direction] + 1):
                    yield self._gate(bank.airport, f"{bank.airport}-{bank.direction[:3]}-{number}")
        for airport in self._real:
            yield self._gate(airport, REAL)

    def _gate(self, airport: str, lane: str) -> Enrolled:
        folder = self._folder / "keys" / (lane if lane.startswith(airport) else f"{airport}-{lane}")
        return Enrolled(purpose="gate", name=gate_id(airport, lane), folder=folder)

    # --- how it goes --------------------------------------------------------------------------------------------------------------

    def _start_centre(self, children: Children, url: str) -> None:
        people = [word for signer in self._keys.signers for word in ("--person", signer)]
        own, keys = self._folder / "keys", self._folder / "authority" / "keys.json"
        collect = ["collect", "--migrate", "--name", "centre", "--nats", url, *_proofs(own / "centre"), "--keys", keys, *people]
        direct = ["fleet", "rollout", "run", "--nats", url, *_proofs(own / "director"), "--every", DIRECTED_S]
        children.start("collector", "-m", "gate", *map(str, collect))
        children.start("director", "-m", "gate", *map(str, [*direct, "--repository", self._updates.repository.folder]))
        children.start("page", "-m", "gate", "fleet", "page", *map(str, self._page()))

    def _start_gates(self, children: Children, url: str) -> None:
        for place, airport in enumerate(self._real):
            children.start(f"{REAL_NAME} {airport}", "-m", "gate", "demo", *map(str, self._demonstration(airport, url, place)))
        self._await_real()
        signers = [word for signer in self._keys.signers for word in ("--signer", signer)]
        for airport in AIRPORTS:
            what = [
                "--folder",
                self._folder,
                "--url",
                url,
                "--lanes",
                json.dumps(self._lanes(airport)),
                "--before",
                self._options.before,
            ]
            children.start(f"gates {airport}", "-m", "gate.fleet.demo_gates", airport, *map(str, [*what, *signers]))

    def _await_real(self) -> None:
        """Until their lanes have a log: a gate's processes shall not have to start while hours are simulated beside them."""
        ends = time.monotonic() + REAL_S
        while time.monotonic() < ends and not all((self._real_state(airport) / LOG_FILE).exists() for airport in self._real):
            time.sleep(LOOK_S)

    def _real_state(self, airport: str) -> Path:
        return self._folder / "gates" / f"{airport}-{REAL}"

    def _page(self) -> list[object]:
        signers = [word for signer in self._keys.signers for word in ("--signer", signer)]
        return ["--roster", self._folder / "roster", "--port", self._options.port, *signers]

    def _demonstration(self, airport: str, url: str, place: int) -> list[object]:
        """The options of a real gate."""
        one, state = self._gate(airport, REAL), self._real_state(airport)
        state.mkdir(parents=True)
        shutil.copy(one.audit_key, state / SIGNER_FILE)  # enrolled before the demonstration makes one
        rules, updates = self._equipped[airport]
        fleet = msgspec.structs.replace(self._keys.section(one, url), updates=updates, updates_every_s=ASKED_S)
        told = one.folder / "fleet.toml"
        told.write_text(as_toml("fleet", fleet) + as_toml("rules", rules), encoding="utf-8")
        ports = ["--traveller-port", REAL_PORTS + 2 * place, "--officer-port", REAL_PORTS + 2 * place + 1]
        return ["--headless", "--state", state, "--fleet", told, "--checkpoint", airport, *ports]

    def _say(self, seconds: float) -> None:
        print(f"twenty gates enrolled, broker and database up in {seconds:.1f} s; everything lies in {self._folder}")
        print(f"  fleet page   http://localhost:{self._options.port}/   name {VIEWER}, password {self._password}")
        for place, airport in enumerate(self._real):
            print(f"  {airport}.{REAL}   http://127.0.0.1:{REAL_PORTS + 2 * place + 1}/   its officer page")
        verify = " ".join(["autogate", *self._verifying()])
        print(f"  while it runs: {DSN}=$(cat {self._dsn_file}) {verify}")
        print("Gates begin with some hours that the centre has not got. Ctrl-C ends the demonstration.", flush=True)

    def _wait(self, children: Children, rollouts: Rollouts, dsn: str) -> str:
        """Until it is over; the name of a process without which it cannot go on. A gate that ends is started again, but not for ever."""
        tries = dict.fromkeys((f"{REAL_NAME} {airport}" for airport in self._real), TRIES)
        ends = time.monotonic() + 60 * self._options.minutes if self._options.minutes else math.inf
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                while time.monotonic() < (ends if rollouts.over else ends + ROLLED_S):
                    if lost := self._lost(children, tries):
                        return lost
                    rollouts.look(connection)
                    time.sleep(LOOK_S)
        except KeyboardInterrupt:
            print()
        return ""

    def _lost(self, children: Children, tries: dict[str, int]) -> str:
        for name in children.lost():
            if name not in tries:
                return name
            tries[name] -= 1
            print(f"{name} ended: see {self._folder / 'processes.log'}", flush=True)
            if tries[name]:
                children.again(name)
        return ""

    def _tell_rollouts(self, rollouts: Rollouts, dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            print(*rollouts.told(connection), sep="\n", flush=True)

    def _drain(self, children: Children, dsn: str) -> None:
        """End the gates, and the rest when the centre holds what they told; who cannot wait presses Ctrl-C again."""
        try:
            children.end([f"gates {airport}" for airport in AIRPORTS])
            with psycopg.connect(dsn, autocommit=True) as connection:
                ends = time.monotonic() + DRAIN_S
                while time.monotonic() < ends and connection.execute("select from pending limit 1").fetchone() is not None:
                    time.sleep(LOOK_S)
            children.end([f"{REAL_NAME} {airport}" for airport in self._real])
        except KeyboardInterrupt:
            print("at once, then")

    def _tell_use(self, children: Children, broker: RunningNats, database: RunningPostgres, seconds: float) -> None:
        """What each took, and what a gate did."""
        found = children.use() | {"broker": use(broker.pid), "database": use(database.pid)}
        for name, each in found.items():
            print(f"  {name:<18} {_used(each, seconds)}")
        whole = Use(
            processor_s=sum(each.processor_s for each in found.values()), memory=sum(each.memory for each in found.values())
        )
        print(f"  {'together':<18} {_used(whole, seconds)}", flush=True)

    def _verify(self, database: RunningPostgres) -> int:
        """What the independent reader says."""
        environment = {**os.environ, DSN: database.dsn}
        print("autogate fleet verify", flush=True)
        return subprocess.run([sys.executable, "-m", "gate", *self._verifying()], env=environment, check=False).returncode

    def _verifying(self) -> list[str]:
        people = [word for signer in self._keys.signers for word in ("--person", signer)]
        return ["fleet", "verify", "--keys", str(self._folder / "authority" / "keys.json"), *people]


def _proofs(own: Path) -> list[object]:
    """By what somebody of the centre, whose keys lie in ``own``, proves itself to the broker, and signs."""
    tls = ["--ca", own / "authority.pem", "--certificate", own / CERTIFICATE, "--certificate-key", own / TLS_KEY]
    return [*tls, "--key", own / EVENT_KEY]


def _used(use: Use, seconds: float) -> str:
    return f"{use.processor_s:7.1f} s of processor ({100 * use.processor_s / seconds:5.1f} % of one), {use.memory / MIB:6.0f} MiB"


def as_toml(name: str, section: Section) -> str:
    """A configuration's ``[name]``; what is not said is left out."""
    told = msgspec.to_builtins(section, enc_hook=str)
    lines = (f"{key} = {json.dumps(value)}" for key, value in told.items() if value is not None)
    return "\n".join([f"[{name}]", *lines, ""])


def _begin_anew(folder: Path) -> None:
    """An empty folder of ours. Raises OSError where there is something else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise OSError(f"{folder}: has something else in it: name another folder with --state, or remove it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
