"""``autogate policy check``: everything a rule set opens for, and what else is to be known before anybody signs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from gate.policy.entries import EnablementRow
from gate.policy.schema import RulesError, load_rules
from gate.policy.survey.cubes import Cube, size
from gate.policy.survey.findings import never_in_force, shadowed, single_faults, unspoken, worsenings
from gate.policy.survey.regions import Survey, survey, turning_points


def check_command(folder: Path | None = None, at: datetime | None = None) -> int:
    """Print the survey of the rules in ``folder`` (None: the packaged ones) as of ``at`` (None: now).

    Returns 0; 1 where something is wrong with the set as a whole; 2 if the rules are refused.
    """
    try:
        rules = load_rules(folder)
    except RulesError as error:
        print(error, file=sys.stderr)
        return 2
    found = survey(rules, at or datetime.now(UTC))
    wrong = list(_wrong(found))
    print(*_head(found), *_openings(found), *_single_faults(found), *_to_know(found), *wrong, sep="\n")
    return 1 if wrong else 0


def _head(found: Survey) -> Iterator[str]:
    rules = found.rules
    yield rules.version
    yield rules.notes[1]
    yield f"{len(rules.grants)} grants, {len(rules.rules)} rules, as of {found.now:%Y-%m-%d %H:%M %Z}"
    yield f"{size([found.space.whole]):.3g} cases, {size(cube for region in found.regions for cube in region.cubes):,} of them open"
    yield "word?: said, but by a check that did not end successfully; how old a word from a snapshot may be: see what is tolerated"


def _openings(found: Survey) -> Iterator[str]:
    for region in found.regions:
        entry = region.grant.entry
        yield f"\nOPEN by {entry.id}, in {size(region.cubes):,} cases: {entry.note_en}\n  basis ({entry.source_status}): {entry.basis}"
        yield from (f"  when {told(found, cube)}" for cube in region.cubes)


def told(found: Survey, cube: Cube) -> str:
    """The conditions of ``cube``. ``word?``: said, but by a check that did not end successfully."""
    return ", ".join(f"{axis}={'|'.join(words)}" for axis, words in found.space.words(cube).items())


def _single_faults(found: Survey) -> Iterator[str]:
    seen, opening = single_faults(found)
    told = ", ".join(f"{outcome} {count}" for outcome, count in sorted(seen.items(), key=lambda item: item[0].severity))
    yield f"\n{seen.total():,} single faults of the best cases: {told}"
    by_word = sorted(opening, key=lambda fault: (fault.fact, fault.word))
    for (fact, word), faults in groupby(by_word, key=lambda fault: (fault.fact, fault.word)):
        listed = list(faults)
        how = ", ".join(sorted({tolerance for fault in listed for tolerance in fault.tolerances})) or "accepted"
        yield f"  opens on purpose: {fact}={word} ({len(listed)} grants; {how})"


def _to_know(found: Survey) -> Iterator[str]:
    yield from (f"\nspeaks where a graver rule always does: {rule.id} ({rule.reason})" for rule in shadowed(found))
    yield from (f"\nnot in force: {rule.id} ({rule.reason})" for rule in never_in_force(found))
    coming = [at for at in turning_points(found.rules) if at > found.now]
    yield from (f"\nchanges at {at:%Y-%m-%d %H:%M %Z}: see --at" for at in coming)
    for name in ("demo", "training", "trial"):
        tolerated = found.rules.tolerances(name, found.now)
        yield f"\ntolerated under {name}: {'' if tolerated else 'nothing'}"
        yield from (f"  {each.id} ({each.fact}={each.value}): {each.note_en}" for each in tolerated)
    yield "\nan officer is told, and nothing else changes:"
    yield from (f"  {note.id} ({note.reason}): {note.note_en}" for note in found.rules.annotations if note.in_force(found.now))
    yield "\nserved:"
    yield from (f"  {row_told(row)}" for row in found.rules.enablement if row.in_force(found.now))
    for each in worsenings(found):
        if each.named:
            yield f"\nworse for better news, by name: {each.fact} from {each.worse} to {each.better}: {each.named.why}"


def row_told(row: EnablementRow) -> str:
    """One row of what is served, in a line."""
    lanes = f" at {', '.join(row.lanes)}" if row.lanes else ""
    return f"{row.checkpoint}{lanes}: {row.document_class}, {row.nationality}, {' and '.join(row.direction)}"


def _wrong(found: Survey) -> Iterator[str]:
    for grant, fact, word in unspoken(found):
        yield f"\nNO RULE SPEAKS: {fact}={word} alone keeps {grant.entry.id} from opening, and nothing says why"
    for each in (each for each in worsenings(found) if not each.named):
        by = f"rule {each.by} fires" if each.by else "a grant is no longer satisfied"
        yield f"\nWORSE FOR BETTER NEWS: {each.fact} from {each.worse} to {each.better}, and {by}, as when {told(found, each.case)}"
