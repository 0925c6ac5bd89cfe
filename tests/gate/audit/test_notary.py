"""Checkpoints while the lane writes, a witness that is away, forgets or lies, and a log that somebody changed meanwhile."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.audit.ledger import Ledger, WitnessAway, WitnessConflict, WitnessRefused, ledger_lines
from gate.audit.log import AuditLog, open_readonly
from gate.audit.note import WITNESS, Checkpoint, FileSigner, Note, VerifierKey
from gate.audit.store import TreeStore, tree_path
from gate.audit.verify import Evidence, verify_log
from gate.audit.witness import HttpWitness, WitnessServer, parse_request, request

KEY = b"k" * 32


class Fickle:
    """A witness between which and the gate things go wrong: what ``fails`` says, once each."""

    def __init__(self, ledger, *fails):
        self.ledger, self.fails, self.asked = ledger, list(fails), 0

    def add(self, old, path, note):
        self.asked += 1
        how = self.fails.pop(0) if self.fails else ""
        if how == "away":
            raise WitnessAway("away")
        answer = self.ledger.add(old, path, note)
        if how == "lost":
            raise WitnessAway("the answer was lost")
        return "" if how == "silent" else answer


def judged(gate, **changes):
    evidence = Evidence(**({"gate": gate.key, "witness": gate.witness_key, "ledger": gate.seen} | changes))
    with open_readonly(gate.log, KEY) as log, TreeStore(tree_path(gate.log, log.log_id())) as tree:
        return verify_log(log, tree, evidence)


def test_each_look_signs_what_was_appended_and_has_it_witnessed(gate):
    gate.write(3)
    notary = gate.notary()
    assert (notary.look().size, notary.look().witnessed) == (3, 3)
    gate.write(4)
    standing = notary.look()
    notary.close()
    assert (standing.size, standing.witnessed, standing.problem, standing.bent) == (7, 7, "", False)
    assert [Checkpoint.parse(note.text).size for _, note in ledger_lines(gate.seen)] == [3, 7]
    verdict = judged(gate)
    assert (verdict.findings, verdict.checkpoints, verdict.witnessed, verdict.lost) == ((), 2, 7, ())


def test_a_log_is_read_beside_the_lane_that_writes_it(gate):
    log = AuditLog(gate.log, KEY)
    notary = gate.notary()
    assert notary.look().size == 0
    for count in range(1, 4):
        log.append("event", "", b"{}", notary._clock(), 1.0)
        assert notary.look().size == count
    notary.close()
    log.close()
    assert judged(gate).findings == ()


@pytest.mark.parametrize("fails", [("away",), ("lost",), ("lost", "lost"), ("away", "lost", "silent"), ("silent",)])
def test_a_witness_that_was_away_has_all_in_the_end_and_so_has_the_gate(gate, fails):
    witness = Fickle(gate.ledger(), *fails)
    gate.write(2)
    notary = gate.notary(witness)
    assert notary.look().problem
    while witness.fails:
        gate.write(2)
        notary.look()
    standing = notary.look()
    notary.close()
    assert (standing.problem, standing.witnessed) == ("", standing.size)
    verdict = judged(gate)
    assert (verdict.findings, verdict.witnessed) == ((), standing.size)


def test_the_answer_to_the_last_question_lost_is_asked_for_again(gate):
    gate.write(3)
    notary = gate.notary(Fickle(gate.ledger(), "lost"))
    assert notary.look().problem
    assert judged(gate).findings == ()  # and nobody is accused meanwhile
    assert notary.look().problem == ""
    notary.close()
    assert judged(gate).findings == ()


def test_a_witness_that_lost_its_file_begins_anew(gate):
    gate.write(3)
    gate.look()
    gate.seen.unlink()
    gate.write(2)
    assert gate.look().problem == ""
    assert [Checkpoint.parse(note.text).size for _, note in ledger_lines(gate.seen)] == [5]


def test_a_witness_that_merely_keeps_signs_nothing_and_refuses_as_well(gate):
    keeper = Ledger(gate.seen, [gate.key])
    gate.write(3)
    notary = gate.notary(keeper)
    notary._witness_key = None
    assert notary.look().witnessed == 3
    assert notary.look().problem == ""
    notary.close()
    assert len(list(ledger_lines(gate.seen))) == 1
    assert judged(gate, witness=None).findings == ()


def changed(gate, statement):
    with sqlite3.connect(gate.log) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM record WHERE seq > 3", "tail was cut off"),
        ("UPDATE record SET body = x'7b7d' WHERE seq = 5", "is not the one it was"),
        ("DELETE FROM record", "tail was cut off"),
    ],
)
def test_a_log_that_was_changed_between_two_looks_is_bent_and_not_signed_again(gate, statement, what):
    gate.write(5)
    gate.look()
    changed(gate, statement)
    standing = gate.look()
    assert standing.bent
    assert what in standing.problem
    assert standing.size == 5


def test_a_record_that_does_not_continue_the_last_is_bent(gate):
    gate.write(4)
    gate.look()
    changed(gate, "INSERT INTO record SELECT 5, at, boot, transaction_id, kind, body, previous, hash FROM record WHERE seq = 4")
    assert gate.look().bent


@contextmanager
def served(ledger, prefix=""):
    with WitnessServer(("127.0.0.1", 0), ledger, prefix) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield HttpWitness(f"http://127.0.0.1:{server.server_address[1]}{prefix}")
        finally:
            server.shutdown()
            thread.join()


def test_the_reference_witness_speaks_the_protocol(gate):
    gate.write(3)
    with served(gate.ledger(), "/w") as witness:
        assert gate.look(witness).witnessed == 3
        gate.write(3)
        assert gate.look(witness).witnessed == 6
        other = gate.ledger()
        note = next(note for _, note in ledger_lines(gate.seen)).encoded
        with pytest.raises(WitnessConflict) as conflict:
            witness.add(0, [], note)
        assert conflict.value.size == 6
        for bad, status in ((note.replace("\n3\n", "\n4\n", 1), 403), (note.replace("L1", "L2"), 404), ("nonsense", 400)):
            with pytest.raises(WitnessRefused) as refused:
                witness.add(6, [], bad)
            assert refused.value.status == status
        assert other.add is not None
    with pytest.raises(WitnessAway):
        witness.add(6, [], note)
    assert judged(gate).findings == ()


def test_a_fork_is_refused_by_the_witness_and_bends_the_log(gate, tmp_path):
    gate.write(5)
    gate.look()
    fork = gate.copied(tmp_path / "fork")
    gate.write(2)
    gate.look()
    fork.write(3, b'{"another":%d}')
    fork.seen.write_bytes(gate.seen.read_bytes())
    standing = fork.look()
    assert standing.bent
    assert standing.witnessed == 5
    assert [finding for finding in judged(fork).findings if "witness saw" in finding.what]
    assert judged(gate).findings == ()


def test_a_witness_takes_no_checkpoint_that_does_not_continue_what_it_saw(gate):
    gate.write(5)
    gate.look()
    ledger, note = gate.ledger(), next(note for _, note in ledger_lines(gate.seen))
    seen = Checkpoint.parse(note.text)
    later = Checkpoint(origin=seen.origin, size=6, root=bytes(32), head=bytes(32), at=seen.at).text
    from gate.audit.note import signed

    with pytest.raises(WitnessRefused) as refused:
        ledger.add(5, [bytes(32)], Note(text=later).with_lines(signed(later, gate.signer)).encoded)
    assert refused.value.status == 422
    same = Checkpoint(origin=seen.origin, size=5, root=bytes(32), head=bytes(32), at=seen.at).text
    with pytest.raises(WitnessConflict):
        ledger.add(5, [], Note(text=same).with_lines(signed(same, gate.signer)).encoded)
    assert len(list(ledger_lines(gate.seen))) == 1


def test_a_torn_line_of_the_witness_is_no_accusation_and_no_end(gate):
    gate.write(3)
    gate.look()
    with gate.seen.open("ab") as file:
        file.write(json.dumps("half a").encode()[:4])
    gate.write(3)
    assert gate.look().witnessed == 6
    assert [note is None for _, note in ledger_lines(gate.seen)] == [False, True, False]
    assert judged(gate).findings == ()


def test_a_witness_that_answers_with_somebody_elses_signature_is_not_believed(gate):
    gate.write(2)
    other = FileSigner(name=gate.witness.name, key=gate.signer.key)
    standing = gate.look(Ledger(gate.seen, [gate.key], other))
    assert "without a signature of its own" in standing.problem
    assert (standing.witnessed, standing.bent) == (0, False)
    assert VerifierKey.of(other, WITNESS) != gate.witness_key


@given(st.binary(max_size=300) | st.text(alphabet="old 0123\nAB=", max_size=80).map(str.encode))
def test_any_question_is_read_or_refused(body):
    try:
        old, path, note = parse_request(body)
    except WitnessRefused:
        return
    assert parse_request(request(old, path, note)) == (old, path, note)
