"""How many of a role the lane listens to, and how often it says that one was too many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from gate.processes.channel import ChannelClosed
from gate.processes.lane import MOST_PEERS, PEER_BURST, LaneProcess
from gate.processes.messages import Join
from gate.processes.vitals import Vitals


class Silent:
    """A peer that says nothing, and stays until it is hung up on."""

    async def receive(self) -> None:
        await asyncio.get_running_loop().create_future()


class Gone:
    """A peer that hung up as soon as it was let in."""

    async def receive(self) -> None:
        raise ChannelClosed("the peer hung up")


@pytest.mark.parametrize(
    ("role", "most"),
    [("reader", 1), ("vision", 1), ("panel", 1), ("pictures", 1), ("health", 1), ("fleet", 1), ("officer_screen", MOST_PEERS)],
)
async def test_no_role_can_use_up_what_the_lane_may_open_nor_fill_its_log(role, most, capsys):
    def now(what: Callable[[], None]) -> None:
        what()

    actor = SimpleNamespace(post=now, on_peer=lambda *_, **__: None)
    lane = SimpleNamespace(_peers={}, _refused=set(), _allowances={}, _vitals=Vitals(), actor=actor, _on_message=None)
    joining = [asyncio.create_task(LaneProcess._on_peer(lane, Join(role=role, secret=""), Silent())) for _ in range(most + 20)]
    await asyncio.sleep(0)
    assert [task.done() for task in joining] == [False] * most + [True] * 20
    assert len(lane._peers[role]) == lane._vitals.joins[role] == most
    assert len(capsys.readouterr().err.splitlines()) == 1
    for task in joining[:most]:
        task.cancel()
    await asyncio.wait(joining)
    assert not lane._peers[role]
    again = asyncio.create_task(LaneProcess._on_peer(lane, Join(role=role, secret=""), Silent()))
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()


async def test_a_peer_that_comes_and_goes_without_end_is_held_up_as_one_that_talks(monkeypatch):
    monkeypatch.setattr("gate.processes.lane.PEER_PAUSE_S", 3600.0)
    told: list[bool] = []
    actor = SimpleNamespace(post=lambda what: what(), on_peer=lambda *_, joined: told.append(joined))
    lane = SimpleNamespace(_peers={}, _refused=set(), _allowances={}, _vitals=Vitals(), actor=actor, _on_message=None)
    coming = [
        asyncio.create_task(LaneProcess._on_peer(lane, Join(role="panel", secret=""), Gone())) for _ in range(3 * PEER_BURST)
    ]
    for _ in coming:
        await asyncio.sleep(0)
    for task in coming:
        task.cancel()
    await asyncio.wait(coming)
    assert told == [True, False] * (PEER_BURST + 1)
