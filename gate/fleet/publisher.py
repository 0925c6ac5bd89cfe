"""Sends what the outbox holds: one message at a time, crossings first, no faster than told, and again what nobody acknowledged.

That the broker has a message moves what goes next. That the centre *holds* it only a receipt says; the broker may lose what it confirmed. So what
stays without receipt goes again as in TCP (RFC 6298, 6582): after a while one parcel from the end of what is acknowledged, and where the answer
ends just behind that one, the next at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from gate.fleet.connection import BrokerError
from gate.fleet.messages import Kind, Parcel, Signs, message_id, sealed, subject
from gate.fleet.outbox import Outbox

LOOK_S = 0.2
"""Between two looks into the log: so much later than the traveller the centre knows, at most."""
RESEND_S, LONGEST_RESEND_S = 30.0, 900.0
"""Without a receipt for so long something goes again; doubled each time, spread by a quarter."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
"""After a message that did not go; doubled each time, spread by a half."""
SILENCE = 3
"""Messages in a row without an answer: then this is no connection any more."""
BURST_S = 1.0
"""What a gate may send at once after it had nothing to send, in seconds of its pace."""
NOTE_EVERY_S, NOTE_LOOK_S = 900.0, 5.0
"""Between two checkpoints that go to the centre; between two looks for one. A root is over all records before it, so a later one proves whatever an
earlier one did: the time between bounds only of how many records a gate that is lost for good has signed no root.
"""
T = TypeVar("T")
Send = Callable[[str, bytes, str], Awaitable[None]]
"""Subject, message and its id; returns when the broker has it, raises BrokerError."""


class Pauses:
    """Growing ones, spread so that gates that lost the same broker do not come back at once."""

    def __init__(self, first_s: float, longest_s: float, spread: float, dice: random.Random) -> None:
        self._first_s, self._longest_s, self._spread, self._dice = first_s, longest_s, spread, dice
        self.count = 0

    def next(self) -> float:
        """Seconds."""
        whole = min(self._longest_s, self._first_s * 2.0 ** min(self.count, 32))
        self.count += 1
        return whole * self._dice.uniform(1 - self._spread, 1 + self._spread)

    def reset(self) -> None:
        self.count = 0


class Pace:
    """So many records a second, and those of :data:`BURST_S` at once."""

    def __init__(self, rows_per_s: float, boot: Callable[[], float]) -> None:
        self._row_s, self._boot = 1 / rows_per_s, boot
        self._free_at = boot()

    def owed(self, rows: int) -> float:
        """Seconds to wait after ``rows`` went."""
        now = self._boot()
        self._free_at = max(self._free_at, now - BURST_S) + rows * self._row_s
        return max(0.0, self._free_at - now)


class Resending:
    """When to send again from the end of what is acknowledged."""

    def __init__(self, boot: Callable[[], float], dice: random.Random) -> None:
        self._boot, self._waits = boot, Pauses(RESEND_S, LONGEST_RESEND_S, 0.25, dice)
        self._through, self._again_to, self._at = 0, 0, boot() + self._waits.next()

    def is_due(self, through: int, sent: int) -> bool:
        """``through``: acknowledged up to there; ``sent``: sent up to there."""
        if through > self._through or through >= sent:
            filled = through == self._again_to > self._through
            self._through = through
            self._waits.reset()
            self._at = self._boot() + self._waits.next()
            return filled and through < sent
        return self._boot() >= self._at

    def went(self, last: int) -> None:
        """Up to ``last`` it went again."""
        self._again_to, self._at = last, self._boot() + self._waits.next()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A message that is to go. ``id``: by which the broker knows one sent again; empty: it may. ``went`` is called once the broker has it."""

    kind: Kind
    raw: bytes
    id: str
    rows: int
    went: Callable[[], None]


class Publisher:
    """Of one outbox, which is touched in ``thread`` alone."""

    def __init__(
        self,
        outbox: Outbox,
        signer: Signs,
        gate: str,
        thread: ThreadPoolExecutor,
        *,
        rows_per_s: float,
        boot: Callable[[], float] = time.monotonic,
        dice: random.Random | None = None,
    ) -> None:
        dice = dice or random.Random()
        self._outbox, self._signer, self._gate, self._thread, self._boot = outbox, signer, gate, thread, boot
        self._pace, self._resending = Pace(rows_per_s, boot), Resending(boot, dice)
        self._pauses, self._resent = Pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S, 0.5, dice), 0
        self._note_at = boot()
        self.problem = ""
        """Why the last message did not go; empty where it did."""
        self.publish_ms: deque[float] = deque(maxlen=4096)
        """What the newest messages took, from the broker's being handed one to its word that it has it."""

    async def run(self, send: Send) -> None:
        """Send for as long as ``send`` is answered. Raises BrokerError where it is not, AuditError where log or key cannot be used."""
        self._pauses.reset()
        while True:
            sending = await self._within(self._next)
            if sending is None:
                await asyncio.sleep(LOOK_S)
                continue
            try:
                await self._send(sending, send)
            except BrokerError as error:
                self.problem = str(error)
                if error.silent and self._pauses.count >= SILENCE - 1:
                    raise
                await asyncio.sleep(self._pauses.next())
                continue
            self.problem = ""
            self._pauses.reset()
            await self._within(sending.went)
            await asyncio.sleep(self._pace.owed(sending.rows))

    async def _send(self, sending: Sending, send: Send) -> None:
        begun = time.perf_counter()
        await send(subject(self._gate, sending.kind), sending.raw, sending.id)
        self.publish_ms.append((time.perf_counter() - begun) * 1000)

    async def received(self, raw: bytes) -> None:
        """A receipt came, or what calls itself one. Raises AuditError."""
        await self._within(partial(self._outbox.received, raw))

    async def _within(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- in the thread ----------------------------------------------------------------------------------------------------------

    def _next(self) -> Sending | None:
        """What goes next; None: nothing. Raises AuditError."""
        outbox = self._outbox
        if self._resending.is_due(outbox.through, outbox.sent) and (parcel := outbox.behind()):
            return self._again(parcel)
        if parcel := outbox.crossings():
            return self._first(parcel, "crossing")
        if note := self._note():
            return note
        if parcel := outbox.rest():
            return self._first(parcel, "record")
        return None

    def _first(self, parcel: Parcel, kind: Kind) -> Sending:
        return self._sending(parcel, kind, message_id(parcel), partial(self._outbox.went, parcel, crossings=kind == "crossing"))

    def _again(self, parcel: Parcel) -> Sending:
        """Under another id: the broker would drop what it remembers, even where it has lost it."""
        self._resent += 1

        def went() -> None:
            self._outbox.went(parcel)
            self._resending.went(parcel.rows[-1].seq)

        return self._sending(parcel, "record", f"{message_id(parcel)}/{self._resent}", went)

    def _sending(self, parcel: Parcel, kind: Kind, id_: str, went: Callable[[], Any]) -> Sending:
        return Sending(kind=kind, raw=sealed(self._signer, parcel), id=id_, rows=len(parcel.rows), went=went)

    def _note(self) -> Sending | None:
        if self._boot() < self._note_at:
            return None
        self._note_at = self._boot() + NOTE_LOOK_S
        if (note := self._outbox.note()) is None:
            return None
        return Sending(kind="checkpoint", raw=sealed(self._signer, note), id="", rows=1, went=self._noted)

    def _noted(self) -> None:
        self._outbox.noted()
        self._note_at = self._boot() + NOTE_EVERY_S
