"""A reader's panel over OSDP on a bad line, in real time: every lamp comes, no beep sounds twice, none is lost without a word."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.serial_links import FAULTS
from benchmarks.serial_osdp import MOST_BEEPS, plugged_in, until_shown
from benchmarks.soak_cases import Case
from hardware.controller.serial_port import SerialPort
from hardware.osdp import OsdpPanel
from hardware.osdp_key import read_key
from hardware.ports import PanelSignal
from hardware.sim.relay import FaultRelay

SETTLED_S = 3.0
"""By then a beep has sounded or was told as missed."""
MUST_SEE = frozenset({"shown", "shown, its beep missed", "shown, the channel lost meanwhile"})


@contextmanager
def panel_on_a_line() -> Iterator[Case]:
    """One signal a case: a lamp, and as many beeps as its number says."""
    with plugged_in() as (device, key_file), FaultRelay(device.tty.parent, device.tty) as relay:
        panel = OsdpPanel(lambda: SerialPort(str(relay.tty)), 0, read_key(key_file))
        until_shown(panel, PanelSignal(lamp="white"))
        relay.line(**FAULTS)
        shown = 0

        def case(dice: random.Random) -> str:
            nonlocal shown
            shown += 1
            drops, missed, begun = panel.drops, panel.work(0.0).missed, len(device.executed)
            beeps = 1 + shown % MOST_BEEPS
            until_shown(panel, PanelSignal(lamp=("red", "blue")[shown % 2], beeps=beeps))

            def sounded() -> int:
                return sum(did.get("beeps") == beeps for did in device.executed[begun:])

            _serve_until(panel, lambda: sounded() or panel.work(0.0).missed > missed)
            panel.work(dice.uniform(0.0, 0.05))
            assert sounded() <= 1, f"{sounded()} times {beeps} beeps"
            if panel.work(0.0).missed > missed:
                return "shown, its beep missed"
            return "shown, the channel lost meanwhile" if panel.drops > drops else "shown"

        yield case
        panel.close()


def _serve_until(panel: OsdpPanel, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SETTLED_S
    while not condition():
        assert time.monotonic() < deadline, "a beep was lost without a word"
        panel.work(0.01)
