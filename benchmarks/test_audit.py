"""The log at a hundred thousand records: one record's proof, the whole examination; and what sealing a permit's fields costs beside AES alone.

What sealing costs the lane, over its socket: ``python -m benchmarks.seal_cost``.
"""

from __future__ import annotations

import os
import random
from datetime import date

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.seal_cost import permit
from benchmarks.soak_audit import KEY, LOOKS, RECORDS, scene
from gate.audit.chain import AuditReader, encode
from gate.audit.export import proof
from gate.audit.fields import opened, sealed, taken
from gate.audit.keyring import FILE_NAME, Keyring

DAY = date(2026, 3, 2)


@pytest.fixture(scope="module")
def made():
    with scene(RECORDS, LOOKS, random.Random(RECORDS)) as honest:
        yield honest


@pytest.fixture
def ring(tmp_path):
    with Keyring(tmp_path / FILE_NAME, os.urandom(32), "make") as ring:
        yield ring


@pytest.mark.benchmark(group="audit: a log of 100,000 records")
def test_prove_one_record(made, benchmark):
    dice, log = random.Random(1), AuditReader(made.log, made.path, KEY)
    benchmark.pedantic(lambda: proof(log, made.tree, dice.randint(1, RECORDS)), rounds=1000)


@pytest.mark.benchmark(group="audit: a log of 100,000 records")
def test_verify_all(made, benchmark):
    assert benchmark.pedantic(made.found, rounds=3) == ()


@pytest.mark.benchmark(group="audit: a permit's personal fields")
def test_floor_aes_gcm(benchmark):
    key, plain = AESGCM(os.urandom(32)), os.urandom(4000)
    benchmark(lambda: key.encrypt(os.urandom(12), plain, b""))


@pytest.mark.benchmark(group="audit: a permit's personal fields")
def test_take_out_and_seal(benchmark, ring):
    body = encode(permit())

    def seal() -> bytes:
        clear, parts = taken("permit", body)
        return sealed(clear, {kind: ring.seal("t", "permit", kind, plain, DAY) for kind, plain in parts.items()})

    benchmark(seal)


@pytest.mark.benchmark(group="audit: a permit's personal fields")
def test_open_and_put_back(benchmark, ring):
    clear, parts = taken("permit", encode(permit()))
    body = sealed(clear, {kind: ring.seal("t", "permit", kind, plain, DAY) for kind, plain in parts.items()})
    assert benchmark(opened, "t", "permit", body, ring.unseal)[1] == ()
