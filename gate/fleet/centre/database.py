"""The centre's database and its schema: numbered files of SQL, each applied once, by one program at a time.

A database that knows a migration which this release lacks was made by a newer one, and is left alone. ``fsync`` and ``synchronous_commit``
stay as PostgreSQL has them, on: a receipt says that records are on the disk.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

SCHEMA = Path(__file__).with_name("schema")
LOCK = 0x61676174655F6D69
"""Of the migration, as ``pg_advisory_lock`` takes it; no other program of ours uses it."""
CONNECT_S = 5
_VERSIONS = (
    "create table if not exists schema_version "
    "(version integer primary key, name text not null, digest text not null, applied timestamptz not null default now())"
)


class DatabaseError(Exception):
    """The database is of another release, or cannot be used; says what to do. Nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    version: int
    name: str
    script: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.script.encode()).hexdigest()


def migrations(folder: Path = SCHEMA) -> tuple[Migration, ...]:
    """All of this release, in the order of their numbers."""
    found = (
        Migration(version=int(file.name[:4]), name=file.stem, script=file.read_text(encoding="utf-8"))
        for file in folder.glob("[0-9][0-9][0-9][0-9]_*.sql")
    )
    return tuple(sorted(found, key=lambda one: one.version))


def migrate(dsn: str, known: tuple[Migration, ...] | None = None) -> list[str]:
    """Apply what is missing; returns the names. Raises DatabaseError, psycopg.Error. Safe beside others that do the same."""
    known = migrations() if known is None else known
    done = []
    with psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_S) as connection:
        connection.execute("select pg_advisory_lock(%s)", (LOCK,))
        connection.execute(_VERSIONS)
        applied = _applied(connection)
        _check(applied, known)
        for each in known:
            if each.version not in applied:
                with connection.transaction():
                    connection.execute(sql.SQL(each.script))
                    connection.execute("insert into schema_version values (%s, %s, %s)", (each.version, each.name, each.digest))
                done.append(each.name)
    return done


def check_schema(dsn: str) -> None:
    """Raises DatabaseError where the database is not exactly this release's."""
    known = migrations()
    with psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_S) as connection:
        connection.execute("set default_transaction_read_only = on")
        try:
            applied = _applied(connection)
        except psycopg.errors.UndefinedTable:
            raise DatabaseError("the database is empty: autogate collect --migrate makes its tables") from None
    _check(applied, known)
    if missing := [each.name for each in known if each.version not in applied]:
        raise DatabaseError(f"the database lacks {', '.join(missing)}: autogate collect --migrate")


def _applied(connection: psycopg.Connection[tuple[int, str, str]]) -> dict[int, tuple[str, str]]:
    rows = connection.execute("select version, name, digest from schema_version").fetchall()
    return {version: (name, digest) for version, name, digest in rows}


def _check(applied: dict[int, tuple[str, str]], known: tuple[Migration, ...]) -> None:
    ours = {each.version: (each.name, each.digest) for each in known}
    for version, found in applied.items():
        if version not in ours:
            raise DatabaseError(f"the database has {found[0]}, which this release does not know: a newer one made it")
        if found != ours[version]:
            raise DatabaseError(f"the database has another {found[0]} than this release")
