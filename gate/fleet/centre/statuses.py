"""How each gate does, as it told last: one row a gate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from gate.fleet.centre.arrivals import StatusCame

AHEAD = timedelta(minutes=5)
"""By so much the instant of a status that is kept may lie ahead of when it came. One that lies further ahead, from before the gate's clock was set
right, keeps back none that comes after it.
"""
_PUT = """
insert into gate_status as s (gate, told, at, boot, log, head, receipted, state, troubles, waiting_s, versions, freshness, days_left, refused,
    behind_since)
values (%(gate)s, %(told)s, %(at)s, %(boot)s, %(log)s, %(head)s, %(receipted)s, %(state)s, %(troubles)s, %(waiting_s)s, %(versions)s,
    %(freshness)s, %(days_left)s, %(refused)s,
    case when %(head)s > coalesce((select through from gate_log where gate = %(gate)s and log = %(log)s), 0) then now() end)
on conflict (gate) do update set
    told = excluded.told, at = excluded.at, boot = excluded.boot, log = excluded.log, head = excluded.head, receipted = excluded.receipted,
    state = excluded.state, troubles = excluded.troubles, waiting_s = excluded.waiting_s, versions = excluded.versions,
    freshness = excluded.freshness, days_left = excluded.days_left, refused = excluded.refused,
    behind_since = case when excluded.behind_since is not null then coalesce(s.behind_since, now()) end
where excluded.at > s.at or s.at > s.told + %(ahead)s
"""


async def put_statuses(connection: psycopg.AsyncConnection[tuple[Any, ...]], came: Sequence[StatusCame]) -> None:
    """The newest of each gate, unless a newer one is known: an old one sent again says nothing. In gates' order, so that two collectors agree."""
    newest = {one.status.gate: one for one in sorted(came, key=lambda one: one.at)}
    if newest:
        async with connection.cursor() as cursor:
            await cursor.executemany(_PUT, [_columns(newest[gate]) for gate in sorted(newest)])


def _columns(one: StatusCame) -> dict[str, Any]:
    status = one.status
    return {
        "ahead": AHEAD,
        "gate": status.gate,
        "told": one.told,
        "at": one.at,
        "boot": status.boot,
        "log": status.log,
        "head": status.head,
        "receipted": status.receipted,
        "state": status.state,
        "troubles": list(status.troubles),
        "waiting_s": status.waiting_s,
        "versions": Jsonb(status.versions),
        "freshness": Jsonb({name: at.isoformat() for name, at in one.freshness.items()}),
        "days_left": status.days_left,
        "refused": Jsonb(status.refused),
    }
