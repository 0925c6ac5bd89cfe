"""The registries' process: TLS, signatures, snapshots and the outbox of crossings, away from the doors.

It gets what is printed on the page from the lane, asks whom the configuration names, and tells what each said. Its word counts for
registries' facts alone; while it is away there is no such word, which opens nothing.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

from gate.clock import WALL_FLOOR_FILE, SystemClock, WallFloor
from gate.config import Config
from gate.processes import messages as m
from gate.processes.worker import Misconfigured, Worker, first_of, worker_main
from gate.registries.answers import Answers
from gate.registries.base import Source
from gate.registries.contracts import CROSSING
from gate.registries.crossing import FILE_NAME, CrossingOutbox
from gate.registries.crossing_file import OutboxError
from gate.registries.crossing_sender import CrossingSender
from gate.registries.offline import WithSnapshot
from gate.registries.round import RegistryRound
from gate.registries.sealed import SnapshotKey
from gate.registries.sources import client_for, label, opened
from gate.runtime import Runtime

LISTS_EVERY_S = 5.0
"""Between two looks at whether a snapshot was replaced."""


class RegistriesWork:
    """Answers the lane's questions as they are answered here. Lives on the process's loop."""

    def __init__(
        self,
        round_: RegistryRound,
        post: Callable[[m.AnyMessage], None],
        clock: SystemClock,
        outbox: CrossingOutbox | None = None,
    ) -> None:
        self._round, self._post, self._clock, self._outbox = round_, post, clock, outbox
        self._tasks: set[asyncio.Task[None]] = set()

    def on_message(self, message: m.AnyMessage) -> None:
        """What the lane says. What is not for this process is dropped."""
        match message:
            case m.AskRegistries():
                asked = self._round.questions(message.read, message.document_class, message.direction, self._clock.wall())
                for name, question in asked.items():
                    self._spawn(self._answer(message.read.transaction, name, question))
            case m.CrossingPermitted() if self._outbox:
                self._spawn(self._permitted(self._outbox, message))
            case m.CrossingEnded() if self._outbox:
                self._spawn(self._ended(self._outbox, message))
            case _:
                pass

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Let what was begun end: a crossing that was told of is written down."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    async def _answer(self, transaction: str, name: str, question: Coroutine[None, None, Answers]) -> None:
        self._post(m.RegistryAnswered(transaction=transaction, registry=name, answers=await question))

    async def _permitted(self, outbox: CrossingOutbox, message: m.CrossingPermitted) -> None:
        durable = True
        try:
            await outbox.permitted(message.crossing)
        except OutboxError as error:
            durable = False
            print(f"registries: {error}", file=sys.stderr, flush=True)
        self._post(m.CrossingDurable(transaction=message.crossing.transaction, durable=durable))

    async def _ended(self, outbox: CrossingOutbox, message: m.CrossingEnded) -> None:
        try:
            if message.end == "voided":
                await outbox.voided(message.transaction)
            else:
                await outbox.ended(message.transaction, message.end, message.at)
        except OutboxError as error:  # it stays open there, and will be told as uncertain
            print(f"registries: {error}", file=sys.stderr, flush=True)


async def tell_lists(sources: Mapping[str, Source[Any]], post: Callable[[m.AnyMessage], None]) -> None:
    """Tell the lane what is kept here for a registry that is silent: at once, and whenever something came into its place. For ever."""
    kept = {name: source for name, source in sources.items() if isinstance(source, WithSnapshot)}
    told: dict[str, tuple[int, int]] | None = None
    while True:
        heads = {name: head for name, source in kept.items() if (head := await source.head())}
        lists = {name: (head.version, posix_seconds(head.as_of)) for name, head in heads.items()}
        if lists != told:
            post(m.ListsReport(lists=lists))
            told = lists
        await asyncio.sleep(LISTS_EVERY_S)


def posix_seconds(at: datetime) -> int:
    """As near to the aware moment ``at`` as the message goes."""
    return min(max(0, int(at.timestamp())), m.LAST_SECOND)


async def serve(config: Config, runtime: Runtime) -> None:
    """Serve the lane until it hangs up. Raises Misconfigured where a key, a certificate or the outbox cannot be used."""
    clock = SystemClock(WallFloor(config.state_dir / WALL_FLOOR_FILE))
    try:
        sources = opened(config, clock)
        outbox = _outbox(config, clock)
        crossings = client_for(CROSSING, config.registries.crossing, config, clock) if config.registries.crossing else None
    except (OSError, ValueError, OutboxError) as error:
        raise Misconfigured(str(error)) from error
    worker = Worker("registries", runtime, {"registries": label(config)})
    work = RegistriesWork(RegistryRound(sources, config.lane.checkpoint), worker.post, clock, outbox)
    sending = asyncio.create_task(_send(outbox, crossings)) if outbox and crossings else None
    loop, joined, ended = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def until_ended() -> None:
        loop.call_soon_threadsafe(joined.set)
        ended.wait()

    async def tell() -> None:
        await joined.wait()
        await tell_lists(sources, worker.post)

    try:
        await first_of(worker.run(until_ended, ended.set, work.on_message), tell())
    finally:
        if sending:
            sending.cancel()
        await work.settle()
        await asyncio.gather(*(source.close() for source in sources.values()))
        if outbox:
            await outbox.close()


def _outbox(config: Config, clock: SystemClock) -> CrossingOutbox | None:
    """Where crossings wait for their registry, if there is one."""
    if config.registries.crossing is None or config.registries.snapshots is None:
        return None
    key = SnapshotKey.read(config.registries.snapshots.key_file)
    return CrossingOutbox.open(config.state_dir / FILE_NAME, key, clock.wall())


async def _send(outbox: CrossingOutbox, registry: Source[Any]) -> None:
    """Tell the registry of crossings for as long as this process lives."""
    try:
        await CrossingSender(outbox, registry).run()
    finally:
        await registry.close()


if __name__ == "__main__":
    raise SystemExit(worker_main("registries", serve))
