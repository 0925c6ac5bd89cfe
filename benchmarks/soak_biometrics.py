"""What a traveller leaves behind: nothing, in no process and no file, whatever became of them and whichever process died meanwhile."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.biometric_gate import BIOMETRIC, watched_gate
from benchmarks.soak_cases import Case

CRASH_SHARE = 0.4
LONGEST_S = 2.5
"""A whole walk through the quick gate takes about as long."""
CRASHES = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
"""By two of these the kernel would write a core, were it allowed to."""
MUST_SEE = frozenset({"OPEN", "RETRY", "COUNTER", "SECONDARY", "HOLD"}) | {f"{role} died" for role in BIOMETRIC}


@contextmanager
def nothing_left() -> Iterator[Case]:
    """One traveller of the demonstration's cast a case."""
    with watched_gate() as gate:
        unplugging = {name for name, traveller in gate.cast.items() if traveller.behaviour.unplug_at}

        def case(dice: random.Random) -> str:
            name, role = dice.choice(list(gate.cast)), dice.choice(BIOMETRIC)
            crashes = dice.random() < CRASH_SHARE and name not in unplugging
            number, after_s = dice.choice(CRASHES), dice.uniform(0.1, LONGEST_S)
            left = gate.send_into_crash(name, role, number, after_s) if crashes else gate.send(name, bundle=True)
            assert len(left.windows) > 10_000, "hardly anything was looked for"
            assert not left.in_memory, f"{name}, {left.outcome}: {left.in_memory}"
            assert not left.on_disk, f"{name}, {left.outcome}: {left.on_disk}"
            return f"{role} died" if crashes else left.outcome

        yield case
