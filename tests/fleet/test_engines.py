"""The servers of a demonstration start, keep what they hold over a restart and a kill, and end."""

from __future__ import annotations

import os
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
