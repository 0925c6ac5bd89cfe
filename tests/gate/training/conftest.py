"""Sessions as an exercise makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gate.evidence import CheckResult, Fact
from gate.outcome import Outcome
from gate.training.case import Case, load_cases
from gate.training.score import score
from gate.training.session import Done, Looked, Session, Shown

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


class Maker:
    """Makes what an officer saw and did."""

    def __init__(self) -> None:
        self.cases = {case.id: case for case in load_cases()}

    def shown(self, case: Case, rules: tuple[str, ...] | None = None) -> tuple[Shown, ...]:
        facts = {
            "chip": Fact(value="read", result=CheckResult.SUCCESSFUL, source="reader"),
            "exit_permit": Fact(value="<b>none</b>", result=CheckResult.FAILED, source="exit_permit"),
        }
        fired = case.rules if rules is None else rules
        return (Shown(at=AT, outcome=Outcome.SECONDARY, reasons=("EXIT_PERMIT_MISSING",), rules=fired, facts=facts),)

    def right(self, case: Case, after_s: float = 5.0) -> tuple[Done, ...]:
        return tuple(
            Done(action=act.action, reason=act.reasons[0], after_s=after_s + number) for number, act in enumerate(case.expected)
        )

    def looked(self, case: Case, after_s: float = 1.0) -> tuple[Looked, ...]:
        return tuple(Looked(look=look.id, after_s=after_s) for look in case.look)

    def session(
        self,
        name: str = "dinas-without-permit",
        officer: str = "Sari",
        done: tuple[Done, ...] | None = None,
        looked: tuple[Looked, ...] | None = None,
        minutes: int = 0,
        rules: tuple[str, ...] | None = None,
    ) -> Session:
        case = self.cases[name]
        done = self.right(case) if done is None else done
        looked = self.looked(case) if looked is None else looked
        shown = self.shown(case, rules)
        begun = AT + timedelta(minutes=minutes)
        return Session(
            case=name,
            place=case.place,
            officer=officer,
            started=begun,
            called=begun + timedelta(seconds=4),
            ended=begun + timedelta(seconds=30),
            transaction="0" * 32,
            outcome=Outcome.SECONDARY,
            rules_version="draft@0",
            shown=shown,
            looked=looked,
            done=done,
            score=score(case, shown, looked, done),
        )


@pytest.fixture(scope="session")
def maker() -> Maker:
    return Maker()
