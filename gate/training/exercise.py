"""One exercise after another: sends the traveller, calls the officer, reads in the gate's own log what was done, scores it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gate.audit.log import FILE_NAME, AuditError, AuditRecord, decode, open_readonly
from gate.console.acts import actions
from gate.demo.director import Director
from gate.records import LaneEvent, OfficerActed, TransactionRecord
from gate.training.case import Case
from gate.training.desk import Desk
from gate.training.review import page
from gate.training.score import finished, score
from gate.training.session import Done, Session, Shown, write_session

CALLS = frozenset({"hold", "fault", "emergency", "no_power", "out_of_service"})
"""States of the lane in which it needs an officer."""
GATE_LIMIT_S = 300.0
"""A traveller inside is held for a minute, and three more where an officer asks for it."""
LIMIT = 3
"""An officer has so many times the case's time; then nothing was done."""
READY_LIMIT_S = 1800.0
"""An officer who closed the lane, or has not signed in, has so long to see to it."""
LOOK_S = 0.3
NEWEST = 500
"""Records of the log that are looked through: an exercise makes some twenty."""


class Log:
    """The gate's log, read beside its writer."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE_NAME

    def mark(self) -> int:
        """Where it ends now. Raises AuditError."""
        with open_readonly(self._path) as log:
            return log.head().seq

    def since(self, mark: int, kind: str) -> Iterator[AuditRecord]:
        """Its records of one kind behind ``mark``. Raises AuditError."""
        with open_readonly(self._path) as log:
            newest = log.newest(NEWEST)
        return (record for record in newest if record.seq > mark and record.kind == kind)

    def called(self, mark: int) -> datetime | None:
        """When the lane first needed an officer."""
        events = ((record, decode(record, LaneEvent)) for record in self.since(mark, "event"))
        return next((_at(record) for record, event in events if event.after in CALLS), None)

    def done(self, mark: int, officer: str, called: datetime, shown: Sequence[Shown] = ()) -> tuple[Done, ...]:
        """What ``officer`` signed at the console, carried out or refused."""
        acts = ((_at(record), decode(record, OfficerActed)) for record in self.since(mark, "officer"))
        return tuple(
            Done(
                action=act.action,
                reason=act.reason,
                after_s=round(max(0.0, (at - called).total_seconds()), 1),
                refused=act.refused or ("awaits_second" if act.awaits_second else ""),
                shown=max(0, sum(each.at <= at for each in shown) - 1),
            )
            for at, act in acts
            if act.officer == officer and act.role != "command"
        )


def _shown(record: TransactionRecord) -> tuple[Shown, ...]:
    """The gate's decisions on a traveller, in order."""
    return tuple(
        Shown(
            at=each.at,
            outcome=each.decision.outcome,
            reasons=each.decision.reasons,
            rules=each.decision.rules,
            facts=each.evidence.facts,
        )
        for each in record.decisions
    )


def _at(record: AuditRecord) -> datetime:
    return datetime.fromisoformat(record.at)


class Exercise:
    """Plays cases with one officer. ``state``: the training folder."""

    def __init__(self, director: Director, desk: Desk, state: Path, officer: str) -> None:
        self._director, self._desk, self._state, self._officer = director, desk, state, officer
        self._log = Log(state)

    async def play(self, case: Case, number: int, count: int) -> Session:
        """One case from the briefing to the review. Raises DemoError, AuditError, SessionError."""
        await self._director.until_ready(READY_LIMIT_S)
        await self._desk.until_begun(case, number, count)
        started, mark = datetime.now(UTC), self._log.mark()
        calling = asyncio.create_task(self._call(mark))
        try:
            record = await self._director.play(case.traveller, GATE_LIMIT_S)
            shown = _shown(record)
            called, done = await (self._at_gate(case, mark, shown) if case.place == "gate" else self._at_counter(case, shown))
        finally:
            calling.cancel()
        session = self._session(case, record, (started, called), shown, done)
        review = write_session(session, self._state).with_suffix(".html")
        review.write_text(page(session, case, whole=True), encoding="utf-8")
        await self._desk.reviewed(session, last=number == count)
        return session

    async def _call(self, mark: int) -> None:
        """Tell the desk when the lane needs an officer."""
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(AuditError):  # the lane is writing; it is looked at again at once
                if called := self._log.called(mark):
                    self._desk.called(called)
                    return

    async def _at_gate(self, case: Case, mark: int, shown: tuple[Shown, ...]) -> tuple[datetime, tuple[Done, ...]]:
        """The traveller is gone; what concerns the lane may still have to be done."""
        called = self._log.called(mark) or datetime.now(UTC)
        self._desk.called(called)
        lane = any(actions()[act.action].about == "lane" for act in case.expected)
        while True:
            done = self._log.done(mark, self._officer, called, shown)
            over = (datetime.now(UTC) - called).total_seconds() > LIMIT * case.time_s
            if not lane or finished(case, done) or over:
                return called, done
            await asyncio.sleep(LOOK_S)

    async def _at_counter(self, case: Case, shown: tuple[Shown, ...]) -> tuple[datetime, tuple[Done, ...]]:
        called = datetime.now(UTC)
        await self._desk.until_decided(shown, called, LIMIT * case.time_s)
        last = max(0, len(shown) - 1)
        return called, tuple(
            Done(action=each.action, reason=each.reason, after_s=each.after_s, shown=last) for each in self._desk.done
        )

    def _session(
        self,
        case: Case,
        record: TransactionRecord,
        times: tuple[datetime, datetime],
        shown: tuple[Shown, ...],
        done: tuple[Done, ...],
    ) -> Session:
        looked = tuple(self._desk.looked)
        return Session(
            case=case.id,
            place=case.place,
            officer=self._officer,
            started=times[0],
            called=times[1],
            ended=datetime.now(UTC),
            transaction=record.transaction,
            outcome=record.outcome,
            rules_version=record.decisions[-1].decision.rules_version if record.decisions else "",
            shown=shown,
            looked=looked,
            done=done,
            score=score(case, shown, looked, done),
        )
