"""Tables are made once, by one program at a time, and never by an older one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from gate.fleet.centre.database import DatabaseError, Migration, check_schema, migrate, migrations

ONE = Migration(version=1, name="0001_one", script="create table one (n integer);")
TWO = Migration(version=2, name="0002_two", script="create table two (n integer); insert into one values (2);")


def test_two_that_migrate_at_once_do_it_once(database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: migrate(database, (ONE, TWO)), range(4)))
    assert sorted(done) == [[], [], [], ["0001_one", "0002_two"]]


def test_a_later_migration_with_a_lower_number_is_applied_too(database: str) -> None:
    migrate(database, (ONE, replace(TWO, version=9, name="0009_two")))
    assert migrate(
        database,
        (ONE, Migration(version=2, name="0002_late", script="create table late ();"), replace(TWO, version=9, name="0009_two")),
    ) == ["0002_late"]


def test_a_newer_database_is_left_alone(database: str) -> None:
    migrate(database, (ONE, TWO))
    with pytest.raises(DatabaseError, match="a newer one made it"):
        migrate(database, (ONE,))


def test_another_migration_under_a_known_number_is_found(database: str) -> None:
    migrate(database, (ONE,))
    with pytest.raises(DatabaseError, match="another 0001_one"):
        migrate(database, (replace(ONE, script="create table other ();"),))


def test_a_migration_that_fails_leaves_nothing_of_it(database: str) -> None:
    broken = replace(TWO, script="create table half (); select 1/0;")
    with pytest.raises(psycopg.Error):
        migrate(database, (ONE, broken))
    with psycopg.connect(database) as connection:
        assert connection.execute("select to_regclass('half'), to_regclass('one')").fetchone() == (None, "one")


def test_a_collector_refuses_a_database_without_its_tables(database: str) -> None:
    with pytest.raises(DatabaseError, match="--migrate"):
        check_schema(database)
    migrate(database, migrations()[:1])
    with pytest.raises(DatabaseError, match="lacks"):
        check_schema(database)
    migrate(database)
    check_schema(database)
