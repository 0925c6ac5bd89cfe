"""The roll-outs of ``autogate fleet demo``: begun one after another, as people would, and told as the centre's database has them.

Everything else is the director's: this neither moves a roll-out nor judges one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import assert_never

import psycopg

from gate.fleet.demo_updates import Prepared
from gate.fleet.updates import ledger
from gate.fleet.updates.rollout import ENDED, Plan
from gate.fleet.updates.targets import UpdateError
from gate.policy.schedule import SIGNED

BY = "demonstration"
_GO_BY_RULES = "select count(*) from gate_status where gate = any(%s) and versions ?& array['rules', 'rules.statement']"
_GO_BY = "select count(*) from gate_status where gate = any(%s) and starts_with(versions ->> 'rules', %s)"


class Rollouts:
    """``prepared``: in this order; none where nobody takes any."""

    def __init__(self, prepared: Sequence[Prepared]) -> None:
        self._prepared, self._waiting = prepared, list(prepared)
        self._said = ""
        self.over = not prepared

    def look(self, connection: ledger.Connection) -> None:
        """Say what changed, and begin the next where the one before has ended; the first when every gate has said by which rules it goes."""
        try:
            newest = ledger.newest(connection)
        except psycopg.errors.UndefinedTable:
            return  # the collector has still to make them
        self._say(newest)
        if newest is not None and newest.state.phase not in ENDED:
            return
        self.over = not self._waiting
        if self._waiting and (newest is not None or self._are_there(connection)):
            ledger.begin(connection, self._waiting.pop(0).plan, BY, datetime.now(UTC))

    def told(self, connection: ledger.Connection) -> Iterator[str]:
        """A line on each."""
        if not self._prepared:
            yield "roll-out: none: there is no real gate here, and simulated ones take nothing from the centre"
        for each in self._prepared:
            gates = _gates(each.plan)
            try:
                with connection.transaction():
                    found = ledger.named(connection, each.plan.name)
            except (UpdateError, psycopg.errors.UndefinedTable):
                yield f"roll-out: {_words(each.plan)} not begun: not all of {', '.join(gates)} had said by which rules they go"
            else:
                going = connection.execute(_GO_BY, (gates, f"{each.rules}{SIGNED}")).fetchone()
                yield line(found, f"{going[0] if going else 0} of {len(gates)} gates")

    def _are_there(self, connection: ledger.Connection) -> bool:
        gates = _gates(self._waiting[0].plan)
        told = connection.execute(_GO_BY_RULES, (gates,)).fetchone()
        return told is not None and told[0] == len(gates)

    def _say(self, newest: ledger.Rollout | None) -> None:
        if newest is None:
            return
        plan, state = newest.plan, newest.state
        stage = f"stage {state.stage + 1} of {len(plan.stages)} ({plan.stages[state.stage].name})"
        text = f"roll-out: {_words(plan)} {state.phase}, {stage}"
        if text != self._said:
            self._said = text
            print(f"  {text}", flush=True)


def line(found: ledger.Rollout, gates: str) -> str:
    """How it went; ``gates``: how many of them go by what it brings."""
    plan, state = found.plan, found.state
    what, stage = f"roll-out: {_words(plan)}", f"stage {state.stage + 1}"
    match state.phase:
        case "done":
            return f"{what} in force at {gates}, stages {len(plan.stages)}"
        case "undone":
            return f"{what} returned after {stage}, in force at {gates}: {state.why}"
        case "forth" | "back" | "paused":
            return f"{what} {state.phase} at {stage} of {len(plan.stages)}, in force at {gates}: {state.why}"
    assert_never(state.phase)


def _gates(plan: Plan) -> list[str]:
    return sorted(plan.gates(len(plan.stages)))


def _words(plan: Plan) -> str:
    return plan.name.replace("-", " ")
