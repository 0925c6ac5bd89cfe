"""A NATS server and a PostgreSQL of one's own in a folder: for demonstrations, tests and measurements on one machine.

Both listen on loopback alone, keep their ports over a restart, and are ended by their process ids. Whoever has servers already
needs none of this. PostgreSQL refuses to run as root: then it runs as the user ``postgres``.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from gate.fleet.messages import MOST_MESSAGE

HOST = "127.0.0.1"
USER = "autogate"
"""The superuser of a PostgreSQL made here, and the name of its first database."""
READY_S, STOP_S, LOOK_S = 20.0, 10.0, 0.02
POSTGRES_BIN = tuple(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
"""Where Debian keeps the programs of PostgreSQL, newest first; they are in no PATH."""
ENDING = ("setpriv", "--pdeathsig=INT")
"""What runs under it is told to end when the thread that started it has ended, killed with its process, say."""
AS_POSTGRES = (
    *("--reuid=postgres", "--regid=postgres", "--clear-groups"),
    *(
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    ),  # the folder may lie in one that only root enters, as a test's does
)


class EngineError(Exception):
    """A server is not installed, or does not start; says what its log says last."""


class Running(ABC):
    """A server that runs. It is this process's child: end it before that ends."""

    def __init__(self, command: list[str], log: Path, port: int) -> None:
        self._command, self._log, self.port = command, log, port
        self._process = self._started()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End it in good order. Does nothing where it has ended."""
        self._process.send_signal(self._stopping)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """As if the power failed for its process; what the system has of its files stays."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again on its files and its port; stopped before where it runs. Raises EngineError."""
        self.stop()
        self._process = self._started()

    @property
    def _stopping(self) -> signal.Signals:
        return signal.SIGTERM

    def _started(self) -> subprocess.Popen[bytes]:
        """Raises EngineError."""
        end = time.monotonic() + READY_S
        while True:
            with self._log.open("ab") as log:
                process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            while process.poll() is None and time.monotonic() < end:
                if self._is_ready():
                    return process
                time.sleep(LOOK_S)
            if not self._tries_again or time.monotonic() >= end:
                process.kill()
                process.wait()
                raise EngineError(f"{self._log.stem}: does not start: {_last_words(self._log)}")
            time.sleep(LOOK_S)

    _tries_again = False
    """Whether one that ends at once is started again."""

    @abstractmethod
    def _is_ready(self) -> bool: ...


class RunningNats(Running):
    def __init__(self, command: list[str], log: Path, port: int) -> None:
        super().__init__([*ENDING, *command], log, port)

    @property
    def url(self) -> str:
        """Without a name or a certificate: these are the client's."""
        return f"nats://{HOST}:{self.port}"

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), LOOK_S) as peer:
                return peer.recv(5) == b"INFO "  # told before TLS begins
        except OSError:
            return False


class RunningPostgres(Running):
    def __init__(self, command: list[str], log: Path, port: int, programs: Path, password: str) -> None:
        self._programs, self._password = programs, password
        super().__init__(command, log, port)

    @property
    def dsn(self) -> str:
        """Of its first database, as its superuser."""
        return self.dsn_of(USER)

    def dsn_of(self, database: str) -> str:
        return f"postgresql://{USER}:{self._password}@{HOST}:{self.port}/{database}"

    _tries_again = True
    """Children of a server that was killed hold its memory for a moment, and the next one does not start beside them."""

    @property
    def _stopping(self) -> signal.Signals:
        return signal.SIGINT  # "fast": sessions are ended, not waited for

    def _is_ready(self) -> bool:
        asked = [str(self._programs / "pg_isready"), "-q", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0


R = TypeVar("R", bound=Running)


class Engines:
    """Starts servers, and ends at the end of its ``with`` those that still run."""

    def __init__(self) -> None:
        self._running: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End all, newest first."""
        while self._running:
            self._running.pop().stop()

    def nats(self, folder: Path, *, port: int = 0, config: Path | None = None) -> RunningNats:
        """A NATS server with JetStream in ``folder``. Raises EngineError.

        ``config``: its configuration (users, TLS), else one that lets everybody on this machine in. Port, folder and address are ours
        in either case. ``port`` 0: a free one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        program, port = _program("nats-server"), port or free_port()
        if config is None:
            config = folder / "nats.conf"
            config.write_text(f"max_payload: {MOST_MESSAGE}\n", encoding="utf-8")
        command = [program, "-c", str(config), "-a", HOST, "-p", str(port), "-js", "-sd", str(folder / "jetstream")]
        return self._kept(RunningNats(command, folder / "nats.log", port))

    def postgres(self, folder: Path) -> RunningPostgres:
        """A PostgreSQL with its cluster in ``folder``, made where there is none. Raises EngineError.

        It syncs to the disk as in operation (``fsync`` and ``synchronous_commit`` stay on).
        """
        folder.mkdir(parents=True, exist_ok=True)
        programs, password = _postgres_programs(), _password(folder / "password")
        port, data, became = free_port(), folder / "data", _as_postgres()
        if not data.exists():
            _init(programs, folder, became)
        command = [*became, str(programs / "postgres"), "-D", str(data), "-p", str(port)]
        for setting in (f"listen_addresses={HOST}", "unix_socket_directories=", "timezone=UTC"):
            command += ["-c", setting]
        return self._kept(RunningPostgres(command, folder / "postgres.log", port, programs, password))

    def _kept(self, running: R) -> R:
        self._running.append(running)
        return running


def missing() -> str:
    """What an :class:`Engines` lacks on this machine; empty: nothing."""
    try:
        _program("nats-server")
        _postgres_programs()
        _as_postgres()
    except EngineError as error:
        return str(error)
    return ""


def free_port() -> int:
    """One that nobody on loopback has now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise EngineError(f"{name} is not installed")
    return found


def _postgres_programs() -> Path:
    for folder in POSTGRES_BIN:
        if (folder / "initdb").exists():
            return folder
    return Path(_program("initdb")).parent


def _as_postgres() -> list[str]:
    _program(ENDING[0])
    return [*ENDING, *(AS_POSTGRES if os.geteuid() == 0 else ())]


def _password(file: Path) -> str:
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as made:
            made.write(secrets.token_hex(16))
    return file.read_text(encoding="ascii")


def _init(programs: Path, folder: Path, became: list[str]) -> None:
    """Make the cluster, and in it the first database. As another user the server makes everything but the folder itself."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    if became:
        shutil.chown(data, "postgres", "postgres")
    settings = ["-D", str(data), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(
        [*became, str(programs / "initdb"), *settings, f"--pwfile={folder / 'password'}"], capture_output=True, check=False
    )
    if made.returncode == 0:
        single = [*became, str(programs / "postgres"), "--single", "-D", str(data), "postgres"]
        made = subprocess.run(single, input=f"create database {USER}\n".encode(), capture_output=True, check=False)
    if made.returncode:
        shutil.rmtree(data)
        raise EngineError(f"initdb: {made.stderr.decode(errors='replace')[-500:]}")


def _last_words(log: Path) -> str:
    return repr(log.read_text(errors="replace")[-500:])
