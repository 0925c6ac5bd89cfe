"""The conformity matrix: made of the marks alone, and counting nothing that lacks one of its three kinds."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import conformity_page
from benchmarks.conformity import KINDS, Clause, Mark, MarkError, Recorder, claims, ended, folded, marks, marks_in, results, rows

REPOSITORY = Path(__file__).resolve().parents[2]
CLAUSES = [Clause(source="Book", name=name, title=f"title of {name}") for name in ("1", "2")]
WHOLE = [Mark(clause="1", kind=kind, test=f"tests/test_a.py::test_{kind}") for kind in KINDS]
PASSED = dict.fromkeys((mark.test for mark in WHOLE), "passed")
NOT_CLAIMED = [{"source": "Book", "what": "the rest", "why": "no hardware"}]


def told(**outcomes: str):
    return {"at": "2026-03-01", "commit": "0123456789abcdef", "outcomes": {**PASSED, **outcomes}}


@pytest.fixture(scope="module")
def found() -> list[Mark]:
    return marks(REPOSITORY / "tests")


def test_the_page_is_what_marks_clauses_and_last_results_make(found: list[Mark]):
    clauses, not_claimed = claims()
    page = conformity_page.markdown(rows(clauses, found), not_claimed, results())
    assert conformity_page.DOCUMENT.read_text(encoding="utf-8") == page, "make conformity ARGS=write"
    summary = conformity_page.summary(rows(clauses, found), not_claimed, results())
    assert conformity_page.SUMMARY.read_bytes() == summary, "make conformity ARGS=write"


def test_every_clause_is_named_once_and_has_some_mark(found: list[Mark]):
    names = [clause.name for clause in claims()[0]]
    assert len(set(names)) == len(names)
    assert {mark.clause for mark in found} == set(names)
    assert sum(not row.missing for row in rows(claims()[0], found)) >= 25


def test_no_test_shows_itself_to_be_red(found: list[Mark]):
    """What is a defect of a clause is no case of the same clause."""
    kinds: dict[tuple[str, str], set[str]] = {}
    for mark in found:
        kinds.setdefault((mark.clause, mark.test), set()).add(mark.kind)
    assert [each for each in kinds.items() if len(each[1]) > 1] == []


def test_marks_are_read_with_their_kind_and_case(tmp_path: Path):
    path = tmp_path / "test_x.py"
    path.write_text(
        'import pytest\n@pytest.mark.conforms("1", "positive")\n@pytest.mark.conforms("2", "defect", case="a, b")\n'
        "async def test_one(): ...\n",
        encoding="utf-8",
    )
    assert list(marks_in(path)) == [
        Mark(clause="1", kind="positive", test=f"{path}::test_one"),
        Mark(clause="2", kind="defect", test=f"{path}::test_one[a, b]"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        '@pytest.mark.conforms("1")\ndef test_one(): ...',
        '@pytest.mark.conforms("1", "maybe")\ndef test_one(): ...',
        '@pytest.mark.conforms(NAME, "positive")\ndef test_one(): ...',
        '@pytest.mark.conforms("1", "positive", why="x")\ndef test_one(): ...',
        "@pytest.mark.conforms\ndef test_one(): ...",
        '@pytest.mark.conforms("1", "positive")\ndef helper(): ...',
        '@pytest.mark.conforms("1", "positive")\nclass TestOne: ...',
        'pytestmark = pytest.mark.conforms("1", "positive")\ndef test_one(): ...',
        'class TestOne:\n    @pytest.mark.conforms("1", "positive")\n    def test_one(self): ...',
    ],
)
def test_a_mark_that_cannot_be_read_from_the_source_is_refused(tmp_path: Path, source: str):
    path = tmp_path / "test_x.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(MarkError):
        list(marks_in(path))


def test_a_clause_that_is_not_listed_is_refused():
    with pytest.raises(MarkError, match=r"no clause of conformity.toml: 3"):
        rows(CLAUSES, [Mark(clause="3", kind="positive", test="t")])


@pytest.mark.parametrize("kind", KINDS)
def test_without_one_of_its_three_kinds_a_clause_does_not_count(kind: str):
    [one, _] = rows(CLAUSES, [mark for mark in WHOLE if mark.kind != kind])
    assert one.missing == (kind,)
    page = conformity_page.markdown([one], NOT_CLAIMED, told())
    assert re.search(rf"## Not counted\n.*\| 1 \| title of 1 \| {kind} \|", page, re.DOTALL)
    assert "passed" not in page


@pytest.mark.parametrize("word", ["failed", "skipped", "not run"])
def test_a_clause_is_shown_by_all_its_tests_or_not_at_all(word: str):
    held = rows(CLAUSES, WHOLE)
    assert held[0].result(told()["outcomes"]) == "passed"
    less = told(**{WHOLE[1].test: word})
    assert held[0].result(less["outcomes"]) == word
    assert f"`test_a::test_defect` | {word} |" in conformity_page.markdown(held, NOT_CLAIMED, less)


def test_a_mark_without_a_case_means_all_of_them():
    outcomes = {"t.py::test_a[1]": "passed", "t.py::test_a[2]": "failed", "t.py::test_ab": "failed", "t.py::test_b": "passed"}
    assert folded(outcomes, ["t.py::test_a", "t.py::test_a[1]", "t.py::test_b", "t.py::test_c"]) == {
        "t.py::test_a": "failed",
        "t.py::test_a[1]": "passed",
        "t.py::test_b": "passed",
        "t.py::test_c": "not run",
    }
    assert ended("t.py::test", {}) == "not run"


def test_a_tear_down_that_fails_is_no_success_and_neither_is_a_skip():
    recorder = Recorder()
    for when, outcome in (("setup", "passed"), ("call", "passed"), ("teardown", "failed")):
        recorder.pytest_runtest_logreport(
            SimpleNamespace(nodeid="a", when=when, outcome=outcome, failed=outcome == "failed", skipped=outcome == "skipped")
        )
    recorder.pytest_runtest_logreport(SimpleNamespace(nodeid="b", when="setup", outcome="skipped", failed=False, skipped=True))
    assert recorder.outcomes == {"a": "failed", "b": "skipped"}


def test_the_page_for_a_browser_stands_alone_and_says_what_is_not_claimed():
    marked = [*WHOLE, Mark(clause="2", kind="positive", test="tests/test_a.py::test_<b>")]
    page = conformity_page.html(rows(CLAUSES, marked), NOT_CLAIMED, told(**{WHOLE[0].test: "failed"}))
    assert not re.search(r"(?:src|href)=|<script|url\(|<b>", page)
    for words in (
        "title of 1",
        "title of 2",
        "the rest",
        "no hardware",
        "negative, defect",
        '<span class="failed">failed</span>',
    ):
        assert words in page
