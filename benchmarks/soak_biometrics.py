"""What a traveller leaves behind: nothing, in no process and no file, whatever became of them and whichever process died meanwhile."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.biometric_gate import BIOMETRIC, Crash, watched_gate
from benchmarks.soak_cases import Case

BY_OUTCOME = {
    "OPEN": ("ordinary", "service", "diplomatic", "mononym", "after-the-fault"),
    "RETRY": ("two-on-one",),
    "COUNTER": ("borrowed", "unknown-state", "unplugged"),
    "SECONDARY": ("service-without-permit",),
    "HOLD": ("portrait-swapped", "clone"),
}
"""The cast of the demonstration by what becomes of them. Outcomes are drawn first, so that each comes as often as the others."""
NEVER_CRASHES = "unplugged"
"""Two faults at once are not waited for."""
CRASH_SHARE = 0.4
LONGEST_S = 2.5
"""A whole walk through the quick gate takes about as long."""
CRASHES = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
"""By two of these the kernel would write a core, were it allowed to."""
MUST_SEE = frozenset(BY_OUTCOME) | {f"{role} died" for role in BIOMETRIC}


def drawn(dice: random.Random) -> tuple[str, Crash | None]:
    """Who comes, and whether a process dies under them."""
    traveller = dice.choice(BY_OUTCOME[dice.choice(sorted(BY_OUTCOME))])
    crash = Crash(role=dice.choice(BIOMETRIC), number=dice.choice(CRASHES), after_s=dice.uniform(0.1, LONGEST_S))
    return traveller, crash if dice.random() < CRASH_SHARE and traveller != NEVER_CRASHES else None


@contextmanager
def nothing_left() -> Iterator[Case]:
    """One traveller of the demonstration's cast a case."""
    with watched_gate() as gate:

        def case(dice: random.Random) -> str:
            name, crash = drawn(dice)
            left = gate.send_into_crash(name, crash) if crash else gate.send(name, bundle=True)
            assert len(left.windows) > 10_000, "hardly anything was looked for"
            assert not left.in_memory, f"{name}, {left.outcome}: {left.in_memory}"
            assert not left.on_disk, f"{name}, {left.outcome}: {left.on_disk}"
            return f"{crash.role} died" if crash else left.outcome

        yield case
