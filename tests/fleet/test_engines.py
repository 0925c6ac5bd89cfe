"""The servers of a demonstration start, keep what they hold over a restart and a kill, and end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from gate.fleet.engines import EngineError, Engines, RunningNats, RunningPostgres

nats = pytest.importorskip("nats")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_broker_keeps_what_it_holds_over_a_kill_and_takes_the_longest_message(own_nats: RunningNats) -> None:
    client = await nats.connect(own_nats.url)
    await client.jetstream().add_stream(name="S", subjects=["s"])
    await client.jetstream().publish("s", b"x" * ((1 << 20) + (1 << 16)))
    await client.close()
    before = own_nats.pid
    own_nats.kill()
    assert is_gone(before)
    own_nats.restart()
    client = await nats.connect(own_nats.url)
    assert (await client.jetstream().stream_info("S")).state.messages == 1
    await client.close()


def test_a_database_keeps_what_was_committed_over_a_kill(postgres: RunningPostgres, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create table t as select 7 as n")
        assert connection.execute("show fsync").fetchone() == ("on",)
    postgres.kill()
    postgres.restart()
    with psycopg.connect(database) as connection:
        assert connection.execute("select n from t").fetchone() == (7,)


def test_a_database_lets_nobody_in_without_its_password(postgres: RunningPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.dsn.replace(postgres.dsn.split(":")[2].split("@")[0], "wrong"))


def test_servers_end_with_their_with(engines: Engines, tmp_path: Path) -> None:
    with Engines() as mine:
        pid = mine.nats(tmp_path).pid
    assert is_gone(pid)


def test_a_server_that_does_not_start_says_why(tmp_path: Path, engines: Engines) -> None:
    config = tmp_path / "bad.conf"
    config.write_text("jetstream: {\n")
    with pytest.raises(EngineError, match="nats-server"):
        Engines().nats(tmp_path / "n", config=config)


STARTER = """
import sys
from pathlib import Path
from gate.fleet.engines import Engines
engines, folder = Engines(), Path(sys.argv[1])
print(engines.nats(folder / "nats").pid, engines.postgres(folder / "postgres").pid, flush=True)
sys.stdin.read()
"""


def is_over(pid: int) -> bool:
    """Gone, or dead and still listed by a system where nobody asks after orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_servers_do_not_outlive_whoever_started_them(engines: Engines, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], stdin=-1, stdout=-1, text=True) as starter:
        assert starter.stdout is not None
        pids = [int(word) for word in starter.stdout.readline().split()]
        assert not any(map(is_over, pids))
        starter.kill()
    assert len(pids) == 2
    ends = time.monotonic() + 20
    while not all(map(is_over, pids)) and time.monotonic() < ends:
        time.sleep(0.02)
    assert all(map(is_over, pids))
