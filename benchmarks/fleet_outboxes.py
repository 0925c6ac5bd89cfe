"""A gate's outbox and publisher for measurements: the real ones, many in one process.

What is real in all of them: chain, parcels, signatures, receipts, priorities, pace, resending, the connection's protocol. What is not: a process
and a connection for each gate; and, in light gates, the log's file, which lies in memory. Two in a hundred are whole: an AuditLog of their own
with its durable commits, its tree and signed checkpoints.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.fleet_gates import Gate, MemoryLog
from benchmarks.fleet_history import Written
from gate.audit.chain import chain_key
from gate.audit.log import FILE_NAME, AuditLog, open_readonly
from gate.audit.notary import Notary
from gate.fleet import outbox
from gate.fleet.messages import Envelope, Keys, Parcel, Receipt
from gate.fleet.outbox import Outbox
from gate.fleet.publisher import Publisher
from gate.fleet.receipts import FILE_NAME as CURSOR

NOTARY_S = 30.0
_receipts = msgspec.msgpack.Decoder(Receipt)
_envelopes = msgspec.msgpack.Decoder(Envelope)


class AtOnce(Executor):
    """Runs what it is handed where it is handed it: light gates block nobody."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except Exception as error:  # noqa: BLE001 - handed on
            done.set_exception(error)
        return done


class Timed(Outbox):
    """Notes how long it takes from handing a record to the broker until its receipt is believed."""

    begun = 0.0
    """When the message that is on its way was handed over."""

    def __init__(self, log: Path, cursor: Path, gate: str, keys: Keys) -> None:
        self._flying: deque[tuple[int, float]] = deque()
        self.receipt_ms: list[float] = []
        super().__init__(log, cursor, gate, keys)

    def went(self, parcel: Parcel, *, crossings: bool = False) -> None:
        super().went(parcel, crossings=crossings)
        self._flying.append((parcel.rows[-1].seq, self.begun))
        self._landed()

    def received(self, raw: bytes) -> bool:
        """One that says no more than is known is not looked at, for a light log may have forgotten the record."""
        if told_by(raw).through <= self.through:
            return False
        moved = super().received(raw)
        self._landed()
        return moved

    def _landed(self) -> None:
        now = time.perf_counter()
        while self._flying and self._flying[0][0] <= self.through:
            self.receipt_ms.append((now - self._flying.popleft()[1]) * 1000)


class Light(Timed):
    """Of a log in memory, which the outbox opens in place of a file."""

    def __init__(self, log: MemoryLog, cursor: Path, gate: str, keys: Keys) -> None:
        _memory[path := Path(f"/memory/{gate}")] = log
        super().__init__(path, cursor, gate, keys)

    def received(self, raw: bytes) -> bool:
        moved = super().received(raw)
        if moved:
            _memory[self.path].forget(self.through)
        return moved


def _opened(path: Path) -> Any:
    return _memory.get(path) or open_readonly(path)


_memory: dict[Path, MemoryLog] = {}
outbox.open_readonly = _opened


def told_by(raw: bytes) -> Receipt:
    """What calls itself a receipt, unverified. Raises MsgspecError."""
    return _receipts.decode(_envelopes.decode(raw).payload)


class Running:
    """One gate: made by :meth:`light` or :meth:`whole`."""

    def __init__(self, gate: Gate, log: Any, timed: Timed, thread: Any, rows_per_s: float) -> None:
        self.gate, self.log, self.outbox, self.thread = gate, log, timed, thread
        self.publisher = Publisher(timed, gate.signer, gate.id, thread, rows_per_s=rows_per_s)
        self.made = self.travellers = 0
        self.notary: Notary | None = None

    @classmethod
    def light(cls, gate: Gate, folder: Path, keys: Keys, rows_per_s: float) -> Running:
        log = gate.memory_log()
        return cls(gate, log, Light(log, folder / f"{gate.id}-receipt", gate.id, keys), AtOnce(), rows_per_s)

    @classmethod
    async def whole(cls, gate: Gate, folder: Path, keys: Keys, rows_per_s: float, thread: ThreadPoolExecutor) -> Running:
        """``folder``: its state folder; what lies there is taken up."""

        def opened() -> Running:
            log = AuditLog(folder / FILE_NAME, gate.secret)
            made = cls(gate, log, Timed(folder / FILE_NAME, folder / CURSOR, gate.id, keys), thread, rows_per_s)
            made.notary = Notary(folder / FILE_NAME, gate.auditor)
            made.made = log.head().seq
            made.travellers = made.made  # so that no transaction's number comes twice
            return made

        return await asyncio.get_running_loop().run_in_executor(thread, opened)

    @property
    def outstanding(self) -> int:
        return self.made - self.outbox.through

    async def one_traveller(self) -> None:
        def write() -> int:
            return self.gate.one_traveller(self.log, self.travellers)

        self.travellers += 1
        self.made = write() if self.notary is None else await asyncio.get_running_loop().run_in_executor(self.thread, write)

    async def notarised(self) -> None:
        """Sign checkpoints until cancelled."""
        while self.notary:
            await asyncio.get_running_loop().run_in_executor(self.thread, self.notary.look)
            await asyncio.sleep(NOTARY_S)

    async def publish(self, send: Callable[[str, bytes, str], Awaitable[None]]) -> None:
        async def timed(subject: str, raw: bytes, message_id: str) -> None:
            self.outbox.begun = time.perf_counter()
            await send(subject, raw, message_id)

        await self.publisher.run(timed)

    def written(self) -> Written:
        """Its journal. In its thread."""
        head, key = self.log.head(), chain_key(self.gate.secret)
        start = self.log.start().hash
        return Written(gate=self.gate.id, log=self.log.log_id(), key=key, start=start, count=head.seq, head=head.hash)
