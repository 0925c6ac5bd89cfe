"""What the scenes of ``kill_syscalls`` are given and give back."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.traced import Blow, Calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """``blow`` None: only count the calls."""

    scene: str
    blow: Blow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """``void``: not 0 where the run proves nothing: the blow was never struck, or the witness was held up."""

    trial: Trial
    calls: Calls
    findings: tuple[str, ...]
    void: float = 0.0


def missed(trial: Trial, calls: Calls) -> bool:
    """The process never came to the call that the blow was meant for."""
    blow = trial.blow
    return blow is not None and (blow.call, blow.file, blow.number) not in calls.made
