"""The demonstration's terminal: each transaction as a timeline while it happens, the table of all at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from gate.records import StageTiming, TransactionRecord

BAR = 44
"""Columns of the timeline."""


class Terminal:
    """Writes to ``out``; ``quiet`` keeps all but warnings to itself."""

    def __init__(self, out: TextIO = sys.stdout, *, quiet: bool = False) -> None:
        self._out, self._quiet = out, quiet

    def say(self, text: str = "") -> None:
        if not self._quiet:
            print(text, file=self._out, flush=True)

    def arrives(self, number: int, count: int, title: str) -> None:
        """Somebody walks up."""
        self.say()
        self.say(f"── {number}/{count}  {title} ".ljust(100, "─"))

    def stage(self, stage: StageTiming) -> None:
        """A stage has ended: one line, as it happens."""
        self.say(f"   {stage.start_ms:8.0f} ms  +{stage.duration_ms:7.1f} ms  {stage.room:<7} {stage.name:<26} {stage.result}")

    def transaction(self, record: TransactionRecord) -> None:
        """The whole transaction as bars over one time axis, so that what overlapped what is seen."""
        end = max((stage.start_ms + stage.duration_ms for stage in record.stages), default=1.0)
        self.say()
        for stage in record.stages:
            self.say(f"   {stage.room:<7} {stage.name:<26} │{bar(stage, end)}│ {stage.duration_ms:8.1f} ms")
        self.say(f"   {'':<34} 0{f'{end / 1000:.2f} s':>{BAR}}")
        self.say(f"   ⇒ {record.outcome}  {why(record)}".rstrip())

    def summary(self, rows: Sequence[tuple[str, TransactionRecord]]) -> None:
        """Who, outcome, reasons or else what was tolerated, seconds."""
        self.say()
        self.say(f"{'traveller':<56} {'outcome':<10} {'reasons':<28} {'seconds':>7}")
        self.say("─" * 104)
        for title, record in rows:
            self.say(f"{title:<56} {record.outcome:<10} {why(record):<28} {seconds(record.stages):7.2f}")

    def warnings(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.say(f"  ! {line}")


def tolerances(record: TransactionRecord) -> tuple[str, ...]:
    """What was let pass on the way to the outcome, in the order of the decisions, each once."""
    return tuple(dict.fromkeys(each for decided in record.decisions for each in decided.decision.tolerances))


def why(record: TransactionRecord) -> str:
    """The reasons of a referral; of an opening, what it tolerated."""
    used = tolerances(record)
    return ", ".join(record.reasons) or ("tolerated: " + ", ".join(used) if used else "")


def bar(stage: StageTiming, end_ms: float) -> str:
    """``stage`` on an axis of :data:`BAR` columns that ends at ``end_ms``; never empty."""
    first = min(BAR - 1, int(stage.start_ms / end_ms * BAR))
    last = min(BAR, max(first + 1, round((stage.start_ms + stage.duration_ms) / end_ms * BAR)))
    return " " * max(0, first) + "█" * (last - max(0, first)) + " " * (BAR - last)


def seconds(stages: Iterable[StageTiming]) -> float:
    """From the document on the glass to the end of the last stage."""
    return max((stage.start_ms + stage.duration_ms for stage in stages), default=0.0) / 1000
