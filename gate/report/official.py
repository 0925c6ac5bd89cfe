"""Service and diplomatic books at a trial's gates: how many passed, and why the others did not, by airport and by gate.

Both classes are taken together, and nothing here knows the issuing office or the day: that much a trial needs to be told gate by
gate, however few they are, and more would name people (docs/sop-report.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gate.evidence import IN_SNAPSHOT, NOT_PERFORMED, VOCABULARY, Evidence
from gate.outcome import Outcome
from gate.records import TransactionRecord
from gate.registries.answers import OFFICIAL_CLASSES
from gate.report.causes import OFFICIAL, OTHER, causes_of
from gate.report.disclosure import K, kept_apart
from gate.report.intervals import Share

REGISTRY_FACTS = frozenset(name for name, words in VOCABULARY.items() if "unavailable" in words)
SOURCES = ("live", "snapshot", "none", "not asked")


def gate_name(checkpoint: str, lane: str) -> str:
    """Airport and lane; the airport once where the lane's own name begins with it."""
    return lane if lane.startswith(checkpoint) else f"{checkpoint} {lane}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An airport, or one of its gates."""

    name: str
    is_gate: bool
    crossings: int
    passed: Share
    causes: tuple[Share, ...]
    codes: tuple[Share, ...]
    """Every reason code that occurred, the most frequent first."""

    @property
    def few(self) -> bool:
        """Whether these are too few people for the figures to leave the trial."""
        return self.crossings < K


def official_places(records: Iterable[TransactionRecord], *, few: bool = True) -> list[Place]:
    """Each airport that such a book came to, followed by its gates. Unless ``few``, those too small to be shown are taken together:
    airports with airports, gates with gates of their airport.
    """
    airports: dict[str, list[TransactionRecord]] = {}
    for record in records:
        if record.document_class in OFFICIAL_CLASSES:
            airports.setdefault(record.checkpoint, []).append(record)
    places: list[Place] = []
    for name, own in _told(airports, "other airports together", few=few):
        gates: dict[str, list[TransactionRecord]] = {}
        for record in own:
            gates.setdefault(gate_name(name, record.lane), []).append(record)
        places.append(_place(name, False, own))
        if name in airports:
            places += [_place(gate, True, of) for gate, of in _told(gates, f"{name} other gates together", few=few)]
    return places


def official_offices(records: Iterable[TransactionRecord], *, few: bool) -> list[Place]:
    """The offices that issued such books, of those whose issuer told one. Unless ``few``, as :func:`official_places`."""
    offices: dict[str, list[TransactionRecord]] = {}
    for record in records:
        if record.document_class in OFFICIAL_CLASSES and record.trail:
            offices.setdefault(record.trail.issuing_office or "(office not named)", []).append(record)
    return [_place(name, False, own) for name, own in _told(offices, "other offices together", few=few)]


Groups = dict[str, list[TransactionRecord]]


def _told(groups: Groups, rest: str, *, few: bool) -> list[tuple[str, list[TransactionRecord]]]:
    """The groups that are told by themselves, and what is left as one, where that is large enough."""
    apart = groups.keys() if few else kept_apart({name: len(of) for name, of in groups.items()})
    told = [(name, of) for name, of in sorted(groups.items()) if name in apart]
    others = [record for name, of in groups.items() if name not in apart for record in of]
    return [*told, (rest, others)] if len(others) >= K else told


def _place(name: str, is_gate: bool, records: Sequence[TransactionRecord]) -> Place:
    stopped = [record for record in records if record.outcome is not Outcome.OPEN]
    causes = Counter(cause for record in stopped for cause in causes_of(record.reasons, OFFICIAL))
    codes = Counter(code for record in stopped for code in set(record.reasons))
    return Place(
        name=name,
        is_gate=is_gate,
        crossings=len(records),
        passed=Share(name="passed", hits=len(records) - len(stopped), trials=len(records)),
        causes=tuple(Share(name=cause, hits=causes[cause], trials=len(records)) for cause in (*OFFICIAL, OTHER)),
        codes=tuple(Share(name=code, hits=hits, trials=len(records)) for code, hits in codes.most_common()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """How transactions came out, or how often a registry was asked, by where the answers came from."""

    name: str
    counts: tuple[int | None, ...]
    """In the order of :data:`SOURCES`; None: too few to be shown, with the next smallest."""


def outcomes_by_source(records: Sequence[TransactionRecord], *, few: bool = True) -> list[SourceRow]:
    """Each outcome by the least sure answer its last decision rested on."""
    found = Counter((record.outcome, _least_sure(record)) for record in records)
    seen = [outcome for outcome in Outcome if any(record.outcome is outcome for record in records)]
    return [_source_row(outcome, {source: found[outcome, source] for source in SOURCES}, few=few) for outcome in seen]


def registries_by_source(records: Iterable[TransactionRecord], *, few: bool = True) -> list[SourceRow]:
    """Each registry's fact by where its word came from."""
    found = Counter(pair for record in records if record.decisions for pair in _sources(record.decisions[-1].evidence))
    names = sorted({name for name, _ in found})
    return [_source_row(name, {source: found[name, source] for source in SOURCES}, few=few) for name in names]


def _source_row(name: str, counts: dict[str, int], *, few: bool) -> SourceRow:
    apart = counts.keys() if few else kept_apart({source: count for source, count in counts.items() if count})
    told = tuple(count if source in apart or not count else None for source, count in counts.items())
    return SourceRow(name=name, counts=told)


def _least_sure(record: TransactionRecord) -> str:
    seen = {source for _, source in _sources(record.decisions[-1].evidence)} if record.decisions else set()
    return next((source for source in ("none", "snapshot", "live") if source in seen), "not asked")


def _sources(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """(fact, source). What a snapshot says *against* somebody is the same word as live, and counts as live here."""
    for name, fact in evidence.facts.items():
        if name in REGISTRY_FACTS:
            if fact.value == NOT_PERFORMED:
                yield name, "not asked"
            elif fact.value == "unavailable":
                yield name, "none"
            else:
                yield name, "snapshot" if fact.value.endswith(IN_SNAPSHOT) else "live"
