"""Long suites of snapshots: spoilt on their way, and on the gate's disk. Each is refused with a reason, or says what it said."""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
from joserfc.jwk import OKPKey

from benchmarks.soak_cases import NOW, Case, spoil
from gate.registries import issuance
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot import Entry, SnapshotRefused, entries, published, signed_head
from gate.registries.snapshot_store import SnapshotStore

GATE, BOOKS = "soak-1", 24
SIGNER = OKPKey.generate_key("Ed25519", private=True)
SAME = "says what it said"
WAY_SEES = frozenset({SAME, "forged", "malformed"})
DISK_SEES = frozenset({SAME, "forged", "malformed"})


def _snapshot(version: int = 1) -> bytes:
    record = {"status": "active", "document_class": "ordinary", "office": "KANIM SURAKARTA"}
    lines = [
        msgspec.json.encode({"issuing_state": "IDN", "document_number": f"X{number:07}", "records": [record] * (number % 3)})
        for number in range(BOOKS)
    ]
    told = published(lines, SIGNER, registry="issuance", gate=GATE, version=version, as_of=NOW, expires=NOW + timedelta(hours=72))
    return b"".join(told)


@contextmanager
def on_the_way() -> Iterator[Case]:
    """A snapshot that was changed at random, or pieced together from two, before it is imported."""
    one, other = _snapshot(1), _snapshot(2)

    def read(raw: bytes) -> list[Entry]:
        stream = io.BytesIO(raw)
        head = signed_head(stream, SIGNER, registry="issuance", gate=GATE, now=NOW)
        return list(entries(stream, head, Entry))

    whole = read(one)

    def case(dice: random.Random) -> str:
        cut = dice.randrange(len(one))
        raw = one[:cut] + other[cut:] if dice.random() < 0.2 else spoil(one, dice)
        try:
            said = read(raw)
        except SnapshotRefused as refused:
            return refused.why
        assert said == whole, "another snapshot was believed"
        return SAME

    yield case


@contextmanager
def on_the_disk() -> Iterator[Case]:
    """A file of the gate's folder that was changed at random, or pieced together from an older one's pages."""
    with tempfile.TemporaryDirectory() as folder:
        store = SnapshotStore(folder=Path(folder), key=SnapshotKey.derive(b"k" * 32), gate=GATE)
        files = []
        for version in (1, 2):
            store.take(issuance.CONTRACT, io.BytesIO(_snapshot(version)), SIGNER, NOW)
            files.append(store.path("issuance").read_bytes())
        older, newer = files
        whole = _said(store)

        def case(dice: random.Random) -> str:
            page = 4096 * dice.randrange(len(newer) // 4096)
            pieced = newer[:page] + older[page : page + 4096] + newer[page + 4096 :]
            store.path("issuance").write_bytes(pieced if dice.random() < 0.2 else spoil(newer, dice))
            try:
                said = _said(store)
            except SnapshotRefused as refused:
                return refused.why
            assert said == whole, "another file was believed"
            return SAME

        yield case


def _said(store: SnapshotStore) -> list[bytes]:
    with closing(store.open_books("issuance")) as file:
        return [file.records("IDN", f"X{number:07}") for number in range(BOOKS + 4)]
