"""Whether gates were in service, what failed on the serial line, and what officers had to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gate.outcome import Outcome
from gate.records import TransactionRecord
from gate.report.disclosure import shown
from gate.report.intervals import Share
from gate.report.trial_input import GateLog
from gate.report.trial_times import Times, times

DOWN = frozenset({"out_of_service", "fault", "emergency", "no_power", "recover"})
"""States in which nobody may pass."""
FAULTS = {
    "link_lost": "controller not heard any more",
    "link_back": "controller heard again",
    "command_refused": "command refused, or too late",
    "device_fault": "a device gave up",
    "lease_lapsed": "opening not renewed in time",
    "supervision_lost": "no officer on watch",
}
"""Lane events that say something about devices and links, in the words of the report."""
SERIAL = ("link_lost", "command_refused", "lease_lapsed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Of one gate. ``per_cent`` in service of the hours from its first record on; ``down``: hours in each state that let nobody pass."""

    gate: str
    hours: float
    per_cent: float
    down: tuple[tuple[str, float], ...]
    faults: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What became of commands to the controller, of those that a transaction's timeline tells; ``ms``: until the answer."""

    name: str
    failed: Share
    ms: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Officers:
    """``referrals``: transactions that did not open; ``waits``: while somebody stood there; ``orders``: (order, carried out, refused).

    None, or not there, is what were about too few.
    """

    referrals: Share | None
    waits: Times | None
    orders: tuple[tuple[str, int | None, int | None], ...]
    ruled: tuple[Share, ...]
    """Of the referrals, how many were ruled on in the lane, by order; the others went to a counter or back."""


def availability(gates: Sequence[GateLog], doubtful: Collection[str] = ()) -> list[Availability]:
    """Of each gate from its first record to the last of all gates; to its own last one where its clock, by its name, is ``doubtful``."""
    until = max((gate.span[1] for gate in gates if gate.span and gate.name not in doubtful), default=None)
    found = []
    for gate in gates:
        if gate.span:
            end = gate.span[1] if until is None or gate.name in doubtful else until
            found += [_availability(gate, gate.span[0], end)] if end > gate.span[0] else []
    return found


def _availability(gate: GateLog, begin: datetime, end: datetime) -> Availability:
    """What a state lasted goes by the events at its ends. Where a lane began anew without having told its end, it was down since its last record."""
    lasted: dict[str, float] = {}

    def add(what: str, seconds: float) -> None:
        lasted[what] = lasted.get(what, 0.0) + seconds

    since, state = begin, gate.events[0][2].before if gate.events else ""
    for at, silent_since, event in gate.events:
        if event.before != state:
            add("out_of_service", _seconds(max(since, silent_since), at))
        elif state in DOWN:
            add(state, _seconds(since, at))
        since, state = at, event.after
    if state in DOWN:
        add(state, _seconds(since, end))
    whole = _seconds(begin, end)
    counted = Counter(event.event for _, _, event in gate.events)
    return Availability(
        gate=gate.name,
        hours=whole / 3600,
        per_cent=max(0.0, 100 * (1 - sum(lasted.values()) / whole)),
        down=tuple((name.replace("_", " "), seconds / 3600) for name, seconds in sorted(lasted.items()) if seconds),
        faults=tuple((words, counted[name]) for name, words in FAULTS.items() if counted[name] and name != "link_back"),
    )


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())


def commands(records: Iterable[TransactionRecord], *, least: int = 1) -> list[Commands]:
    """Each command that occurs ``least`` times."""
    found: dict[str, list[tuple[float, str]]] = {}
    for record in records:
        for stage in record.stages:
            if stage.name.startswith("controller."):
                found.setdefault(stage.name.removeprefix("controller."), []).append((stage.duration_ms, stage.result))
    return [
        Commands(
            name=name,
            failed=Share(name=name, hits=sum(result != "executed" for _, result in told), trials=len(told)),
            ms=times(name, "lane", (ms for ms, _ in told)),
        )
        for name, told in sorted(found.items())
        if len(told) >= least
    ]


def serial_faults(gates: Iterable[GateLog]) -> list[tuple[str, int]]:
    """How often the serial line failed, over all gates; a zero is told, too. Empty where no gate's log was read."""
    logs = list(gates)
    counted = Counter(event.event for gate in logs for _, _, event in gate.events)
    return [(FAULTS[name], counted[name]) for name in SERIAL] if logs else []


def officers(records: Sequence[TransactionRecord], gates: Sequence[GateLog], *, least: int = 1) -> Officers:
    """What officers had to do, as far as it is about ``least`` travellers. Nobody is named."""
    referred = [record for record in records if record.outcome is not Outcome.OPEN]
    waits = [stage.duration_ms for record in records for stage in record.stages if stage.name == "await_officer"]
    done = Counter(order.action for gate in gates for order in gate.orders if not order.refused and not order.awaits_second)
    refused: Counter[str] = Counter()
    for gate in gates:
        for order in gate.orders:
            refused[order.action] += bool(order.refused) + order.left_out
    ruled = Counter(act for record in referred for act in {each.action for each in record.ruled if not each.refused})
    return Officers(
        referrals=Share(name="referred", hits=len(referred), trials=len(records)) if records else None,
        waits=times("waiting for an officer", "", waits) if len(waits) >= least else None,
        orders=tuple(
            (name or "not named", shown(done[name], least), shown(refused[name], least)) for name in sorted(done | refused)
        ),
        ruled=tuple(Share(name=name, hits=ruled[name], trials=len(referred)) for name in sorted(ruled) if len(referred) >= least),
    )
