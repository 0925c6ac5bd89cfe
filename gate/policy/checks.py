"""What a rule set must say beyond its shape. The floor of a grant stands here, in code: no data file can ask for less.

``FLOOR`` names for each stage every fact that a grant must require, with the widest words that it may accept for it. What lies
beyond a floor's words can only be let pass by a named tolerance, and only for the pairs in ``TOLERABLE``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product

from gate.evidence import VOCABULARY, Direction, Stage
from gate.outcome import Outcome
from gate.policy.entries import BEGINNING, END, DocumentClassRow, Entry, Grant, LaneActionRow, RequirementSet, Rule, Tolerance
from gate.policy.source import Fault, Located

SCOPE = {"direction": tuple(Direction), "stage": tuple(Stage)}
"""What a rule may look at besides the facts."""

_ENTRY_FLOOR: dict[str, tuple[str, ...]] = {
    "nationality": ("citizen", "foreigner"),
    "age": ("adult", "from_6_to_17"),
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
    "issuance": ("active",),
    "watchlist": ("clear",),
    "controller": ("ready",),
    "supervision": ("present",),
    "clock": ("trusted",),
    "profile": ("demo", "training", "trial"),
}
FLOOR: dict[Stage, dict[str, tuple[str, ...]]] = {
    Stage.ENTRY: _ENTRY_FLOOR,
    Stage.EXIT: _ENTRY_FLOOR | {"occupancy": ("one",), "face": ("match",), "pad": ("bona_fide",)},
}
OFFICIAL_DEPARTURE_FLOOR = {"exit_permit": ("valid",)}
"""Service and diplomatic books may not be used for leaving without it (Permenlu 2/2019)."""
UNSAFE = frozenset({("pad", "not_available")})
"""What may be let pass for demonstrations alone, and only under a name that says so."""
TOLERABLE = UNSAFE | {("revocation", "no_crl"), ("revocation", "stale_crl"), ("access", "bac_where_pace_failed")}

LEAST: tuple[tuple[dict[str, str], Outcome], ...] = (
    ({"passive_authentication": "rejected"}, Outcome.HOLD),
    ({"passive_authentication": "signer_revoked"}, Outcome.HOLD),
    ({"revocation": "revoked"}, Outcome.HOLD),
    ({"chip_authenticity": "not_genuine"}, Outcome.HOLD),
    ({"dg1_mrz": "different"}, Outcome.HOLD),
    ({"issuance": "revoked"}, Outcome.HOLD),
    ({"issuance": "lost"}, Outcome.HOLD),
    ({"watchlist": "hit", "direction": Direction.DEPARTURE}, Outcome.HOLD),
    ({"watchlist": "hit", "direction": Direction.ARRIVAL, "nationality": "foreigner"}, Outcome.HOLD),
    ({"watchlist": "possible", "direction": Direction.DEPARTURE}, Outcome.SECONDARY),
    ({"watchlist": "possible", "direction": Direction.ARRIVAL, "nationality": "foreigner"}, Outcome.SECONDARY),
    ({"expiry": "under_6_months", "direction": Direction.ARRIVAL, "nationality": "foreigner"}, Outcome.SECONDARY),
    ({"card_access": "differs"}, Outcome.SECONDARY),
    ({"infrared": "missing"}, Outcome.SECONDARY),
    ({"chip": "changed"}, Outcome.SECONDARY),
    ({"pad": "attack"}, Outcome.SECONDARY),
    ({"controller": "emergency"}, Outcome.HOLD),
)
"""What must at least come of a finding. It stands in code, as the floor does: no data file may make a forgery a matter of the counter."""


def floor(grant: Grant) -> dict[str, tuple[str, ...]]:
    """Fact → widest acceptable words for ``grant``."""
    official = grant.document_class != "ordinary" and grant.direction is Direction.DEPARTURE
    return FLOOR[grant.stage] | (OFFICIAL_DEPARTURE_FLOOR if official else {})


def requirements(grant: Grant, sets: Mapping[str, RequirementSet]) -> dict[str, tuple[str, ...]]:
    """All that ``grant`` requires, with its requirement sets and its class."""
    required: dict[str, tuple[str, ...]] = {"document_class": (grant.document_class,)}
    for name in grant.require_sets:
        required |= sets[name].require if name in sets else {}
    return required | grant.require


def unknown_words(conditions: Mapping[str, tuple[str, ...]], extra: Mapping[str, tuple[str, ...]] = {}) -> Iterator[str]:
    """What in ``conditions`` is not in the vocabulary."""
    known = VOCABULARY | dict(extra)
    for fact, words in conditions.items():
        if fact not in known:
            yield f"unknown fact {fact!r}"
            continue
        yield from (f"unknown word {word!r} for {fact}" for word in words if word not in known[fact])


def check_ids(
    entries: Iterable[Located[Grant] | Located[Rule] | Located[Tolerance] | Located[RequirementSet]],
) -> Iterator[Fault]:
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
    yield from map(located.fault, unknown_words(located.entry.when, SCOPE))


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


def check_grant(
    located: Located[Grant], sets: Mapping[str, RequirementSet], tolerances: Mapping[str, Tolerance]
) -> Iterator[Fault]:
    grant = located.entry
    if not grant.require:
        yield located.fault("require is empty")
    yield from (located.fault(f"unknown requirement set {name!r}") for name in grant.require_sets if name not in sets)
    yield from (located.fault(f"unknown tolerance {name!r}") for name in grant.tolerances if name not in tolerances)
    named = Counter(fact for name in grant.require_sets if name in sets for fact in sets[name].require) + Counter(
        list(grant.require)
    )
    yield from (located.fault(f"{fact} is required twice") for fact, times in named.items() if times > 1)
    required = requirements(grant, sets)
    yield from map(located.fault, unknown_words(required))
    for fact, widest in floor(grant).items():
        if fact not in required:
            yield located.fault(f"does not require {fact}")
        elif beyond := set(required[fact]) - set(widest):
            yield located.fault(f"may not accept {fact}={'|'.join(sorted(beyond))}")


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
    """No document code of a State means two classes."""
    listed = list(rows)
    pairs = Counter((row.entry.issuing_state, code) for row in listed for code in row.entry.document_code)
    for row in listed:
        doubled = [code for code in row.entry.document_code if pairs[row.entry.issuing_state, code] > 1]
        yield from (row.fault(f"document code {code!r} is listed twice") for code in doubled)
