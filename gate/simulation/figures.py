"""What a simulation tells beside its logs: queues and waiting, and where a traveller's time went. All of it *simulated*, and so marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gate.records import StageTiming, TransactionRecord
from gate.simulation.lane import Visit

SCHEMA = 1
HALF_S, WHOLE_S = 1.5, 3.0
"""The goal for time that is neither human nor door motion: median, and 99th percentile."""
STEPS = ("mrz", "chip.", "pki.", "registry.", "face.reference", "face.capture", "face.comparison", "commit.", "controller.")
"""Stages that are somebody's work, each piece of it once; the others hold these, or motion."""
Span = tuple[float, float]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Count, percentiles by nearest rank, greatest; zeros where there are none."""
    ranked = sorted(values) or [0.0]

    def at(share: int) -> float:
        return round(ranked[max(0, -(-len(ranked) * share // 100) - 1)], 3)

    return {"n": len(values)} | {f"p{share}": at(share) for share in (50, 90, 95, 99)} | {"max": round(ranked[-1], 3)}


def quantiles(values: Sequence[float]) -> list[float]:
    """The 101 whole percentiles; empty where there are no values."""
    ranked = sorted(values)
    return [round(ranked[round(share * (len(ranked) - 1) / 100)], 3) for share in range(101)] if ranked else []


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time, in spans that do not touch."""
    merged: list[Span] = []
    for begins, ends in sorted(span for span in spans if span[1] > span[0]):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        else:
            merged.append((begins, ends))
    return merged


def length(spans: Iterable[Span]) -> float:
    """Of spans that do not touch."""
    return sum(ends - begins for begins, ends in spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Where the time of one who went through went, in seconds from the document on the glass to the step out of the exit."""

    total_s: float
    human_s: float
    door_s: float
    without_allowance_s: float
    """``neither_s`` of a chip that computes in no time."""
    steps_s: float
    """All steps, laid end to end."""
    exposed_s: float
    """Of them, what was waited for: by nobody else's work and no motion hidden."""

    @property
    def neither_s(self) -> float:
        return self.total_s - self.human_s - self.door_s

    @property
    def saved_s(self) -> float:
        """What doing things at once saved against the same steps one after another."""
        return self.steps_s - self.exposed_s


def passage_of(visit: Visit) -> Passage | None:
    """None for whoever did not go through by the gate's own decision."""
    record = visit.record
    if record is None or visit.passed is None or record.outcome != "OPEN":
        return None
    total = visit.passed - visit.placed
    moving = {
        what: union(
            (max(0.0, begins - visit.placed), min(total, ends - visit.placed))
            for kind, begins, ends in visit.moving
            if kind == what
        )
        for what in ("human", "door")
    }
    motion = union([*moving["human"], *moving["door"]])
    steps = [_span(stage, visit.pose_s) for stage in record.stages if stage.name.startswith(STEPS)]
    busy = union((begins, min(ends, total)) for begins, ends in steps)
    exposed = length(union([*busy, *motion])) - length(motion)
    door = length(motion) - length(moving["human"])
    neither = total - length(motion)
    return Passage(
        total_s=total,
        human_s=length(moving["human"]),
        door_s=door,
        without_allowance_s=neither - _allowance_felt(visit, record),
        steps_s=sum(ends - begins for begins, ends in steps),
        exposed_s=exposed,
    )


def _span(stage: StageTiming, pose_s: float) -> Span:
    """Of a step, in seconds from the document on; a capture begins to be work once the traveller stands right."""
    begins, ends = stage.start_ms / 1000, (stage.start_ms + stage.duration_ms) / 1000
    return (min(ends, begins + pose_s), ends) if stage.name == "face.capture" else (begins, ends)


def _allowance_felt(visit: Visit, record: TransactionRecord) -> float:
    """How much sooner the entry would have been decided on, had the chip computed in no time: registries may be the slower."""
    answered = [(each.start_ms + each.duration_ms) / 1000 for each in record.stages if each.name.startswith("registry.")]
    told = visit.chip_told - visit.placed
    last = max([told, *answered])
    return last - max([told - visit.allowance_s, *answered])


def whole_traveller(passages: Sequence[Passage]) -> dict[str, Any]:
    """The headline and what it is made of."""
    neither, bare = spread([each.neither_s for each in passages]), spread([each.without_allowance_s for each in passages])
    return {
        "opened": len(passages),
        "total_s": spread([each.total_s for each in passages]),
        "human_s": spread([each.human_s for each in passages]),
        "door_s": spread([each.door_s for each in passages]),
        "neither_s": neither,
        "neither_without_chip_allowance_s": bare,
        "one_after_another_s": spread([each.neither_s + each.saved_s for each in passages]),
        "saved_by_concurrency_s": spread([each.saved_s for each in passages]),
        "total_quantiles_s": quantiles([each.total_s for each in passages]),
        "goals": {
            f"p50 ≤ {HALF_S} s": bare["p50"] <= HALF_S,
            f"p99 ≤ {WHOLE_S:.0f} s": bare["p99"] <= WHOLE_S,
            f"with the chip's own computing: p50 ≤ {HALF_S} s": neither["p50"] <= HALF_S,
            f"with the chip's own computing: p99 ≤ {WHOLE_S:.0f} s": neither["p99"] <= WHOLE_S,
        },
    }
