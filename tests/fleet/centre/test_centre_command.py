"""The centre's commands say what they found by their status, and what they cannot do in a line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.__main__ import main
from gate.audit.keys import make_key
from gate.fleet.engines import RunningNats


def test_which_database_must_be_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("AUTOGATE_DSN", raising=False)
    assert main(["fleet", "verify"]) == 2
    assert "AUTOGATE_DSN" in capsys.readouterr().err


def test_a_database_that_is_away_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", "alerts", "--dsn", "postgresql://nobody@127.0.0.1:1/none"]) == 2
    assert capsys.readouterr().err.startswith("autogate: the database: ")


def test_a_collector_without_its_database_is_one_to_start_again(tmp_path: Path) -> None:
    """The service manager does so for any status but 2: PostgreSQL may be up a moment later."""
    files = ["--key", str(tmp_path / "key"), "--keys", str(tmp_path / "keys.json")]
    away = ["--dsn", "postgresql://nobody@127.0.0.1:1/none"]
    assert main(["collect", *away, *files]) == 75
    assert main(["collect", *away, "--migrate-only"]) == 75
    assert main(["collect", *away]) == 2


def test_a_database_is_made_examined_and_asked(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOGATE_DSN", database)
    assert main(["collect"]) == 2
    assert main(["collect", "--migrate-only"]) == 0
    assert main(["fleet", "verify"]) == 0
    assert "gates 0, events 0, gaps 0, forks 0" in capsys.readouterr().out
    assert main(["fleet", "alerts"]) == 0
    with psycopg.connect(database) as connection:
        connection.execute("insert into alert (kind, gate, detail) values ('gap', 'CGK.D07', 'record 3 is missing')")
        connection.execute("insert into gate_log (gate, log, start, hash, through) values ('CGK.D07', 'ab', '', '', 3)")
    assert main(["fleet", "alerts", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["gate"], told["closed"]) == ("gap", "CGK.D07", None)
    assert main(["fleet", "alerts", "--settle", str(told["id"])]) == 0
    assert main(["fleet", "alerts", "--settle", str(told["id"])]) == 2
    assert main(["fleet", "verify", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["gaps"] == 1
    assert main(["fleet", "retain"]) == 2
    assert main(["fleet", "retain", "--days", "30", "--do"]) == 0
    assert main(["fleet", "verify"]) == 1  # a log with a hole is left as it is
    assert main(["fleet", "destroy"]) == 2


@pytest.mark.parametrize("broker", ["there", "away"])
def test_a_collector_runs_until_it_is_told_to_end(centre: str, own_nats: RunningNats, tmp_path: Path, broker: str) -> None:
    make_key(tmp_path / "collector.key")
    (tmp_path / "keys.json").write_bytes(_directory())
    if broker == "away":
        own_nats.stop()
    command = [sys.executable, "-m", "gate", "collect", "--nats", own_nats.url]
    command += ["--key", str(tmp_path / "collector.key"), "--keys", str(tmp_path / "keys.json")]
    with subprocess.Popen(command, env={**os.environ, "AUTOGATE_DSN": centre}, stdout=-1, stderr=-2, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("no --person: ")
            assert process.stdout.readline().startswith("collecting from" if broker == "there" else "broker: ")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert ("0 records" in process.stdout.read()) == (broker == "there")
        finally:
            process.kill()


def _directory() -> Any:
    from datetime import UTC, datetime, timedelta

    from gate.fleet.keys.directory import Directory, Entry, encoded

    now, public = datetime.now(UTC), Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    entry = Entry(purpose="gate", name="CGK.D07", public=public, since=now, until=now + timedelta(days=1))
    return encoded(Directory(sequence=1, entries=(entry,)))
