"""A NATS server and a PostgreSQL for the fleet's tests: real ones, started here, each worker's own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from gate.fleet.engines import Engines, RunningNats, RunningPostgres, missing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for an engine is marked so."""
    for item in items:
        if {"engines", "nats", "own_nats", "postgres", "own_postgres", "database"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("fleet")


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """Starts servers, and ends them with the session."""
    if what := missing():
        if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1":
            pytest.fail(f"AUTOGATE_REQUIRE_ALL=1, but {what}")
        pytest.skip(what)
    with Engines() as engines:
        yield engines


@pytest.fixture(scope="session")
def nats(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> RunningNats:
    """One broker for all tests of the session: a test names its gates so that it meets nobody else's."""
    return engines.nats(tmp_path_factory.mktemp("nats"))


@pytest.fixture
def own_nats(engines: Engines, tmp_path: Path) -> Iterator[RunningNats]:
    """A broker that knows nothing, for this test alone. It starts in hundredths of a second."""
    broker = engines.nats(tmp_path / "nats")
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def postgres(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> RunningPostgres:
    return engines.postgres(tmp_path_factory.mktemp("postgres"))


@pytest.fixture
def own_postgres(engines: Engines, tmp_path: Path) -> Iterator[RunningPostgres]:
    """A database server for one test that kills it: a second or two."""
    server = engines.postgres(tmp_path / "postgres")
    yield server
    server.stop()


@pytest.fixture
def database(postgres: RunningPostgres) -> Iterator[str]:
    """The DSN of an empty database, for this test alone."""
    psycopg = pytest.importorskip("psycopg")
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield postgres.dsn_of(name)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
