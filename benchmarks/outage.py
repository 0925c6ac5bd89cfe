"""``python -m benchmarks.outage [--began 2026-06-20] [--every 30] [--out FILE]``: a day and a half without the national data centre.

On 20 June 2024 at 04:15 in Jakarta the national data centre failed, and every automated gate with it. Here it fails at that hour of the
day asked for, under a virtual clock: the reference server over TLS, the gate's real clients, snapshots, rules and outbox of crossings.
The last snapshots are of 04:00. After forty hours the centre comes back, badly at first: too slow, from an old copy of its data, under a
forged name; eight hours later it is well. Travellers of each class, and one for each thing that may stand against somebody, come
all the while. What is counted:

* decisions by phase, by what they were made from (``live``, ``snapshot``, ``none``), and outcome
* ``wrong``: let through although the registries knew better before the network went; 0
* ``too_late``: let through on a snapshot although a live registry would have known better: what the tolerances cost
* ``kept``: clean ones not let through although the rules' tolerances cover the age of their snapshots; 0
* ``lost``, ``doubled``, ``disordered`` crossings; 0

Exit status 1 where one of those is not 0.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.outage_gate import DEADLINE_S, Gate, Ruling, VirtualClock
from benchmarks.outage_world import Centre, cast, listed
from benchmarks.progress import bar
from gate.decision import Outcome
from gate.evidence import IN_SNAPSHOT
from gate.policy.schema import RuleSet, load_rules

WIB = timezone(timedelta(hours=7))
BEGAN = date(2024, 6, 20)
HOUR = timedelta(hours=1)
LAST_REFRESH = -0.25
"""Of the snapshots, in hours from the failure: a timer that runs every quarter of an hour."""
SHORT_S, SLOW_S = 0.15, 2.0
"""Real seconds: what the gate waits for a slow registry, and what that one takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """From ``begins`` hours after the failure. ``away``: there is no server at all. ``data_of``: the hour that its data are of, if not of
    now. ``behaviour``: what else is wrong with it, by registry.
    """

    name: str
    begins: float
    away: bool = False
    data_of: float | None = None
    behaviour: Mapping[str, Any] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        return not self.away and self.data_of is None and not self.behaviour


PHASES = (
    Phase(name="before", begins=-1),
    Phase(name="away", begins=0, away=True),
    Phase(name="slow", begins=40, behaviour={"all_": {"delay_s": SLOW_S}}),
    Phase(name="old data", begins=43, data_of=0),
    Phase(name="older data", begins=45, data_of=-24),
    Phase(
        name="forged",
        begins=46,
        behaviour={
            "issuance": {"forge": True},
            "connected_one": {"replay": True},
            "arrival_declaration": {"half": True},
            "watchlist": {"misaddress": True},
            "lost_and_stolen": {"mix": True},
            "exit_permit": {"clock_s": 7200.0},
            "stay_permit": {"expire": True},
        },
    ),
    Phase(name="well again", begins=48),
)
ENDS = 60
SPANS = (-1, 0, 6, 12, 24, 40, 43, 45, 46, 48)
"""Hours at which rows of the table begin."""


# --- the hours ---------------------------------------------------------------------------------------------------------------


def phase_at(hours: float) -> Phase:
    """What the centre is like so many hours after it failed."""
    return next(phase for phase in reversed(PHASES) if phase.begins <= hours)


def allowed_s(rules: RuleSet, ruling: Ruling) -> int:
    """Seconds that a snapshot may be old for this clean traveller: the shortest of the tolerances in the grants for them."""
    classes, direction = ruling.facts["document_class"].value, ruling.person.direction
    words = {(name, fact.value) for name, fact in ruling.facts.items() if fact.value.endswith(IN_SNAPSHOT)}
    ages = [
        min(
            tolerance.max_age_s or 0
            for need in grant.requirements
            for word, tolerance in need.tolerated.items()
            if (need.fact, word) in words
        )
        for grant in rules.grants
        if (grant.entry.document_class, grant.entry.direction) == (classes, direction)
        and grant.entry.in_force(ruling.at)
        and grant.entry.stage == "entry"
        and words <= {(need.fact, word) for need in grant.requirements for word in need.tolerated}
    ]
    return max(ages, default=0)


async def run(folder: Path, began: date, hours: Iterable[float], rules: RuleSet) -> tuple[list[Ruling], dict[str, int]]:
    """Play ``hours``, from the failure, and the one of the last refresh. Returns every ruling, and what became of the crossings."""
    failed = datetime.combine(began, time(4, 15), WIB).astimezone(UTC)
    persons, played = cast(failed), sorted({*hours, LAST_REFRESH})
    clock = VirtualClock(failed + played[0] * HOUR)
    centre = Centre(folder / "centre", persons, listed(failed))
    centre.tell(clock.now, 1)
    centre.start()
    rulings: list[Ruling] = []
    try:
        gate = Gate(folder, centre, clock, rules)
        try:
            for version, hour in enumerate(bar(played, "hours"), 2):
                clock.now = failed + hour * HOUR
                _behave(centre, gate, phase_at(hour), failed, version)
                rulings += [await gate.judge(person, phase_at(hour).name, hour) for person in persons]
                await _tell(gate, until_empty=phase_at(hour).well)
            return rulings, crossings_told(rulings, centre.crossings(), (await gate.outbox.standing()).waiting)
        finally:
            await gate.close()
    finally:
        centre.stop()


def _behave(centre: Centre, gate: Gate, phase: Phase, failed: datetime, version: int) -> None:
    """Make the centre what it is in ``phase``, and have the timer fetch snapshots where they can be had."""
    if phase.away:
        centre.stop()
        return
    gate.wait_for(SHORT_S if phase.name == "slow" else DEADLINE_S)
    behaviour = dict(phase.behaviour)
    if phase.data_of is not None:
        behaviour = {"all_": {"as_of": (failed + phase.data_of * HOUR).isoformat()}}
    centre.tell(gate.clock.now, version, **behaviour)
    centre.start()
    if phase.well and not failed + LAST_REFRESH * HOUR < gate.clock.now < failed:
        with redirect_stdout(io.StringIO()):
            status = gate.refresh()
        if status:
            raise RuntimeError("snapshots could not be had")


async def _tell(gate: Gate, *, until_empty: bool) -> None:
    """Let the sender try: for as long as there is anything where the registry takes it, once where it does not."""
    while await gate.sender.send_one() and until_empty:
        pass


def crossings_told(rulings: list[Ruling], recorded: list[tuple[str, str]], waiting: int) -> dict[str, int]:
    """What became of the crossings of ``rulings``; ``recorded``: id and end of each as the registry has them."""
    crossed = [ruling.transaction for ruling in rulings if ruling.opened]
    ids = [transaction for transaction, _ in recorded]
    return {
        "crossed": len(crossed),
        "told": len(ids),
        "waiting": waiting,
        "lost": len(set(crossed) - {transaction for transaction, ended in recorded if ended == "passed"}),
        "doubled": len(ids) - len(set(ids)),
        "disordered": sum(after < before for before, after in pairwise(ids)),
    }


# --- judging and telling ---------------------------------------------------------------------------------------------------


def counts(rulings: list[Ruling], rules: RuleSet) -> dict[str, int]:
    """What was wrong, what it cost, what was kept without need."""
    return {
        "decisions": len(rulings),
        "wrong": sum(each.opened and each.person.barred(each.at) for each in rulings),
        "too_late": sum(each.opened and each.person.later(each.at) for each in rulings),
        "kept": sum(
            each.clean
            and not each.opened
            and each.source == "snapshot"
            and each.facts["enablement"].value == "enabled"
            and _oldest_s(each) <= allowed_s(rules, each)
            for each in rulings
        ),
    }


def _oldest_s(ruling: Ruling) -> float:
    """Age of the oldest good news out of a snapshot."""
    ages = [
        (ruling.at - fact.as_of).total_seconds()
        for fact in ruling.facts.values()
        if fact.as_of and fact.value.endswith(IN_SNAPSHOT)
    ]
    return max(ages, default=0.0)


def table(rulings: list[Ruling]) -> Iterator[str]:
    """Counts by time and source, for clean travellers of each class and for all those with something against them."""
    outcomes = [str(outcome) for outcome in Outcome]
    yield f"| hours | centre | travellers | from | {' | '.join(outcomes)} |"
    yield f"|---|---|---|---|{'---|' * len(outcomes)}"
    counted: dict[tuple[str, str, str, str], Counter[str]] = {}
    for each in rulings:
        kind = each.person.kind if each.person.clean else "barred"
        counted.setdefault((_span(each.hours), each.phase, kind, each.source), Counter())[str(each.decision.outcome)] += 1
    for (span, phase, kind, source), seen in counted.items():
        yield f"| {span} | {phase} | {kind} | {source} | {' | '.join(str(seen[outcome] or '') for outcome in outcomes)} |"


def _span(hours: float) -> str:
    """The part of the outage that an hour lies in."""
    begins = max(bound for bound in SPANS if bound <= hours)
    ends = next((bound for bound in SPANS if bound > hours), ENDS)
    return f"{begins} to {ends}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outage", description=__doc__)
    parser.add_argument("--began", type=date.fromisoformat, default=BEGAN)
    parser.add_argument("--every", type=int, default=30, help="minutes between the travellers' rounds")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rules = load_rules()
    hours = [minutes / 60 for minutes in range(-60, ENDS * 60 + 1, options.every)]
    with tempfile.TemporaryDirectory() as folder:
        rulings, crossings = asyncio.run(run(Path(folder), options.began, hours, rules))
    report = counts(rulings, rules) | crossings
    print("\n".join(table(rulings)))
    print(json.dumps(report, indent=1))
    if options.out:
        options.out.write_text(json.dumps({"began": str(options.began), **report}, indent=1) + "\n", encoding="utf-8")
    return 1 if any(report[name] for name in ("wrong", "kept", "lost", "doubled", "disordered", "waiting")) else 0


if __name__ == "__main__":
    sys.exit(main())
