"""The demonstration's own records: each decision replays, each changed byte is found, the report is made from them."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from gate.audit import FILE_NAME, KEY_FILE, open_readonly, verify_command
from gate.replay import replay, replay_command, rule_sets
from gate.report import report_command

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

COLUMNS = ("seq", "at", "boot", "transaction_id", "kind", "body", "previous", "hash")


def test_every_decision_replays_to_the_same(default_run, capsys):
    with open_readonly(default_run.state / FILE_NAME) as log:
        results = replay(log, rule_sets(default_run.state))
    assert len(results) >= 20
    assert all(result.same for result in results)
    assert replay_command(default_run.state, []) == 0
    one = default_run.result["transactions"][0]["transaction"]
    assert replay_command(default_run.state, [one]) == 0
    assert "2 of 2 decisions replay to the same" in capsys.readouterr().out


def test_the_untouched_log_verifies(default_run):
    assert verify_command(default_run.state) == 0


def test_a_flipped_byte_of_any_column_is_found(default_run, tmp_path):
    """Every byte of every column of the first permit, and of every column but the long body of all records."""
    path = tmp_path / FILE_NAME
    shutil.copy(default_run.state / FILE_NAME, path)
    key = (default_run.state / KEY_FILE).read_text(encoding="ascii").strip().encode()
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.text_factory = bytes
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM record ORDER BY seq").fetchall()
        missed = [
            (row[0], column, position)
            for row in rows
            for column, value in zip(COLUMNS, row, strict=True)
            for position in positions(column, value, thorough=row is rows[0])
            if not found_when_flipped(connection, path, key, row[0], column, value, position)
        ]
    connection.close()
    assert missed == []


def positions(column: str, value: object, *, thorough: bool) -> range:
    """Which bytes of a value to flip."""
    if not isinstance(value, bytes):
        return range(1)
    return range(0, len(value), 1 if thorough or column != "body" else max(1, len(value) // 8))


def found_when_flipped(connection, path: Path, key: bytes, seq: int, column: str, value, position: int) -> bool:
    """Change one byte, verify, put it back."""
    changed: object
    if isinstance(value, bytes):
        changed = value[:position] + bytes([value[position] ^ 0x01]) + value[position + 1 :]
        if column in {"at", "transaction_id", "kind"}:
            changed = changed.decode("latin-1")
    else:
        changed = value + 1000
    back = value.decode() if isinstance(value, bytes) and column in {"at", "transaction_id", "kind"} else value
    connection.execute(f"UPDATE record SET {column} = ? WHERE seq = ?", (changed, seq))
    with open_readonly(path, key) as log:
        found = bool(log.verify())
    number = changed if column == "seq" else seq
    connection.execute(f"UPDATE record SET {column} = ? WHERE seq = ?", (back, number))
    return found


def test_a_report_is_made_from_the_records(default_run, tmp_path):
    out = tmp_path / "report.html"
    assert report_command(default_run.state, out) == 0
    page = out.read_text(encoding="utf-8")
    for words in ("DEMONSTRATION", "EXIT_PERMIT_MISSING", "12 counted, 0 left out", "chip.DG2", "not for operation"):
        assert words in page, words
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
