"""The whole circle with real engines: people allow, the director assigns in stages, gates take, work and tell, and what does harm goes back by itself."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import nats as nats_client
import psycopg
import pytest

from gate.fleet.centre.arrivals import StatusCame
from gate.fleet.centre.database import migrate
from gate.fleet.centre.statuses import put_statuses
from gate.fleet.messages import Status
from gate.fleet.status import Lane
from gate.fleet.updates import director, ledger
from gate.fleet.updates.health import Conditions
from gate.fleet.updates.rollout import Plan, Stage

LOOK_S, LIMIT_S = 0.1, 40.0


class Working:
    """A gate as its processes are: one takes what comes down, one works by it, one tells; ``spoilt`` rule sets put it into a fault."""

    def __init__(self, gate, spoilt=()):
        self.gate, self.spoilt, self.judged = gate, spoilt, []

    async def tell(self, dsn):
        while True:
            judging = await asyncio.to_thread(self.gate.work)
            self.judged += [judging] if self.judged[-1:] != [judging] else []
            lane = Lane.of(None, self.gate.updater.versions)
            now = datetime.now(UTC)
            state = "fault" if judging in self.spoilt else "idle"
            told = Status(
                gate=self.gate.name,
                at=now.isoformat(),
                boot=0.0,
                log="0" * 16,
                head=0,
                receipted=0,
                state=state,
                versions=dict(lane.versions),
            )
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                await put_statuses(connection, [StatusCame(status=told, at=now, told=now, freshness={})])
            await asyncio.sleep(LOOK_S)


def plan_of(name, forth, back):
    stages = tuple(Stage(name=gate, gates=(f"CGK.{gate}",), soak_s=0.3, most_s=600) for gate in ("D07", "D08"))
    return Plan(name=name, target=forth[0], back=back[0], stages=stages, conditions=Conditions(fewest=0))


@asynccontextmanager
async def running(*works):
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


async def phase(database, name, wanted):
    async with asyncio.timeout(LIMIT_S):
        while True:
            with psycopg.connect(database, autocommit=True) as connection, connection.transaction():
                state = ledger.named(connection, name).state
            if state.phase in wanted:
                return state
            await asyncio.sleep(LOOK_S)


@pytest.mark.timeout(120)
async def test_a_good_version_reaches_every_gate_and_a_bad_one_goes_back_by_a_signed_way(
    own_nats, database, centre, new_gate, monkeypatch
):
    monkeypatch.setattr(type(centre), "now", property(lambda _: datetime.now(UTC)), raising=False)
    migrate(database)
    client = await nats_client.connect(own_nats.url)
    directing = director.Director(
        database, client.jetstream(), centre.signs, centre.repository, lambda: datetime.now(UTC), every_s=LOOK_S, move_s=LOOK_S
    )
    first, second = (Working(new_gate(lane, lane=lane), spoilt=("three",)) for lane in ("D07", "D08"))
    plans = []
    for name in ("two", "three"):
        version = centre.rules.in_force().statement.version
        forth = centre.bring_rules(name)
        back = centre.bring_rules("one" if name == "two" else "two", version=version, because="roll-out failed")
        plans.append(plan_of(name, forth, back))
        centre.allow(dict([forth, back]))
        if name == "two":
            again = centre.bring_rules("two", version=centre.rules.versions()[1].number, because="good after all")
            centre.allow(dict([again]))
    looking = [each.gate.restarted(js=client.jetstream(), every_s=LOOK_S).run() for each in (first, second)]
    try:
        async with running(*looking, first.tell(database), second.tell(database)):
            with psycopg.connect(database, autocommit=True) as connection:
                ledger.begin(connection, plans[0], "siti", datetime.now(UTC))
            async with running(directing.run()):  # and is stopped in the middle
                await asyncio.sleep(0.5)
            async with running(directing.run()):
                await phase(database, "two", {"done"})
                assert (first.judged, second.judged[-1]) == (["one", "two"], "two")

                with psycopg.connect(database, autocommit=True) as connection:
                    ledger.begin(connection, plans[1], "siti", datetime.now(UTC))
                state = await phase(database, "three", {"undone"})
        assert "CGK.D07 in a fault" in state.why
        assert first.judged == ["one", "two", "three", "two"]
        assert second.judged == ["one", "two"], "it never heard of it"
    finally:
        await client.close()
