"""What is due to be destroyed by the periods of retention, and destroying it: by the periods, or by an order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from gate.audit.chain import AuditError, AuditReader
from gate.audit.fields import parts_of
from gate.audit.keyring import Cause, Keyring
from gate.audit.order import DestructionOrder
from gate.audit.retention import Retention
from gate.audit.store import BATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """``keys`` of a kind of field whose ``days`` are over: those of all days up to ``until``."""

    kind: str
    days: int
    until: date
    keys: int

    def __str__(self) -> str:
        return f"{self.kind}, kept for {self.days} days: {self.keys} keys of the days up to {self.until} are due to be destroyed"


def standing(ring: Keyring, retention: Retention, today: date) -> list[Due]:
    """For each kind of field, what is due; also where that is nothing. Raises AuditError."""
    found = []
    for kind, period in retention.periods.items():
        until = retention.last_due(kind, today)
        found.append(Due(kind=kind, days=period.days, until=until, keys=ring.count(kind, until)))
    return found


def due(ring: Keyring, retention: Retention, today: date) -> list[Due]:
    """What is due, where there is any. Raises AuditError."""
    return [each for each in standing(ring, retention, today) if each.keys]


def destroy_due(ring: Keyring, retention: Retention, now: datetime) -> list[Due]:
    """Destroy what is due. Returns what that was. Raises AuditError: what was destroyed by then is told of."""
    found = due(ring, retention, now.date())
    for each in found:
        why = f"kept for {each.days} days by retention {retention.version}"
        ring.destroy_days(each.kind, each.until, Cause(why=why, at=now))
    return found


def carry_out(ring: Keyring, log: AuditReader, order: DestructionOrder, people: tuple[str, ...], now: datetime) -> int:
    """Destroy what ``order``, signed by ``people``, says. Returns how many keys. Raises AuditError, also for an order about another log."""
    if order.log != log.log_id():
        raise AuditError(f"the order is about the log {order.log}, and this is {log.log_id()}")
    cause = Cause(why=f"{order.because} (order {order.digest[:16]})", signed_by=people, at=now)
    if order.transactions:
        return ring.destroy(_keys_of(log, order.transactions, order.kinds), cause)
    until = date.fromisoformat(order.until)
    if until >= now.date():
        raise AuditError(f"the order is about days up to {until}, and that one is not over")
    return sum(ring.destroy_days(kind, until, cause) for kind in order.kinds)


def _keys_of(log: AuditReader, transactions: Collection[str], kinds: Collection[str]) -> Iterator[int]:
    """Numbers of the keys of these transactions' personal fields."""
    wanted, after = {each.encode() for each in transactions}, 0
    while rows := log.rows(after, BATCH):
        after = rows[-1][0]
        for row in rows:
            if row[3] in wanted:
                try:
                    parts = parts_of(row[5])
                except ValueError as error:
                    raise AuditError(f"record {row[0]}: {error}") from error
                yield from (part.key for kind, part in parts.items() if part and kind in kinds)
