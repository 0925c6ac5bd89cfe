"""The conformity matrix as ``docs/conformity.md`` and as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.conformity import KINDS, REPOSITORY, Kind, Row, ended
from gate.report.conformity import FILE, ClauseShown, Conformity, NotClaimed

DOCUMENT = REPOSITORY / "docs" / "conformity.md"
SUMMARY = FILE
"""What the trial report shows of it."""
FOLDERS = [REPOSITORY / "benchmarks", REPOSITORY / "gate" / "report"]
HEAD = """# Conformity

Which clauses of which standards this software claims to keep, and by which tests that is shown. `make conformity` makes this page of the marks
on the tests and of their last results; nobody writes it by hand. A clause counts only with a **positive** case (what conforms is taken), a **negative** case (what
does not is not) and a seeded **defect** (with the rule taken out of the product, such a test turns red). No body has certified any of it, and what only
hardware, a laboratory or a field trial could show is listed below as not claimed. Names of clauses are those of the editions that were at hand;
their words are ours."""


def counted(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row.missing]


def last_run(told: Mapping[str, Any]) -> str:
    """In one sentence."""
    if not told["outcomes"]:
        return "The marked tests have not been run yet."
    changed = ", with changes" if told.get("changed") else ""
    return f"Last run of the marked tests: {told['at']}, commit {told['commit'][:12]}{changed}."


def tests(row: Row, kind: Kind) -> list[str]:
    """``test_file::test_name[case]`` of that kind, as other pages name tests."""
    return [mark.test.rpartition("/")[2].replace(".py::", "::", 1) for mark in row.marks if mark.kind == kind]


def markdown(rows: Sequence[Row], not_claimed: Sequence[Mapping[str, str]], told: Mapping[str, Any]) -> str:
    return "\n".join([HEAD, "", last_run(told), "", *_tables(rows, told), *_left_over(rows), *_not_claimed(not_claimed)]) + "\n"


def summary(rows: Sequence[Row], not_claimed: Sequence[Mapping[str, str]], told: Mapping[str, Any]) -> bytes:
    """For the trial report: every clause that counts, with numbers of tests instead of their names."""
    clauses = tuple(
        ClauseShown(
            source=row.clause.source,
            name=row.clause.name,
            title=row.clause.title,
            **{kind: len(tests(row, kind)) for kind in KINDS},
            result=row.result(told["outcomes"]),
        )
        for row in counted(rows)
    )
    shown = Conformity(last_run=last_run(told), clauses=clauses, not_claimed=tuple(NotClaimed(**each) for each in not_claimed))
    return msgspec.json.format(msgspec.json.encode(shown), indent=1) + b"\n"


def _tables(rows: Sequence[Row], told: Mapping[str, Any]) -> Iterator[str]:
    for source, group in groupby(counted(rows), key=lambda row: row.clause.source):
        yield from (
            f"## {source}",
            "",
            "| clause | what it asks for | positive | negative | defect | last result |",
            "|---|---|---|---|---|---|",
        )
        for row in group:
            cells = [", ".join(f"`{_escaped(test)}`" for test in tests(row, kind)) for kind in KINDS]
            yield f"| {' | '.join([row.clause.name, row.clause.title, *cells, row.result(told['outcomes'])])} |"
        yield ""


def _left_over(rows: Sequence[Row]) -> Iterator[str]:
    left = [row for row in rows if row.missing]
    if left:
        yield from ("## Not counted", "", "Clauses that are kept as far as we know, and not shown as this page demands.", "")
        yield from ("| clause | what it asks for | lacks |", "|---|---|---|")
        yield from (f"| {row.clause.name} | {row.clause.title} | {', '.join(row.missing)} |" for row in left)
        yield ""


def _not_claimed(not_claimed: Sequence[Mapping[str, str]]) -> Iterator[str]:
    yield from ("## Not claimed", "", "| of | what | why not |", "|---|---|---|")
    yield from (f"| {each['source']} | {each['what']} | {each['why']} |" for each in not_claimed)


def _escaped(test: str) -> str:
    return test.replace("|", "\\|")


def html(rows: Sequence[Row], not_claimed: Sequence[Mapping[str, str]], told: Mapping[str, Any]) -> str:
    """Refers to no other file."""
    loader = FileSystemLoader(FOLDERS)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    groups = [
        (source, [(row, {kind: _cells(row, kind, told) for kind in KINDS}, row.result(told["outcomes"])) for row in group])
        for source, group in groupby(counted(rows), key=lambda row: row.clause.source)
    ]
    left_over = [row for row in rows if row.missing]
    return environment.get_template("conformity.html").render(
        groups=groups, left_over=left_over, not_claimed=not_claimed, last_run=last_run(told), kinds=KINDS
    )


def _cells(row: Row, kind: Kind, told: Mapping[str, Any]) -> list[tuple[str, str]]:
    results = [ended(mark.test, told["outcomes"]) for mark in row.marks if mark.kind == kind]
    return list(zip(tests(row, kind), results, strict=True))
