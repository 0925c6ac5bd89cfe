"""What the broker keeps for the centre: crossings first, no gate before all others, nothing bigger than agreed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nats.js.errors import APIError, NoStreamResponseError

from gate.fleet.centre.broker import EVENTS, MOST_OF_A_GATE, Intake, connect, prepare
from gate.fleet.centre.collector import Collector
from gate.fleet.engines import RunningNats


async def test_a_gate_that_was_away_for_weeks_fills_its_own_place_and_no_others(own_nats: RunningNats, make_gate: Any) -> None:
    client = await connect(own_nats.url, "test")
    await prepare(client)
    greedy, other = make_gate("CGK.D01", "11" * 8), make_gate("CGK.D02", "22" * 8)
    for number in range(MOST_OF_A_GATE):
        await client.publish(greedy.subject("record"), b"%d" % number)
    stream = client.jetstream()
    with pytest.raises(APIError, match="per subject"):
        await stream.publish(greedy.subject("record"), b"one more", stream=EVENTS)
    await stream.publish(greedy.subject("crossing"), b"first things first", stream=EVENTS)
    await stream.publish(other.subject("record"), b"mine", stream=EVENTS)
    await client.close()


async def test_preparing_twice_changes_nothing(own_nats: RunningNats) -> None:
    client = await connect(own_nats.url, "test")
    await prepare(client)
    before = (await client.jetstream().stream_info(EVENTS)).config
    await prepare(client)
    assert (await client.jetstream().stream_info(EVENTS)).config == before
    await client.close()


async def test_a_collector_without_a_database_stops_when_it_is_told_to(
    own_nats: RunningNats, gate: Any, keys: Any, collector_signer: Any
) -> None:
    client = await connect(own_nats.url, "one")
    await prepare(client)
    collector, stop = Collector(client, "postgresql://nobody@127.0.0.1:1/none", keys, collector_signer, "one"), asyncio.Event()
    running = asyncio.create_task(collector.run(stop))
    gate.write(1)
    await client.publish(gate.subject("record"), gate.parcel(gate.rows))
    async with asyncio.timeout(20):
        while not collector.problem:
            await asyncio.sleep(0.02)
        stop.set()
        await running
    info = await client.jetstream().stream_info(EVENTS)
    assert info.state.messages == 1  # another collector's, later
    await client.close()


async def test_a_consumer_that_vanished_is_made_again(own_nats: RunningNats, gate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gate.fleet.centre.broker.PULL_S", 0.1)
    monkeypatch.setattr("gate.fleet.centre.broker.WAIT_S", 0.1)
    client = await connect(own_nats.url, "test")
    await prepare(client)
    intake = Intake(client)
    running = asyncio.create_task(intake.run())
    await client.jetstream().delete_stream(EVENTS)

    async def published() -> bool:
        try:
            await client.jetstream().publish(gate.subject("record"), b"raw", stream=EVENTS, timeout=1)
        except (NoStreamResponseError, TimeoutError):
            return False
        return True

    async with asyncio.timeout(20):
        while not await published():
            await asyncio.sleep(0.05)
        assert await intake.come(20)
    assert [one.data for one in intake.take(10, 1000)] == [b"raw"]
    running.cancel()
    await client.close()
