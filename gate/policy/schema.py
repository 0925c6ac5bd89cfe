"""A rule set, checked and made ready for deciding. ``load_rules`` either returns one without a single fault, or raises them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, product
from pathlib import Path
from typing import Any

from gate.evidence import Direction, Stage
from gate.outcome import Outcome
from gate.policy import checks
from gate.policy.entries import (
    Annotation,
    DocumentClassRow,
    EnablementRow,
    Grant,
    GrantRow,
    LaneAction,
    LaneActionRow,
    RequirementSet,
    Rule,
    RuleSetName,
    Tolerance,
)
from gate.policy.source import Fault, Located, RuleFiles, RulesError

__all__ = ["Fault", "ReadyGrant", "RuleSet", "RulesError", "load_rules"]

PACKAGED = Path(__file__).parent / "rules"
FILES = {
    "rule_set.toml": {"name", "note_id", "note_en"},
    "grants.toml": {"tolerance", "requirement_set", "grant"},
    "rules.toml": {"rule", "annotation"},
    "lane_actions.toml": {"lane_action"},
    "document_classes.toml": {"document_class"},
    "enablement.toml": {"enablement"},
}
"""The files of a rule set and what may stand at their top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One fact of a grant: its accepted words, and the tolerances for others by word."""

    fact: str
    accepted: frozenset[str]
    tolerated: Mapping[str, Tolerance]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyGrant:
    """A grant with its requirement sets and tolerances resolved."""

    entry: Grant
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Immutable. ``version`` is the name and the SHA-256 of what the files say; it stands in every decision."""

    version: str
    notes: tuple[str, str]
    """On the whole set: Bahasa Indonesia, English."""
    grants: tuple[ReadyGrant, ...]
    rules: tuple[Rule, ...]
    annotations: tuple[Annotation, ...]
    lane_actions: Mapping[tuple[Outcome, Stage, Direction], LaneAction]
    document_classes: Mapping[tuple[str, str], tuple[DocumentClassRow, ...]]
    """(issuing State, document code without fillers) → the rows on it."""
    enablement: tuple[EnablementRow, ...]
    grants_at: Mapping[tuple[Direction, Stage], tuple[ReadyGrant, ...]] = field(repr=False)
    rules_on: tuple[tuple[str, Mapping[str, tuple[Rule, ...]]], ...] = field(repr=False)
    """The rules by the first fact and word they wait for: of a clean traveller's facts hardly any word is waited for."""

    def tolerances(self, profile: str, now: datetime) -> tuple[Tolerance, ...]:
        """The tolerances that a lane under ``profile`` would use now: its standing warnings."""
        used = chain.from_iterable(need.tolerated.values() for grant in self.grants for need in grant.requirements)
        ready = {tolerance.id: tolerance for tolerance in used if profile in tolerance.profiles and tolerance.in_force(now)}
        return tuple(ready.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entries:
    """All entries of the right shape, in the order of the files."""

    sets: tuple[Located[RequirementSet], ...]
    tolerances: tuple[Located[Tolerance], ...]
    grants: tuple[Located[Grant], ...]
    rules: tuple[Located[Rule], ...]
    annotations: tuple[Located[Annotation], ...]
    actions: tuple[Located[LaneActionRow], ...]
    classes: tuple[Located[DocumentClassRow], ...]
    enablement: tuple[Located[EnablementRow], ...]

    @classmethod
    def read(cls, files: RuleFiles) -> _Entries:
        return cls(
            sets=files.tables("grants.toml", "requirement_set", RequirementSet),
            tolerances=files.tables("grants.toml", "tolerance", Tolerance),
            grants=tuple(_at_both_stages(files.tables("grants.toml", "grant", GrantRow))),
            rules=files.tables("rules.toml", "rule", Rule),
            annotations=files.tables("rules.toml", "annotation", Annotation),
            actions=files.tables("lane_actions.toml", "lane_action", LaneActionRow),
            classes=files.tables("document_classes.toml", "document_class", DocumentClassRow),
            enablement=files.tables("enablement.toml", "enablement", EnablementRow),
        )

    def faults(self) -> Iterator[Fault]:
        yield from checks.check_ids((*self.sets, *self.tolerances, *self.grants, *self.rules, *self.annotations))
        yield from checks.check_lane_actions(self.actions, "lane_actions.toml")
        yield from checks.check_classes(self.classes)
        yield from checks.check_enablement(self.enablement)
        dated: tuple[Located[Any], ...] = (*self.tolerances, *self.grants, *self.rules, *self.annotations)
        for located in dated:
            yield from checks.check_dates(located.entry, located.fault)
        for tolerance in self.tolerances:
            yield from checks.check_tolerance(tolerance)
        for rule in self.rules:
            yield from checks.check_rule(rule)
        spoken: tuple[Located[Rule] | Located[Annotation], ...] = (*self.rules, *self.annotations)
        for each in spoken:
            yield from checks.check_words(each)
        yield from checks.check_least(self.rules, "rules.toml")
        yield from checks.check_notes(self.annotations, "rules.toml")
        for grant in self.grants:
            yield from checks.check_grant(grant, self.set_of(), self.tolerance_of())

    def set_of(self) -> dict[str, RequirementSet]:
        return {located.entry.id: located.entry for located in self.sets}

    def tolerance_of(self) -> dict[str, Tolerance]:
        return {located.entry.id: located.entry for located in self.tolerances}


def _at_both_stages(rows: tuple[Located[GrantRow], ...]) -> Iterator[Located[Grant]]:
    for row, stage in product(rows, Stage):
        written = {name: getattr(row.entry, name) for name in GrantRow.__struct_fields__}
        grant = Grant(**written | {"id": f"{row.entry.id}-{stage}", "stage": stage})
        yield Located(file=row.file, line=row.line, label=f"grant {grant.id}", entry=grant)


def load_rules(folder: Path | None = None) -> RuleSet:
    """Read the rule set in ``folder`` (None: the packaged one). Raises RulesError with *all* faults."""
    files = RuleFiles.read(folder or PACKAGED, tuple(FILES))
    for file, kinds in FILES.items():
        files.unknown_tables(file, kinds)
    head = files.shape("rule_set.toml", 1, "rule set", RuleSetName, files.content.get("rule_set.toml", {}))
    entries = _Entries.read(files)
    files.faults.extend(entries.faults())
    if files.faults or head is None:
        raise RulesError(files.faults)
    return _ready_set(head, entries, files.digest())


def _ready_set(head: RuleSetName, entries: _Entries, digest: str) -> RuleSet:
    grants = tuple(_ready(grant.entry, entries.set_of(), entries.tolerance_of()) for grant in entries.grants)
    rules = tuple(rule.entry for rule in entries.rules)
    return RuleSet(
        version=f"{head.name}@{digest}",
        notes=(head.note_id, head.note_en),
        grants=grants,
        rules=rules,
        annotations=tuple(annotation.entry for annotation in entries.annotations),
        lane_actions=_actions(entries.actions),
        document_classes=_classes(entries.classes),
        enablement=tuple(row.entry for row in entries.enablement),
        grants_at={
            (direction, stage): tuple(g for g in grants if (g.entry.direction, g.entry.stage) == (direction, stage))
            for direction, stage in product(Direction, Stage)
        },
        rules_on=_by_first_fact(rules),
    )


def _ready(grant: Grant, sets: Mapping[str, RequirementSet], tolerances: Mapping[str, Tolerance]) -> ReadyGrant:
    granted = [tolerances[name] for name in grant.tolerances]
    return ReadyGrant(
        entry=grant,
        requirements=tuple(
            Requirement(fact=fact, accepted=frozenset(words), tolerated={t.value: t for t in granted if t.fact == fact})
            for fact, words in checks.requirements(grant, sets).items()
        ),
    )


def _actions(rows: tuple[Located[LaneActionRow], ...]) -> dict[tuple[Outcome, Stage, Direction], LaneAction]:
    return {
        (row.entry.outcome, row.entry.stage, direction): LaneAction(
            doors=row.entry.doors,
            await_s=row.entry.await_s,
            notify=row.entry.notify,
            screen=row.entry.screen,
            basis=row.entry.basis,
            source_status=row.entry.source_status,
            note_id=row.entry.note_id,
            note_en=row.entry.note_en,
        )
        for row in rows
        for direction in row.entry.direction
    }


def _classes(rows: tuple[Located[DocumentClassRow], ...]) -> dict[tuple[str, str], tuple[DocumentClassRow, ...]]:
    classes: dict[tuple[str, str], tuple[DocumentClassRow, ...]] = {}
    for row, code in ((located.entry, code) for located in rows for code in located.entry.document_code):
        classes[row.issuing_state, code] = (*classes.get((row.issuing_state, code), ()), row)
    return classes


def _by_first_fact(rules: tuple[Rule, ...]) -> tuple[tuple[str, Mapping[str, tuple[Rule, ...]]], ...]:
    index: dict[str, dict[str, tuple[Rule, ...]]] = {}
    for rule in rules:
        fact, words = next(iter(rule.when.items()))
        for word in words:
            waiting = index.setdefault(fact, {})
            waiting[word] = (*waiting.get(word, ()), rule)
    return tuple(index.items())
