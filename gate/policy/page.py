"""A rule set as one page that an officer can read: who passes and by what law, what raises an outcome, what the doors do then.

It says of every entry whether its basis was seen in a public source, inferred from one, or is an assumption of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gate.evidence import Stage
from gate.outcome import Outcome
from gate.policy.entries import BEGINNING, END, Entry, Rule
from gate.policy.schema import RuleSet
from gate.policy.survey.findings import single_faults
from gate.policy.survey.regions import survey

STATUS = {
    "seen": ("sumber dilihat", "source seen"),
    "inferred": ("disimpulkan", "inferred"),
    "design_assumption": ("asumsi", "assumption"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The rules that raise to one outcome."""

    outcome: Outcome
    rules: tuple[Rule, ...]


def render(rules: RuleSet, at: datetime) -> str:
    """One HTML page without any reference to another file, as of ``at`` (aware)."""
    grave_first = sorted(Outcome, key=lambda outcome: -outcome.severity)
    levels = [Level(outcome=each, rules=tuple(rule for rule in rules.rules if rule.outcome is each)) for each in grave_first]
    grants = [grant for grant in rules.grants if grant.entry.stage is Stage.EXIT]
    entries: list[Entry] = [*(grant.entry for grant in grants), *rules.rules]
    return _template().render(
        rules=rules,
        at=at,
        grants=grants,
        entry_facts={need.fact for grant in rules.grants for need in grant.requirements if grant.entry.stage is Stage.ENTRY},
        levels=[level for level in levels if level.rules],
        counts={status: sum(entry.source_status == status for entry in entries) for status in STATUS},
        status=STATUS,
        tolerances={each.id: each for grant in rules.grants for need in grant.requirements for each in need.tolerated.values()},
        lenient=sorted({(fault.fact, fault.word) for fault in single_faults(survey(rules, at))[1]}),
        condition=condition,
        in_force=in_force,
    )


def condition(words: Mapping[str, tuple[str, ...]]) -> str:
    """``fact`` → words as a clause: *chip is unreadable; direction is departure*."""
    return "; ".join(f"{plain(fact)} is {' or '.join(map(plain, sorted(allowed)))}" for fact, allowed in words.items())


def plain(word: str) -> str:
    return word.replace("_", " ")


def in_force(entry: Entry) -> str:
    """From which day to which, each in its own zone; empty for always."""
    begins = "" if entry.effective_from == BEGINNING else f"from {entry.effective_from:%Y-%m-%d %H:%M %z}"
    ends = "" if entry.effective_to == END else f"until {entry.effective_to:%Y-%m-%d %H:%M %z}"
    return " ".join(filter(None, (begins, ends)))


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = plain
    return environment.get_template("page.html")
