"""Tampering is found, whoever did it, and an honest log is never accused. Three of each kind here; a thousand in all in the soak."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.soak_audit import LOCAL, TAMPERERS, scene, tampered
from gate.audit.ledger import WitnessAway
from gate.audit.log import AuditLog, open_readonly
from gate.audit.store import TreeStore, tree_path
from gate.audit.verify import Evidence, verify_log

KEY = b"k" * 32


@pytest.fixture(scope="module")
def made():
    with scene(2_000, 8, random.Random(9)) as honest:
        yield honest


@pytest.mark.parametrize("name", sorted(TAMPERERS))
@pytest.mark.parametrize("seed", range(3))
def test_tampering_is_found(made, name, seed):
    tampered(made, name, random.Random(seed))


def test_what_was_tampered_with_for_these_tests_is_honest_again(made):
    assert made.found() == ()


@pytest.mark.parametrize("name", sorted(set(TAMPERERS) - LOCAL - {"receipt withheld"}))
def test_what_these_did_only_the_witness_can_tell(made, name):
    """The gate's own keys and files say nothing against it: that is what a witness is for."""
    with made.undone():
        TAMPERERS[name](made, random.Random(1))
        assert made.found(ledger=None, witness=None) == ()
        assert made.found() != ()


class Away:
    """Between gate and witness."""

    def __init__(self, ledger, lost):
        self.ledger, self.lost = ledger, lost

    def add(self, old, path, note):
        if self.lost == "question":
            raise WitnessAway("the question was lost")
        answer = self.ledger.add(old, path, note)
        if self.lost == "answer":
            raise WitnessAway("the answer was lost")
        return answer


@settings(max_examples=8)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["", "question", "answer", "torn", "verify", "forgetful"])),
        min_size=1,
        max_size=4,
    )
)
def test_an_honest_log_is_never_accused(tmp_path_factory, gate_in, steps):
    gate = gate_in(tmp_path_factory.mktemp("honest"))
    gate.write(1)
    for count, event in steps:
        gate.write(count)
        if event == "torn":
            with gate.seen.open("ab") as file:
                file.write(b'"half')
        standing = gate.look(Away(gate.ledger(), event))
        assert not standing.bent
        with open_readonly(gate.log, KEY) as log, TreeStore(tree_path(gate.log, log.log_id())) as tree:
            seen = gate.seen if gate.seen.exists() else None
            for ledger in (seen, None):
                evidence = Evidence(gate=gate.key, witness=gate.witness_key, ledger=ledger)
                assert verify_log(log, tree, evidence).findings == ()


def test_a_second_log_of_the_gate_is_told_of_until_somebody_says_where_the_first_is(gate):
    gate.write(3)
    gate.look()
    with open_readonly(gate.log) as log:
        first = log.log_id()
    for path in gate.folder.glob("audit.sqlite3*"):
        path.unlink()
    AuditLog(gate.log, KEY).close()
    gate.write(2)
    assert gate.look().problem == ""
    for earlier, findings in ((frozenset(), 1), (frozenset({first}), 0)):
        with open_readonly(gate.log, KEY) as log, TreeStore(tree_path(gate.log, log.log_id())) as tree:
            evidence = Evidence(gate=gate.key, witness=gate.witness_key, ledger=gate.seen, earlier=earlier)
            assert len(verify_log(log, tree, evidence).findings) == findings
