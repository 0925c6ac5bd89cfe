"""How well an officer did: pure, from the case and what happened. The same acts in the same time give the same score.

Of 100 points the decision has 85, or 60 where something had to be looked at first, which then has 25; time has 15. A mistake takes some
away by its gravity; after a critical one nobody has passed, whatever else was right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gate.training.case import NOTHING, Act, Case, Gravity, Mistake
from gate.training.session import Done, Line, Looked, Score, Shown

TIME, LOOKS = 15, 25
PASS = 70
"""Points from which on an exercise is passed, if no mistake was critical."""
LOST: dict[Gravity, int] = {"minor": 10, "serious": 40, "critical": 100}
UNEXPECTED = ("Tindakan ini tidak diperlukan", "This was not called for")


def score(case: Case, shown: Sequence[Shown], looked: Sequence[Looked], done: Sequence[Done]) -> Score:
    """What ``done`` is worth. ``looked`` and ``done`` in the order of time."""
    if not fired(case, shown):
        return Score(points=0, passed=False, void=True, lines=())
    decision = list(_decision(case, done))
    settled = decision[-1].after_s
    lines = (*decision, *_looks(case, looked, settled), *_mistakes(case, done), *_time(case, settled))
    points = min(100, max(0, sum(line.points for line in lines)))
    critical = any(line.grave == "critical" for line in lines)
    return Score(points=points, passed=points >= PASS and not critical, void=False, lines=lines)


def fired(case: Case, shown: Sequence[Shown]) -> bool:
    """Whether the gate found what the case is about."""
    return set(case.rules) <= {rule for each in shown for rule in each.rules}


def finished(case: Case, done: Sequence[Done]) -> bool:
    """Whether everything that is expected was done, for whatever reason."""
    return len(_matched(case, done)) == len(case.expected)


def _matched(case: Case, done: Sequence[Done]) -> list[tuple[Act, Done]]:
    """The expected acts that were carried out, in their order."""
    found, rest = [], iter([each for each in done if not each.refused])
    for act in case.expected:
        match = next((each for each in rest if each.action == act.action), None)
        if match is None:
            break
        found.append((act, match))
    return found


def _needed(case: Case) -> list[str]:
    return [look.id for look in case.look if look.needed]


def _decision(case: Case, done: Sequence[Done]) -> Iterator[Line]:
    """Each expected act, with its share of the points; half of it where the reason on record is another."""
    room = 100 - TIME - (LOOKS if _needed(case) else 0)
    matched = _matched(case, done)
    for number, act in enumerate(case.expected):
        most = _share(room, len(case.expected), number)
        if number >= len(matched):
            yield Line(kind="missed", action=act.action, why=act.why, most=most)
            continue
        did = matched[number][1]
        right = did.reason in act.reasons
        yield Line(
            kind="right" if right else "half",
            action=act.action,
            reason=did.reason,
            why=act.why,
            points=most if right else most // 2,
            most=most,
            after_s=did.after_s,
        )


def _looks(case: Case, looked: Sequence[Looked], settled: float | None) -> Iterator[Line]:
    """What had to be looked at counts where it was looked at before the decision."""
    needed = _needed(case)
    for number, name in enumerate(needed):
        most = _share(LOOKS, len(needed), number)
        first = next((each.after_s for each in looked if each.look == name), None)
        in_time = first is not None and (settled is None or first <= settled)
        words = next(look.words for look in case.look if look.id == name)
        yield Line(
            kind="look" if in_time else "look_missed",
            action=name,
            why=words,
            points=most if in_time else 0,
            most=most,
            after_s=first,
        )


def _mistakes(case: Case, done: Sequence[Done]) -> Iterator[Line]:
    """Every act that was wrong, also one that the lane refused: it was meant. Nothing at all is an act, too."""
    expected = {id(did) for _, did in _matched(case, done)}
    for did in done:
        mistake = _mistake(case, did.action, did.reason)
        if mistake is not None:
            yield _lost(mistake.grave, did, mistake.why)
        elif id(did) not in expected and not did.refused and not _called_for(case, did.action):
            yield _lost("minor", did, UNEXPECTED)
    nothing = _mistake(case, NOTHING, "")
    if nothing is not None and not any(not did.refused for did in done):
        yield Line(kind="wrong", action=NOTHING, why=nothing.why, grave=nothing.grave, points=-LOST[nothing.grave])


def _called_for(case: Case, action: str) -> bool:
    return action in case.fine or action in {act.action for act in case.expected}


def _mistake(case: Case, action: str, reason: str) -> Mistake | None:
    return next((each for each in case.wrong if each.action == action and (not each.reasons or reason in each.reasons)), None)


def _lost(grave: Gravity, did: Done, why: tuple[str, str]) -> Line:
    lost = -LOST[grave]
    return Line(kind="wrong", action=did.action, reason=did.reason, why=why, grave=grave, points=lost, after_s=did.after_s)


def _time(case: Case, settled: float | None) -> Iterator[Line]:
    """In full within the case's time, nothing from twice that on; only a decision has a time."""
    if settled is None:
        return
    over = max(0.0, settled - case.time_s) / case.time_s
    yield Line(kind="time", points=max(0, round(TIME * (1 - over))), most=TIME, after_s=settled)


def _share(total: int, parts: int, number: int) -> int:
    """A whole number of points; the first parts have the rest."""
    return total // parts + (number < total % parts)
