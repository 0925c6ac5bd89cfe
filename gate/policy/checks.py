"""What a rule set must say beyond its shape. The floor of a grant stands here, in code: no data file can ask for less.

``FLOOR`` names for each stage every fact that a grant must require, with the widest words that it may accept for it. What lies
beyond a floor's words can only be let pass by a named tolerance, and only for the pairs in ``TOLERABLE``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, product
from typing import Any

from gate.evidence import IN_SNAPSHOT, NOT_PERFORMED, VOCABULARY, Direction, Stage
from gate.outcome import Outcome
from gate.policy.entries import (
    BEGINNING,
    END,
    Annotation,
    DocumentClassRow,
    EnablementRow,
    Entry,
    Grant,
    LaneActionRow,
    RequirementSet,
    Rule,
    Tolerance,
)
from gate.policy.source import Fault, Located

SCOPE = {"direction": tuple(Direction), "stage": tuple(Stage)}
"""What a rule may look at besides the facts."""
TOLD_BY_OTHERS = {fact: (*VOCABULARY[fact], NOT_PERFORMED) for fact in ("guardian", "document_model")}
"""Facts of which nothing in a lane can tell: a rule may wait for nobody having told."""

_ENTRY_FLOOR: dict[str, tuple[str, ...]] = {
    "nationality": ("citizen", "foreigner"),
    "age": ("adult", "from_14_to_17", "from_6_to_13"),
    "enablement": ("enabled",),
    "expiry": ("valid", "under_6_months"),
    "mrz": ("read",),
    "infrared": ("present", "not_offered"),
    "access": ("pace", "bac"),
    "card_access": ("agrees", "not_offered"),
    "chip": ("read",),
    "dg1_mrz": ("equal",),
    "passive_authentication": ("authentic",),
    "revocation": ("good",),
    "chip_authenticity": ("genuine",),
    "wanted": ("clear",),
    "sltd": ("clear",),
    "controller": ("ready",),
    "supervision": ("present",),
    "clock": ("trusted",),
    "profile": ("demo", "training", "trial"),
}
FLOOR: dict[Stage, dict[str, tuple[str, ...]]] = {
    Stage.ENTRY: _ENTRY_FLOOR,
    Stage.EXIT: _ENTRY_FLOOR | {"occupancy": ("one",), "face": ("match",), "pad": ("bona_fide",)},
}
"""What every grant asks; :func:`floor` adds what hangs on whom it is for."""
_BY_DIRECTION: dict[Direction, dict[str, tuple[str, ...]]] = {
    Direction.DEPARTURE: {"pencegahan": ("clear",)},
    Direction.ARRIVAL: {"penangkalan": ("clear",), "declaration": ("declared",)},
}
_BY_NATIONALITY: dict[str, dict[str, tuple[str, ...]]] = {
    "citizen": {"issuance": ("active",)},
    "foreigner": {"stay_permit": ("valid",)},
}
OFFICIAL = ("service", "diplomatic")
_OFFICIAL = {"nationality": ("citizen",), "biometric_record": ("recorded",), "issuer_portrait": ("same", "not_given")}
"""Service and diplomatic books of citizens; no rule is known by which foreign ones would use a gate."""
_OFFICIAL_DEPARTURE = {"exit_permit": ("valid",)}
"""They may not be used for leaving without it (Permenlu 2/2019)."""
_MINOR = {"guardian": ("present",)}

UNSAFE = frozenset({("pad", "not_available")})
"""What may be let pass for demonstrations alone, and only under a name that says so."""
COMING_HOME = frozenset(("penangkalan", word) for word in ("unavailable", "possible", "hit"))
"""What is let pass for citizens who arrive, and for nobody else: they cannot be refused entry (UU 6/2011 art. 14)."""
_PROVEN = {
    "nationality": "citizen",
    "passive_authentication": "authentic",
    "dg1_mrz": "equal",
    "chip_authenticity": "genuine",
    "issuance": "active",
}
"""A citizen for certain: before that a book merely says so."""
FROM_SNAPSHOT = frozenset((fact, word) for fact, words in VOCABULARY.items() for word in words if word.endswith(IN_SNAPSHOT))
"""What is let pass by its age alone."""
TOLERABLE = (
    UNSAFE
    | COMING_HOME
    | FROM_SNAPSHOT
    | {("revocation", "no_crl"), ("revocation", "stale_crl"), ("access", "bac_where_pace_failed")}
)

LEAST: tuple[tuple[dict[str, str], Outcome], ...] = (
    ({"passive_authentication": "rejected"}, Outcome.HOLD),
    ({"passive_authentication": "signer_revoked"}, Outcome.HOLD),
    ({"revocation": "revoked"}, Outcome.HOLD),
    ({"chip_authenticity": "not_genuine"}, Outcome.HOLD),
    ({"dg1_mrz": "different"}, Outcome.HOLD),
    ({"issuance": "revoked"}, Outcome.HOLD),
    ({"issuance": "lost"}, Outcome.HOLD),
    ({"issuance": "replaced"}, Outcome.SECONDARY),
    ({"issuer_portrait": "different"}, Outcome.SECONDARY),
    ({"sltd": "hit"}, Outcome.HOLD),
    ({"wanted": "hit"}, Outcome.HOLD),
    ({"wanted": "possible"}, Outcome.SECONDARY),
    ({"pencegahan": "hit", "direction": Direction.DEPARTURE}, Outcome.HOLD),
    ({"pencegahan": "possible", "direction": Direction.DEPARTURE}, Outcome.SECONDARY),
    ({"penangkalan": "hit", "direction": Direction.ARRIVAL, "nationality": "foreigner"}, Outcome.HOLD),
    ({"penangkalan": "possible", "direction": Direction.ARRIVAL, "nationality": "foreigner"}, Outcome.SECONDARY),
    ({"expiry": "under_6_months", "direction": Direction.ARRIVAL, "nationality": "foreigner"}, Outcome.SECONDARY),
    ({"stay_permit": "overstay", "nationality": "foreigner"}, Outcome.SECONDARY),
    ({"card_access": "differs"}, Outcome.SECONDARY),
    ({"infrared": "missing"}, Outcome.SECONDARY),
    ({"chip": "changed"}, Outcome.SECONDARY),
    ({"chip": "read", "document_model": "chipless"}, Outcome.SECONDARY),
    *(
        ({"nationality": "foreigner", "document_class": each, "passive_authentication": "authentic"}, Outcome.COUNTER)
        for each in OFFICIAL
    ),
    ({"pad": "attack"}, Outcome.SECONDARY),
    ({"controller": "emergency"}, Outcome.HOLD),
)
"""What must at least come of a finding. It stands in code, as the floor does: no data file may make a forgery a matter of the counter."""


def floor(grant: Grant, required: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Fact → widest acceptable words for ``grant``, which requires all of ``required``."""
    widest = FLOOR[grant.stage] | _BY_DIRECTION[grant.direction]
    for nationality in required.get("nationality", ()):
        widest |= _BY_NATIONALITY.get(nationality, {})
    if grant.document_class in OFFICIAL:
        widest |= _OFFICIAL | (_OFFICIAL_DEPARTURE if grant.direction is Direction.DEPARTURE else {})
    return widest | (_MINOR if set(required.get("age", ())) != {"adult"} else {})


def requirements(grant: Grant, sets: Mapping[str, RequirementSet]) -> dict[str, tuple[str, ...]]:
    """All that ``grant`` requires at its stage, with its requirement sets and its class."""
    required: dict[str, tuple[str, ...]] = {"document_class": (grant.document_class,)}
    for taken in taken_sets(grant, sets):
        required |= taken.require
    return required | grant.require


def taken_sets(grant: Grant, sets: Mapping[str, RequirementSet]) -> list[RequirementSet]:
    """The requirement sets of ``grant`` that count at its stage."""
    named = (sets[name] for name in grant.require_sets if name in sets)
    return [each for each in named if each.stage in {None, grant.stage}]


def unknown_words(conditions: Mapping[str, tuple[str, ...]], extra: Mapping[str, tuple[str, ...]] = {}) -> Iterator[str]:
    """What in ``conditions`` is not in the vocabulary."""
    known = VOCABULARY | dict(extra)
    for fact, words in conditions.items():
        if fact not in known:
            yield f"unknown fact {fact!r}"
            continue
        yield from (f"unknown word {word!r} for {fact}" for word in words if word not in known[fact])


def check_ids(entries: Iterable[Located[Any]]) -> Iterator[Fault]:
    """Every id is there once in the whole rule set: a decision names them."""
    listed = list(entries)
    counts = Counter(located.entry.id for located in listed)
    yield from (located.fault("duplicate id") for located in listed if counts[located.entry.id] > 1)


def check_dates(entry: Entry, fault: Callable[[str], Fault]) -> Iterator[Fault]:
    if entry.effective_from >= entry.effective_to:
        yield fault("effective_to does not lie after effective_from")


def check_rule(located: Located[Rule]) -> Iterator[Fault]:
    if located.entry.outcome is Outcome.OPEN:
        yield located.fault("a rule may not say OPEN: only a grant opens")


def check_words(located: Located[Rule] | Located[Annotation]) -> Iterator[Fault]:
    yield from map(located.fault, unknown_words(located.entry.when, SCOPE | TOLD_BY_OTHERS))


def check_least(rules: Iterable[Located[Rule]], file: str) -> Iterator[Fault]:
    """For each finding of :data:`LEAST` there is a rule that always hears it and is grave enough."""
    always = [rule.entry for rule in rules if (rule.entry.effective_from, rule.entry.effective_to) == (BEGINNING, END)]
    for finding, outcome in LEAST:
        if not any(
            rule.outcome.severity >= outcome.severity and all(finding.get(fact) in words for fact, words in rule.when.items())
            for rule in always
        ):
            told = ", ".join(f"{fact}={word}" for fact, word in finding.items())
            yield Fault(file=file, line=0, entry=told, what=f"no rule that is always in force says {outcome}")


def check_notes(annotations: Iterable[Located[Annotation]], file: str) -> Iterator[Fault]:
    """Whatever is let pass because a citizen comes home, an officer is always told."""
    always = [note.entry for note in annotations if (note.entry.effective_from, note.entry.effective_to) == (BEGINNING, END)]
    for fact, word in sorted(COMING_HOME):
        finding = {fact: word, "direction": Direction.ARRIVAL} | _PROVEN
        if not any(all(finding.get(name) in words for name, words in note.when.items()) for note in always):
            yield Fault(file=file, line=0, entry=f"{fact}={word}", what="no annotation that is always in force tells an officer")


def check_tolerance(located: Located[Tolerance]) -> Iterator[Fault]:
    tolerance = located.entry
    yield from map(located.fault, unknown_words({tolerance.fact: (tolerance.value,)}))
    if (tolerance.fact, tolerance.value) not in TOLERABLE:
        yield located.fault(f"{tolerance.fact}={tolerance.value} may never be tolerated")
    unsafe = (tolerance.fact, tolerance.value) in UNSAFE
    if unsafe and (not tolerance.id.startswith("Unsafe") or "trial" in tolerance.profiles):
        yield located.fault(
            f"{tolerance.fact}={tolerance.value} passes only under an id that begins with Unsafe, never in a trial"
        )
    if tolerance.effective_to == END:
        yield located.fault("effective_to is missing: whatever is tolerated is tolerated until a day")
    if ((tolerance.fact, tolerance.value) in FROM_SNAPSHOT) != (tolerance.max_age_s is not None):
        yield located.fault(f"max_age_s stands beside a word that ends in {IN_SNAPSHOT}, and nowhere else")


def check_grant(
    located: Located[Grant], sets: Mapping[str, RequirementSet], tolerances: Mapping[str, Tolerance]
) -> Iterator[Fault]:
    grant = located.entry
    yield from (located.fault(f"unknown requirement set {name!r}") for name in grant.require_sets if name not in sets)
    yield from (located.fault(f"unknown tolerance {name!r}") for name in grant.tolerances if name not in tolerances)
    named = Counter(chain(("document_class",), grant.require, *(each.require for each in taken_sets(grant, sets))))
    yield from (located.fault(f"{fact} is required twice") for fact, times in named.items() if times > 1)
    required = requirements(grant, sets)
    yield from map(located.fault, unknown_words(required))
    for fact, widest in floor(grant, required).items():
        if fact not in required:
            yield located.fault(f"does not require {fact}")
        elif beyond := set(required[fact]) - set(widest):
            yield located.fault(f"may not accept {fact}={'|'.join(sorted(beyond))}")
    if len(required.get("nationality", ("",))) > 1:
        yield located.fault("is for citizens or for foreigners, not for both")
    yield from map(
        located.fault, _unlawful(grant, required, [tolerances[name] for name in grant.tolerances if name in tolerances])
    )


def _unlawful(grant: Grant, required: Mapping[str, tuple[str, ...]], named: list[Tolerance]) -> Iterator[str]:
    home = grant.direction is Direction.ARRIVAL and required.get("nationality") == ("citizen",)
    for tolerance in named:
        if (tolerance.fact, tolerance.value) in COMING_HOME and not home:
            yield f"{tolerance.id} is for citizens who arrive"
    doubled = [pair for pair, times in Counter((each.fact, each.value) for each in named).items() if times > 1]
    yield from (f"names two tolerances for {fact}={value}" for fact, value in doubled)


def check_lane_actions(rows: Iterable[Located[LaneActionRow]], file: str) -> Iterator[Fault]:
    """Each outcome × stage × direction has one row, and doors that suit it."""
    seen: Counter[tuple[Outcome, Stage, Direction]] = Counter()
    for located in rows:
        row = located.entry
        seen.update((row.outcome, row.stage, direction) for direction in row.direction)
        yield from map(located.fault, _unsuitable(row))
    for place in product(Outcome, Stage, Direction):
        if seen[place] != 1:
            name = " ".join(place)
            yield Fault(file=file, line=0, entry=name, what=f"has {seen[place]} rows, must have one")


def _unsuitable(row: LaneActionRow) -> Iterator[str]:
    if (row.doors == "open") != (row.outcome is Outcome.OPEN):
        yield f"doors = {row.doors!r} does not suit {row.outcome}: doors open for OPEN and for nothing else"
    if row.stage is Stage.EXIT and row.doors == "stay_shut":
        yield "nobody may stay shut in: eject, or await_officer for a time"
    if row.stage is Stage.ENTRY and row.doors in {"eject", "await_officer"}:
        yield "nobody is inside before the entry decision"
    if (row.doors == "await_officer") != (row.await_s > 0):
        yield "await_s must be above 0 for await_officer, and 0 otherwise"
    if (row.screen in {"enter", "open"}) != (row.doors == "open"):
        yield f"screen {row.screen!r} does not suit doors {row.doors!r}"


def check_classes(rows: Iterable[Located[DocumentClassRow]]) -> Iterator[Fault]:
    """No document code of a State means two classes, unless its series of numbers say which."""
    listed = list(rows)
    pairs: dict[tuple[str, str], list[str]] = {}
    for row in listed:
        for code in row.entry.document_code:
            pairs.setdefault((row.entry.issuing_state, code), []).append(row.entry.number_series)
    for row in listed:
        for code in row.entry.document_code:
            series = pairs[row.entry.issuing_state, code]
            if len(series) > 1 and (len(set(series)) < len(series) or "" in series):
                yield row.fault(f"document code {code!r} is listed twice")
        try:
            re.compile(row.entry.number_series)
        except (re.error, OverflowError, RecursionError) as error:
            yield row.fault(f"number_series: {error}")


def check_enablement(rows: Iterable[Located[EnablementRow]]) -> Iterator[Fault]:
    for row in rows:
        yield from check_dates(row.entry, row.fault)
        if row.entry.document_class != "ordinary" and row.entry.nationality != "citizen":
            yield row.fault("official books of other States have no rule by which they would use a gate")
