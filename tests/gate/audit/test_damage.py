"""A database whose pages were cut off or overwritten: read as far as it can be, and what is lost is told by its numbers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gate.audit.command import opened, verify_command
from gate.audit.log import AuditError, AuditLog, open_readonly
from gate.audit.verify import Evidence, Verdict, verify_log

KEY = b"k" * 32
PAGE = 4096


@pytest.fixture(scope="module")
def whole(gate_in, tmp_path_factory):
    """A signed log of some sixty pages."""
    gate = gate_in(tmp_path_factory.mktemp("whole"))
    gate.write(1)
    with closing(sqlite3.connect(gate.log)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    gate.write(150, b'"' + b"x" * 1400 + b'"')
    gate.look()
    with closing(sqlite3.connect(gate.log)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert gate.log.stat().st_size > 50 * PAGE
    return gate


@pytest.fixture
def gate(whole, tmp_path):
    return whole.copied(tmp_path / "state")


def judged(gate) -> Verdict:
    with opened(gate.folder, KEY) as (log, tree):
        return verify_log(log, tree, Evidence(gate=gate.key, witness=gate.witness_key, ledger=gate.seen))


def overwrite(gate, page: int, content: bytes = b"\xa5" * PAGE) -> None:
    with gate.log.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(content)


def readable(gate) -> set[int]:
    """The records that SQLite still gives, each by itself."""
    found = set()
    with open_readonly(gate.log) as log:
        for seq in range(1, 152):
            try:
                found |= {seq} if log.row(seq) else set()
            except AuditError:
                continue
    return found


def numbers(runs) -> set[int]:
    return {seq for first, last in runs for seq in range(first, last + 1)}


def test_an_overwritten_page_loses_its_records_and_no_others(gate):
    overwrite(gate, 20)
    verdict = judged(gate)
    lost = numbers(verdict.lost)
    assert lost == set(range(1, 152)) - readable(gate)
    assert 0 < len(lost) < 10
    # What remains is still held against what was signed: nothing is said but what is lost.
    assert len(verdict.findings) == len(verdict.lost)
    assert all("cannot be read" in finding.what for finding in verdict.findings)
    assert verdict.head.seq == 151


def test_a_change_beside_the_damage_is_found(gate):
    with closing(sqlite3.connect(gate.log)) as db:
        db.execute("UPDATE record SET body = x'7b7d' WHERE seq = 140")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(gate, 20)
    found = [finding.what for finding in judged(gate).findings if finding.seq == 140]
    assert "it is not the record that went into the tree" in found


@pytest.mark.parametrize("pages", [5, 30, 50])
def test_a_file_that_was_cut_off_tells_what_is_lost(gate, pages):
    with gate.log.open("r+b") as file:
        file.truncate(pages * PAGE)
    try:
        verdict = judged(gate)
    except AuditError:
        assert verify_command(gate.folder) == 2
        return
    there = readable(gate)
    assert numbers(verdict.lost) == set(range(1, 152)) - there
    assert verdict.findings


def test_a_tail_that_cannot_be_read_is_told_without_checkpoints_too(gate):
    """Nothing knows then how many records there were."""
    for page in range(50, gate.log.stat().st_size // PAGE):
        overwrite(gate, page)
    with open_readonly(gate.log, KEY) as log:
        verdict = verify_log(log, None, Evidence())
    (run,) = verdict.lost
    assert run[0] == max(readable(gate)) + 1
    assert "cannot be read" in verdict.findings[-1].what


def test_a_first_page_that_is_gone_tells_how_many_records_there_were(gate, capsys):
    overwrite(gate, 0)
    (gate.folder / "gate.key").write_text("k" * 32)
    assert verify_command(gate.folder) == 2
    assert "knows of 151 records" in capsys.readouterr().err


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(page=st.integers(0, 60), junk=st.binary(min_size=1, max_size=64), at=st.integers(0, PAGE - 64))
def test_any_damage_is_a_verdict_or_the_rooms_error(whole, page, junk, at):
    original = whole.log.read_bytes()
    try:
        overwrite(whole, page, original[page * PAGE : (page + 1) * PAGE][:at] + junk)
        changed = whole.log.read_bytes() != original
        verdict = judged(whole)
        assert changed or verdict.findings == ()
    except AuditError:
        pass
    finally:
        whole.log.write_bytes(original)


def test_a_writer_on_a_damaged_file_says_so_and_promises_nothing(gate):
    """The last page of the table is what an append must change: a lane whose log does not take a permit refers the traveller."""
    with closing(sqlite3.connect(gate.log)) as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    for page in range(2, pages):
        overwrite(gate, page)
    with pytest.raises(AuditError, match="a damaged log is evidence: `autogate audit verify` tells what is lost; move it"):
        append(gate)


@pytest.mark.parametrize("spoil", [lambda log: overwrite_all(log, b"no database"), lambda log: log.unlink() or log.mkdir()])
def test_a_log_that_cannot_be_opened_names_what_is_wrong_and_a_remedy_that_fits(gate, spoil):
    spoil(gate.log)
    with pytest.raises(AuditError) as refused:
        AuditLog(gate.log, KEY)
    damaged = gate.log.is_file()
    assert str(gate.log) in str(refused.value)
    assert ("move it" in str(refused.value)) is damaged


def overwrite_all(log: Path, content: bytes) -> None:
    for beside in log.parent.glob(f"{log.name}-*"):
        beside.unlink()
    log.write_bytes(content * PAGE)


def append(gate) -> None:
    log = AuditLog(gate.log, KEY)
    try:
        log.append("permit", "t", b"{}", datetime.now(UTC), 1.0)
    finally:
        log.close()
