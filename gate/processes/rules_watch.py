"""Which rule set the next traveller is judged by: looks whether people put another one into force, and says so when it takes over.

Whoever has begun is judged to the end by the set that was in force when they began.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from gate.audit.log import AuditError, AuditWriter
from gate.clock import SystemClock, WallFloor
from gate.config import Config
from gate.policy.schedule import Period, Schedule, read_schedule, store_mark
from gate.policy.schema import RulesError, RuleSet
from gate.processes.fitness import LONGEST
from gate.records import RulesInForce
from gate.replay import keep_rules

LOOK_S, AGAIN_S = 2.0, 60.0
"""Between two looks at what is in force; between two examinations of a store that was refused."""


def open_schedule(config: Config, clock: SystemClock) -> Schedule:
    """The rules as of now, kept in the state folder so that their decisions replay. Raises RulesError, OSError."""
    schedule = read_schedule(config, clock.wall())
    for period in schedule.periods:
        keep_rules(period.rules, period.folder, config.state_dir)
    return schedule


class RulesWatch:
    """On the lane's loop alone. ``tell`` gets a sentence for officers that stands until the next one, empty for none."""

    def __init__(
        self,
        config: Config,
        schedule: Schedule,
        clock: SystemClock,
        *,
        floor: WallFloor,
        log: AuditWriter,
        tell: Callable[[str], None],
    ) -> None:
        self._config, self._schedule, self._clock = config, schedule, clock
        self._floor, self._log, self._tell = floor, log, tell
        self._told = ""
        self._judging: Period | None = None
        self._notes: set[asyncio.Task[None]] = set()

    def now(self) -> RuleSet:
        """What whoever begins now is judged by."""
        period = self._schedule.at(self._clock.wall())
        if period is not self._judging:
            before, self._judging = self._judging, period
            if period.people and (before is None or before.rules.version != period.rules.version):
                note = asyncio.get_running_loop().create_task(self._note(period, before.rules.version if before else ""))
                self._notes.add(note)
                note.add_done_callback(self._notes.discard)
        return period.rules

    async def _note(self, period: Period, before: str) -> None:
        """Put into the log that ``period`` took over, and let no clock that is set back undo it."""
        began = RulesInForce(
            rules_version=period.rules.version,
            before=before,
            statement=period.sequence,
            people=period.people,
            begins=period.begins,
        )
        at = self._clock.wall()
        with suppress(AuditError):  # a log that refuses this refuses permits too
            await self._log.append("event", "", began, at=at, boot=self._clock.boot())
        with suppress(OSError):
            await asyncio.to_thread(self._floor.raise_to, at)

    async def heed(self) -> None:
        """Look every :data:`LOOK_S`, for ever; what is refused is examined again every :data:`AGAIN_S`."""
        store = self._config.rules.store
        looked = self._schedule.mark
        while store:
            self.now()
            self._say()
            await asyncio.sleep(AGAIN_S if self._schedule.problem else LOOK_S)
            mark = store_mark(store)
            if mark != looked or self._schedule.problem:
                looked = mark
                await self._look_again()

    async def _look_again(self) -> None:
        try:
            self._schedule = await asyncio.to_thread(open_schedule, self._config, self._clock)
        except (RulesError, OSError) as error:
            self._schedule = replace(self._schedule, problem=str(error))

    def _say(self) -> None:
        problem = " ".join(self._schedule.problem.split())[:LONGEST]
        if problem != self._told:
            self._told = problem
            self._tell(problem)
            print(f"lane: rules: {problem or 'the newest are gone by again'}", file=sys.stderr, flush=True)
