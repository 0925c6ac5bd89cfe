"""The trial's evidence as one value: what was counted, how sure that is, how long it took, what it cannot show. Pages are made of it alone.

Groups of fewer than :data:`gate.report.disclosure.K` real people are shown only together with others, unless the report is made for those
who hold the logs anyway (``few``). Who is simulated or played need not be hidden: records of demonstrations alone are shown whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gate.outcome import Outcome
from gate.records import TransactionRecord
from gate.report.disclosure import K
from gate.report.intervals import Share, trials_needed
from gate.report.official import (
    Place,
    SourceRow,
    gate_name,
    official_offices,
    official_places,
    outcomes_by_source,
    registries_by_source,
)
from gate.report.trial_compare import Comparison, comparisons
from gate.report.trial_face import Faces, faces
from gate.report.trial_input import UNDATED, LeftOut, Material, sifted
from gate.report.trial_outcomes import (
    ClassTable,
    Gate,
    HeatMap,
    at_checkpoint,
    class_tables,
    empty_days,
    gate_table,
    heat_map,
    hourly,
    reasons,
)
from gate.report.trial_queue import Bank, WholeTraveller
from gate.report.trial_service import Availability, Commands, Officers, availability, commands, officers, serial_faults
from gate.report.trial_times import (
    Hidden,
    Quantile,
    Split,
    Times,
    hidden_stages,
    median_transaction,
    nearest_rank,
    quantiles,
    saved_ms,
    seconds_of,
    split_of,
    stage_times,
)

PLANNED_RATE = 0.025
"""Published refusal rate of autogates, 2–3 %: what a trial is planned for."""
GOAL_MS = (1500.0, 3000.0)
"""What neither people nor doors take: median and 99th percentile that we want."""
HUNDREDTHS = tuple(share / 100 for share in range(1, 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Of those who passed, either in the field or in demonstrations and simulations, never of both. ``curve``: the 1st to 99th percentile, seconds."""

    field: bool
    count: int
    whole: tuple[Quantile, ...]
    machine: tuple[Quantile, ...]
    split: Split
    whole_curve: tuple[float, ...]
    machine_curve: tuple[float, ...]
    saved_ms: float | None
    hidden: tuple[Hidden, ...]
    stages: tuple[Times, ...]
    rare_stages: int
    """Stages that occurred too seldom to be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One bank's queue. ``heat``: the longest queue of each hour."""

    simulated: bool
    bank: Bank
    heat: HeatMap


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReport:
    """All that the page shows."""

    few: bool
    counted: int
    demonstrations: int
    period: tuple[datetime, datetime] | None
    lanes: tuple[str, ...]
    profiles: tuple[str, ...]
    rules: tuple[str, ...]
    backends: tuple[tuple[str, str, int], ...]
    left_out: tuple[LeftOut, ...]
    passed: Share | None
    classes: tuple[ClassTable, ...]
    reasons: tuple[Share, ...]
    official: tuple[Place, ...]
    official_passed: Share | None
    offices: tuple[Place, ...]
    needed: tuple[int, ...]
    by_outcome: tuple[SourceRow, ...]
    by_registry: tuple[SourceRow, ...]
    durations: tuple[Durations, ...]
    gates: tuple[Gate, ...]
    heat: HeatMap
    empty_days: int
    waiting: tuple[Waiting, ...]
    simulations: tuple[str, ...]
    whole_traveller: WholeTraveller | None
    """Of a simulation, where the report is on nothing else."""
    faces: Faces
    availability: tuple[Availability, ...]
    serial: tuple[tuple[str, int], ...]
    commands: tuple[Commands, ...]
    officers: Officers
    comparisons: tuple[Comparison, ...]

    @property
    def dropped(self) -> int:
        """Records that count nowhere."""
        return sum(each.count for each in self.left_out if each.why != UNDATED)

    @property
    def not_for_publication(self) -> tuple[str, ...]:
        """What is told of fewer than K real people."""
        if self.demonstrations == self.counted:
            return ()
        return (*(table.name for table in self.classes if table.few), *(place.name for place in self.official if place.few))


def trial_report(
    material: Material | Iterable[TransactionRecord], *, few: bool = False, split: datetime | None = None
) -> TrialReport:
    """The report on ``material``, or on any records in any order. ``few``: tell groups of few real people, too; ``split``: compare before and after."""
    made = material if isinstance(material, Material) else sifted(material)
    records, dated = made.records, made.dated
    demonstrations = sum(record.demonstration for record in records)
    few = few or demonstrations == len(records)
    least = 1 if few else K
    told = records if few or len(records) >= K else ()
    official = official_places(told, few=few)
    airports = [place for place in official if not place.is_gate]
    heat = heat_map(dated if told else (), few=few)
    return TrialReport(
        few=few,
        counted=len(records),
        demonstrations=demonstrations,
        period=_period(dated),
        lanes=tuple(
            sorted({f"{gate_name(record.checkpoint, record.lane)} ({record.kind.replace('_', ' ')})" for record in records})
        ),
        profiles=tuple(sorted({_profile(record) for record in records})),
        rules=tuple(sorted({decision.decision.rules_version for record in records for decision in record.decisions})),
        backends=_backends(records),
        left_out=made.left_out,
        passed=_share("passed", _opened(told), told),
        classes=tuple(class_tables(told, few=few)),
        reasons=reasons(told),
        official=tuple(official),
        official_passed=Share(
            name="passed", hits=sum(place.passed.hits for place in airports), trials=sum(place.crossings for place in airports)
        )
        if airports
        else None,
        offices=tuple(official_offices(told, few=few and demonstrations == len(records))),
        needed=tuple(trials_needed(PLANNED_RATE, half_width) for half_width in (0.005, 0.01)),
        by_outcome=tuple(outcomes_by_source(told, few=few)),
        by_registry=tuple(registries_by_source(told, few=few)),
        durations=tuple(_durations(told, few=few)),
        gates=tuple(gate_table([record for record in dated if told], few=few)),
        heat=heat,
        empty_days=empty_days(heat),
        waiting=tuple(_waiting(made, few=few)),
        simulations=tuple(f"{file.scenario}, seed {file.seed}" for file in made.queues.files if file.simulated),
        whole_traveller=_whole_traveller(made) if demonstrations == len(records) else None,
        faces=faces(told, made.queues.impostors, least=least),
        availability=tuple(availability(made.gates, made.of_doubtful_clocks)),
        serial=tuple(serial_faults(made.gates)),
        commands=tuple(commands(told, least=least)),
        officers=officers(told, made.gates, least=least),
        comparisons=tuple(
            each for each in comparisons(dated, split) if few or min(side.stopped.trials for side in each.sides) >= K
        ),
    )


def _opened(records: Sequence[TransactionRecord]) -> list[TransactionRecord]:
    return [record for record in records if record.outcome is Outcome.OPEN]


def _share(name: str, hits: Sequence[object], trials: Sequence[object]) -> Share | None:
    return Share(name=name, hits=len(hits), trials=len(trials)) if trials else None


def _backends(records: Iterable[TransactionRecord]) -> tuple[tuple[str, str, int], ...]:
    counted = Counter(item for record in records for item in record.backends.items())
    return tuple((name, value, count) for (name, value), count in sorted(counted.items()))


def _period(dated: Sequence[TransactionRecord]) -> tuple[datetime, datetime] | None:
    """From the first record's beginning to the last one's end, each by its checkpoint's clock."""
    if not dated:
        return None
    first, last = min(dated, key=lambda record: record.started), max(dated, key=lambda record: record.ended)
    return at_checkpoint(first.started, first.checkpoint), at_checkpoint(last.ended, last.checkpoint)


def _durations(records: Sequence[TransactionRecord], *, few: bool) -> Iterable[Durations]:
    """Of the field first; of those where nobody passed, of all."""
    for in_field in (True, False):
        own = [record for record in records if record.demonstration is not in_field]
        opened = _opened(own) or own
        if opened and (few or len(opened) >= K):
            whole = sorted(1000 * seconds_of(record) for record in opened)
            machine = sorted(split_of(record).machine for record in opened)
            stages = stage_times(own)
            common = tuple(row for row in stages if few or row.count >= K)
            median = median_transaction(opened)
            assert median
            yield Durations(
                field=in_field,
                count=len(opened),
                whole=quantiles(whole),
                machine=quantiles(machine),
                split=split_of(median),
                whole_curve=tuple(round(nearest_rank(whole, share) / 1000, 3) for share in HUNDREDTHS),
                machine_curve=tuple(round(nearest_rank(machine, share) / 1000, 3) for share in HUNDREDTHS),
                saved_ms=saved_ms(opened),
                hidden=tuple(row for row in hidden_stages(opened) if few or row.count >= K),
                stages=common,
                rare_stages=len(stages) - len(common),
            )


def _waiting(made: Material, *, few: bool) -> Iterable[Waiting]:
    for file in made.queues.files:
        for bank in file.banks:
            if few or file.simulated or bank.served >= K:
                longest = {
                    hour.begins: hour.longest_queue if few or file.simulated or hour.arrived >= K else None for hour in bank.hours
                }
                yield Waiting(simulated=file.simulated, bank=bank, heat=hourly(longest))


def _whole_traveller(made: Material) -> WholeTraveller | None:
    """None as well where several simulations lie together, or only some lanes of one: percentiles cannot be joined or parted."""
    lanes = {record.lane for record in made.records} | {gate.name.rpartition(" ")[2] for gate in made.gates}
    found = [file for file in made.queues.files if file.simulated and file.whole_traveller and file.whole_traveller.opened]
    return found[0].whole_traveller if len(found) == 1 and found[0].lanes <= lanes else None


def _profile(record: TransactionRecord) -> str:
    words = {decision.evidence.value("profile") for decision in record.decisions}
    return ", ".join(sorted(words)) or "no decision"
