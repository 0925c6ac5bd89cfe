"""The real gate writes what it found out about travellers where only a key can read it, and does without the one who seals."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime

import pytest

from gate.audit.fields import parts_of
from gate.audit.keyring import FILE_NAME as KEYS
from gate.audit.keyring import Cause, Keyring
from gate.audit.log import decode
from gate.records import KeysDestroyed, TransactionRecord
from gate.replay import recorded_decisions, replay, rule_sets, unreadable

pytestmark = pytest.mark.processes
SIGNS = re.compile(
    rb'"(nationality|passive_authentication|citizen|value|score|document_key":"[0-9a-f]|issuing_office)"|FACE_NO_MATCH|sop_version'
)
"""Of evidence, scores and books, as records hold them."""


def in_files(gate) -> set[bytes]:
    """What of it any file of the state folder shows; the log's write-ahead log is one of them."""
    files = [
        path.read_bytes() for path in gate.stage.state.rglob("*") if path.is_file() and not {"packs", "rules"} & set(path.parts)
    ]
    return {found.group() for file in files for found in SIGNS.finditer(file)}


def sealed_of(gate, transaction: str) -> dict[int, str]:
    """Numbers of the keys of a transaction's parts, and of which kind of field they are."""
    with gate.log() as log:
        rows = [row for row in log.rows(0, 10_000) if row[3] == transaction.encode()]
    return {part.key: kind for row in rows for kind, part in parts_of(row[5]).items() if part}


def test_nothing_that_was_found_out_about_a_traveller_lies_open_on_the_disk_until_its_keys_are_gone_for_good(gate_now):
    record = gate_now.passes()
    refused = gate_now.send("ordinary", face="service").result(30)
    assert in_files(gate_now) == set()
    with gate_now.log() as log:  # the control: with its key all of it can be read
        assert {each.transaction for each in log.transactions()} >= {record.transaction, refused.transaction}
        assert {each.evidence.transaction for each in recorded_decisions(log)} >= {record.transaction, refused.transaction}
        assert not unreadable(log)
        text = b"".join(each.body for each in log.records())
    assert len({found.group() for found in SIGNS.finditer(text)}) > 5

    keys = sealed_of(gate_now, record.transaction)
    assert set(keys.values()) == {"scores", "findings", "document"}
    with Keyring(gate_now.stage.state / KEYS, None, "change") as ring:
        assert ring.destroy(keys, Cause(why="asked for", at=datetime.now(UTC))) == len(keys)
    with gate_now.log() as log:
        assert unreadable(log) == {record.transaction: 2}
        assert all(result.same for result in replay(log, rule_sets(gate_now.stage.state)))
        assert log.verify() == []

    def destroyed() -> set[str]:
        with gate_now.log() as log:
            told = [decode(each, KeysDestroyed) for each in log.records("event") if b"field_kind" in each.body]
        return {each.field_kind for each in told if each.why == "asked for"}

    gate_now.until(lambda: destroyed() == {"scores", "findings", "document"}, "the destruction stands in the log")


def test_while_nobody_seals_no_exit_opens_and_no_field_is_written_in_the_clear(gate_now):
    before = gate_now.plant()
    walk = gate_now.into_capture()
    former = gate_now.signal("audit", signal.SIGSTOP)
    gate_now.turn_to_camera()
    record = walk.result(30)
    gate_now.signal("audit")
    gate_now.started_again("audit", former)
    assert record.outcome != "OPEN"
    assert (gate_now.plant()["left"], gate_now.plant()["inside"]) == (before["left"], 0)
    assert gate_now.no_exit_permit_for(record.transaction)
    assert in_files(gate_now) == set()
    with gate_now.log() as log:
        (kept,) = [each for each in log.records("transaction") if each.transaction == record.transaction]
        assert {"findings", "document"} <= set(kept.gone)
        assert decode(kept, TransactionRecord).outcome == record.outcome
    gate_now.passes()
