"""The director, over a real database and a real broker: what it assigns, what it survives, and what it never does twice."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from datetime import timedelta

import nats as nats_client
import psycopg
import pytest

from gate.audit.chain import AuditError
from gate.fleet.centre.alerts import alerts, look
from gate.fleet.centre.database import migrate
from gate.fleet.updates import ledger
from gate.fleet.updates.broker import OBJECTS, VALUES, Broker, assign, make_stores, publish_repository
from gate.fleet.updates.director import Director, serve
from gate.fleet.updates.health import Conditions
from gate.fleet.updates.rollout import Plan, Stage, ordered
from gate.fleet.updates.targets import Target, UpdateError

HOUR = 3600.0


@pytest.fixture
def second(centre):
    forth = centre.bring_rules("two")
    back = centre.bring_rules("one", version=1, because="roll-out failed")
    centre.allow(dict([forth, back]))
    return forth[0], back[0]


@pytest.fixture
def plan(second):
    def stage(name, *gates):
        return Stage(name=name, gates=gates, soak_s=HOUR, most_s=24 * HOUR)

    stages = (stage("one-gate", "CGK.D07"), stage("bank", "CGK.D08", "CGK.D09"), stage("all", "DPS.A1"))
    return Plan(name="two", target=second[0], back=second[1], stages=stages, conditions=Conditions(fewest=0))


@pytest.fixture
def held(database):
    migrate(database)
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def tell(connection, gate, path, *, state="idle"):
    """As the collector writes a gate's status."""
    target = Target.parse(path)
    connection.execute(
        "insert into gate_status (gate, told, at, boot, log, head, receipted, state, troubles, waiting_s, versions, freshness, refused)"
        " values (%s, now(), now(), 0, '', 0, 0, %s, '{}', 0, %s, '{}', '{}')"
        " on conflict (gate) do update set versions = excluded.versions, state = excluded.state",
        (gate, state, json.dumps({target.word: target.label})),
    )


def assigned(connection):
    return {gate: targets["rules"] for gate, targets in connection.execute("select gate, targets from assignment").fetchall()}


class Moving(Director):
    """One that moves, and sends nothing."""

    def __init__(self, connection, centre):
        super().__init__("", None, None, centre.repository, lambda: centre.now)
        self._connection = connection

    def move(self):
        self._move(self._connection)
        return ledger.newest(self._connection).state


def test_one_stage_after_another_each_when_the_one_before_reports_and_has_soaked(held, centre, plan):
    director = Moving(held, centre)
    ledger.begin(held, plan, "siti", centre.now)
    for number, stage in enumerate(plan.stages):
        assert director.move().stage == number
        assert assigned(held).keys() == plan.gates(number)
        centre.now += timedelta(minutes=10)
        for gate in stage.gates:
            tell(held, gate, plan.target)
        assert director.move().stage == number, "not soaked yet"
        centre.now += timedelta(hours=1)
        director.move()
    assert ledger.newest(held).state.phase == "done"
    assert set(assigned(held).values()) == {plan.target}


def test_gates_that_do_not_report_the_version_are_taken_back_and_the_others_never_get_it(held, centre, plan):
    director = Moving(held, centre)
    ledger.begin(held, plan, "siti", centre.now)
    director.move()
    centre.now += timedelta(hours=1)
    state = director.move()
    assert (state.phase, assigned(held)) == ("back", {"CGK.D07": plan.back})
    assert "CGK.D07 did not report" in state.why
    tell(held, "CGK.D07", plan.back)
    assert director.move().phase == "undone"
    steps = held.execute("select phase from rollout_step order by id").fetchall()
    assert [phase for (phase,) in steps] == ["forth", "back", "undone"]


def test_crossings_that_are_referred_more_often_take_it_back(held, centre, plan):
    from msgspec.structs import replace

    held.execute("create table crossing_default partition of crossing default")
    crossing = (
        "insert into crossing"
        " (log_no, seq, day, gate, transaction, direction, started, ended, seconds, class, outcome, reasons, stages, demonstration)"
        " select 1, n, %(day)s, 'CGK.D07', 't', 'departure', %(at)s, %(at)s, 10, '', case when n %% %(each)s = 0"
        " then 'COUNTER' else 'OPEN' end, '{}', '{}', true from generate_series(%(first)s::int, %(last)s::int) n"
    )
    day = centre.now.date()
    held.execute(crossing, {"day": day, "at": centre.now - timedelta(days=1), "each": 20, "first": 1, "last": 400})
    director = Moving(held, centre)
    ledger.begin(held, replace(plan, conditions=Conditions(fewest=300)), "siti", centre.now)
    director.move()
    tell(held, "CGK.D07", plan.target)
    centre.now += timedelta(hours=2)
    assert "0 crossings since" in director.move().why
    held.execute(crossing, {"day": day, "at": centre.now - timedelta(hours=1), "each": 4, "first": 401, "last": 801})
    state = director.move()
    assert state.phase == "back"
    assert "referred" in state.why


def test_a_second_roll_out_waits_for_the_first(held, centre, plan):
    from msgspec.structs import replace

    ledger.begin(held, plan, "siti", centre.now)
    with pytest.raises(UpdateError):
        ledger.begin(held, replace(plan, name="another"), "siti", centre.now)


def test_a_version_that_is_taken_back_by_people_goes_no_further(held, centre, plan):
    director = Moving(held, centre)
    ledger.begin(held, plan, "siti", centre.now)
    director.move()
    centre.allow(remove=[plan.target])
    assert director.move().phase == "back"
    assert assigned(held) == {"CGK.D07": plan.back}
    centre.allow(remove=[plan.back])
    assert director.move().phase == "paused"


def test_what_a_person_orders_is_done_by_whichever_director_comes_next(held, centre, plan):
    ledger.begin(held, plan, "siti", centre.now)
    Moving(held, centre).move()
    with held.transaction():
        found = ledger.named(held, "two")
        ledger.keep(held, "two", found.state, ordered(found.state, "undo", "budi", centre.now))
    Moving(held, centre).move()
    assert assigned(held) == {"CGK.D07": plan.back}
    assert ledger.newest(held).state.why == "undone by budi"


def test_of_two_directors_one_acts_and_the_other_takes_over_when_it_is_gone(database, held):
    with psycopg.connect(database, autocommit=True) as other:
        assert ledger.only_one(held)
        assert not ledger.only_one(other)
        held.close()
        for _ in range(100):
            if ledger.only_one(other):
                return
        pytest.fail("nobody took over")


async def test_a_roll_out_that_goes_back_or_waits_is_an_alert_until_it_has_ended(database, held, centre, plan):
    async def told():
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            await look(connection)
        return [(alert.kind, alert.log, alert.detail) for alert in alerts(held)]

    ledger.begin(held, plan, "siti", centre.now)
    director = Moving(held, centre)
    director.move()
    assert await told() == []
    with held.transaction():
        found = ledger.named(held, "two")
        ledger.keep(held, "two", found.state, ordered(found.state, "pause", "budi", centre.now))
    assert await told() == [("rollout", "two", "waits for a person: paused by budi")]
    with held.transaction():
        found = ledger.named(held, "two")
        ledger.keep(held, "two", found.state, ordered(found.state, "undo", "budi", centre.now))
    assert await told() == [("rollout", "two", "goes back: undone by budi")]
    tell(held, "CGK.D07", plan.back)
    assert director.move().phase == "undone"
    assert [kind for kind, _, _ in await told() if kind == "rollout"] == []


async def test_a_gate_takes_from_the_broker_what_the_director_laid_out(own_nats, database, centre, gate, plan):
    """Repository, keys and assignment travel over JetStream; the gate asks for nothing but files and its own assignment."""
    migrate(database)
    with psycopg.connect(database, autocommit=True) as connection:
        ledger.begin(connection, plan, "siti", centre.now)
        client = await nats_client.connect(own_nats.url)
        director = Director(database, client.jetstream(), centre.signs, centre.repository, lambda: centre.now)
        try:
            await director.tick(connection)
            updater = gate.restarted(js=client.jetstream())
            broker = Broker(client.jetstream(), asyncio.get_running_loop())
            await asyncio.to_thread(updater.look, broker, broker.assignment)
            assert updater.trouble == ""
            assert gate.work() == "two"

            held_by = connection.execute("select number from assignment").fetchone()
            await director.tick(connection)
            assert connection.execute("select number from assignment").fetchone() == held_by, (
                "nothing changed, nothing is signed anew"
            )
            centre.now += timedelta(days=1, minutes=1)
            centre.repository.publish(centre.online, centre.now)
            await director.tick(connection)
            await asyncio.to_thread(updater.look, broker, broker.assignment)
            assert updater.trouble == "", "an assignment is renewed long before it ends"

            for stream in (OBJECTS, VALUES):
                await client.jetstream().delete_stream(stream)
            await director.tick(connection)
            await asyncio.to_thread(updater.look, broker, broker.assignment)
            assert updater.trouble == "", "a broker that lost its disk is given everything again"
            broker.close()
            await asyncio.to_thread(updater.look, broker, broker.assignment)
            assert updater.refused == {"unreachable": 1}
        finally:
            await client.close()


class Token:
    """The director's key, in a token that somebody pulled out."""

    def __init__(self, signer):
        self._signer, self.public, self.asked, self.away = signer, signer.public, 0, True

    def sign(self, message):
        self.asked += 1
        if self.away:
            raise AuditError("the token is away")
        return self._signer.sign(message)


async def test_a_token_that_is_away_is_waited_for(own_nats, database, held, centre, plan):
    ledger.begin(held, plan, "siti", centre.now)
    client, token = await nats_client.connect(own_nats.url), Token(centre.signs)
    director = Director(database, client.jetstream(), token, centre.repository, lambda: centre.now, every_s=0.05)
    running = asyncio.create_task(director.run())
    async with asyncio.timeout(20):
        while token.asked < 2:
            await asyncio.sleep(0.02)
        token.away = False
        while held.execute("select count(*) from assignment where signed is not null").fetchone() == (0,):
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await client.close()


async def test_the_service_manager_hears_that_it_is_ready_and_of_every_look_also_where_the_database_is_away(
    own_nats, database, centre, tmp_path, monkeypatch
):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        async def heard(dsn):
            pace = {"every_s": 0.05, "move_s": 0.05}
            serving = asyncio.create_task(
                serve(dsn, own_nats.url, "director", None, signer=centre.signs, repository=centre.repository, **pace)
            )
            told = [(await asyncio.to_thread(manager.recv, 1024)).decode() for _ in range(3)]
            signal.raise_signal(signal.SIGTERM)  # it listens, or it had not said that it is ready
            await serving
            while "STOPPING=1" not in told[-1]:
                told.append((await asyncio.to_thread(manager.recv, 1024)).decode())
            return told

        migrate(database)
        ready, first, second, *_ = await heard(database)
        assert (ready, first, second) == ("READY=1", "WATCHDOG=1\nSTATUS=acts", "WATCHDOG=1\nSTATUS=acts")
        ready, first, second, *_ = await heard("host=127.0.0.1 port=1 connect_timeout=2")
        assert ready == "READY=1"
        assert first.startswith("WATCHDOG=1\nSTATUS=connection")
        assert first.count("\n") == second.count("\n") == 1, "whatever the database says, it says nothing to the service manager"


async def test_an_assignment_that_was_signed_before_a_crash_is_never_signed_again_with_other_words(database, held, centre, plan):
    ledger.begin(held, plan, "siti", centre.now)
    Moving(held, centre).move()
    first = ledger.to_sign(held, centre.now)
    again = ledger.to_sign(held, centre.now)  # the director was killed before it had laid out, or said that it had
    assert [number for _, number, _ in again] == [number + 1 for _, number, _ in first]
    ledger.signed(held, [(gate, number) for gate, number, _ in first], centre.now)
    assert ledger.to_sign(held, centre.now) != [], "what was laid out is not the newest"


async def test_a_gate_that_looks_for_ever_takes_what_comes_and_ends_when_it_is_told(own_nats, centre, gate, second):
    client = await nats_client.connect(own_nats.url)
    try:
        await make_stores(client.jetstream())
        await publish_repository(client.jetstream(), centre.repository.folder)
        updater = gate.restarted(js=client.jetstream(), every_s=0.05)
        looking = asyncio.create_task(updater.run())
        await asyncio.sleep(0.2)
        await assign(client.jetstream(), "CGK.D07", centre.assignment({"rules": second[0]}))
        async with asyncio.timeout(20):
            while gate.rules.in_force().statement.sequence < 2:
                await asyncio.sleep(0.05)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
    finally:
        await client.close()
