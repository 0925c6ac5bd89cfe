"""The page's views in a real PostgreSQL: what they count, what they leave out, and that their role reads nothing else."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

psycopg = pytest.importorskip("psycopg")

from gate.fleet.centre.database import migrate  # noqa: E402 - what is absent is skipped first
from gate.fleet.page.board import board  # noqa: E402
from gate.fleet.page.figures import Books, Fleet  # noqa: E402
from gate.fleet.page.reading import SETTINGS, FleetFeed, read_fleet  # noqa: E402


def now() -> datetime:
    return datetime.now(UTC)


def last_hour() -> datetime:
    """In the middle of the hour that ended last."""
    return now().replace(minute=0, second=0, microsecond=0) - timedelta(minutes=30)


STATUS = (
    "insert into gate_status (gate, told, at, boot, log, head, receipted, state, troubles, waiting_s, versions, freshness, refused) "
    "values (%s, now(), now(), 1, 'aaaaaaaaaaaaaaaa', 30, 20, 'IDLE', array['rules: too old'], 0, "
    """'{"rules": "7"}', '{"watchlist": "2026-11-20T00:00:00+00:00"}', '{}')"""
)
CROSSING = (
    "insert into crossing (log_no, seq, day, gate, transaction, direction, started, ended, seconds, class, outcome, reasons, stages, demonstration) "
    "values (1, %(seq)s, %(ended)s::timestamptz::date, %(gate)s, 't', 'departure', %(ended)s, %(ended)s, 9, %(class)s, %(outcome)s, %(reasons)s, '{}', true)"
)


class Centre:
    """A database with the schema, and rows as a collector writes them."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        migrate(dsn)
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.connection.execute("create table crossing_all partition of crossing default")
        self._seq = 0

    def crossing(
        self,
        ended: datetime,
        gate: str = "CGK.dep-1",
        *,
        kind: str = "ordinary",
        outcome: str = "OPEN",
        reasons=(),
        times: int = 1,
    ):
        for _ in range(times):
            self._seq += 1
            told = {"seq": self._seq, "ended": ended, "gate": gate, "class": kind, "outcome": outcome, "reasons": list(reasons)}
            self.connection.execute(CROSSING, told)

    async def read(self) -> Fleet:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            return await read_fleet(connection)


@pytest.fixture
def centre(database: str):
    centre = Centre(database)
    yield centre
    centre.connection.close()


async def test_an_empty_centre_is_a_page_without_gates(centre):
    told = await centre.read()
    assert (told.gates, told.slots, told.hours, told.books, told.alerts) == ((), (), (), (), ())
    assert board(told).airports == ()
    assert board(told).uncollected == 0


async def test_a_collector_that_says_that_it_works_is_seen(centre):
    centre.connection.execute(
        "insert into collector values ('a', now(), now(), 0, 0, 0), ('b', now(), now() - interval '1 day', 0, 0, 0)"
    )
    assert board(await centre.read()).uncollected is None


async def test_a_gate_is_told_of_by_its_newest_status_and_what_the_centre_holds_of_its_log(centre):
    centre.connection.execute(STATUS, ("CGK.dep-1",))
    centre.connection.execute(
        "insert into gate_log (gate, log, start, through, hash) values ('CGK.dep-1', 'aaaaaaaaaaaaaaaa', '', 12, '')"
    )
    centre.connection.execute(
        "insert into gate_log (gate, log, start, through, hash) values ('DPS.dep-1', 'bbbbbbbbbbbbbbbb', '', 5, '')"
    )
    centre.crossing(now() - timedelta(minutes=1))
    mine, never = sorted((await centre.read()).gates, key=lambda gate: gate.gate)
    assert (mine.behind, mine.direction, mine.versions, mine.troubles) == (18, "departure", {"rules": "7"}, ("rules: too old",))
    assert (never.gate, never.heard, never.behind) == ("DPS.dep-1", None, 0)


async def test_a_gate_that_was_taken_away_is_not_shown_for_ever(centre):
    """People settled that it is silent, which takes its status away; its log stays for as long as records do."""
    centre.connection.execute(
        "insert into gate_log (gate, log, start, hash, moved) values ('CGK.dep-9', 'aaaaaaaaaaaaaaaa', '', '', now() - interval '2 days')"
    )
    assert (await centre.read()).gates == ()


async def test_travellers_are_counted_by_airport_once_they_are_done(centre):
    centre.crossing(now() - timedelta(minutes=2), times=3)
    centre.crossing(now() - timedelta(minutes=2), outcome="COUNTER")
    centre.crossing(now() - timedelta(minutes=2), outcome="RETRY")
    centre.crossing(now() - timedelta(minutes=90), "DPS.arr-2", kind="")
    centre.crossing(now() + timedelta(minutes=40), times=7)
    told = await centre.read()
    assert [(hour.airport, hour.crossings, hour.passed, hour.sealed, hour.median_s) for hour in told.hours] == [
        ("CGK", 4, 3, 0, 9.0)
    ]
    assert {(slot.airport, slot.crossings, slot.passed) for slot in told.slots} == {("CGK", 4, 3), ("DPS", 1, 1)}
    assert all(slot.at <= now() < slot.at + timedelta(hours=3) for slot in told.slots)


async def test_a_crossing_that_comes_twice_counts_once_and_one_that_is_taken_out_counts_no_more(centre):
    def counted():
        return centre.connection.execute("select gate, outcome, crossings from crossing_count order by gate, outcome").fetchall()

    at = now() - timedelta(minutes=2)
    centre.crossing(at, times=2)
    centre.crossing(at, outcome="COUNTER")
    told = {"seq": 1, "ended": at, "gate": "CGK.dep-1", "class": "", "outcome": "OPEN", "reasons": []}
    centre.connection.execute(f"{CROSSING} on conflict do nothing", told)
    assert counted() == [("CGK.dep-1", "COUNTER", 1), ("CGK.dep-1", "OPEN", 2)]
    centre.connection.execute("delete from crossing where seq = 3")
    assert counted() == [("CGK.dep-1", "COUNTER", 0), ("CGK.dep-1", "OPEN", 2)]
    assert [(slot.crossings, slot.passed) for slot in (await centre.read()).slots] == [(2, 2)]


async def test_official_books_are_counted_up_to_the_last_full_hour(centre):
    centre.crossing(last_hour(), kind="service", times=12)
    centre.crossing(last_hour(), kind="diplomatic", outcome="COUNTER", reasons=("CHIPLESS_BOOK",), times=11)
    centre.crossing(last_hour(), kind="ordinary", times=5)
    centre.crossing(now(), kind="service", outcome="COUNTER", reasons=("NO_BIOMETRIC_RECORD",))
    centre.crossing(now() - timedelta(days=9), kind="service", times=4)
    told = await centre.read()
    assert set(told.books) == {
        Books(airport="CGK", outcome="OPEN", reasons=(), crossings=12),
        Books(airport="CGK", outcome="COUNTER", reasons=("CHIPLESS_BOOK",), crossings=11),
    }


async def test_official_books_of_gates_that_seal_are_what_the_gates_counted_in_seven_days(centre):
    today = now().date()

    def counts(number: int) -> str:
        told = [
            (True, "", "", 400),
            (True, "service", "", number),
            (False, "service", "no exit permit", 3),
            (False, "diplomatic", "other", 1),
        ]
        names = ("passed", "document_class", "cause", "count")
        return json.dumps(
            [dict(zip(names, each, strict=True)) | {"direction": "departure", "since": f"{today}"} for each in told]
        )

    for seq, (gate, days, number) in enumerate(
        [("CGK.D1", 1, 20), ("CGK.D2", 1, 30), ("CGK.D1", 2, 5), ("CGK.D1", 8, 1000), ("DPS.D1", 7, 9)]
    ):
        centre.connection.execute(
            "insert into tally (gate, day, log_no, seq, demonstration, unread, counts) values (%s, %s, 1, %s, false, 0, %s)",
            (gate, today - timedelta(days=days), seq, counts(number)),
        )
    told = {(each.airport, each.passed, each.cause): (each.crossings, each.until) for each in (await centre.read()).tallies}
    yesterday = today - timedelta(days=1)
    assert told == {
        ("CGK", True, ""): (55, yesterday),
        ("CGK", False, "no exit permit"): (9, yesterday),
        ("CGK", False, "other"): (3, yesterday),
        ("DPS", True, ""): (9, today - timedelta(days=7)),
        ("DPS", False, "no exit permit"): (3, today - timedelta(days=7)),
        ("DPS", False, "other"): (1, today - timedelta(days=7)),
    }


async def test_only_open_alerts_are_shown_newest_first(centre):
    centre.connection.execute(
        "insert into alert (kind, gate, detail, opened, closed) values ('gap', 'CGK.dep-1', 'record 7 is missing', now() - interval '1 hour', null), "
        "('silent', 'CGK.dep-2', '', now(), null), ('late', 'CGK.dep-3', '', now(), now())"
    )
    centre.connection.execute(
        "insert into alert (kind, gate, log, detail, opened) values ('rollout', '', 'rules-7', '', now() - interval '1 day')"
    )
    told = [(alert.code, alert.gate) for alert in (await centre.read()).alerts]
    assert told == [("silent", "CGK.dep-2"), ("gap", "CGK.dep-1"), ("rollout", "rules-7")]


@pytest.mark.parametrize("table", ["event", "crossing", "gate_status", "gate_log", "alert", "refusal", "checkpoint", "tally"])
def test_the_pages_role_reads_no_table_and_writes_nowhere(centre, table):
    with psycopg.connect(centre.dsn, autocommit=True) as connection:
        connection.execute(SETTINGS)
        assert connection.execute("select count(*) from page_gate").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select 1 from {table}")
        with pytest.raises(psycopg.Error):
            connection.execute("create table mine (id integer)")


async def test_a_database_that_is_away_is_told_of_and_followed_again(centre, monkeypatch):
    monkeypatch.setattr("gate.fleet.page.reading.LOOK_S", 0.02)
    name = centre.connection.info.dbname
    feed = FleetFeed(centre.dsn)
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(20):
        await until(lambda: feed.current is not None)
        with psycopg.connect(centre.dsn.replace(name, "postgres"), autocommit=True) as other:
            other.execute(f"drop database {name} with (force)")
            await until(lambda: feed.current is None)
            other.execute(f"create database {name}")
        migrate(centre.dsn)
        await until(lambda: feed.current is not None)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until(there) -> None:
    while not there():
        await asyncio.sleep(0.02)
