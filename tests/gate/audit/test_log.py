"""The audit log: durable, chained, unreadable as a list of people."""

from __future__ import annotations

import asyncio
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gate.audit.command import verify_command
from gate.audit.log import (
    FILE_NAME,
    KEY_FILE,
    AuditError,
    AuditLog,
    AuditWriter,
    Head,
    decode,
    encode,
    gate_key,
    open_readonly,
)
from gate.decision import Outcome, PolicyDecision
from gate.evidence import Direction, Evidence, Fact, Stage
from gate.records import DecisionRecord, StageTiming, TransactionRecord
from gate.registries.base import Found
from gate.registries.issuance import IssuanceRecord, IssuanceReply, issuance_fact

KEY = b"k" * 32
AT = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def decision_record(transaction: str = "t-1") -> DecisionRecord:
    evidence = Evidence(
        transaction=transaction,
        lane="L1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        civil_date=date(2026, 3, 2),
        facts={"mrz": Fact(value="read"), "chip": Fact(value="read", score=0.25)},
    )
    decision = PolicyDecision(
        stage=Stage.ENTRY,
        outcome=Outcome.COUNTER,
        reasons=("NO_TRUST_ANCHOR",),
        grant=None,
        rules=("DOC-007",),
        tolerances=(),
        unmet=("passive_authentication=no_trust_anchor",),
        rules_version="draft@00",
    )
    return DecisionRecord(at=AT, evidence=evidence, decision=decision)


def transaction_record(transaction: str = "t-1") -> TransactionRecord:
    return TransactionRecord(
        transaction=transaction,
        lane="L1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        started=AT,
        ended=AT,
        document_class="ordinary",
        document_key="00ff",
        outcome=Outcome.COUNTER,
        reasons=("NO_TRUST_ANCHOR",),
        stages=(StageTiming(name="mrz", start_ms=0.0, duration_ms=1.5, result="read"),),
        decisions=(decision_record(transaction),),
        backends={"chip": "virtual"},
        demonstration=True,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def filled(path: Path) -> Path:
    """A log with four records."""
    log = AuditLog(path, KEY)
    log.append("decision", "t-1", decision_record(), AT, 1.5)
    log.append("permit", "t-1", decision_record(), AT, 2.5)
    log.append("transaction", "t-1", transaction_record(), AT, 3.5)
    log.append("event", "", b'{"what":"controller lost"}', AT, 4.5)
    log.close()
    return path


def findings(path: Path, anchor: Head | None = None) -> list[str]:
    with open_readonly(path, KEY) as log:
        return [f"{finding.seq}: {finding.what}" for finding in log.verify(anchor)]


def tamper(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    with sqlite3.connect(path) as connection:
        for statement, values in statements:
            connection.execute(statement, values)
    connection.close()


# --- writing and reading ---------------------------------------------------------------------------------------------------------


def test_what_was_appended_is_read_back_by_another_connection(filled: Path) -> None:
    with open_readonly(filled, KEY) as log:
        assert [(record.seq, record.kind, record.boot) for record in log.records()] == [
            (1, "decision", 1.5),
            (2, "permit", 2.5),
            (3, "transaction", 3.5),
            (4, "event", 4.5),
        ]
        assert list(log.transactions()) == [transaction_record()]
        [permit] = log.records("permit")
        assert decode(permit, DecisionRecord) == decision_record()
        assert log.head().seq == 4
        assert log.verify(log.head()) == []


def test_the_chain_goes_on_after_a_restart(filled: Path) -> None:
    log = AuditLog(filled, KEY)
    assert log.append("event", "", b"{}", AT, 0.0) == 5
    log.close()
    assert findings(filled) == []


def test_a_reader_sees_records_while_the_writer_is_open(path: Path) -> None:
    log = AuditLog(path, KEY)
    with open_readonly(path) as reader:
        log.append("event", "", b"{}", AT, 0.0)
        assert [record.seq for record in reader.records()] == [1]
    log.close()


def test_bodies_are_canonical(path: Path) -> None:
    one = decision_record()
    swapped = msgspec.structs.replace(
        one, evidence=msgspec.structs.replace(one.evidence, facts=dict(reversed(one.evidence.facts.items())))
    )
    assert encode(one) == encode(swapped)


def test_the_file_is_durable_wal_and_for_its_user_alone(path: Path) -> None:
    log = AuditLog(path, KEY)
    assert log._connection.execute("PRAGMA journal_mode").fetchone()[0] == b"wal"
    assert log._connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert path.stat().st_mode & 0o777 == 0o600
    log.close()


async def test_the_writer_keeps_the_order_and_its_records_outlive_it(path: Path) -> None:
    writer = AuditWriter(AuditLog(path, KEY))
    numbers = await asyncio.gather(*(writer.append("event", f"t-{n}", b"{}", AT, float(n)) for n in range(20)))
    writer.close()
    assert numbers == list(range(1, 21))
    assert findings(path) == []


# --- refusals --------------------------------------------------------------------------------------------------------------------------


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(AuditError) as error:
        action()
    return str(error.value)


def test_a_second_writer_is_refused_until_the_first_is_gone(path: Path) -> None:
    log = AuditLog(path, KEY)
    assert "another process writes" in refused(lambda: AuditLog(path, KEY))
    log.close()
    AuditLog(path, KEY).close()


def test_another_key_is_refused(filled: Path) -> None:
    assert "the key is another" in refused(lambda: AuditLog(filled, b"x" * 32))
    assert "at least 32" in refused(lambda: AuditLog(filled, b"short"))


def test_a_foreign_database_is_refused_and_left_as_it_was(path: Path) -> None:
    tamper(path, ("CREATE TABLE person (name TEXT)", ()))
    before = path.read_bytes()
    assert "not an audit log" in refused(lambda: AuditLog(path, KEY))
    assert path.read_bytes() == before


def test_a_log_with_an_extra_trigger_is_refused(filled: Path) -> None:
    tamper(filled, ("CREATE TRIGGER eat AFTER INSERT ON record BEGIN DELETE FROM record WHERE seq = new.seq; END", ()))
    assert "not an audit log" in refused(lambda: AuditLog(filled, KEY))


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look like one" * 40, b"\x00" * 4096])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert FILE_NAME in refused(lambda: AuditLog(path, KEY))


def test_an_absent_folder_or_log_is_one_line(tmp_path: Path) -> None:
    assert "\n" not in refused(lambda: AuditLog(tmp_path / "nowhere" / FILE_NAME, KEY))
    assert "there is no audit log" in refused(lambda: open_readonly(tmp_path / FILE_NAME))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "rumour"},
        {"at": AT.replace(tzinfo=None)},
        {"body": b"x" * (1 << 21)},
        {"transaction": "\ud800"},
        {"boot": float("nan")},
    ],
)
def test_a_record_that_cannot_stand_is_refused_and_the_chain_goes_on(path: Path, wrong: dict[str, object]) -> None:
    log = AuditLog(path, KEY)
    good = {"kind": "event", "transaction": "t", "body": b"{}", "at": AT, "boot": 1.0}
    refused(lambda: log.append(**{**good, **wrong}))
    assert log.append(**good) == 1
    assert log.verify() == []
    log.close()


FULL_DISK = """
import resource, sys
from datetime import datetime, UTC
from pathlib import Path
from gate.audit.log import AuditError, AuditLog
log = AuditLog(Path(sys.argv[1]), b"k" * 32)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
kept = 0
try:
    for number in range(10_000):
        log.append("event", "t", b'"' + b"x" * 3000 + b'"', datetime.now(UTC), 1.0)
        kept += 1
except AuditError as error:
    print(kept, "not recorded" in str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(log.append("event", "t", b'"space again"', datetime.now(UTC), 2.0) == kept + 1)
log.close()
"""


def test_a_full_disk_is_an_error_and_loses_nothing_that_was_promised(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], check=True, capture_output=True, text=True, timeout=30)
    kept, told, went_on = done.stdout.split()
    assert (told, went_on) == ("True", "True")
    with open_readonly(path, KEY) as log:
        assert log.head().seq == int(kept) + 1 > 10
        assert log.verify() == []


# --- tampering ----------------------------------------------------------------------------------------------------------------------------


def flips(value: object) -> Iterator[object]:
    """``value`` with each of its bytes changed, one at a time."""
    match value:
        case int():
            yield from (value ^ (16 << (8 * byte)) for byte in range(4))
        case float():
            packed = struct.pack(">d", value)
            yield from (struct.unpack(">d", packed[:n] + bytes([packed[n] ^ 1]) + packed[n + 1 :])[0] for n in range(8))
        case bytes():
            yield from (value[:n] + bytes([value[n] ^ 1]) + value[n + 1 :] for n in range(len(value)))


TEXT_COLUMNS = {"at", "transaction_id", "kind", "created"}


@pytest.mark.parametrize("seq", [1, 2, 3, 4])
@pytest.mark.parametrize("column", ["seq", "at", "boot", "transaction_id", "kind", "body", "previous", "hash"])
def test_every_changed_byte_of_every_column_is_found(filled: Path, column: str, seq: int) -> None:
    each_changed_byte_is_found(filled, "record", column, f"WHERE seq = {seq}")


@pytest.mark.parametrize("column", ["format", "created", "nonce", "hash"])
def test_every_changed_byte_of_the_meta_row_is_found(filled: Path, column: str) -> None:
    each_changed_byte_is_found(filled, "meta", column, "")


def each_changed_byte_is_found(path: Path, table: str, column: str, where: str) -> None:
    """Within a transaction that is rolled back each time; the reader shares the connection, so it sees the change."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.text_factory = bytes
    from gate.audit.chain import AuditReader

    reader = AuditReader(connection, path, KEY)
    assert reader.verify() == []
    [original] = connection.execute(f"SELECT {column} FROM {table} {where}").fetchone()
    place = "CAST(? AS TEXT)" if column in TEXT_COLUMNS else "?"
    tried = 0
    for changed in flips(original):
        connection.execute("BEGIN")
        connection.execute(f"UPDATE {table} SET {column} = {place} {where}", (changed,))
        assert reader.verify() != [], (column, changed)
        connection.execute("ROLLBACK")
        tried += 1
    assert tried > 0 or original == b""
    connection.close()


def test_a_byte_moved_from_one_column_to_the_next_is_found(filled: Path) -> None:
    tamper(filled, ("UPDATE record SET transaction_id = 't-', kind = '1decision' WHERE seq = 1", ()))
    assert findings(filled) == ["1: a column was changed"]


def test_a_deleted_record_is_found_where_it_was(filled: Path) -> None:
    tamper(filled, ("DELETE FROM record WHERE seq = 2", ()))
    assert any(finding.startswith("3: a gap") for finding in findings(filled))


def test_closing_the_gap_by_renumbering_is_found(filled: Path) -> None:
    tamper(filled, ("DELETE FROM record WHERE seq = 2", ()), ("UPDATE record SET seq = seq - 1 WHERE seq > 2", ()))
    assert findings(filled) != []


def test_reordered_records_are_found(filled: Path) -> None:
    tamper(
        filled,
        ("UPDATE record SET seq = 99 WHERE seq = 2", ()),
        ("UPDATE record SET seq = 2 WHERE seq = 3", ()),
        ("UPDATE record SET seq = 3 WHERE seq = 99", ()),
    )
    assert findings(filled) != []


def test_an_inserted_copy_is_found(filled: Path) -> None:
    tamper(
        filled,
        ("INSERT INTO record SELECT 5, at, boot, transaction_id, kind, body, previous, hash FROM record WHERE seq = 4", ()),
    )
    assert findings(filled) != []


def test_a_tail_that_was_cut_off_is_found_against_a_remembered_head(filled: Path) -> None:
    with open_readonly(filled) as log:
        remembered = log.head()
    tamper(filled, ("DELETE FROM record WHERE seq = 4", ()))
    assert findings(filled) == []  # the chain alone cannot know
    assert findings(filled, remembered) == ["4: the remembered head is not in the chain: records were cut off or replaced"]


def test_a_log_emptied_to_nothing_is_found_against_a_remembered_head(filled: Path) -> None:
    with open_readonly(filled) as log:
        remembered = log.head()
    tamper(filled, ("DELETE FROM record", ()))
    assert findings(filled, remembered) != []


def test_an_older_head_stays_part_of_the_chain(path: Path) -> None:
    log = AuditLog(path, KEY)
    heads = [log.head()]
    for _ in range(3):
        log.append("event", "", b"{}", AT, 0.0)
        heads.append(log.head())
    assert [log.verify(head) for head in heads] == [[]] * 4
    log.close()


def test_records_of_another_log_of_the_same_gate_are_found(filled: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite3"
    AuditLog(other, KEY).close()
    with sqlite3.connect(filled) as source, sqlite3.connect(other) as target:
        target.executemany("INSERT INTO record VALUES (?,?,?,?,?,?,?,?)", source.execute("SELECT * FROM record").fetchall())
    source.close()
    target.close()
    assert findings(other) != []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 20_000), junk=st.binary(min_size=1, max_size=64))
def test_a_damaged_file_gives_findings_or_the_rooms_error(filled: Path, at: int, junk: bytes) -> None:
    whole = filled.read_bytes()
    try:
        filled.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
        with open_readonly(filled, KEY) as log:
            log.verify()
            list(log.records())
            list(log.transactions())
    except AuditError:
        pass
    finally:
        filled.write_bytes(whole)


# --- command, people ------------------------------------------------------------------------------------------------------------------------


def test_the_command_tells_findings_by_its_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_command(tmp_path) == 2
    (tmp_path / KEY_FILE).write_text("ab" * 32 + "\n", encoding="ascii")
    log = AuditLog(tmp_path / FILE_NAME, b"ab" * 32)
    log.append("event", "", b"{}", AT, 0.0)
    log.close()
    assert verify_command(tmp_path) == 0
    tamper(tmp_path / FILE_NAME, ("UPDATE record SET boot = 9", ()))
    assert verify_command(tmp_path) == 1
    assert "record 1: a column was changed" in capsys.readouterr().out


def field_names(schema: object) -> Iterator[str]:
    """Names of all properties at any depth of a JSON schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from field_names(part)


def test_no_record_type_has_room_for_a_person() -> None:
    names = set(field_names(msgspec.json.schema(TransactionRecord)))
    assert {"facts", "decisions", "document_key"} <= names
    for personal in (
        "identifier",
        "surname",
        "birth",
        "number",
        "portrait",
        "image",
        "features",
        "photo",
        "line",
        "sex",
        "nationality",
    ):
        assert not [name for name in names if personal in name]


def test_what_the_registries_say_of_a_person_does_not_reach_the_file(path: Path) -> None:
    """A registry may say more than it was asked; only its word is kept. The search is shown to work on a planted mark."""
    mark = "MARKERSSON"
    record = IssuanceRecord(status="active", document_class="service", office=mark)
    reply = IssuanceReply(answer="found", record=record)
    answer = Found(source="issuance", as_of=AT, latency_ms=1.0, freshness_s=0.0, reply=reply)
    decided = decision_record()
    evidence = decided.evidence.with_facts(issuance=issuance_fact(answer, "service"))
    log = AuditLog(path, KEY)
    log.append("decision", "t-1", msgspec.structs.replace(decided, evidence=evidence), AT, 1.0)
    assert mark.encode() not in everything(path)
    log.append("event", "", b'"' + mark.encode() + b'"', AT, 1.0)
    assert mark.encode() in everything(path)
    log.close()


def everything(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


def test_a_key_file_that_is_no_text_is_said_in_one_line(tmp_path):
    (tmp_path / KEY_FILE).write_bytes(b"\xff\xfe" * 32)
    with pytest.raises(OSError, match="not a key"):
        gate_key(tmp_path / KEY_FILE)
    assert verify_command(tmp_path) == 2
