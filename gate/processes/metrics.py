"""The lane's health as Prometheus text (exposition format 0.0.4). Every label's values come from a closed list of the gate's own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from gate.processes.messages import Histogram, LaneHealth

Sample = tuple[str, Mapping[str, str], float]
PREFIX = "autogate_"


def exposition(health: LaneHealth | None) -> str:
    """All metrics; of a lane that does not answer, that alone."""
    return "".join(f"{line}\n" for line in _lines(health))


def _lines(health: LaneHealth | None) -> Iterator[str]:
    yield from _metric("up", "gauge", "Whether the lane process tells of itself.", _one(health is not None))
    if health is None:
        return
    yield from _metric("in_service", "gauge", "Whether the lane takes travellers, or has one.", _one(health.in_service))
    yield from _metric("lane_state", "gauge", "1 for the state that the lane is in.", [("", {"state": health.state}, 1.0)])
    yield from _metric("transactions_total", "counter", "Transactions that ended.", _by("outcome", health.outcomes))
    yield from _metric("link_losses_total", "counter", "Losses of the gate controller.", _by("reason", health.link_losses))
    yield from _metric("link_damaged_frames_total", "counter", "Damaged, forged or repeated frames.", _one(health.damaged_frames))
    yield from _metric(
        "device_up", "gauge", "Whether a device, or the process that owns it, is there.", _by("device", health.devices)
    )
    yield from _metric("process_joins_total", "counter", "How often a process came to the lane.", _by("process", health.joins))
    yield from _metric("clock_trusted", "gauge", "Whether the wall clock has not gone back.", _one(health.clock_trusted))
    yield from _metric("rules_current", "gauge", "Whether the newest rule set is gone by.", _one(not health.rules_problem))
    yield from _metric("trust_current", "gauge", "Whether the newest trust store is gone by.", _one(not health.trust_problem))
    yield from _metric("audit_current", "gauge", "Whether the log is signed and witnessed.", _one(not health.audit_problem))
    yield from _metric(
        "fleet_current", "gauge", "Whether the centre lacks nothing that it should have.", _one(not health.fleet_problem)
    )
    yield from _metric("lane_queue_length", "gauge", "Events that wait for the lane's loop.", _one(health.queue))
    yield from _metric("lane_working", "gauge", "Whether loop, log and link threads go round.", _one(not health.stuck))
    yield from _metric("lane_uptime_seconds", "counter", "Since the lane process started.", _one(health.uptime_s))
    yield from _metric(
        "lane_loop_lag_seconds", "histogram", "How late the loop comes to a renewal.", _buckets({}, health.loop_lag)
    )
    stages = [sample for name, told in sorted(health.stages.items()) for sample in _buckets({"stage": name}, told)]
    yield from _metric("stage_seconds", "histogram", "Durations of stages of transactions.", stages)


def _metric(name: str, kind: str, help_: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {help_}"
    yield f"# TYPE {PREFIX}{name} {kind}"
    for suffix, labels, value in samples:
        told = ",".join(f'{label}="{_escaped(word)}"' for label, word in labels.items())
        yield f"{PREFIX}{name}{suffix}{{{told}}} {value:.15g}" if told else f"{PREFIX}{name}{suffix} {value:.15g}"


def _escaped(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _one(value: float) -> list[Sample]:
    return [("", {}, float(value))]


def _by(label: str, values: Mapping[str, float]) -> list[Sample]:
    return [("", {label: word}, float(value)) for word, value in sorted(values.items())]


def _buckets(labels: Mapping[str, str], told: Histogram) -> list[Sample]:
    """Cumulated, the last one open, as the format has it."""
    bounds = [*(f"{bound:g}" for bound in told.bounds), "+Inf"]
    cumulated = list(accumulate(told.counts))
    buckets: list[Sample] = [("_bucket", {**labels, "le": bound}, count) for bound, count in zip(bounds, cumulated, strict=True)]
    return [*buckets, ("_sum", labels, told.total), ("_count", labels, cumulated[-1])]
