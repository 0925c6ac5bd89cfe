"""The director: the one process that says which of the allowed versions each gate shall have. It moves roll-outs on, signs, and lays out.

All it knows is in the centre's database: killed at any moment, it goes on where it was; of two the second waits. With its key
somebody can choose among what people allowed, and nothing else.
"""

from __future__ import annotations

import asyncio
import math
import signal
import ssl
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import nats.errors
import psycopg
from nats.js import JetStreamContext

from gate import notify
from gate.audit.chain import AuditError
from gate.clock import SystemClock
from gate.fleet.keys.names import inbox
from gate.fleet.messages import Assignment, Signs, sealed
from gate.fleet.nats_client import connect
from gate.fleet.updates import ledger
from gate.fleet.updates.broker import assign, make_stores, publish_repository
from gate.fleet.updates.repository import Repository
from gate.fleet.updates.rollout import assignments, step
from gate.fleet.updates.targets import UpdateError
from gate.processes.worker import first_of

EVERY_S, MOVE_S = 5.0, 30.0
"""Between two looks at what is to be laid out, and at how a roll-out does: that counts a stage's crossings."""
LASTS, AGAIN = timedelta(days=7), timedelta(days=1)
"""How long an assignment counts, and how old the one laid out becomes at most."""
CONNECT_S = 10


class Director:
    """Over one connection to the broker."""

    def __init__(
        self,
        dsn: str,
        js: JetStreamContext,
        signer: Signs,
        repository: Repository,
        now: Callable[[], datetime],
        *,
        every_s: float = EVERY_S,
        move_s: float = MOVE_S,
    ) -> None:
        self._dsn, self._js, self._signer, self._repository = dsn, js, signer, repository
        self._now, self._every_s, self._move_s = now, every_s, move_s
        self._sent = 0
        """When the repository that the broker holds was published, by its timestamp's file."""
        self._moved = -math.inf
        self._before: tuple[tuple[str, int], ledger.Baseline] | None = None

    async def run(self) -> None:
        """For ever, until cancelled. A database, broker or token that is away is told and waited for. Each look proves to the service manager that this works."""
        told = ""
        while True:
            try:
                with await asyncio.to_thread(self._connected) as connection:
                    while True:
                        await self.tick(connection)
                        told = ""
                        notify.tell(notify.PROOF, f"{notify.STATUS}acts")
                        await asyncio.sleep(self._every_s)
            except (psycopg.Error, nats.errors.Error, AuditError, UpdateError, OSError) as error:
                if told != str(error):
                    told = str(error)
                    print(f"director: {told}", file=sys.stderr, flush=True)
            notify.tell(notify.PROOF, notify.STATUS + told.partition("\n")[0])
            await asyncio.sleep(self._every_s)

    async def tick(self, connection: ledger.Connection) -> None:
        """One look at what there is to do. Raises psycopg.Error, nats.errors.Error, AuditError, UpdateError, OSError."""
        anew = await make_stores(self._js)
        await self._publish(anew=anew)
        if time.monotonic() - self._moved >= self._move_s:
            await asyncio.to_thread(self._move, connection)
            self._moved = time.monotonic()
        now = self._now()
        older = now if anew else now - AGAIN
        asked = await asyncio.to_thread(_committed, connection, lambda: ledger.to_sign(connection, older))
        for gate, number, targets in asked:
            await assign(self._js, gate, signed_assignment(self._signer, gate, number, targets, now))
        if asked:
            done = [(gate, number) for gate, number, _ in asked]
            await asyncio.to_thread(_committed, connection, lambda: ledger.signed(connection, done, now))

    def _move(self, connection: ledger.Connection) -> None:
        """One step of the roll-out that has not ended, and what follows from it. It is looked at first and locked then, so that nobody's order waits."""
        rollout = ledger.unended(connection)
        if rollout is None:
            return
        plan, state, allowed = rollout.plan, rollout.state, self._repository.allowed()
        seen = ledger.observed(connection, assignments(plan, state, allowed), self._baseline(connection, rollout), state.since)
        with connection.transaction():
            if ledger.unended(connection, lock=True) != rollout:
                return  # a person ordered meanwhile: next time
            after = step(plan, state, seen, allowed, self._now())
            ledger.keep(connection, plan.name, state, after)
            ledger.assign(connection, plan.kind, assignments(plan, after, allowed))

    def _baseline(self, connection: ledger.Connection, rollout: ledger.Rollout) -> ledger.Baseline:
        key = rollout.plan.name, rollout.state.stage
        if self._before is None or self._before[0] != key:
            gates = rollout.plan.gates(rollout.state.stage)
            self._before = key, ledger.baseline(connection, gates, rollout.begun)
        return self._before[1]

    async def _publish(self, *, anew: bool) -> None:
        """Send the repository to the broker where it was published, or the broker is new."""
        stamp = await asyncio.to_thread(self._stamp)
        if anew or stamp != self._sent:
            await publish_repository(self._js, self._repository.folder)
            self._sent = stamp

    def _stamp(self) -> int:
        try:
            return (self._repository.folder / "metadata" / "timestamp.json").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _connected(self) -> ledger.Connection:
        """Raises psycopg.Error; UpdateError where another director acts."""
        connection: ledger.Connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=CONNECT_S)
        if not ledger.only_one(connection):
            connection.close()
            raise UpdateError("refused", "another director acts: this one waits")
        return connection


def signed_assignment(signer: Signs, gate: str, number: int, targets: dict[str, str], now: datetime) -> bytes:
    """As it travels. Raises what the signer raises."""
    at, until = (each.isoformat(timespec="seconds") for each in (now, now + LASTS))
    return sealed(signer, Assignment(gate=gate, number=number, at=at, until=until, targets=targets))


async def serve(
    dsn: str, url: str, name: str, tls: ssl.SSLContext | None, *, signer: Signs, repository: Repository, **pace: float
) -> None:
    """The service, until SIGTERM or SIGINT. ``pace``: :class:`Director`'s. Raises OSError, ValueError where the broker cannot be reached at all."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    async def direct() -> None:
        client = await connect(url, f"director {name}", tls, inbox=inbox("director", name))
        try:
            notify.tell(notify.READY)
            await Director(dsn, client.jetstream(), signer, repository, SystemClock().wall, **pace).run()
        finally:
            notify.tell(notify.STOPPING)
            await client.close()

    async def until_ended() -> None:
        await ended.wait()

    try:
        await first_of(direct(), until_ended())
    except nats.errors.Error as error:
        raise OSError(f"{url}: {error or type(error).__name__}") from error


def _committed(connection: ledger.Connection, work: Callable[[], Any]) -> Any:
    with connection.transaction():
        return work()
