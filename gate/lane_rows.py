"""What the tables of both kinds of lane are written with: a row, and the rows that stand in every state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gate import lane_guards as g
from gate.lane_terms import Action, Event, Guard, State, Transition

Table = Mapping[State, tuple[Transition, ...]]
S, E, A = State, Event, Action
ABANDON = (A.VOID, A.END, A.REFER)
CRASH = (A.VOID, A.END, A.REFER, A.ALARM)


def row(event: Event | None, guard: Guard, target: State, *actions: Action, again: bool = False) -> Transition:
    return Transition(event=event, guard=guard, next=target, actions=actions, again=again)


_FIRE = row(None, g.fire, S.EMERGENCY, *CRASH)
_POWER = row(None, g.no_mains, S.NO_POWER, *CRASH)
_LINK = row(None, g.link_gone, S.OUT_OF_SERVICE, *CRASH)
_BROKEN = row(E.DEVICE_FAULT, g.always, S.FAULT, *CRASH)
FORCED = row(E.PLANT, g.exit_unlocked, S.FAULT, *CRASH)
EVERYWHERE = (_FIRE, _POWER, _LINK, _BROKEN)
"""Rows that stand before a state's own, fire first, in every state but the few that already are where they lead."""


def _stay(transition: Transition, state: State) -> Transition:
    """The same condition where the lane already waits for its end: nothing moves, no other row is looked at."""
    return replace(transition, next=state, actions=())


def _everywhere(state: State) -> tuple[Transition, ...]:
    match state:
        case State.EMERGENCY:
            return (_stay(_FIRE, state), _stay(_POWER, state), _stay(_LINK, state))
        case State.NO_POWER:
            return (_FIRE, _stay(_POWER, state), _stay(_LINK, state))
        case State.FAULT:
            return (_FIRE, _stay(_POWER, state), _stay(_LINK, state))
        case State.OUT_OF_SERVICE:
            return (_FIRE, _POWER, _stay(_LINK, state), _BROKEN)
        case _:
            return EVERYWHERE


def complete(own: Table) -> Table:
    """``own`` with the rows that stand in every state before them."""
    return {state: _everywhere(state) + rows for state, rows in own.items()}
