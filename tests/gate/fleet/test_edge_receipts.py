"""Receipts: what the centre signed moves the cursor and nothing else does; one that names another history is told of."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from edge_gate import GATE_SIGNER, START, STRANGER, Gate, directory_file, numbers
from hypothesis import given
from hypothesis import strategies as st

from gate.audit.command import audit_command
from gate.fleet.messages import REFUSALS
from gate.fleet.receipts import BACK_S, FORK, MOST_RECEIPT, OTHER_LOG
from gate.fleet.status import problem


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    gate = Gate(tmp_path_factory.mktemp("log"))
    gate.write(["event"] * 8)
    yield gate
    gate.close()


def test_a_receipt_moves_the_cursor_and_is_still_there_after_a_start(gate):
    gate.write(["event"] * 8)
    assert gate.outbox().received(gate.receipt(5))
    assert gate.outbox().through == 5
    assert gate.cursor.read_bytes() == gate.receipt(5)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (lambda gate: gate.receipt(5, by=STRANGER), "unknown_key"),
        (lambda gate: gate.receipt(5, by=GATE_SIGNER), "unknown_key"),
        (lambda gate: gate.receipt(5, gate="DPS.D07"), "other_gate"),
        (lambda gate: gate.receipt(5, log="0" * 16), OTHER_LOG),
        (lambda gate: gate.receipt(5, format=2), "other_format"),
        (lambda gate: gate.receipt(5, hash=b"\1" * 32), FORK),
        (lambda gate: gate.receipt(9), FORK),
        (lambda gate: gate.receipt(0, hash=b"\1" * 32), FORK),
        (lambda _: bytes(MOST_RECEIPT + 1), "oversized"),
        (lambda _: b"", "malformed"),
    ],
)
def test_what_no_collector_signed_for_this_log_is_counted_and_not_believed(gate, how, code):
    gate.write(["event"] * 8)
    outbox = gate.outbox()
    outbox.received(gate.receipt(3))
    assert not outbox.received(how(gate))
    assert (outbox.through, outbox.receipts.refused[code]) == (3, 1)
    assert gate.cursor.read_bytes() == gate.receipt(3)
    assert bool(outbox.receipts.fork) is (code == FORK)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_receipt_with_a_bent_byte_is_refused(eight, at, mask):
    outbox, raw = eight.outbox(), bytearray(eight.receipt(5))
    raw[at % len(raw)] ^= mask
    assert not outbox.received(bytes(raw))
    assert outbox.through == 0
    assert set(outbox.receipts.refused) <= set(REFUSALS)
    outbox.close()


@given(st.binary(max_size=300))
def test_any_bytes_are_no_receipt(eight, raw):
    outbox = eight.outbox()
    assert not outbox.received(raw)
    assert outbox.receipts.refused.total() == 1
    outbox.close()


def test_an_older_receipt_takes_nothing_back(gate):
    gate.write(["event"] * 8)
    outbox = gate.outbox()
    assert [outbox.received(gate.receipt(through)) for through in (6, 2, 6)] == [True, False, False]
    assert gate.outbox().through == 6


def test_a_centre_that_lost_what_it_had_acknowledged_gets_it_again(gate):
    """Its database was put back from yesterday's copy."""
    gate.write(["event"] * 8)
    outbox = gate.outbox()
    outbox.received(gate.receipt(8))
    assert not outbox.received(gate.receipt(3, at=(START + timedelta(seconds=BACK_S - 1)).isoformat())), "overtaken on its way"
    assert not outbox.received(gate.receipt(3, at="yesterday"))
    assert outbox.received(gate.receipt(3, at=(START + timedelta(days=1)).isoformat()))
    assert (outbox.through, outbox.receipts.lost) == (3, 5)
    assert numbers([outbox.rest()]) == [4, 5, 6, 7, 8]
    assert gate.outbox().through == 3
    assert "lost 5 records" in problem(outbox, now=START, why="", certificate_ends=None)
    outbox.received(gate.receipt(8, at=(START + timedelta(days=1)).isoformat()))
    assert (outbox.through, outbox.receipts.lost) == (8, 0)


def test_a_fork_is_told_until_the_centre_acknowledges_more_than_it(gate):
    gate.write(["event"] * 8)
    outbox = gate.outbox()
    outbox.received(gate.receipt(5, hash=b"\1" * 32))
    outbox.received(gate.receipt(4))
    assert "record 5" in outbox.receipts.fork
    assert not gate.cursor.exists(), "what is disputed is not kept"
    outbox.received(gate.receipt(8))
    assert outbox.receipts.fork == ""


def cut_back(gate, to: int) -> None:
    with closing(sqlite3.connect(gate.path)) as log:
        log.execute("DELETE FROM record WHERE seq > ?", (to,))
        log.commit()


def test_a_log_that_was_cut_back_and_written_anew_with_its_key_is_found_by_its_receipt(gate):
    gate.write(["event"] * 8)
    gate.outbox().received(gate.receipt(7))
    kept = gate.cursor.read_bytes()
    cut_back(gate, 4)
    gate.write(["event"] * 4)  # by whoever has the key: the chain is good
    outbox = gate.outbox()
    assert outbox.through == 0
    assert "record 7" in outbox.receipts.fork
    assert outbox.behind() is not None, "it goes again, and the centre finds the fork"
    outbox.received(gate.receipt(2))
    assert gate.cursor.read_bytes() == kept, "evidence stays"


@pytest.mark.parametrize("raw", [b"", b"x", bytes(MOST_RECEIPT + 1)])
def test_a_spoilt_cursor_costs_sending_again_and_is_told(gate, raw):
    gate.write(["event"] * 3)
    gate.cursor.write_bytes(raw)
    outbox = gate.outbox()
    assert outbox.through == 0
    assert outbox.receipts.problem
    assert outbox.received(gate.receipt(3))
    assert (outbox.receipts.problem, gate.outbox().through) == ("", 3)


def test_a_full_disk_costs_sending_again_and_is_told(gate, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    gate.write(["event"] * 3)
    outbox = gate.outbox()
    monkeypatch.setattr("gate.fleet.receipts.write_file", full)
    assert outbox.received(gate.receipt(3))
    assert outbox.through == 3
    assert "No space" in outbox.receipts.problem
    assert gate.outbox().through == 0


def verified(gate, *arguments: str) -> int:
    import argparse

    from gate.audit.command import add_arguments

    (gate.folder / "gate.key").write_text("k" * 32)
    parser = argparse.ArgumentParser()
    add_arguments(parser, gate.folder)
    return audit_command(parser.parse_args(["verify", "--state", str(gate.folder), *arguments]))


def test_the_examination_holds_the_log_against_receipts(gate, capsys):
    gate.write(["event"] * 8)
    gate.outbox().received(gate.receipt(7))
    anchored = ("--receipts", str(gate.cursor), "--keys", str(directory_file(gate.folder / "keys.json")))
    assert verified(gate, *anchored) == 0
    cut_back(gate, 4)
    assert verified(gate) == 0, "the chain alone does not find it"
    assert verified(gate, *anchored) == 1
    assert "record 7: the centre received a record here: the log ends before that" in capsys.readouterr().out
    gate.write(["event"] * 4)
    assert verified(gate, *anchored) == 1
    assert "record 7: the centre received another record" in capsys.readouterr().out


def test_the_examination_believes_no_receipt_of_somebody_else(gate, capsys):
    gate.write(["event"] * 8)
    keys = ("--keys", str(directory_file(gate.folder / "keys.json")))
    gate.cursor.write_bytes(gate.receipt(7, by=STRANGER))
    assert verified(gate, "--receipts", str(gate.cursor), *keys) == 2
    assert verified(gate, "--receipts", str(gate.cursor)) == 2
    assert "--keys" in capsys.readouterr().err
    gate.cursor.write_bytes(gate.receipt(7, log="0" * 16))
    assert verified(gate, "--receipts", str(gate.cursor), *keys) == 1
    assert "holds 7 records of another log of this gate, 0000000000000000" in capsys.readouterr().out
