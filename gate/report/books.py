"""What a report on issuing offices counts: books, each once at every gate it came to. Whoever tries again, or travels often, counts once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gate.outcome import Outcome
from gate.records import SopTrail, TransactionRecord
from gate.registries.answers import OFFICIAL_CLASSES
from gate.report.causes import BESIDE, CAPTURED, ISSUED, causes_of
from gate.sop import flags

NOT_PASSED, ANY_FLAG = "not passed", "any audit flag"
"""Findings beside the causes and the flags themselves."""
NO_TRAIL, NO_KEY, AGAIN = "no issuance trail", "document not read", "seen before at that gate"
"""Why a record is left out."""
UNNAMED = "(office not named)"
_CAUSES = {**ISSUED, **CAPTURED, **BESIDE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A book at the gate where it was first seen ``at`` that time. ``found``: causes, audit flags, and what sums them up.

    ``stratum``: checkpoint, gate, direction and class, within which books are compared. ``captured_by``: the issuing office, but of an
    official book only where it is told, for another may have issued it.
    """

    at: datetime
    checkpoint: str
    lane: str
    stratum: tuple[str, ...]
    issued_by: str
    captured_by: str
    found: frozenset[str]
    demonstration: bool


def books_of(records: Iterable[TransactionRecord]) -> tuple[list[Book], Counter[str]]:
    """The first crossing of each book at each gate, and how many records are left out for which reason."""
    first: dict[tuple[str, str, str], Book] = {}
    left_out: Counter[str] = Counter()
    for record in records:
        if record.trail is None or not record.document_key:
            left_out[NO_TRAIL if record.document_key else NO_KEY] += 1
            continue
        key, book = (record.checkpoint, record.lane, record.document_key), _book(record, record.trail)
        left_out[AGAIN] += key in first
        if key not in first or book.at < first[key].at:
            first[key] = book
    return list(first.values()), left_out


def _book(record: TransactionRecord, trail: SopTrail) -> Book:
    found = set(trail.flags or flags(trail))
    if found:
        found.add(ANY_FLAG)
    if record.outcome is not Outcome.OPEN:
        found |= {NOT_PASSED, *causes_of(record.reasons, _CAUSES)}
    issuer = trail.issuing_office or UNNAMED
    return Book(
        at=record.started,
        checkpoint=record.checkpoint,
        lane=record.lane,
        stratum=(record.checkpoint, record.lane, record.direction, record.document_class),
        issued_by=issuer,
        captured_by=trail.capturing_office or (UNNAMED if record.document_class in OFFICIAL_CLASSES else issuer),
        found=frozenset(found),
        demonstration=record.demonstration,
    )
