"""``python -m benchmarks.fleet_generator PLAN.json``: a part of the gates of a measurement, in one process over a few connections.

Each second it prints as JSON how many records its gates have made and how many of them were acknowledged; what it found, at the end and wherever it
reads ``mark`` from standard input. Its gates make travellers until it reads ``stop`` there, or until the plan's are made; then it waits for the last receipt and writes the journals:
``journal-N.jsonl``, a line for each gate's log, and ``receipts-N``, a line for every receipt that came.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import msgspec

from benchmarks.fleet_gates import RECORDS, REVIVED, Gate
from benchmarks.fleet_history import write_journal
from benchmarks.fleet_outboxes import Running, told_by
from benchmarks.machine import spread
from gate.config_sections import Fleet
from gate.fleet import publisher
from gate.fleet.connection import BrokerError, Connection
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.messages import RECEIPT_SUBJECT, gate_of

RECONNECT_S = 0.5
MOST_SILENCES = 5
"""Gates in a row that the broker does not answer: then this is no connection any more, whatever the library says. A gate by itself needs one."""
PER_LOOK = 50
"""Gates whose newest receipt is asked for at once, after a connection was lost."""
TURN_S = 0.01


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``whole``: gates with files of their own, the first of them. ``travellers``: of each gate, 0: until told to stop; ``per_hour`` 0: as fast as
    ``outstanding`` records, made and not acknowledged in this process, allow. ``look_s``, ``resend_s`` (where it is not 0): instead of the product's own.
    """

    number: int
    first: int
    end: int
    whole: int = 0
    revived: tuple[int, ...] = ()
    """Gates that go on from a folder that lies there, after a power cut."""
    folder: str
    fleet: dict[str, str]
    """The section of a gate's configuration."""
    connections: int = 2
    per_hour: float = 120.0
    travellers: int = 0
    outstanding: int = 100_000
    rows_per_s: float = 200.0
    look_s: float = publisher.LOOK_S
    resend_s: float = 0.0
    drain_s: float = 300.0
    seed: int = 7
    gives_way: int = 0
    """How nice it is to the servers, which in a fleet have their machine to themselves."""


class Line:
    """One connection, opened again whenever it ends, that carries many gates."""

    def __init__(self, fleet: Fleet, gates: list[Running], receipts: TextIO) -> None:
        self._fleet, self._gates, self._receipts = fleet, {one.gate.id: one for one in gates}, receipts
        self._connection: Connection | None = None
        self._open, self.counts, self._silences = asyncio.Event(), Counter[str](), 0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in self._gates.values():
                group.create_task(self._publish(one))
            while True:
                await self._hold()
                await asyncio.sleep(RECONNECT_S)

    async def _hold(self) -> None:
        """One connection from its beginning to its end."""
        try:
            connection = await Connection.open(self._fleet, next(iter(self._gates)))
        except BrokerError:
            self.counts["connections refused"] += 1
            return
        try:
            await connection._client.subscribe(f"{RECEIPT_SUBJECT}.>", cb=self._heard)
            self._connection = connection
            self._open.set()
            self.counts["connections"] += 1
            self._silences = 0
            catching_up = asyncio.ensure_future(self._catch_up(connection))
            ended = asyncio.ensure_future(connection.ended())
            while not ended.done() and self._silences < MOST_SILENCES:
                await asyncio.wait([ended], timeout=RECONNECT_S)
            for task in (catching_up, ended):
                task.cancel()
        finally:
            self._open.clear()
            await connection.close()

    async def _catch_up(self, connection: Connection) -> None:
        """Receipts that came while nobody listened."""
        free = asyncio.Semaphore(PER_LOOK)

        async def ask(one: Running) -> None:
            async with free:
                asker = Connection(connection._client, one.gate.id)
                with contextlib.suppress(BrokerError):
                    if raw := await asker.newest_receipt():
                        await self._take(one, raw)

        await asyncio.gather(*(ask(one) for one in self._gates.values() if one.outstanding))

    async def _heard(self, message: Any) -> None:
        if one := self._gates.get(gate_of(message.subject)):
            await self._take(one, bytes(message.data))

    async def _take(self, one: Running, raw: bytes) -> None:
        with contextlib.suppress(msgspec.MsgspecError):  # the outbox counts it
            told = told_by(raw)
            self._receipts.write(f"{told.gate} {told.log} {told.through} {told.hash.hex()}\n")
        await one.publisher.received(raw)

    async def _publish(self, one: Running) -> None:
        await asyncio.sleep(random.uniform(0, publisher.LOOK_S))  # gates look into their logs at moments of their own
        while True:
            await self._open.wait()
            try:
                await one.publish(self._send)
            except BrokerError:
                self.counts["silences"] += 1
                self._silences += 1
                await asyncio.sleep(RECONNECT_S)

    async def _send(self, subject: str, raw: bytes, message_id: str) -> None:
        if self._connection is None or not self._open.is_set():
            raise BrokerError("not connected", silent=True)
        self.counts["messages"] += 1
        await self._connection.send(subject, raw, message_id)
        self._silences = 0


class Part:
    """Of a fleet: this process."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._folder = plan, Path(plan.folder)
        files = {name: Path(file) for name, file in plan.fleet.items() if name != "url"}
        self._fleet = Fleet(url=plan.fleet["url"], **files)
        self._thread = ThreadPoolExecutor(1, "whole")
        self._gates: list[Running] = []
        self._stop = asyncio.Event()
        self._lines: list[Line] = []

    async def run(self) -> dict[str, Any]:
        """Until stopped and drained. Returns what was found."""
        publisher.LOOK_S = self._plan.look_s
        if self._plan.resend_s:
            publisher.RESEND_S = publisher.LONGEST_RESEND_S = self._plan.resend_s
        await self._make()
        with (self._folder / f"receipts-{self._plan.number}").open("w", encoding="ascii") as receipts:
            tasks = [asyncio.ensure_future(each) for each in self._beside(receipts)]
            making = asyncio.ensure_future(self._paced() if self._plan.per_hour else self._unpaced())
            done, _ = await asyncio.wait([making, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            drained = await self._drained(tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        written = [await asyncio.get_running_loop().run_in_executor(one.thread, one.written) for one in self._gates]
        write_journal(self._folder / f"journal-{self._plan.number}.jsonl", written)
        return self._told() | {"drained_s": drained}

    async def _make(self) -> None:
        plan, keys = self._plan, FileKeys(Path(self._fleet.keys))
        for number in (*plan.revived, *range(plan.first, plan.end)):
            gate = Gate(number, log_of=REVIVED) if number in plan.revived else Gate(number)
            if number in plan.revived or number < plan.first + plan.whole:
                state = self._folder / gate.id
                state.mkdir(exist_ok=True)
                one = await Running.whole(gate, state, keys, plan.rows_per_s, self._thread)
            else:
                one = Running.light(gate, self._folder, keys, plan.rows_per_s)
            self._gates.append(one)

    def _beside(self, receipts: TextIO) -> Iterator[Awaitable[None]]:
        count = min(self._plan.connections, len(self._gates))
        self._lines = [Line(self._fleet, self._gates[number::count], receipts) for number in range(count)]
        yield from (line.run() for line in self._lines)
        yield from (one.notarised() for one in self._gates if one.notary)
        yield self._tell()

    async def _tell(self) -> None:
        while True:
            made, through = sum(one.made for one in self._gates), sum(one.outbox.through for one in self._gates)
            print(json.dumps({"made": made, "through": through}), flush=True)
            await asyncio.sleep(1)

    async def _paced(self) -> None:
        """Each gate a traveller in so many seconds, beginning at any moment of them."""
        dice, every_s = random.Random(self._plan.seed), 3600 / self._plan.per_hour
        begun = time.monotonic()
        due = [(begun + dice.uniform(0, every_s), number) for number in range(len(self._gates))]
        heapq.heapify(due)
        while not self._stop.is_set() and due:
            at, number = due[0]
            if (wait := at - time.monotonic()) > 0:
                await asyncio.sleep(min(wait, 0.5))
                continue
            one = self._gates[number]
            await one.one_traveller()
            if self._plan.travellers and one.travellers >= self._plan.travellers:
                heapq.heappop(due)
            else:
                heapq.heapreplace(due, (at + every_s, number))

    async def _unpaced(self) -> None:
        """One after the other."""
        left, free = list(self._gates), self._plan.outstanding
        while left and not self._stop.is_set():
            for one in left:
                await one.one_traveller()
                await asyncio.sleep(0)
                free -= RECORDS
                while free <= 0 and not self._stop.is_set():
                    free = self._plan.outstanding - sum(each.outstanding for each in self._gates)
                    await asyncio.sleep(TURN_S)
            left = [one for one in left if not self._plan.travellers or one.made < self._plan.travellers * RECORDS]

    async def _drained(self, tasks: list[asyncio.Future[None]]) -> float:
        """Seconds until everything was acknowledged; -1: it was not."""
        begun = time.monotonic()
        while any(one.outstanding for one in self._gates):
            if time.monotonic() - begun > self._plan.drain_s:
                return -1.0
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)
        return round(time.monotonic() - begun, 1)

    def stop(self) -> None:
        self._stop.set()

    def marked(self) -> dict[str, Any]:
        told = self._told()
        for one in self._gates:
            one.publisher.publish_ms.clear()
            one.outbox.receipt_ms.clear()
        return told

    def _told(self) -> dict[str, Any]:
        light = [one for one in self._gates if not one.notary]
        whole = [one for one in self._gates if one.notary]
        return {
            "gates": len(self._gates),
            "whole": len(whole),
            "made": sum(one.made for one in self._gates),
            "through": sum(one.outbox.through for one in self._gates),
            "resent": sum(one.publisher._resent for one in self._gates),
            "refused": dict(sum((one.outbox.receipts.refused for one in self._gates), Counter())),
            "problems": [one.outbox.receipts.problem for one in self._gates if one.outbox.receipts.problem][:10],
            "line": dict(sum((line.counts for line in self._lines), Counter())),
            "publish_ms": {"light": _spread(light, _published), "whole": _spread(whole, _published)},
            "receipt_ms": {"light": _spread(light, _receipted), "whole": _spread(whole, _receipted)},
        }


def _published(one: Running) -> list[float]:
    return list(one.publisher.publish_ms)


def _receipted(one: Running) -> list[float]:
    return one.outbox.receipt_ms


def _spread(gates: list[Running], of: Callable[[Running], list[float]]) -> dict[str, float]:
    values = [value for one in gates for value in of(one)]
    return spread(values, 1) if values else {}


async def perform(plan: Plan) -> dict[str, Any]:
    part, loop = Part(plan), asyncio.get_running_loop()

    def ordered() -> None:
        """``mark``: tell what was found since the last one. Anything else, and the end of who started it: stop."""
        if sys.stdin.readline() == "mark\n":
            print(json.dumps({"mark": part.marked()}), flush=True)
        else:
            loop.remove_reader(sys.stdin.fileno())
            part.stop()

    loop.add_reader(sys.stdin.fileno(), ordered)
    return await part.run()


def main() -> int:
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    os.nice(plan.gives_way)
    print(json.dumps({"final": asyncio.run(perform(plan))}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
