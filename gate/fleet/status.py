"""How a gate does, as the centre hears it every few seconds, and what its own officers hear of the centre."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from gate.audit.chain import AuditReader
from gate.fleet.messages import Status, instant
from gate.fleet.outbox import Outbox
from gate.processes.messages import LaneHealth

EVERY_S = 10.0
"""Between two; one goes at once where something other than numbers changed."""
LATE_S = 120.0
"""What the centre does not hold after so long officers are told of."""
ENDS_SOON = timedelta(days=14)
"""A certificate that ends within this is told of: longer than a gate may be offline."""
PACE_DAYS, LEAST_DAYS = 7.0, 1 / 24
"""Over so long the pace of the log is taken; less than an hour tells nothing."""
MOST_WORDS, MOST_TROUBLES, MOST_VERSIONS = 200, 32, 31
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What does not change while a gate runs."""

    gate: str
    folder: Path
    """Its state folder."""
    software: str = field(default_factory=lambda: version("autogate"))


def status(
    place: Place,
    outbox: Outbox,
    lane: Lane,
    *,
    at: datetime,
    boot: float,
    refused: Mapping[str, int],
) -> Status:
    """``refused``: what came from the centre and was not taken, besides receipts.

    Raises AuditError where the log cannot be read.
    """
    return Status(
        gate=place.gate,
        at=at.astimezone(UTC).isoformat(),
        boot=boot,
        log=outbox.log_id,
        head=outbox.head,
        receipted=outbox.through,
        state=lane.state,
        troubles=lane.troubles,
        waiting_s=lane.waiting_s,
        versions={"software": place.software, **lane.versions},
        freshness=dict(lane.freshness),
        days_left=days_left(place.folder, outbox.log, outbox.path.stat().st_size, at),
        refused={**outbox.receipts.refused, **refused},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Of what a lane tells, what the centre hears at once where it changes; all of it bounded, whoever wrote it."""

    state: str = ""
    troubles: tuple[str, ...] = ("the lane does not answer",)
    versions: Mapping[str, str] = field(default_factory=dict)
    waiting_s: float = field(default=0.0, compare=False)
    freshness: Mapping[str, str] = field(default_factory=dict, compare=False)
    """List → instant (ISO 8601) as of which it speaks."""

    @classmethod
    def of(cls, health: LaneHealth | None, versions: Mapping[str, str], *more: str) -> Lane:
        """``health``: None where the lane does not answer; ``versions``, ``more``: what else is in force, and what else troubles it."""
        troubles = [each for each in more if each]
        if health is None:
            return cls(troubles=_bounded((*cls().troubles, *troubles)), versions=_bounded_names(versions))
        notices = {"rules": health.rules_problem, "trust": health.trust_problem, "audit": health.audit_problem}
        troubles += [f"{what}: {problem}" for what, problem in notices.items() if problem]
        return cls(
            state=health.state[:MOST_WORDS],
            troubles=_bounded((*health.causes, *troubles)),
            versions=_bounded_names({**health.versions, **versions}),
            waiting_s=round(health.waiting_s, 1),
            freshness=_bounded_names(
                {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in health.freshness.items()}
            ),
        )


def _bounded(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each[:MOST_WORDS] for each in words[:MOST_TROUBLES])


def _bounded_names(told: Mapping[str, str]) -> dict[str, str]:
    return {name[:MOST_WORDS]: what[:MOST_WORDS] for name, what in list(told.items())[:MOST_VERSIONS]}


def days_left(folder: Path, log: AuditReader, size: int, now: datetime) -> float | None:
    """For how many days the disk of ``folder`` takes records at the pace of the last week; None: not known yet. ``size``: the log's bytes.

    Raises AuditError, OSError.
    """
    pace = bytes_per_day(log, size, now)
    return round(shutil.disk_usage(folder).free / pace, 1) if pace else None


def bytes_per_day(log: AuditReader, size: int, now: datetime) -> float | None:
    """By how much a log of ``size`` bytes grew a day within the last week. Raises AuditError."""
    head = log.head().seq
    if head == 0:
        return None
    before = _last_before(log, head, now - timedelta(days=PACE_DAYS))
    since = _instant(log, before + 1)
    days = (now - since).total_seconds() / _DAY_S if since else 0.0
    return size / head * (head - before) / days if days >= LEAST_DAYS else None


def _last_before(log: AuditReader, head: int, moment: datetime) -> int:
    """Number of the last record that was written before ``moment``, 0 for none; by halving, for instants do not fall."""
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        at = _instant(log, middle)
        if at is not None and at < moment:
            low = middle
        else:
            high = middle - 1
    return low


def _instant(log: AuditReader, seq: int) -> datetime | None:
    row = log.row(seq)
    return instant(row[1].decode(errors="replace")) if row else None


def problem(outbox: Outbox | None, *, now: datetime, why: str, certificate_ends: datetime | None) -> str:
    """What officers are told of the centre; empty: nothing. ``why``: what is known of the reason for a delay. Raises AuditError."""
    if outbox and outbox.receipts.fork:
        return f"{outbox.receipts.fork}: one of the two was changed (autogate audit verify)"
    lost = outbox.receipts.lost if outbox else 0
    told = [
        text
        for text in (
            f"the centre lost {lost} records: they go again" if lost else "",
            _late(outbox, now, why),
            _ending(certificate_ends, now),
        )
        if text
    ]
    return "; ".join(told)


def _late(outbox: Outbox | None, now: datetime, why: str) -> str:
    if outbox is None or outbox.through >= outbox.head:
        return ""
    since = _instant(outbox.log, outbox.through + 1)
    if since is None or (now - since).total_seconds() < LATE_S:
        return ""
    count = outbox.head - outbox.through
    return f"{count} records not received since {since:%Y-%m-%d %H:%M} UTC" + (f" ({why})" if why else "")


def _ending(certificate_ends: datetime | None, now: datetime) -> str:
    if certificate_ends is None or certificate_ends - now > ENDS_SOON:
        return ""
    return f"the gate's certificate {'ended' if certificate_ends <= now else 'ends'} on {certificate_ends:%Y-%m-%d %H:%M} UTC"
