"""What the director remembers, in the centre's database: assignments, roll-outs, and what gates and crossings say of them.

Every change is one transaction that holds the roll-out's row: two directors never move one roll-out twice, and one that is killed has
either done a step or not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg

from gate.fleet.updates.health import Observed, Tally
from gate.fleet.updates.rollout import Plan, State
from gate.fleet.updates.targets import Target, UpdateError

Connection = psycopg.Connection[tuple[Any, ...]]
LOCK = 0x61676174655F6469
"""Of the director, as ``pg_advisory_lock`` takes it; no other program of ours uses it."""
BEFORE = timedelta(days=7)
"""So far back it is counted how gates did before."""
# A crossing lies under the day on which it was written down; whoever does not say from which day on looks through all that there are.
_TALLY = """
select count(*), count(*) filter (where outcome <> 'OPEN'), count(*) filter (where seconds > %(slow)s)
from crossing where gate = any(%(gates)s) and ended >= %(begin)s and ended < %(end)s and day >= (%(begin)s at time zone 'UTC')::date - 1
"""
_USUAL = """
select percentile_disc(0.95) within group (order by seconds)
from crossing where gate = any(%(gates)s) and ended >= %(begin)s and ended < %(end)s and day >= (%(begin)s at time zone 'UTC')::date - 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """``begun``: when its first stage did."""

    plan: Plan
    state: State
    begun: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """``slow``: seconds that 95 of 100 crossings stayed under."""

    slow: float
    tally: Tally


def begin(connection: Connection, plan: Plan, by: str, now: datetime) -> None:
    """Raises UpdateError where another one has not ended, or had the name."""
    try:
        with connection.transaction():
            connection.execute(
                "insert into rollout values (%s, %s, 'forth', 0, %s, '', 'forth', %s, %s)", (plan.name, _json(plan), now, now, by)
            )
            _note(connection, plan.name, State(since=now, why=f"begun by {by}"))
    except psycopg.errors.UniqueViolation:
        raise UpdateError("refused", f"{plan.name}: another roll-out has not ended, or had that name") from None


def unended(connection: Connection, *, lock: bool = False) -> Rollout | None:
    """Where there is one; locked for this transaction where that is wanted."""
    return _found(connection, "where phase not in ('done', 'undone')" + (" for update" if lock else ""), ())


def named(connection: Connection, name: str) -> Rollout:
    """Locked for this transaction. Raises UpdateError."""
    found = _found(connection, "where name = %s for update", (name,))
    if found is None:
        raise UpdateError("malformed", f"no roll-out {name}")
    return found


def newest(connection: Connection) -> Rollout | None:
    return _found(connection, "order by begun desc limit 1", ())


def _found(connection: Connection, clause: str, values: tuple[str, ...]) -> Rollout | None:
    asked = f"select plan::text, phase, stage, since, why, next, begun from rollout {clause}"  # noqa: S608 - clauses of ours
    row = connection.execute(asked, values).fetchone()
    if row is None:
        return None
    plan = msgspec.json.decode(row[0], type=Plan)
    return Rollout(plan=plan, state=State(phase=row[1], stage=row[2], since=row[3], why=row[4], then=row[5]), begun=row[6])


def keep(connection: Connection, name: str, before: State, after: State) -> None:
    """Where anything changed."""
    if after == before:
        return
    connection.execute(
        "update rollout set phase = %s, stage = %s, since = %s, why = %s, next = %s where name = %s",
        (after.phase, after.stage, after.since, after.why, after.then, name),
    )
    if (after.phase, after.stage) != (before.phase, before.stage):
        _note(connection, name, after)


def _note(connection: Connection, name: str, state: State) -> None:
    connection.execute(
        "insert into rollout_step (rollout, phase, stage, why) values (%s, %s, %s, %s)",
        (name, state.phase, state.stage, state.why),
    )


# --- assignments ------------------------------------------------------------------------------------------------------------------------------


def assign(connection: Connection, kind: str, wanted: Mapping[str, str]) -> None:
    """Gate → path of that kind; what that changes is signed anew."""
    connection.cursor().executemany(
        "insert into assignment as a (gate, number, targets) values (%(gate)s, 0, jsonb_build_object(%(kind)s::text, %(path)s::text))"
        " on conflict (gate) do update set targets = a.targets || excluded.targets, changed = now(), signed = null"
        " where a.targets ->> %(kind)s is distinct from %(path)s",
        [{"gate": gate, "kind": kind, "path": path} for gate, path in sorted(wanted.items())],
    )


def to_sign(connection: Connection, older: datetime) -> list[tuple[str, int, dict[str, str]]]:
    """Gate, number, targets of those that were changed, or last signed before ``older``. Each has a new number, for good: one that was signed, and
    perhaps sent, before a crash is never signed again with anything else in it.
    """
    return connection.execute(
        "update assignment set number = number + 1, signed = null where signed is null or signed <= %s returning gate, number, targets",
        (older,),
    ).fetchall()


def sign_one(connection: Connection, gate: str) -> tuple[int, dict[str, str]]:
    """Number and targets of an assignment that is to be signed now, as :func:`to_sign` has them. Raises UpdateError."""
    row = connection.execute(
        "update assignment set number = number + 1, signed = null where gate = %s returning number, targets", (gate,)
    ).fetchone()
    if row is None:
        raise UpdateError("malformed", f"{gate}: nothing is assigned to it")
    return row[0], row[1]


def signed(connection: Connection, done: Iterable[tuple[str, int]], at: datetime) -> None:
    """Gates, and under which number, whose assignments were laid out."""
    connection.cursor().executemany(
        "update assignment set signed = %s where gate = %s and number = %s", [(at, gate, number) for gate, number in done]
    )


def only_one(connection: Connection) -> bool:
    """Whether this connection is, from now until it ends, that of the one director who acts."""
    row = connection.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
    return bool(row and row[0])


# --- what is seen -----------------------------------------------------------------------------------------------------------------------------


def known_gates(connection: Connection) -> frozenset[str]:
    """That ever told a status."""
    return frozenset(gate for (gate,) in connection.execute("select gate from gate_status").fetchall())


def baseline(connection: Connection, gates: Collection[str], begun: datetime) -> Baseline:
    """How ``gates`` did before. It reads a week of crossings, and never changes: ask once a stage."""
    asked: dict[str, Any] = {"gates": list(gates), "begin": begun - BEFORE, "end": begun}
    usual = connection.execute(_USUAL, asked).fetchone()
    slow = usual[0] if usual and usual[0] is not None else 0.0
    return Baseline(slow=slow, tally=_tally(connection, asked | {"slow": slow}))


def observed(connection: Connection, wanted: Mapping[str, str], before: Baseline, since: datetime) -> Observed:
    """Of the gates in ``wanted`` (gate → path that it is to have), since ``since``, when the stage began."""
    gates = list(wanted)
    rows = connection.execute("select gate, state, versions from gate_status where gate = any(%s)", (gates,)).fetchall()
    told = {gate: versions for gate, _, versions in rows}
    expected = {gate: Target.parse(path) for gate, path in wanted.items()}
    return Observed(
        gates=frozenset(gates),
        in_force=frozenset(gate for gate, target in expected.items() if told.get(gate, {}).get(target.word) == target.label),
        faulty=frozenset(gate for gate, state, _ in rows if state == "fault"),
        before=before.tally,
        since=_tally(connection, {"gates": gates, "begin": since, "end": datetime.max.replace(tzinfo=UTC), "slow": before.slow}),
    )


def _tally(connection: Connection, values: dict[str, Any]) -> Tally:
    row = connection.execute(_TALLY, values).fetchone()
    assert row is not None  # a count always answers
    return Tally(crossings=row[0], referred=row[1], slow=row[2])


def _json(plan: Plan) -> str:
    return msgspec.json.encode(plan).decode()
