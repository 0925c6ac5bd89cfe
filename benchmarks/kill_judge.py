"""What became of the doors and of whoever stood between them after a host died. Pure: the plant's log in, figures and findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

MOTION_S, REST_S, OUT_S = 0.3, 1.0, 10.0
"""After the host's last renewal: no leaf is driven open any more; both leaves are at rest. After its death: whoever was inside is out."""
SENT_BEFORE_S = 0.02
"""What a host sent before its death is executed, and shows, within two ticks."""
_DRIVEN_OPEN = {"opening", "open"}
_MOVING = {"opening", "closing"}

Moment = Literal["empty", "occupied", "moving"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the plant's log. ``boot`` in seconds."""

    boot: float
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """When a host was killed or stopped, when its last renewal was heard, and until when the plant was watched (boot seconds)."""

    at: float
    renewed: float
    watched: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Seconds: ``motion`` and ``rest`` from the last renewal, 0 where nothing was driven open, or moved; ``out`` from the death, None where
    nobody was inside.
    """

    moment: Moment
    motion: float
    rest: float
    out: float | None
    left_by: str
    """The door by which the occupant left, empty where there was none."""
    waited: bool
    """A leaf stood still for somebody on its threshold; its rest counts from when it went on."""
    findings: tuple[str, ...] = ()
    void: float = 0.0
    """Seconds for which the witness itself was held up, where it proves nothing for it."""

    @property
    def late(self) -> bool:
        """Something moved for too long: the one finding that a witness which was held up may itself be the cause of."""
        return self.motion > MOTION_S or self.rest > REST_S


@dataclass(slots=True)
class _Plant:
    """What the log says of the plant so far."""

    leaves: dict[str, str] = field(default_factory=lambda: {"entry": "locked", "exit": "locked"})
    inside: int = 0

    def follow(self, what: str) -> None:
        words = what.split()
        if len(words) == 2 and words[0] in self.leaves:
            self.leaves[words[0]] = words[1]
        elif words[0] == "passage":
            self.inside += 1 if words[2] == "in" else -1

    def any(self, words: set[str]) -> bool:
        return bool(words & set(self.leaves.values()))


def judge(lines: Sequence[Line], death: Death, *, held_up: float = 0.0) -> Verdict:
    """``lines``: the plant's whole log, from when both doors were locked and nobody was inside, in order."""
    plant = _Plant()
    for line in lines:
        if line.boot <= death.at:
            plant.follow(line.what)
    moment: Moment = "moving" if plant.any(_MOVING) else "occupied" if plant.inside else "empty"
    inside = plant.inside
    after = [line for line in lines if line.boot > death.at]
    walk = list(_walk(plant, after, death))
    out, left_by = _out(after, inside, death)
    rest, waited = _rest(walk, death)
    verdict = Verdict(
        moment=moment,
        motion=max((end - death.renewed for state, _, end in walk if state & _DRIVEN_OPEN), default=0.0),
        rest=rest,
        out=out,
        left_by=left_by,
        waited=waited,
        void=held_up,
    )
    return _with_findings(verdict, after, death, inside)


def _walk(plant: _Plant, after: Sequence[Line], death: Death) -> Iterator[tuple[frozenset[str], float, float]]:
    """What both leaves did since the death, in spells: their words, from, to."""
    since = death.at
    for line in after:
        yield frozenset(plant.leaves.values()), since, line.boot
        plant.follow(line.what)
        since = line.boot
    yield frozenset(plant.leaves.values()), since, death.watched


def _rest(walk: Sequence[tuple[frozenset[str], float, float]], death: Death) -> tuple[float, bool]:
    """When the last leaf came to rest, before anybody was let out by the entry; and whether one waited for its threshold."""
    since, rest, waited = death.renewed, 0.0, False
    for state, _, end in walk:
        if "released" in state:
            break  # from here on people push, and the entry locks behind them
        if "stopped" in state:
            since, waited = end, True
        elif state & (_MOVING | _DRIVEN_OPEN):
            rest = max(rest, end - since)
    return rest, waited


def _out(after: Sequence[Line], inside: int, death: Death) -> tuple[float | None, str]:
    """When the trap was empty, and by which door the last one left."""
    for line in after:
        words = line.what.split()
        if words[0] == "passage":
            inside += 1 if words[2] == "in" else -1
            if inside == 0:
                return line.boot - death.at, words[1]
    return None, ""


def _with_findings(verdict: Verdict, after: Sequence[Line], death: Death, inside: int) -> Verdict:
    entered = any(line.what == "passage entry in" for line in after)
    findings = [line.what for line in after if line.what.startswith("VIOLATION")]
    if verdict.motion > MOTION_S:
        findings.append(f"a leaf was driven open {verdict.motion * 1000:.0f} ms after the last renewal")
    if verdict.rest > REST_S:
        findings.append(f"a leaf moved {verdict.rest * 1000:.0f} ms after the last renewal")
    if (inside or entered) and (verdict.out is None or verdict.out > OUT_S):
        findings.append(f"somebody was shut in for {OUT_S:.0f} s")
    opened = [line for line in after if line.what in {"exit opening", "exit released"} and line.boot > death.at + SENT_BEFORE_S]
    findings += [f"{line.what} {line.boot - death.at:.3f} s after the death" for line in opened]
    return replace(verdict, findings=tuple(findings))
