"""Long suites on what a chip says: changed seeds into every parser and every protocol."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from benchmarks import soak_agreement, soak_messaging, soak_readings
from benchmarks.soak_cases import METER, Case
from benchmarks.soak_targets import FILES, LANGUAGE, Prepare

MESSAGES: Mapping[str, Prepare] = {
    "sm_response": soak_messaging.responses,
    "sm_command": soak_messaging.commands,
}
AGREEMENT: Mapping[str, Prepare] = {
    "bac": soak_messaging.basic_access,
    "pace": soak_agreement.pace_answers,
    "chip_authentication": soak_agreement.chip_answers,
    "dg14": soak_agreement.dg14,
    "card_security": soak_agreement.card_security,
}
PARTS: Mapping[str, Prepare] = {"file_parts": soak_agreement.file_parts, "reading": soak_readings.scripted}
TARGETS: Mapping[str, Prepare] = {
    **LANGUAGE,
    **MESSAGES,
    **FILES,
    **AGREEMENT,
    **PARTS,
    "pace": soak_agreement.quick_pace_answers,
}
"""Each parser and protocol for the fuzzer, by its name: of PACE what a second has room for."""
SHOWN = 1000
"""Octets of an input that are shown where it broke something; the case's number brings back all of it."""


def mutations(targets: Mapping[str, Prepare]) -> Callable[[], AbstractContextManager[Case]]:
    """Changed seeds of ``targets``, each as often as another."""

    @contextmanager
    def prepare() -> Iterator[Case]:
        ready = [target() for target in targets.values()]

        def case(dice: random.Random) -> str:
            target = dice.choice(ready)
            data = target.change(dice.choice(target.seeds), dice)
            try:
                with METER.now_and_then(dice):
                    return target.judge(data)
            except Exception as error:
                error.add_note(f"on {len(data)} bytes: {data[:SHOWN].hex()}")
                raise

        yield case

    return prepare
