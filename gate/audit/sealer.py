"""The other end of sealing, in the audit's process: puts fields into boxes, destroys keys when their time is over, and has the lane log it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial

from gate.audit.chain import AuditError
from gate.audit.fields import Box
from gate.audit.keyring import FILE_NAME, Destruction, Keyring
from gate.audit.retain import Due, destroy_due, due
from gate.audit.retention import Retention, load_retention
from gate.clock import SystemClock
from gate.config import Config
from gate.processes.messages import AnyMessage, DestroyedTold, FieldsSealed, SealFields, TellDestroyed
from gate.profiles import PROFILES
from gate.records import KeysDestroyed

RETAIN_EVERY_S = 3600.0
"""Between two looks at what is due."""


class Sealer:
    """Answers the lane. Lives on the process's loop."""

    def __init__(self, config: Config, post: Callable[[AnyMessage], None], clock: SystemClock) -> None:
        """Raises AuditError."""
        assert config.audit.sealing_key is not None
        self._ring = Keyring.of(config.state_dir, config.audit.sealing_key, "make")
        self._post, self._clock = post, clock
        if not PROFILES[config.profile].demonstration:
            self._ring.demand_orders()

    def close(self) -> None:
        self._ring.close()

    def on_message(self, message: AnyMessage) -> None:
        """What the lane says. What is not for this process is dropped."""
        match message:
            case SealFields():
                self._post(FieldsSealed(number=message.number, parts=self._boxes(message)))
                asyncio.get_running_loop().call_soon(self._stock, tuple(message.parts))
            case DestroyedTold():
                self._said(partial(self._ring.logged, message.number))
            case _:
                pass

    def _boxes(self, asked: SealFields) -> dict[str, Box]:
        today, boxes = self._clock.wall().date(), dict[str, Box]()

        def seal() -> None:
            for kind, plain in asked.parts.items():
                boxes[kind] = self._ring.seal(asked.transaction, asked.record, kind, plain, today)

        self._said(seal)
        return boxes

    def _stock(self, kinds: tuple[str, ...]) -> None:
        """Keys for the next ones, once these are on their way."""
        today = self._clock.wall().date()
        for kind in kinds:
            self._said(partial(self._ring.stock, kind, today))

    def _said(self, work: Callable[[], None]) -> None:
        try:
            work()
        except AuditError as error:
            print(f"audit: {error}", file=sys.stderr, flush=True)


class Retainer:
    """Lives on the process's other thread. ``post`` sends to the lane."""

    def __init__(self, config: Config, post: Callable[[AnyMessage], None], clock: SystemClock) -> None:
        """Raises AuditError, RetentionError."""
        self._ring = Keyring(config.state_dir / FILE_NAME, None, "change")
        self._retention: Retention = load_retention(config.audit.retention)
        self._post, self._clock = post, clock
        self._next, self._posted, self._warned = 0.0, set[int](), list[Due]()

    def close(self) -> None:
        self._ring.close()

    def look(self) -> None:
        """Destroy what is due, where no order is wanted for it; tell of what was destroyed, by whomever. Raises AuditError."""
        if self._clock.boot() >= self._next:
            self._next = self._clock.boot() + RETAIN_EVERY_S
            self._retain()
        for each in self._ring.unlogged():
            if each.number not in self._posted:
                self._posted.add(each.number)
                self._post(TellDestroyed(destroyed=told(each)))

    def _retain(self) -> None:
        now = self._clock.wall()
        if not self._ring.wants_order and self._clock.trusted():
            destroy_due(self._ring, self._retention, now)
            self._ring.erase()  # what a reader kept from being erased the last time
        elif (found := due(self._ring, self._retention, now.date())) != self._warned:
            self._warned = found
            for each in found:
                print(f"audit: {each}: autogate audit retain", file=sys.stderr, flush=True)


def told(destruction: Destruction) -> KeysDestroyed:
    """As the log keeps it."""
    return KeysDestroyed(
        number=destruction.number,
        field_kind=destruction.kind,
        until=destruction.until,
        keys=destruction.keys,
        at=destruction.at,
        why=destruction.why,
        signed_by=destruction.signed_by,
    )
