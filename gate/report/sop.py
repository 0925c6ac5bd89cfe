"""One procedure at every office? Audit flags and failure rates of the books each office issued, as a page and as JSON.

It holds figures about :data:`gate.report.disclosure.K` books or more, and nothing from which a smaller one could be computed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gate.records import TransactionRecord
from gate.report.books import AGAIN, ANY_FLAG, NO_KEY, NO_TRAIL, NOT_PASSED, Book, books_of
from gate.report.causes import BESIDE, CAPTURED, ISSUED
from gate.report.departures import ALPHA, Departure, departures, office_of
from gate.report.disclosure import K, kept_apart, shown
from gate.report.intervals import Share
from gate.report.page import template
from gate.sop import FLAGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was found on some books that belong together. ``parts``: its gates, where it is a checkpoint."""

    name: str
    books: int
    shares: tuple[Share, ...]
    flags: tuple[Share, ...] = ()
    """Those that occurred."""
    parts: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Lines that divide the same books; ``total`` is all of them."""

    total: Line
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SopReport:
    """All that the page shows; None is a count under ``K``, and there are no tables on fewer books than that."""

    books: int | None
    period: tuple[date, date] | None
    """First and last day (UTC)."""
    left_out: Mapping[str, int | None]
    demonstrations: int | None
    questions: int
    departures: tuple[Departure, ...]
    tables: Mapping[str, Table]
    """``places`` (with gates), ``issuers``, ``capturers``."""


def sop_report(records: Iterable[TransactionRecord]) -> SopReport:
    """The report on any records of any number of gates, in any order."""
    books, left_out = books_of(records)
    found, questions = departures(books)
    days = [book.at.date() for book in books]
    return SopReport(
        books=shown(len(books)),
        period=(min(days), max(days)) if len(books) >= K else None,
        left_out={why: shown(left_out[why]) for why in (NO_TRAIL, NO_KEY, AGAIN)},
        demonstrations=shown(sum(book.demonstration for book in books)),
        questions=questions,
        departures=found,
        tables=_tables(books) if len(books) >= K else {},
    )


def _tables(books: Sequence[Book]) -> dict[str, Table]:
    issued = (NOT_PASSED, *ISSUED, *BESIDE, ANY_FLAG)
    everything = (NOT_PASSED, *ISSUED, *CAPTURED, *BESIDE, ANY_FLAG)

    def gates(here: Sequence[Book]) -> tuple[Line, ...]:
        return _lines(here, lambda book: book.lane, everything, "other gates together")

    places = _lines(books, lambda book: book.checkpoint, everything, "other checkpoints together", gates)
    issuers = _lines(books, lambda book: office_of(book, "issued"), issued, "other offices together")
    capturers = _lines(books, lambda book: office_of(book, "captured"), tuple(CAPTURED), "other offices together")
    return {
        "places": Table(total=_line("all", books, everything), lines=places),
        "issuers": Table(total=_line("all", books, issued), lines=issuers),
        "capturers": Table(total=_line("all", books, tuple(CAPTURED)), lines=capturers),
    }


def _lines(
    books: Sequence[Book],
    name_of: Callable[[Book], str],
    columns: tuple[str, ...],
    rest: str,
    parts: Callable[[Sequence[Book]], tuple[Line, ...]] = lambda _: (),
) -> tuple[Line, ...]:
    """A line for each group that may be shown by itself, and one for the others; none at all where no group may be."""
    groups: defaultdict[str, list[Book]] = defaultdict(list)
    for book in books:
        groups[name_of(book)].append(book)
    apart = sorted(kept_apart({name: len(of) for name, of in groups.items()}))
    lines = [_line(name, groups[name], columns, parts(groups[name])) for name in apart]
    others = [book for name, of in groups.items() if name not in apart for book in of]
    return (*lines, _line(rest, others, columns)) if lines and others else tuple(lines)


def _line(name: str, books: Sequence[Book], columns: tuple[str, ...], parts: tuple[Line, ...] = ()) -> Line:
    seen = Counter(found for book in books for found in book.found)

    def shares(findings: Iterable[str]) -> tuple[Share, ...]:
        return tuple(Share(name=finding, hits=seen[finding], trials=len(books)) for finding in findings)

    flags = [flag for flag in FLAGS if seen[flag]] if ANY_FLAG in columns else []
    return Line(name=name, books=len(books), shares=shares(columns), flags=shares(flags), parts=parts)


def page(report: SopReport) -> str:
    """One HTML page without any reference to another file."""
    return template("sop.html").render(report=report, k=K, alpha=ALPHA)


def figures(report: SopReport) -> dict[str, Any]:
    """The same figures, as JSON has them."""
    return {
        "k": K,
        "alpha": ALPHA,
        "books": report.books,
        "period": report.period,
        "left_out": dict(report.left_out),
        "demonstrations": report.demonstrations,
        "questions": report.questions,
        "departures": [_departure_told(each) for each in report.departures],
        "tables": {
            name: {"total": _line_told(table.total), "lines": [_line_told(line) for line in table.lines]}
            for name, table in report.tables.items()
        },
    }


def _departure_told(departure: Departure) -> dict[str, Any]:
    asked = departure.question
    words = {"office": asked.office, "role": asked.role, "finding": asked.finding, "chance": departure.bound}
    return words | {"own": _told(asked.own), "others": _told(asked.others)}


def _line_told(line: Line) -> dict[str, Any]:
    told = {"name": line.name, "books": line.books, "shares": {share.name: _told(share) for share in (*line.shares, *line.flags)}}
    return told | ({"parts": [_line_told(part) for part in line.parts]} if line.parts else {})


def _told(share: Share) -> dict[str, Any]:
    low, high = (round(bound, 2) for bound in share.interval)
    return {"hits": share.hits, "trials": share.trials, "percent": round(share.percent, 2), "interval": [low, high]}
