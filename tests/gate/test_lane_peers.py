"""How many of a role the lane listens to, how often it says that one was too many, and when it writes what the audit's process counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest

from gate.audit.chain import AuditError
from gate.audit.tally import ToldTallies
from gate.processes.channel import ChannelClosed
from gate.processes.lane import MOST_PEERS, PEER_BURST, LaneProcess
from gate.processes.messages import Join, TellTally
from gate.processes.vitals import Vitals
from gate.records import Tally


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


# --- a day's tally ----------------------------------------------------------------------------------------------------------------

TALLY = Tally(day=date(2026, 3, 2), demonstration=True, unread=0, counts=())
HALF_PAST_MIDNIGHT = datetime(2026, 3, 2, 17, 30, tzinfo=UTC)
"""Of the day after, at Soekarno-Hatta."""


class Log:
    """Takes what it is given, unless it is full."""

    def __init__(self) -> None:
        self.full, self.taken = False, list[Tally]()

    async def append(self, kind: str, transaction: str, body: Tally, *, at: datetime, boot: float) -> int:
        await asyncio.sleep(0)
        if self.full:
            raise AuditError("the disk is full")
        assert (kind, transaction) == ("tally", "")
        self.taken.append(body)
        return len(self.taken)


def lane_with(log: Log) -> SimpleNamespace:
    lane = SimpleNamespace(
        _log=log,
        _tallies=ToldTallies(),
        _casework=SimpleNamespace(running=None),
        _clock=SimpleNamespace(wall=lambda: HALF_PAST_MIDNIGHT, boot=lambda: 1.0),
        _config=SimpleNamespace(lane=SimpleNamespace(checkpoint="CGK")),
        _loop=asyncio.get_running_loop(),
        _acting=set(),
        actor=SimpleNamespace(post=lambda what: what(), on_message=lambda *_: None),
    )
    for name in ("_aside", "_log_tally"):
        setattr(lane, name, partial(getattr(LaneProcess, name), lane))
    return lane


async def say(lane: SimpleNamespace, times: int = 1, role: str = "audit") -> None:
    for _ in range(times):
        await LaneProcess._on_message(lane, role, TellTally(tally=TALLY))
    while lane._acting:
        await asyncio.sleep(0)


async def test_a_days_tally_is_written_once_however_often_it_is_told():
    lane = lane_with(log := Log())
    await say(lane, 5)
    await say(lane)
    assert log.taken == [TALLY]


async def test_a_tally_waits_while_somebody_is_served_and_for_a_log_that_takes_it():
    lane = lane_with(log := Log())
    lane._casework.running = object()
    await say(lane)
    lane._casework.running, log.full = None, True
    await say(lane)
    assert log.taken == []
    log.full = False
    await say(lane)
    assert log.taken == [TALLY]


async def test_nobody_but_the_audits_process_tells_a_tally_and_none_of_a_day_that_is_not_over():
    lane = lane_with(log := Log())
    await say(lane, role="vision")
    lane._clock.wall = lambda: HALF_PAST_MIDNIGHT - timedelta(hours=1)
    await say(lane)
    assert log.taken == []
