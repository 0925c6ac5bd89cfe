"""Which lists a gate keeps for a registry that is silent, and as of when they speak: told to the lane by the process that opens them anyway."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc.jwk import OKPKey

from gate.processes import registries
from gate.processes.messages import LAST_SECOND, ListsReport
from gate.processes.registries import posix_seconds, tell_lists
from gate.registries import exit_permit, issuance
from gate.registries.asking import AskedRegistries
from gate.registries.base import Unavailable
from gate.registries.offline import Stored, WithSnapshot
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot import published
from gate.registries.snapshot_store import SnapshotStore

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KEY = OKPKey.generate_key("Ed25519")


class Away:
    """A registry that cannot be reached."""

    async def ask(self, _question: Any) -> Any:
        return Unavailable(source="issuance", why="unreachable", latency_ms=1.0)

    async def close(self) -> None:
        pass


class Gate:
    """A gate that keeps snapshots of two registries, and asks a third one without."""

    def __init__(self, folder: Path) -> None:
        self.store = SnapshotStore(folder=folder, key=SnapshotKey.derive(b"k" * 32), gate="d07")
        kept = {contract.name: contract for contract in (issuance.CONTRACT, exit_permit.CONTRACT)}
        self.sources: dict[str, Any] = {
            name: WithSnapshot(Away(), Stored(contract, self.store, lambda: NOW), deadline_s=1.0)
            for name, contract in kept.items()
        } | {"lost_and_stolen": Away()}
        self.told: list[ListsReport] = []

    def take(self, version: int, as_of: datetime) -> None:
        entry = msgspec.json.encode({"issuing_state": "IDN", "document_number": "X1", "records": []})
        times = {"as_of": as_of, "expires": as_of + timedelta(days=3)}
        sent = published([entry], KEY, registry="issuance", gate="d07", version=version, **times)
        self.store.take(issuance.CONTRACT, io.BytesIO(b"".join(sent)), KEY, NOW)

    async def next(self) -> dict[str, tuple[int, int]]:
        """What is told next."""
        async with asyncio.timeout(20):
            while not self.told:
                await asyncio.sleep(0.002)
        return self.told.pop(0).lists


@pytest.fixture
async def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    monkeypatch.setattr(registries, "LISTS_EVERY_S", 0.005)
    gate = Gate(tmp_path)
    telling = asyncio.create_task(tell_lists(gate.sources, gate.told.append))
    yield gate
    telling.cancel()
    await asyncio.gather(*(source.close() for source in gate.sources.values()))


async def test_a_list_is_as_old_as_its_registry_says_and_newer_once_it_was_replaced(gate: Gate) -> None:
    assert await gate.next() == {}, "told at once, so that the lane knows"
    for version, hours in ((1, 3), (2, 1)):
        gate.take(version, NOW - timedelta(hours=hours))
        assert await gate.next() == {"issuance": (version, int(NOW.timestamp()) - hours * 3600)}


async def test_what_has_not_changed_is_not_told_again(gate: Gate) -> None:
    await gate.next()
    gate.take(1, NOW)
    await gate.next()
    await asyncio.sleep(0.05)
    assert gate.told == []


async def test_a_snapshot_that_may_not_speak_is_told_of_as_none(gate: Gate) -> None:
    await gate.next()
    gate.take(1, NOW)
    assert await gate.next() != {}
    path = gate.store.path("issuance")
    path.write_bytes(path.read_bytes()[:-200] + bytes(200))
    assert await gate.next() == {}


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), NOW])
def test_whatever_instant_a_registry_signs_the_lane_can_read_what_it_is_told(at: datetime) -> None:
    told = ListsReport(lists={"issuance": (2**53, posix_seconds(at))})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=ListsReport) == told
    assert 0 <= posix_seconds(at) <= LAST_SECOND


def test_the_lane_keeps_what_is_said_of_registries_that_it_names_and_of_no_others() -> None:
    named = {"gate": "d07", "checkpoint": "CGK", "limit_ms": 100}
    lane = AskedRegistries(["issuance"], lambda _: None, lambda: True, **named)
    lane.heard(ListsReport(lists={"issuance": (2, 5), "stranger": (3, 6)}))
    assert lane.lists == {"issuance": (2, 5)}
    lane.heard(ListsReport(lists={}))
    assert lane.lists == {}
