"""What is wrong, or worth knowing, about a rule set as a whole. Each finding comes with a case that shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gate.evidence import NOT_PERFORMED, VOCABULARY
from gate.outcome import Outcome
from gate.policy.entries import Rule
from gate.policy.schema import ReadyGrant
from gate.policy.survey.cubes import Cube, intersection, minus, outside
from gate.policy.survey.order import RANK, NamedException, better, exception
from gate.policy.survey.regions import Survey

IDENTITY = frozenset({"nationality", "document_class", "profile"})
"""Facts that choose between grants rather than satisfy one."""
FAULTS = [(fact, word) for fact, words in VOCABULARY.items() if fact not in IDENTITY for word in (*words[1:], NOT_PERFORMED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worsening:
    """Where ``fact`` turns from ``worse`` to ``better``, somebody fares worse: exceptions to this need a name."""

    fact: str
    worse: str
    better: str
    by: str
    """The rule that fires with the better word; empty where a grant ceases to be satisfied."""
    case: Cube
    """Some of the travellers whom it concerns, whatever their word for ``fact``."""

    @property
    def named(self) -> NamedException | None:
        """The exception that allows it."""
        return exception(self.fact, self.worse, self.better, self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleFault:
    """A traveller for whom all is well but one word, and for whom the gate opens all the same."""

    grant: str
    fact: str
    word: str
    tolerances: tuple[str, ...]


def unspoken(survey: Survey) -> Iterator[tuple[ReadyGrant, str, str]]:
    """Grant, fact, word: with that word alone wrong nothing opens, yet no rule says why. A rule is missing, or hears too little.

    Of travellers all of whose checks ended successfully, or were not performed: a word that nobody stands behind has no rule of its own.
    """
    rules = [cube for _, cube in survey.spoken]
    opening = [cube for region in survey.regions for cube in region.cubes]
    needs = [need for grant in survey.rules.grants for need in grant.requirements if need.fact in IDENTITY]
    chosen = {(need.fact, word) for need in needs for word in need.accepted}
    plain = survey.space.cube({fact: (*words, NOT_PERFORMED) for fact, words in VOCABULARY.items()})
    for region in survey.regions:
        cubes = [cube for cube in (intersection(each, plain) for each in region.cubes) if cube]
        for fact, word in ((need.fact, word) for need in region.grant.requirements for word in VOCABULARY[need.fact]):
            wrong = [_with(survey, cube, fact, word) for cube in cubes if (fact, word) not in chosen]
            if any(outside(each, [*rules, *opening]) for each in wrong):
                yield region.grant, fact, word


def worsenings(survey: Survey) -> Iterator[Worsening]:
    """Every way in which better news about one fact makes the outcome worse. Exact: what is not listed cannot happen."""
    for fact in VOCABULARY:
        for bad, good in better(fact):
            yield from _shutting(survey, fact, bad, good)
            yield from _raising(survey, fact, bad, good)


def _shutting(survey: Survey, fact: str, bad: str, good: str) -> Iterator[Worsening]:
    cubes = [cube for region in survey.regions for cube in region.cubes]
    shut = minus(survey.space.sliced(cubes, fact, bad), survey.space.sliced(cubes, fact, good))
    for case in shut[:1]:
        yield Worsening(fact=fact, worse=bad, better=good, by="", case=case)


def _raising(survey: Survey, fact: str, bad: str, good: str) -> Iterator[Worsening]:
    """Rules beyond COUNTER that hear the better word and not the worse, where nothing as grave spoke before."""
    for rule, cube in survey.spoken:
        if RANK[rule.outcome] <= RANK[Outcome.COUNTER] or bad in rule.when.get(fact, (bad,)) or good not in rule.when[fact]:
            continue
        grave = [other for each, other in survey.spoken if RANK[each.outcome] >= RANK[rule.outcome]]
        case = outside(survey.space.without(cube, fact), survey.space.sliced(grave, fact, bad))
        if case:
            yield Worsening(fact=fact, worse=bad, better=good, by=rule.id, case=case)


def shadowed(survey: Survey) -> Iterator[Rule]:
    """Rules whose outcome never shows: wherever they fire, a graver one does."""
    for rule, cube in survey.spoken:
        if not outside(cube, [other for each, other in survey.spoken if each.outcome.severity > rule.outcome.severity]):
            yield rule


def never_in_force(survey: Survey) -> Iterator[Rule]:
    spoken = {rule.id for rule, _ in survey.spoken}
    return (rule for rule in survey.rules.rules if rule.id not in spoken)


def single_faults(survey: Survey) -> tuple[Counter[Outcome], list[SingleFault]]:
    """From each grant's best case, under each profile, every word of every fact changed alone: outcomes, and what still opens."""
    seen: Counter[Outcome] = Counter()
    open_on_purpose = []
    for region in survey.regions:
        required = {need.fact: need for need in region.grant.requirements}
        for clean in _clean(survey, region.grant):
            for fact, word in FAULTS:
                case = _with(survey, clean, fact, word)
                outcome = survey.outcome(case)
                seen[outcome] += 1
                if outcome is Outcome.OPEN and fact in required:
                    tolerance = required[fact].tolerated.get(word)
                    used = (tolerance.id,) if tolerance else ()
                    open_on_purpose.append(SingleFault(grant=region.grant.entry.id, fact=fact, word=word, tolerances=used))
    return seen, list(dict.fromkeys(open_on_purpose))


def _clean(survey: Survey, grant: ReadyGrant) -> Iterator[Cube]:
    """The best case that a grant can be given, one for each profile."""
    accepted = {need.fact: min(need.accepted, key=VOCABULARY[need.fact].index) for need in grant.requirements}
    words: dict[str, tuple[str, ...]] = {fact: (accepted.get(fact, NOT_PERFORMED),) for fact in VOCABULARY}
    for profile in VOCABULARY["profile"]:
        scope: dict[str, tuple[str, ...]] = {"direction": (grant.entry.direction,), "stage": (grant.entry.stage,)}
        yield survey.space.cube(words | {"profile": (profile,)} | scope)


def _with(survey: Survey, cube: Cube, fact: str, word: str) -> Cube:
    wanted = survey.space.cube({fact: (word,)})
    fitted = intersection(survey.space.without(cube, fact), wanted)
    assert fitted is not None, "a cube has some value on every other axis"
    return fitted
