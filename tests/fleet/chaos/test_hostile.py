"""Whoever is none of the fleet gets nothing into it: each kind of hostile message is what it says, and is refused for its own reason."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from benchmarks.fleet_gates import Gate, write_keys
from benchmarks.fleet_hostile import Hostile
from gate.fleet.centre.arrivals import ParcelCame, Refused, arrival
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.messages import MOST_MESSAGE, Parcel, Row, sealed, subject

REASONS = {
    "altered": {"malformed", "forged", "unknown_key", "other_gate", "other_format", "oversized"},
    "of another gate": {"other_gate"},
    "signed by nobody": {"unknown_key"},
    "of a newer format": {"other_format"},
    "noise": {"malformed"},
    "of nobody": {"other_gate"},
    "oversized": {"malformed"},
}


def heard(gate: Gate) -> tuple[str, bytes]:
    log = gate.memory_log()
    gate.one_traveller(log, 1)
    rows = tuple(Row(*row) for row in log.rows(0, 100))
    parcel = Parcel(gate=gate.id, log=log.log_id(), start=log.start().hash, rows=rows)
    return subject(gate.id, "record"), sealed(gate.signer, parcel)


@pytest.fixture
def met(tmp_path):
    """By kind of hostile message: what was made of each."""
    gates = [Gate(number) for number in range(3)]
    write_keys(tmp_path / "keys.json", gates)
    keys, hostile, found = FileKeys(tmp_path / "keys.json"), Hostile(random.Random(1)), defaultdict(list)
    hostile.heard.extend(map(heard, gates))
    honest = dict(hostile.heard)
    for _ in range(600):
        kind, (where, raw) = hostile.draw()
        assert len(raw) <= MOST_MESSAGE
        now = datetime.now(UTC)
        found[kind].append((arrival(where, raw, now, keys, lambda: datetime.now(UTC)), honest.get(where) == raw))
    return found


def test_every_kind_is_refused_for_its_reason(met):
    for kind, reasons in REASONS.items():
        codes = {one.code for one, is_honest in met[kind] if isinstance(one, Refused) and not is_honest}
        assert codes
        assert codes <= reasons, kind


def test_nothing_is_believed_but_what_a_gate_sent(met):
    """A replay is: it says nothing new, and the database counts a record once."""
    believed = {kind for kind, all_ in met.items() for one, is_honest in all_ if isinstance(one, ParcelCame) and not is_honest}
    assert believed == set()
    assert all(isinstance(one, ParcelCame) for one, _ in met["replayed"])
