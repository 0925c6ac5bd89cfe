"""``python -m benchmarks.conformity [run | write]``: which clause of which standard is shown by which tests, and how those ended last.

``docs/conformity.md`` is made of three things and never by hand: the clauses that we claim (``conformity.toml``), the marks on the tests
(``@pytest.mark.conforms("Doc 9303-11 §4.4", "negative")``, read from their source), and the results of the last ``run``, which runs the
marked tests. A clause counts only with all three kinds: a ``positive`` case, a ``negative`` case, and a ``defect``, a test that takes the rule
out of the product and sees the clause's tests turn red. ``write`` makes the page anew without running anything; a test keeps it in step.
The trial report carries the same matrix in short (``gate/report/conformity.json``).
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast, get_args

from benchmarks import machine

REPOSITORY = machine.REPOSITORY
CLAUSES, RESULTS = (Path(__file__).with_name(name) for name in ("conformity.toml", "conformity.json"))
Kind = Literal["positive", "negative", "defect"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Word = Literal["passed", "failed", "skipped", "not run"]
WORST: tuple[Word, ...] = ("failed", "not run", "skipped", "passed")
"""Of several results the first of these that is among them."""


class MarkError(Exception):
    """A mark that cannot be read from the source, or that names no clause or kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """``title`` in our own words; ``source``: the document it is of."""

    source: str
    name: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """``test``: ``tests/pki/test_x.py::test_y``, with ``[case]`` where one case alone is meant."""

    clause: str
    kind: Kind
    test: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One clause with what shows it."""

    clause: Clause
    marks: tuple[Mark, ...]

    @property
    def missing(self) -> tuple[Kind, ...]:
        return tuple(kind for kind in KINDS if all(mark.kind != kind for mark in self.marks))

    def result(self, outcomes: Mapping[str, Word]) -> Word:
        return worst(ended(mark.test, outcomes) for mark in self.marks)


def claims(path: Path = CLAUSES) -> tuple[list[Clause], list[dict[str, str]]]:
    """The clauses that we claim, and what we do not: ``source``, ``what``, ``why``."""
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Clause(**each) for each in told["clause"]], list(told["not_claimed"])


def marks(folder: Path) -> list[Mark]:
    """Every mark on a test of ``folder``, by file and line. Raises MarkError for one that cannot be read without running it."""
    return [mark for path in sorted(folder.rglob("test_*.py")) for mark in marks_in(path)]


def marks_in(path: Path) -> Iterator[Mark]:
    text = path.read_text(encoding="utf-8")
    if "mark.conforms" not in text:
        return
    place, seen, tree = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path, 0, ast.parse(text)
    for node in tree.body:
        for decorator in getattr(node, "decorator_list", []):
            if not ast.unparse(decorator).startswith("pytest.mark.conforms"):
                continue
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
                raise MarkError(f"{place}:{decorator.lineno}: no test of a module")
            seen += 1
            yield _mark(f"{place}:{decorator.lineno}", f"{place}::{node.name}", decorator)
    if seen != sum(isinstance(node, ast.Attribute) and node.attr == "conforms" for node in ast.walk(tree)):
        raise MarkError(f"{place}: a mark that stands elsewhere than above a test")


def _mark(where: str, test: str, decorator: ast.expr) -> Mark:
    try:
        call = cast("ast.Call", decorator)
        clause, kind = (ast.literal_eval(each) for each in call.args)
        case = "".join(f"[{ast.literal_eval(each.value)}]" for each in call.keywords if each.arg == "case")
    except (AttributeError, ValueError) as error:
        raise MarkError(f"{where}: a clause, a kind and perhaps a case, as plain strings") from error
    if kind not in KINDS or len(call.keywords) > 1 or (call.keywords and not case):
        raise MarkError(f"{where}: a kind is one of {', '.join(KINDS)}, and there is nothing else but a case")
    return Mark(clause=clause, kind=kind, test=test + case)


def rows(clauses: Sequence[Clause], found: Sequence[Mark]) -> list[Row]:
    """Every clause with its marks. Raises MarkError where a mark names a clause that is not listed."""
    if strangers := {mark.clause for mark in found} - {clause.name for clause in clauses}:
        raise MarkError(f"no clause of {CLAUSES.name}: {', '.join(sorted(strangers))}")
    return [Row(clause=clause, marks=tuple(mark for mark in found if mark.clause == clause.name)) for clause in clauses]


def ended(test: str, outcomes: Mapping[str, Word]) -> Word:
    """How ``test`` ended last: of all its cases, where it names none."""
    return worst(word for name, word in outcomes.items() if name == test or name.startswith(f"{test}["))


def worst(words: Iterable[Word]) -> Word:
    met = set(words)
    return next((word for word in WORST if word in met), "not run")


def results(path: Path = RESULTS) -> dict[str, Any]:
    """``at``, ``commit`` and ``outcomes`` (test → word) of the last run; nothing where there was none."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {"at": "", "commit": "", "outcomes": {}}


class Recorder:
    """Notes how each test ended: whatever its set-up or its tear-down did to it included."""

    def __init__(self) -> None:
        self.met: dict[str, set[Word]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        words: set[Word] = self.met.setdefault(report.nodeid, set())
        if report.failed or report.skipped or report.when == "call":
            words.add(report.outcome)

    @property
    def outcomes(self) -> dict[str, Word]:
        return {test: worst(words) for test, words in sorted(self.met.items()) if words}


def run(found: Sequence[Mark]) -> dict[str, Any]:
    """Run the marked tests, and nothing else. Raises MarkError where a mark names a case that is not there."""
    import pytest

    recorder, wanted = Recorder(), sorted({mark.test for mark in found})
    named = [str(REPOSITORY / test) for test in wanted]
    status = pytest.main(["-p", "no:cacheprovider", "--benchmark-disable", "-q", *named], plugins=[recorder])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise MarkError(f"pytest could not run the marked tests: {status!r}")
    return {"at": f"{datetime.now(UTC):%Y-%m-%d}", **machine.commit(), "outcomes": folded(recorder.outcomes, wanted)}


def folded(outcomes: Mapping[str, Word], wanted: Iterable[str]) -> dict[str, Word]:
    """One word for each marked test, not for each of its cases."""
    return {test: ended(test, outcomes) for test in sorted(wanted)}


def main() -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformity", description=__doc__, formatter_class=plain)
    parser.add_argument("command", choices=("run", "write"), nargs="?", default="run")
    parser.add_argument("--page", type=Path, default=Path(".state/conformity.html"), help="the same for a browser and a printer")
    options = parser.parse_args()
    from benchmarks import conformity_page

    found = marks(REPOSITORY / "tests")
    if options.command == "run":
        RESULTS.write_text(json.dumps(run(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    clauses, not_claimed = claims()
    held, told = rows(clauses, found), results()
    conformity_page.DOCUMENT.write_text(conformity_page.markdown(held, not_claimed, told), encoding="utf-8")
    conformity_page.SUMMARY.write_bytes(conformity_page.summary(held, not_claimed, told))
    options.page.parent.mkdir(parents=True, exist_ok=True)
    options.page.write_text(conformity_page.html(held, not_claimed, told), encoding="utf-8")
    words = Counter("not counted" if row.missing else row.result(told["outcomes"]) for row in held)
    print(", ".join(f"{count} {word}" for word, count in words.items()), conformity_page.DOCUMENT, options.page, sep="\n")
    return int(words["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
