"""As of when a gate's lists speak, as its centre hears it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from joserfc.jwk import OKPKey

from gate.config_sections import Registries, Snapshots
from gate.fleet.freshness import Freshness
from gate.registries import issuance
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot import published
from gate.registries.snapshot_store import SnapshotStore

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KEY = OKPKey.generate_key("Ed25519")


class Gate:
    """A gate that names two registries and keeps their snapshots."""

    def __init__(self, folder: Path) -> None:
        key_file = folder / "snapshot.key"
        key_file.write_text("5b" * 32)
        key_file.chmod(0o600)
        section = Snapshots(folder=folder / "snapshots", key_file=key_file)
        named = {"issuance": None, "exit_permit": None}
        self.config = SimpleNamespace(registries=SimpleNamespace(snapshots=section, named=named), lane=SimpleNamespace(id="d07"))
        self.store = SnapshotStore(folder=section.folder, key=SnapshotKey.read(key_file), gate="d07")
        self.freshness = Freshness(self.config)

    def take(self, version: int, as_of: datetime) -> None:
        entry = {"issuing_state": "IDN", "document_number": "X1", "records": []}
        sent = published(
            [msgspec.json.encode(entry)],
            KEY,
            registry="issuance",
            gate="d07",
            version=version,
            as_of=as_of,
            expires=as_of + timedelta(days=3),
        )
        self.store.take(issuance.CONTRACT, io.BytesIO(b"".join(sent)), KEY, NOW)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def test_a_list_is_as_old_as_its_registry_says_and_newer_once_it_was_replaced(gate):
    assert gate.freshness.told() == {}
    gate.take(1, NOW - timedelta(hours=3))
    assert gate.freshness.told() == {"issuance": "2026-11-23T05:00:00+00:00"}
    gate.take(2, NOW - timedelta(hours=1))
    assert gate.freshness.told() == {"issuance": "2026-11-23T07:00:00+00:00"}


def test_a_file_is_looked_into_once(gate, monkeypatch):
    gate.take(1, NOW)
    first = gate.freshness.told()
    monkeypatch.setattr(SnapshotStore, "open_books", lambda *_: pytest.fail("looked into again"))
    assert gate.freshness.told() == first


def test_a_snapshot_that_may_not_speak_is_told_of_as_none(gate):
    gate.take(1, NOW)
    path = gate.store.path("issuance")
    path.write_bytes(path.read_bytes()[:-200] + bytes(200))
    assert gate.freshness.told() == {}


def test_a_gate_without_snapshots_or_their_key_tells_of_none(gate):
    gate.take(1, NOW)
    gate.config.registries.snapshots.key_file.unlink()
    assert gate.freshness.told() == {}
    assert Freshness(SimpleNamespace(registries=Registries())).told() == {}
