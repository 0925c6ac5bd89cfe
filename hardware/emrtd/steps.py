"""What a chip was asked for, step by step, and how long each took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hardware.emrtd.errors import ChipError
from hardware.ports import Clock, TagLost


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTiming:
    """One step: start in boot seconds, duration in seconds, and ``successful`` or a code that says how it ended.

    Names: ``capabilities``, ``card_access``, ``pace`` or ``bac``, ``card_security``, each file's, ``chip_authentication``,
    ``active_authentication``. Where the tag was lost: ``resume`` (the wait for a chip), then ``card_access`` and ``pace`` or ``bac``
    again; these lie within the time of the step that was resumed, or before it is repeated.
    """

    name: str
    start_boot: float
    duration_s: float
    result: str


@dataclass(slots=True)
class Outcome:
    """How a step ends, unless it raises; whoever takes the step may say something else than ``successful``."""

    result: str = "successful"


class Steps:
    """Keeps a :class:`StepTiming` of each step, in the order in which they ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.taken: list[StepTiming] = []

    @contextmanager
    def step(self, name: str) -> Iterator[Outcome]:
        outcome, start = Outcome(), self._clock.boot()
        try:
            yield outcome
        except ChipError as error:
            outcome.result = error.code
            raise
        except TagLost:
            outcome.result = "TAG_LOST"
            raise
        finally:
            duration = self._clock.boot() - start
            self.taken.append(StepTiming(name=name, start_boot=start, duration_s=duration, result=outcome.result))
