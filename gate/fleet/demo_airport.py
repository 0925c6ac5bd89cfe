"""An airport of ``autogate fleet demo``: lanes of :mod:`gate.simulation` that live in the present.

Their time jumps until it has caught up with the clock on the wall, and then goes with it. So they begin with some hours' records that the
centre has not got, as gates do that come back from an outage, and go on as gates do that work.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from gate.policy.schema import RuleSet
from gate.simulation.lane import SimulatedLane
from gate.simulation.people import HOUR_S, Person, midnight
from gate.simulation.scenario import Bank, Choice, Scenario, Uniform, load_scenario
from gate.simulation.trial import Airport, Wanted
from gate.simulation.warped import WarpedLoop

WHO = {"ordinary": 48.0, "foreigner": 16.0, "service": 28.0, "diplomatic": 8.0}
"""Far more official books than come in earnest: of three in a hundred some hours would have to tell nothing."""
A_DAY = 2400.0
"""Travellers of a bank."""
DAYS = 3
"""Yesterday, today, and tomorrow for who leaves it running over midnight."""
REFRESH_S = 1800.0
LONGEST_WAIT_S = 1.0
"""Of the loop where nothing is to be done."""


class Present:
    """How many seconds have passed since ``begins``, until it is stopped: then it is now for ever."""

    def __init__(self, begins: datetime) -> None:
        self._begins = begins
        self._stopped: float | None = None

    def __call__(self) -> float:
        return (datetime.now(UTC) - self._begins).total_seconds() if self._stopped is None else self._stopped

    def stop(self) -> None:
        self._stopped = self()


class _Selector(selectors.DefaultSelector):
    loop: PresentLoop

    def select(self, timeout: float | None = None) -> Any:
        """What is ready; where nothing is, the next timer's moment has come if it is past, and is waited for if it is not."""
        loop = self.loop
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if loop.working:  # in a thread, whose end is heard here
            return super().select(LONGEST_WAIT_S)
        wait = LONGEST_WAIT_S if timeout is None else timeout
        if (ahead := loop.elapsed + wait - loop.present()) > 0:
            ready = super().select(min(LONGEST_WAIT_S, ahead))
        loop.elapsed = max(loop.elapsed, min(loop.elapsed + wait, loop.present()))
        return ready


class PresentLoop(WarpedLoop):
    """Begins at ``since`` seconds of the simulation."""

    def __init__(self, since: float, present: Callable[[], float]) -> None:
        self.present, self.working, self.elapsed = present, 0, since
        selector = _Selector()
        selector.loop = self
        asyncio.SelectorEventLoop.__init__(self, selector)  # not WarpedLoop's, which brings a selector of its own


class PresentAirport(Airport):
    """Its lanes from ``since`` seconds of the simulation on. ``joined`` is told of each lane when it is made."""

    def __init__(
        self, wanted: Wanted, rules: RuleSet, snapshots: Path, since: float, joined: Callable[[SimulatedLane], None]
    ) -> None:
        super().__init__(wanted, rules, snapshots, lambda _share, _count: None)
        self._since, self._joined = since, joined

    def _people(self, bank: Bank) -> list[Person]:
        return [person for person in super()._people(bank) if person.arrives >= self._since]

    def _lane(self, bank: Bank, name: str) -> SimulatedLane:
        lane = super()._lane(bank, name)
        self._joined(lane)
        return lane

    def _outages(self) -> list[tuple[float, float]]:
        """None: who looks at the demonstration shall see what books lack."""
        return []

    async def _refresh(self) -> None:
        """Until cancelled: fresh snapshots now and then."""
        while True:
            now = self._loop.time()
            self._books.publish(self._store, self._clock.wall(), (now - HOUR_S, now + 2 * HOUR_S))
            await asyncio.sleep(REFRESH_S)


def scenario(airport: str, lanes: Mapping[str, int], now: datetime) -> Scenario:
    """The packaged one, with so many lanes by direction and this demonstration's travellers; it began yesterday."""
    packaged = load_scenario()
    banks = tuple(
        msgspec.structs.replace(bank, lanes=lanes[bank.direction], travellers_per_day=_assumed(A_DAY))
        for bank in packaged.bank
        if bank.airport == airport
    )
    kind = Choice(weights=WHO, assumption=True, reason="A demonstration of official books")
    people = msgspec.structs.replace(packaged.people, kind=kind)
    begins = (now.astimezone(midnight(packaged.begins, airport).tzinfo) - timedelta(days=1)).date()
    return msgspec.structs.replace(packaged, bank=banks, people=people, begins=begins, name="Demonstration of a fleet")


def _assumed(number: float) -> Uniform:
    return Uniform(low=number, high=number, assumption=True, reason="So that something happens while somebody looks")


def simulate(
    wanted: Wanted, present: Present, *, rules: RuleSet, before_h: float, snapshots: Path, joined: Callable[[SimulatedLane], None]
) -> None:
    """Have the airport's lanes work, from so many hours ago on. For a thread of its own."""
    since = present() - before_h * HOUR_S
    loop = PresentLoop(since, present)

    async def run() -> None:
        await PresentAirport(wanted, rules, snapshots, since, joined).run()

    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
