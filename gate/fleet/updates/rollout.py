"""A roll-out as a pure table: one stage after another, the next only when this one is good, and all the way back when it is bad.

The way back is a target of its own that was signed for and allowed before the way forth began: with rule sets, trust stores and rosters
two people sign the return to the earlier version beforehand, and no machine ever goes back by itself to what nobody signed for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Literal, assert_never

import msgspec
from msgspec import Meta

from gate.fleet.messages import GateId, Text
from gate.fleet.updates.health import Conditions, Observed, judge
from gate.fleet.updates.targets import Target, UpdateError

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
Seconds = Annotated[float, Meta(ge=0, le=90 * 86_400)]
Phase = Literal["forth", "paused", "back", "done", "undone"]
ENDED: frozenset[Phase] = frozenset({"done", "undone"})
Order = Literal["pause", "resume", "undo"]


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gates that get the target together: one, a bank, an airport, the rest."""

    name: Name
    gates: Annotated[tuple[GateId, ...], Meta(min_length=1, max_length=20_000)]
    soak_s: Seconds
    """How long it stays at this stage at least, so that a whole day's travellers are seen."""
    most_s: Seconds
    """Where it is neither good nor bad by then, a person decides: it pauses."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``target`` is the path of one, or ``config/*/000012``: each gate's own under that number. ``back``, likewise, undoes it at the gates that have it."""

    name: Name
    target: Text
    back: Text
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=16)]
    conditions: Conditions = Conditions()

    @property
    def kind(self) -> str:
        return _named(self.target).kind

    def gates(self, stage: int) -> frozenset[str]:
        """Of the stages up to ``stage``."""
        return frozenset(gate for each in self.stages[: stage + 1] for gate in each.gates)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """``stage`` counts from 0; ``since``: when it, or this phase, began; ``why``: what is awaited, or what went wrong; ``then``: what a pause interrupts."""

    phase: Phase = "forth"
    stage: int = 0
    since: datetime
    why: str = ""
    then: Phase = "forth"


def read_plan(raw: bytes, known: Collection[str]) -> Plan:
    """A plan as people write it (TOML), where ``CGK.*`` stands for those of ``known`` gates that no stage named before. Raises UpdateError."""
    taken: set[str] = set()
    try:
        told = msgspec.toml.decode(raw)
        for stage in told["stages"]:
            gates: list[str] = []
            for each in stage["gates"]:
                gates += _matching(each, known, taken) if "*" in each else [each]
                taken.update(gates)
            stage["gates"] = gates
        return msgspec.convert(told, Plan)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UpdateError("malformed", f"no plan: {error}") from None


def _matching(pattern: str, known: Collection[str], taken: Collection[str]) -> list[str]:
    return sorted(gate for gate in known if gate not in taken and fnmatchcase(gate, pattern))


def check_plan(plan: Plan, allowed: Collection[str]) -> None:
    """Raises UpdateError where a roll-out cannot begin so."""
    target, back = _named(plan.target), _named(plan.back)
    every = [gate for stage in plan.stages for gate in stage.gates]
    if target.kind != back.kind or plan.target == plan.back:
        raise UpdateError("malformed", f"{plan.back} is no way back from {plan.target}")
    if target.kind != "config" and back.number <= target.number:
        raise UpdateError(
            "rolled_back", f"{plan.back}: whoever took number {target.number} takes none before it: sign for the way back"
        )
    if len(set(every)) < len(every):
        raise UpdateError("malformed", "a gate stands in two stages")
    if any(stage.most_s <= stage.soak_s for stage in plan.stages):
        raise UpdateError("malformed", "a stage ends before it has soaked")
    for named in (plan.target, plan.back):
        if len(paths(named, every, allowed)) < len(every):
            raise UpdateError("not_allowed", f"{named} is not allowed, for every gate: no roll-out begins without its way back")


def paths(named: str, gates: Iterable[str], allowed: Collection[str]) -> dict[str, str]:
    """Gate → the path that ``named`` is for it; without those for whom it is not allowed."""
    if "*" not in named:
        return dict.fromkeys(gates, named) if named in allowed else {}
    own = {path.rpartition("-")[0]: path for path in allowed}
    return {gate: own[mine] for gate in gates if (mine := named.replace("*", gate)) in own}


def _named(named: str) -> Target:
    """One target of those that ``named`` stands for. Raises UpdateError."""
    if "*" not in named:
        target = Target.parse(named)
        if target.gate:
            raise UpdateError("malformed", f"{named}: one gate's own; write * in the place of the gate")
        return target
    suffix = ".toml" if named.startswith("config/") else ".sealed"
    return Target.parse(f"{named.replace('*', 'AAA.0', 1)}-{64 * '0'}{suffix}")


def step(plan: Plan, state: State, seen: Observed, allowed: Collection[str], now: datetime) -> State:
    """What comes next, at most one stage on. ``seen``: of the gates of the stages so far, and of the target that they are to have in this phase."""
    match state.phase:
        case "forth":
            return _forth(plan, state, seen, allowed, now)
        case "back":
            return _back(plan, state, seen, allowed, now)
        case "paused" | "done" | "undone":
            return state
    assert_never(state.phase)


def ordered(state: State, order: Order, by: str, now: datetime) -> State:
    """What a person said. Raises UpdateError where that cannot be."""
    if state.phase in ENDED:
        raise UpdateError("refused", f"it is {state.phase} already")
    match order:
        case "pause" if state.phase != "paused":
            return replace(state, phase="paused", then=state.phase, why=f"paused by {by}")
        case "resume" if state.phase == "paused":
            return replace(state, phase=state.then, since=now, why=f"resumed by {by}")
        case "undo" if not going_back(state):
            return replace(state, phase="back", since=now, why=f"undone by {by}")
        case "pause" | "resume" | "undo":
            raise UpdateError("refused", f"it cannot be told to {order}: it is {state.phase}")
    assert_never(order)


def going_back(state: State) -> bool:
    return "back" in {state.phase, state.then if state.phase == "paused" else ""} or state.phase == "undone"


def assignments(plan: Plan, state: State, allowed: Collection[str]) -> dict[str, str]:
    """Gate → path, for those whom this roll-out has reached; nothing that is not allowed."""
    return paths(plan.back if going_back(state) else plan.target, sorted(plan.gates(state.stage)), allowed)


def _forth(plan: Plan, state: State, seen: Observed, allowed: Collection[str], now: datetime) -> State:
    gates = plan.gates(state.stage)
    if len(paths(plan.target, gates, allowed)) < len(gates):
        return replace(state, phase="back", since=now, why=f"{plan.target} is no more allowed")
    stage, for_s = plan.stages[state.stage], (now - state.since).total_seconds()
    verdict, why = judge(plan.conditions, seen, for_s)
    if verdict == "bad":
        return replace(state, phase="back", since=now, why=why)
    if verdict == "good" and for_s >= stage.soak_s:
        last = state.stage + 1 == len(plan.stages)
        return replace(state, phase="done", why="") if last else replace(state, stage=state.stage + 1, since=now, why="")
    if for_s >= stage.most_s:
        return replace(state, phase="paused", then="forth", why=why or "not soaked yet")
    return replace(state, why=why)


def _back(plan: Plan, state: State, seen: Observed, allowed: Collection[str], now: datetime) -> State:
    gates = plan.gates(state.stage)
    if len(paths(plan.back, gates, allowed)) < len(gates):
        return replace(
            state, phase="paused", then="back", why=f"{plan.back} is no more allowed: people must sign another way back"
        )
    over = (now - state.since).total_seconds() >= plan.conditions.report_within_s
    # Whoever is silent stays assigned to it; the others need not wait for that.
    return replace(state, phase="undone") if over or seen.gates <= seen.in_force else state
