"""``python -m benchmarks.lane_mutants [--part 1/4]``: every small defect that the mantrap's table can have, one at a time.

Of each row that stands in a state: the row left out, its guard always true, each action that moves a door or a transaction left out. A
defect is *killed* where a rule breaks under one fault (``lane_alone.py``); it is *the same* where every reachable state, what may
happen in it and where that leads stay as they were, so that nobody could ever tell; else it is *safe*: the lane behaves otherwise, and
keeps every rule none the less. Those are listed, and there should be none: exit status 1.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.lane_alone import Model
from benchmarks.progress import bar
from gate import lane_guards as g
from gate.lane import TABLE, Action
from gate.lane_rows import Table

TOLD_ALONE = {
    Action.CAPTURE,
    Action.REFER,
    Action.ALARM,
    Action.SIGNAL_GREEN,
    Action.SIGNAL_RED,
    Action.COUNT_DISPUTED,
}
"""What moves neither a door nor a transaction."""


class Watched(Model):
    """Remembers every edge of the search."""

    def __init__(self, table: Table) -> None:
        super().__init__(table, fault_budget=1)
        self.edges: set[int] = set()

    def visit(self, state, label, successor) -> None:
        self.edges.add(hash((state, label, successor)))
        super().visit(state, label, successor)


def mutants(table: Table = TABLE) -> Iterator[tuple[str, Table]]:
    """Each with its name."""
    for state, rows in table.items():
        for at, row in enumerate(rows):
            name = f"{state}: {row.event or 'any event'} [{row.guard.__name__}] → {row.next}"
            changed = {f"without {action}": replace(row, actions=_less(row.actions, action)) for action in row.actions}
            for action in TOLD_ALONE:
                changed.pop(f"without {action}", None)
            if row.guard is not g.always:
                changed["always"] = replace(row, guard=g.always)
            for what, other in changed.items():
                yield f"{name}: {what}", {**table, state: (*rows[:at], other, *rows[at + 1 :])}
            yield f"{name}: left out", {**table, state: (*rows[:at], *rows[at + 1 :])}


def _less(actions: tuple[Action, ...], one: Action) -> tuple[Action, ...]:
    return tuple(action for action in actions if action is not one)


def judged(table: Table, right: set[int]) -> str:
    """``killed``, ``the same`` or ``safe``; ``right`` are the edges of the table as it is."""
    model = Watched(table)
    if model.run() is not None:
        return "killed"
    return "the same" if model.edges == right else "safe"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lane_mutants", description=__doc__)
    parser.add_argument("--part", default="1/1", help="N/M: every Mth defect, from the Nth on")
    options = parser.parse_args()
    first, step = map(int, options.part.split("/"))
    g.RETRIES = 1  # the number of repetitions changes no property, only the count of states
    right = Watched(TABLE)
    assert right.run() is None
    found: Counter[str] = Counter()
    for name, table in bar(list(mutants())[first - 1 :: step], "defects"):
        verdict = judged(table, right.edges)
        found[verdict] += 1
        if verdict == "safe":
            print(f"safe: {name}", flush=True)
    print(f"{found.total()} defects: {', '.join(f'{count} {verdict}' for verdict, count in sorted(found.items()))}")
    return int("safe" in found)


if __name__ == "__main__":
    sys.exit(main())
