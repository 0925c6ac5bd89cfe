"""The fleet's process: tells the centre what the log holds and how the gate does, and takes what comes down from there.

A process of its own, last in line for the processor, that only reads the log: whatever the network or the centre does, no door and no record waits for
it, and officers merely hear of it. It outlives the lane. ``python -m gate.processes.fleet --config FILE --lane SOCKET --secret-file F``
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import random
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gate.audit.chain import AuditError
from gate.audit.keys import open_signer
from gate.audit.log import FILE_NAME as LOG_FILE
from gate.clock import WALL_FLOOR_FILE, SystemClock, WallFloor
from gate.config import Config, ConfigError, load
from gate.doctor import refuse_foreign_names
from gate.fleet.connection import BrokerError, Connection, ends
from gate.fleet.keys.directory import KeysError
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.keys.names import renewal_subject
from gate.fleet.keys.renewal import Renewer
from gate.fleet.messages import gate_id, sealed, subject
from gate.fleet.outbox import Outbox
from gate.fleet.publisher import FIRST_PAUSE_S, LONGEST_PAUSE_S, Pauses, Publisher
from gate.fleet.receipts import FILE_NAME as RECEIPT_FILE
from gate.fleet.status import EVERY_S, Lane, Place, problem, status
from gate.fleet.updates.standing import standing
from gate.fleet.updates.targets import UpdateError
from gate.processes.channel import Channel, ChannelClosed, connect
from gate.processes.hardening import harden
from gate.processes.health import RETRY_S, Board
from gate.processes.messages import FleetReport, LaneHealth
from gate.processes.worker import EXIT_CONFIG, Misconfigured, first_of
from pki.errors import PkiError
from pki.signed_statement import parse_signers

NICE = 10
"""Nobody waits for this process."""
MOST_MEMORY = 1 << 30
"""Bytes: what a hostile broker may make its library keep before this process ends, and begins anew."""
LOOK_S = 1.0
"""Between two looks at what to tell the lane, and whether the centre must hear something at once."""
RENEW_EVERY_S = 3600.0
"""Between two looks at how long the certificate still counts; it is asked for weeks ahead."""
T = TypeVar("T")


class FleetProcess:
    """Lives on one loop; the log, the receipt and the signing key belong to one thread beside it."""

    def __init__(self, config: Config, config_path: Path) -> None:
        """Raises Misconfigured."""
        assert config.fleet is not None
        self._config, self._path, self._fleet = config, config_path, config.fleet
        self._gate = gate_id(config.lane.checkpoint, config.lane.id)
        self._clock = SystemClock(WallFloor(config.state_dir / WALL_FLOOR_FILE))
        try:
            people = parse_signers(self._fleet.signers) or None
            self._keys = FileKeys(self._fleet.keys, people=people, now=self._clock.wall)
            self._digest = hashlib.sha256(config_path.read_bytes()).hexdigest()
        except PkiError as error:
            raise Misconfigured(f"fleet.signers: {error.detail}") from error
        except (KeysError, OSError) as error:
            raise Misconfigured(f"fleet.keys: {error}") from error
        self._thread = ThreadPoolExecutor(1, "fleet")
        self._place, self._board = Place(gate=self._gate, folder=config.state_dir), Board(self._clock.boot)
        self._channel: Channel | None = None
        self._outbox: Outbox | None = None
        self._publisher: Publisher | None = None
        self._connection: Connection | None = None
        self._why = self._told = self._updates_trouble = ""
        self._refused: Counter[str] = Counter()

    async def run(self, lane: Path, secret: str) -> None:
        """Until cancelled. Raises Misconfigured where the signing key cannot be used."""
        await first_of(self._follow(lane, secret), self._report(), self._online())

    async def close(self) -> None:
        if self._outbox:
            await self._within(self._outbox.close)
        self._thread.shutdown()

    async def _within(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- the lane -------------------------------------------------------------------------------------------------------------

    async def _follow(self, lane: Path, secret: str) -> None:
        """Hear how the lane does, and come back to it after it was away."""
        while True:
            with suppress(ChannelClosed):
                channel = await connect(lane, "fleet", secret)
                try:
                    await channel.send(FleetReport(problem=self._told))
                    self._channel = channel
                    while True:
                        message = await channel.receive()
                        if isinstance(message, LaneHealth):
                            self._board.told(message)
                finally:
                    self._channel = None
                    await channel.close()
            self._board.told(None)
            await asyncio.sleep(RETRY_S)

    async def _report(self) -> None:
        """Tell officers what the centre lacks, where that changed."""
        while True:
            told = await self._within(self._problem)
            if told != self._told:
                if bool(told) != bool(self._told):  # said once, however the count grows
                    print(f"fleet: {told or 'the centre holds all that it should'}", file=sys.stderr, flush=True)
                self._told = told
                if self._channel:
                    self._channel.tell(FleetReport(problem=told))
            await asyncio.sleep(LOOK_S)

    def _problem(self) -> str:
        certificate_ends = ends(self._fleet.certificate) if self._fleet.certificate else None
        try:
            return problem(self._outbox, now=self._clock.wall(), why=self._reason(), certificate_ends=certificate_ends)
        except AuditError as error:
            return str(error)

    def _reason(self) -> str:
        """What is known of why the centre lacks something."""
        publishing = self._publisher.problem if self._publisher else ""
        complaint = self._connection.complaint if self._connection else ""
        return self._why or publishing or complaint or self._keys.trouble

    # --- the centre -----------------------------------------------------------------------------------------------------------

    async def _online(self) -> None:
        """Keep a connection, and all that goes over it. Raises Misconfigured."""
        publisher, pauses = await self._opened(), Pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S, 0.5, random.Random())
        while True:
            begun = self._clock.boot()
            try:
                await self._session(publisher)
                self._why = "the broker hung up"
            except (BrokerError, AuditError) as error:
                self._why = str(error)
            if self._clock.boot() - begun > LONGEST_PAUSE_S:
                pauses.reset()
            await asyncio.sleep(pauses.next())

    async def _opened(self) -> Publisher:
        """Once there is a log. Raises Misconfigured."""

        def opened() -> Publisher:
            log, cursor = self._config.state_dir / LOG_FILE, self._config.state_dir / RECEIPT_FILE
            self._outbox = Outbox(log, cursor, self._gate, self._keys)
            return Publisher(self._outbox, signer, self._gate, self._thread, rows_per_s=self._fleet.rows_per_s)

        try:
            signer = self._signer = await self._within(lambda: open_signer(self._fleet.signing_key, self._gate))
        except AuditError as error:
            raise Misconfigured(f"fleet.signing_key: {str(error).removeprefix('audit.key: ')}") from error
        while True:
            try:
                self._publisher = await self._within(opened)
            except AuditError as error:  # the lane makes it when it starts for the first time
                self._why = str(error)
                await asyncio.sleep(LOOK_S)
            else:
                return self._publisher

    async def _session(self, publisher: Publisher) -> None:
        """One connection, until it ends. Raises BrokerError, AuditError."""
        connection = self._connection = await Connection.open(self._fleet, self._gate)
        try:
            self._why = ""
            await connection.hear(publisher.received)
            works = [connection.ended(), publisher.run(connection.send), self._tell(connection), self._renew(connection)]
            await first_of(*works, *([self._update(connection)] if self._fleet.updates else []))
        finally:
            self._connection = None
            await connection.close()

    async def _tell(self, connection: Connection) -> None:
        """How the gate does, now and then, and at once where it changed. Raises BrokerError, AuditError."""
        shown, due = None, 0.0
        while True:
            versions = standing(self._config, self._digest)
            lane = Lane.of(self._board.fresh, versions, f"updates: {self._updates_trouble}" if self._updates_trouble else "")
            if lane != shown or self._clock.boot() >= due:
                shown, due = lane, self._clock.boot() + EVERY_S
                await connection.tell(subject(self._gate, "status"), await self._within(partial(self._status, lane)))
            await asyncio.sleep(LOOK_S)

    def _status(self, lane: Lane) -> bytes:
        assert self._outbox is not None
        told = status(
            self._place,
            self._outbox,
            lane,
            at=self._clock.wall(),
            boot=self._clock.boot(),
            refused=self._refused,
        )
        return sealed(self._signer, told)

    async def _renew(self, connection: Connection) -> None:
        """Have the gate's certificate followed by another before it ends; the next connection shows that one. Records wait for none of this."""
        fleet = self._fleet
        if fleet.ca is None or fleet.certificate is None or fleet.key is None:
            await asyncio.Event().wait()
            return
        renewer = Renewer(self._signer, "gate", self._gate, ca=fleet.ca, certificate=fleet.certificate, key=fleet.key)
        while True:
            try:
                if raw := await self._within(lambda: renewer.request(self._clock.wall())):
                    answer = await connection.ask(renewal_subject("gate", self._gate), raw)
                    await self._within(partial(renewer.take, answer, self._clock.wall()))
            except (BrokerError, KeysError, AuditError, PkiError, OSError) as error:
                print(f"fleet: the next certificate: {error}", file=sys.stderr, flush=True)
            await asyncio.sleep(RENEW_EVERY_S)

    async def _update(self, connection: Connection) -> None:
        """Take what is assigned. Whatever becomes of that, records go on."""
        try:
            from gate.fleet.updates.updater import Updater

            updater = Updater(self._config, connection.stream, config_path=self._path)
            updater.refused = self._refused
            await first_of(updater.run(), self._watch(updater))
        except (UpdateError, ImportError) as error:
            self._updates_trouble = str(error)
        except Exception:  # noqa: BLE001 - a bug in what comes down must not keep back what goes up
            traceback.print_exc()
            self._updates_trouble = "it failed: see the log of processes"
        await asyncio.Event().wait()

    async def _watch(self, updater: Any) -> None:
        while True:
            self._updates_trouble = updater.trouble
            await asyncio.sleep(LOOK_S)


async def serve(config: Config, config_path: Path, lane: Path, secret: str) -> None:
    """Until SIGTERM or SIGINT. Raises Misconfigured."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    async def until_ended() -> None:
        await ended.wait()

    process = FleetProcess(config, config_path)
    try:
        await first_of(process.run(lane, secret), until_ended())
    finally:
        await process.close()


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gate.processes.fleet")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--lane", type=Path, required=True, help="the lane's local socket")
    parser.add_argument("--secret-file", type=Path, required=True, help="file with the secret of this role and run")
    options = parser.parse_args(arguments)
    harden()
    refuse_foreign_names()
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    try:
        config, secret = load(options.config), options.secret_file.read_text(encoding="ascii").strip()
        asyncio.run(serve(config, options.config, options.lane, secret))
    except (ConfigError, Misconfigured, OSError) as error:
        print(f"fleet: {error}", file=sys.stderr)
        return EXIT_CONFIG
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
