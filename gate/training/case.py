"""A case: who comes, what the rules and the law say about it, what a good officer does and why, and what would be wrong.

One TOML file a case. It says nothing of what the gate will find: that comes from the gate, and a case whose rules did not fire is not scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gate.console.acts import actions, reason_words
from gate.demo.cast import Cast, CastState, Traveller
from gate.policy.entries import Rule
from gate.policy.schema import load_rules

FOLDER = Path(__file__).with_name("cases")
COUNTER_FILE = Path(__file__).with_name("counter.toml")
MAX_CASE = 65_536
"""Octets; a case has some five thousand."""
NOTHING = "nothing"
"""The action of an officer who lets time run out."""
HOME = "home"

Text = Annotated[str, Meta(min_length=1, max_length=600)]
Words = tuple[Text, Text]
"""Bahasa Indonesia, English."""
Place = Literal["gate", "counter"]
Gravity = Literal["minor", "serious", "critical"]
Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]

STATES = (CastState(id=HOME, issuing_state="IDN", country="ID", name="Republic of Demonstration", in_trust_store=True),)
"""Whose passports the travellers of an exercise carry."""


class CaseError(Exception):
    """A case cannot be used: says file, place and what is wrong."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what stands in the files."""


class Basis(_Table, frozen=True, kw_only=True):
    """What the officer's duty rests on. ``source_status`` as in the rules: whether somebody read it, inferred it, or assumed it."""

    law: Text
    says: Words
    source_status: Literal["seen", "inferred", "design_assumption"]


class Look(_Table, frozen=True, kw_only=True):
    """Something that an officer can look at or ask, and what comes of it. ``needed``: before deciding."""

    id: Id
    words: Words
    finding: Words
    needed: bool = False


class Act(_Table, frozen=True, kw_only=True):
    """An act that is expected, for one of ``reasons``."""

    action: str
    reasons: Annotated[tuple[str, ...], Meta(min_length=1)]
    why: Words


class Mistake(_Table, frozen=True, kw_only=True):
    """An act that is wrong, how gravely, and why; with any reason where ``reasons`` is empty."""

    action: str
    grave: Gravity
    why: Words
    reasons: tuple[str, ...] = ()


class Case(_Table, frozen=True, kw_only=True):
    """One exercise. ``place``: where the officer decides, at the console while somebody waits inside the gate, or at the counter."""

    id: Id
    title: Words
    briefing: Words
    place: Place
    rules: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Ids of the rules that are to fire."""
    time_s: Annotated[int, Meta(ge=5, le=900)]
    """How long it should take, from when the officer is called."""
    basis: Annotated[tuple[Basis, ...], Meta(min_length=1)]
    expected: Annotated[tuple[Act, ...], Meta(min_length=1)]
    """In the order in which they are to be done."""
    wrong: Annotated[tuple[Mistake, ...], Meta(min_length=1)]
    fine: tuple[str, ...] = ()
    """Actions that are neither expected nor wrong."""
    look: tuple[Look, ...] = ()
    traveller: Traveller


class CounterAct(_Table, frozen=True, kw_only=True):
    """What an officer at the counter can do, and why."""

    id: str
    words: Words
    reasons: Annotated[tuple[str, ...], Meta(min_length=1)]


class _Counter(_Table, frozen=True, kw_only=True):
    act: tuple[CounterAct, ...]
    reasons: dict[str, Words]


@cache
def counter() -> _Counter:
    """The acts at the counter, and the words of their reasons."""
    return msgspec.toml.decode(COUNTER_FILE.read_bytes(), type=_Counter)


def reasons_of(place: Place) -> dict[str, tuple[str, ...]]:
    """By action, the reasons that it can be given."""
    if place == "gate":
        return {rule.id: rule.reasons for rule in actions().values()}
    return {act.id: act.reasons for act in counter().act}


def words_of(place: Place, action: str) -> tuple[str, str]:
    """What an act is called; its id where it has no name."""
    if action == NOTHING:
        return ("Tidak bertindak", "Did nothing")
    if place == "gate":
        return actions()[action].words if action in actions() else (action, action)
    return next((act.words for act in counter().act if act.id == action), (action, action))


def why_words(place: Place, reason: str) -> tuple[str, str]:
    """The words of an officer's reason."""
    return reason_words(reason) if place == "gate" else counter().reasons.get(reason, (reason, reason))


@cache
def packaged_rules() -> dict[str, Rule]:
    """The rules that exercises go by, by id."""
    return {rule.id: rule for rule in load_rules().rules}


def parse_case(raw: bytes, name: str) -> Case:
    """A case out of its file's octets. ``name`` stands in what is said of a fault. Raises CaseError, nothing else."""
    if len(raw) > MAX_CASE:
        raise CaseError(f"{name}: longer than {MAX_CASE} octets: this is no case")
    try:
        case = msgspec.toml.decode(raw, type=Case)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CaseError(f"{name}: {error}") from None
    if faults := tuple(_faults(case)):
        raise CaseError("\n".join(f"{name}: {fault}" for fault in faults))
    return case


def load_cases(folder: Path = FOLDER) -> tuple[Case, ...]:
    """All cases of ``folder``, in the order of their files' names. Raises CaseError with every fault of every file."""
    cases, faults = [], []
    for path in sorted(folder.glob("*.toml")):
        try:
            cases.append(parse_case(_read(path), path.name))
        except CaseError as error:
            faults.append(str(error))
    ids = [case.id for case in cases]
    faults += [f"{folder}: two cases are called {name}" for name in sorted({each for each in ids if ids.count(each) > 1})]
    if faults:
        raise CaseError("\n".join(faults))
    if not cases:
        raise CaseError(f"{folder}: holds no case (NAME.toml)")
    return tuple(cases)


def cast_of(cases: Iterable[Case]) -> Cast:
    """The travellers of ``cases``, as the simulated gate is sent them."""
    return Cast(state=STATES, traveller=tuple(case.traveller for case in cases))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_CASE + 1)
    except OSError as error:
        raise CaseError(f"{path.name}: cannot be read: {error.strerror}") from None


def _faults(case: Case) -> Iterator[str]:
    """What the types cannot say."""
    for rule in case.rules:
        if rule not in packaged_rules():
            yield f"rules: there is no rule {rule}"
    if case.traveller.document.state != HOME:
        yield f"traveller.document.state: only {HOME} issues passports in exercises"
    if case.traveller.chip.keys_of:
        yield "traveller.chip.keys_of: nobody else's keys are there"
    known = reasons_of(case.place)
    acts: tuple[Act | Mistake, ...] = (*case.expected, *case.wrong)
    for act in acts:
        yield from _act_faults(act, case.place, known)
    for name in case.fine:
        if name not in known:
            yield f"fine: no {name} at the {case.place}"
    looks = [look.id for look in case.look]
    if len(set(looks)) < len(looks):
        yield "look: two have the same id"
    if both := {each.action for each in case.expected} & {each.action for each in case.wrong if not each.reasons}:
        yield f"{', '.join(sorted(both))}: expected, and wrong for any reason"


def _act_faults(act: Act | Mistake, place: Place, known: dict[str, tuple[str, ...]]) -> Iterator[str]:
    if act.action == NOTHING and isinstance(act, Mistake):
        return
    if act.action not in known:
        yield f"no {act.action} at the {place}: one of {', '.join(known)}"
        return
    for reason in act.reasons:
        if reason not in known[act.action]:
            yield f"{act.action}: no reason {reason}: one of {', '.join(known[act.action])}"
