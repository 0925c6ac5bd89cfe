"""The collector: what the broker holds goes into the database, is acknowledged, and receipted; in this order and no other.

One of many that share the work. A broker or a database that is away is waited for; meanwhile nothing is pulled and nothing acknowledged. A
message that cannot be believed, or that the database cannot take, is counted and never tried again: no gate keeps the others waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
from nats.aio.client import Client
from nats.aio.msg import Msg

from gate import notify
from gate.fleet.centre import alerts
from gate.fleet.centre.arrivals import Arrival, ParcelCame, Refused, arrival, refused
from gate.fleet.centre.broker import Intake, acknowledge
from gate.fleet.centre.partitions import Partitions, ahead
from gate.fleet.centre.receipts import Receipts
from gate.fleet.centre.store import Stored, days, prepare, store
from gate.fleet.messages import Keys, Signs

MOST, MOST_BYTES = 2048, 2 << 20
"""Messages in one transaction, and the bytes after which no more are added: half a second's work. Who comes meanwhile waits for it, and more at once
would make it little cheaper.
"""
LINGER_S = 0.05
"""So long more is waited for when something came: a transaction costs much the same for one message as for a hundred."""
IDLE_S = 0.25
HOUSE_S = 10.0
"""Between two looks at what is wrong, and two signs of life."""
CONNECT_S, STATEMENT_S = 5, 30
"""The service manager ends a collector that says nothing for a minute."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
POISON = (psycopg.DataError, psycopg.IntegrityError)
"""What the database says when it is the data; whatever else it says, it is tried again."""

_HEARTBEAT = """
insert into collector (name, started, seen, events, parcels, refused) values (%s, %s, now(), %s, %s, %s)
on conflict (name) do update set started = excluded.started, seen = now(), events = excluded.events, parcels = excluded.parcels,
    refused = excluded.refused
"""


class _StoppedError(Exception):
    """What was taken is left to the next collector."""


class Collector:
    """Works from :meth:`run` until it is told to stop."""

    def __init__(
        self,
        client: Client,
        dsn: str,
        keys: Keys,
        signer: Signs,
        name: str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``client``: a connection to a broker that :func:`gate.fleet.centre.broker.prepare` prepared. ``name``: no other collector's."""
        self._client, self._dsn, self._keys, self._name, self._clock = client, dsn, keys, name, clock
        self._receipts = Receipts(client, signer, clock)
        self._database: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._partitions = Partitions()
        self._started, self._stop = clock(), asyncio.Event()
        self.events = self.parcels = self.refused = 0
        self.problem = ""
        """Of the database or the receipts' key; empty: none."""

    async def run(self, stop: asyncio.Event) -> None:
        """Returns once ``stop`` is set and what was taken is done, or the database is away. Raises nats.errors.Error where the broker is gone for good."""
        self._stop, intake = stop, Intake(self._client)
        beside = [asyncio.create_task(intake.run()), asyncio.create_task(self._keep_house())]
        notify.tell(notify.READY)
        try:
            while not stop.is_set():
                notify.tell(notify.PROOF, f"{notify.STATUS}{self.problem or f'{self.events} records'}")
                if await intake.come(IDLE_S):
                    await asyncio.sleep(LINGER_S)
                    await self._take_in(intake.take(MOST, MOST_BYTES))
                for task in beside:
                    if task.done():
                        task.result()
        except _StoppedError:
            return
        finally:
            notify.tell(notify.STOPPING)
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await self._disconnect()

    async def _take_in(self, messages: Sequence[Msg]) -> None:
        came = [arrival(one.subject, one.data, one.metadata.timestamp, self._keys, self._clock) for one in messages]
        stored = await self._stored(came)
        terminate = frozenset(place for place, one in enumerate(came) if isinstance(one, Refused))
        await acknowledge(messages, terminate=terminate)
        await self._receipts.give(stored.held)
        self.problem = self._receipts.problem
        self.events += stored.events
        self.parcels += sum(isinstance(one, ParcelCame) for one in came)
        self.refused += len(terminate)

    async def _stored(self, came: list[Arrival]) -> Stored:
        """Commit it, for as long as that takes. What the database cannot take is refused, in ``came`` too."""
        try:
            return await self._tried(came)
        except POISON:
            self._partitions.forget()  # perhaps there was nothing wrong but a day that somebody dropped
        together = []
        for place, one in enumerate(came):
            try:
                together.append(await self._tried([one]))
            except POISON as error:
                came[place] = refused(one, str(error))
                together.append(await self._tried([came[place]]))
        return Stored(
            held=tuple(held for one in together for held in one.held),
            events=sum(one.events for one in together),
            forks=sum(one.forks for one in together),
        )

    async def _tried(self, came: Sequence[Arrival]) -> Stored:
        """Raises of psycopg's errors only those of :data:`POISON`; _StoppedError where it is told to stop before the database takes it."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                connection = await self._connected()
                await self._partitions.ensure(connection, days(came))
                return await store(connection, came)
            except POISON:
                raise
            except (psycopg.Error, OSError) as error:
                self.problem = f"the database: {_line(error)}"
                print(self.problem, flush=True)
                notify.tell(notify.PROOF, notify.STATUS + self.problem)
                await self._disconnect()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()
                    raise _StoppedError
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _connected(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._database is None:
            self._partitions.forget()
            self._database = await connect(self._dsn, self._name)
            await prepare(self._database)
            self.problem = ""
        return self._database

    async def _disconnect(self) -> None:
        if self._database is not None:
            with suppress(psycopg.Error):
                await self._database.close()
            self._database = None

    async def _keep_house(self) -> None:
        """Partitions ahead, alerts, a sign of life."""
        partitions = Partitions()
        while True:
            try:
                connection = await connect(self._dsn, f"{self._name} house")
                async with connection:
                    await partitions.ensure(connection, ahead(self._clock()))
                    await connection.execute(_HEARTBEAT, (self._name, self._started, self.events, self.parcels, self.refused))
                    await alerts.look(connection)
            except (psycopg.Error, OSError) as error:
                print(f"alerts: {_line(error)}", flush=True)
                partitions.forget()
            await asyncio.sleep(HOUSE_S)


async def connect(dsn: str, name: str) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """In autocommit mode. Raises psycopg.Error."""
    return await psycopg.AsyncConnection.connect(
        dsn,
        autocommit=True,
        connect_timeout=CONNECT_S,
        application_name=f"autogate {name}",
        options=f"-c statement_timeout={STATEMENT_S}s -c timezone=UTC -c jit=off",  # compiling takes longer than any query here
    )


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
