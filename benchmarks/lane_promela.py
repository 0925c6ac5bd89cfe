"""``python -m benchmarks.lane_promela [--faults 2] [--print]``: a second opinion on the mantrap's table, from the model checker Spin.

The table is written out in Promela, its guards translated from their source; the world around it (``lane_world.pml``) was written anew, not
translated. Spin then searches every reachable state for a broken invariant. States and transitions must be as many as those of our own
search (``lane_alone.py``): where two programs that share no code of the search count alike, neither overlooks a state. It checks
safety alone; that an empty trap is reachable (I6) is checked in ``lane_alone.py`` and ``lane_model.py``. Wants Debian's packages spin and gcc.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.lane_alone import EVENTS, Model
from gate import lane_guards
from gate.lane import TABLE, Action, Event, State
from gate.lane_rows import Table
from gate.lane_terms import Guard, Transition
from hardware.controller.protocol import Leaf

WORLD = Path(__file__).with_name("lane_world.pml")
PROGRAMS = ("spin", "gcc")
LIMIT_S = 600
ITS_OWN = 1
"""Spin counts its way to the first state as a transition."""
NOBODY_KNOWS = 99
VARIABLES = """\
byte l_state = OUT_OF_SERVICE, l_retries, inside, blocked, miscount, faults = {faults}, owed, p_entry = LOCKED, p_exit = LOCKED;
bool l_open, l_live, object, fire, mains = true, linked, supervised = true, verdict, egress;
byte ev, before, seen; bool was_open, was_locked;
#define v_entry (linked -> p_entry : RELEASED)
#define v_exit (linked -> p_exit : RELEASED)
#define v_occupancy (linked && miscount != 1 -> inside + miscount / 2 : NOBODY_KNOWS)
#define v_object_left (linked && object)
#define v_entry_clear (linked && blocked != 1)
#define v_exit_clear (linked && blocked != 2)
#define v_emergency (linked && fire)
#define v_mains (!linked || mains)
#define v_linked linked
#define v_supervised supervised
"""
"""The lane, the plant, what is remembered within one step, and what the lane sees of it: :class:`gate.lane_terms.View`."""
MOVES = {Action.ADMIT, Action.EJECT, Action.OPEN_EXIT, Action.CLOSE_ENTRY, Action.CLOSE_EXIT}
OPERATORS = {ast.Is: "==", ast.Eq: "==", ast.IsNot: "!=", ast.NotEq: "!=", ast.Gt: ">", ast.Lt: "<"}


class NotTranslated(Exception):
    """A guard says something for which there is no Promela here."""


def guard_in_promela(guard: Guard) -> str:
    """The condition of a named guard of ``gate/lane_guards.py``, from its source. Raises NotTranslated."""
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(guard))).body
    if not isinstance(function, ast.FunctionDef):
        raise NotTranslated(guard)
    local: dict[str, str] = {}
    for line in function.body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                local[name] = _expression(value, local)
            case ast.Return(value=ast.expr() as value):
                return _expression(value, local)
            case ast.Expr(value=ast.Constant()):
                pass  # its docstring
            case _:
                raise NotTranslated(ast.unparse(line))
    raise NotTranslated(guard)


def _expression(node: ast.expr, local: dict[str, str]) -> str:
    match node:
        case ast.Constant(value=bool() as value):
            return str(value).lower()
        case ast.Constant(value=None):
            return "NOBODY_KNOWS"
        case ast.Constant(value=int() as value):
            return str(value)
        case ast.Attribute(value=ast.Name(id="view"), attr=name):
            return f"v_{name}"
        case ast.Attribute(value=ast.Name(id="lane"), attr=name):
            return f"l_{name}"
        case ast.Attribute(value=ast.Name(id="Leaf"), attr=name):
            return name
        case ast.Name(id=name):
            return local.get(name) or str(int(getattr(lane_guards, name)))
        case ast.Call(func=ast.Name(id=name)):
            return f"({guard_in_promela(getattr(lane_guards, name))})"
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return f"!({_expression(inner, local)})"
        case ast.BoolOp(op=op, values=values):
            sign = " && " if isinstance(op, ast.And) else " || "
            return "(" + sign.join(_expression(each, local) for each in values) + ")"
        case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Set(elts=members)]):
            seen = _expression(left, local)
            return "(" + " || ".join(f"{seen} == {_expression(each, local)}" for each in members) + ")"
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            return f"({_expression(left, local)} {OPERATORS[type(op)]} {_expression(right, local)})"
        case _:
            raise NotTranslated(ast.unparse(node))


def _taken(state: State, row: Transition) -> str:
    """What a row does, in the order in which ``gate.lane.step`` and the plant do it."""
    retries = "l_retries++; " if row.again else "" if row.next is state else "l_retries = 0; "
    told = [f"l_state = {row.next.name}; {retries}"]
    for action in row.actions:
        match action:
            case Action.BEGIN:
                told.append("l_open = true; l_live = false; ")
            case Action.ADMIT | Action.VERDICT:
                told.append("l_live = true; ")
            case Action.OPEN_EXIT:
                told.append("l_live = false; ")
            case Action.VOID:
                told.append("l_live = l_live && !was_open; ")
            case Action.END:
                told.append("l_live = l_live && !was_open; l_open = l_open && !was_open; ")
            case _:
                pass
        if action in MOVES:
            told.append(f"{action}(); ")
    return "".join(told)


def _state(state: State, rows: tuple[Transition, ...], event: Event) -> str:
    """The first row whose condition holds, else nothing."""
    text = "skip"
    for row in reversed([row for row in rows if row.event in {None, event}]):
        text = f"if :: {guard_in_promela(row.guard)} -> {_taken(state, row)}:: else -> {text} fi"
    return f"    :: l_state == {state.name} -> {text}"


def promela(table: Table = TABLE, faults: int = 2) -> str:
    """The whole model."""
    names = [*Event, *State]
    constants = [f"#define {each.name} {number}" for number, each in enumerate(names)]
    constants += [f"#define {leaf.name} {leaf.value}" for leaf in Leaf] + [f"#define NOBODY_KNOWS {NOBODY_KNOWS}"]
    steps = [
        "\n".join([f"inline step_{event.name}() {{", "    if", *(_state(*each, event) for each in table.items()), "    fi", "}"])
        for event in Event
    ]
    events = "\n    ".join(f":: d_step {{ begin({event.name}); step_{event.name}(); done() }}" for event in EVENTS)
    world = WORLD.read_text(encoding="utf-8").replace("    EVENTS\n", f"    {events}\n")
    return "\n".join([*constants, VARIABLES.format(faults=faults), *steps, world])


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What Spin found. ``broken`` is the assertion that failed, empty where none did."""

    states: int
    transitions: int
    broken: str


def ask_spin(model: str) -> Opinion:
    """Search every reachable state, breadth first. Raises CalledProcessError where the model is none."""
    with tempfile.TemporaryDirectory(prefix="lane-spin-") as folder:
        Path(folder, "lane.pml").write_text(model, encoding="utf-8")
        run: Any = {"cwd": folder, "capture_output": True, "text": True, "timeout": LIMIT_S}
        subprocess.run(["spin", "-a", "lane.pml"], check=True, **run)
        subprocess.run(["gcc", "-w", "-DSAFETY", "-DBFS", "-DNOREDUCE", "-o", "pan", "pan.c"], check=True, **run)
        said = subprocess.run([str(Path(folder, "pan")), "-m1000000", "-n"], check=False, **run).stdout
    counts = [int(re.search(rf"(\d+) {what}", said)[1]) for what in ("states, stored", "transitions")]  # type: ignore[index] # else: TypeError
    broken = re.search(r"assertion violated (.*?) \(at depth", said)
    return Opinion(states=counts[0], transitions=counts[1] - ITS_OWN, broken=broken[1] if broken else "")


def missing() -> list[str]:
    """Programs that are not there."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def compared(faults: int) -> bool:
    """Search both ways and print what both found; whether nothing is broken and the counts are the same."""
    ours, spin = Model(fault_budget=faults), ask_spin(promela(faults=faults))
    found = ours.run()
    for searcher, states, transitions, broken in (
        ("lane_alone", len(ours.parent), ours.transitions, found),
        ("Spin", spin.states, spin.transitions, spin.broken),
    ):
        name = f"the table alone, {faults} faults, {searcher}"
        print(f"{name:48} {states:>9,} states {transitions:>11,} transitions  {broken or 'holds'}", flush=True)
    return not found and spin == Opinion(states=len(ours.parent), transitions=ours.transitions, broken="")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lane_promela", description=__doc__)
    parser.add_argument("--faults", type=int, default=2)
    parser.add_argument("--print", action="store_true", help="print the model, and search nothing")
    options = parser.parse_args()
    if options.print:
        print(promela(faults=options.faults))
        return 0
    if absent := missing():
        print(f"not run: {', '.join(absent)} not installed", file=sys.stderr)
        return 2
    return int(not compared(options.faults))


if __name__ == "__main__":
    sys.exit(main())
