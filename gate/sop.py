"""Was a book issued as the standard procedure says? What departs from it becomes an audit flag, and never changes an outcome.

The procedure is that of the Integrated Passport Service System (SPPT; SOPs IMI-GR.01.01-1383 to -1389 of 20-05-2014, called to mind by
circular IMI-0292.UM.01.01 of 2015). Its stages are known from public accounts alone, and the procedure of Connected One for service and
diplomatic books is not public: that it has the same stages is an assumption, and a second version is a second row of :data:`PROCEDURES`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta

import msgspec

from gate.records import SopTrail

SPPT_2014 = "SPPT-2014"
STAGES = (
    "file_check",
    "data_entry",
    "document_scan",
    "supervisor_approval",
    "list_check",
    "interview",
    "biometric_capture",
    "payment",
    "biometric_verification",
    "printing",
    "signing",
    "hand_over",
)
"""Of SPPT, in order. ``list_check``: both travel bans are asked and the number is drawn; ``biometric_capture``: photo and fingerprints."""
PROCEDURES: Mapping[str, tuple[str, ...]] = {SPPT_2014: STAGES}
"""Known versions and the stages each demands, in order."""
WORKING_DAYS = 4
"""From the interview until the book is ready (assumption: signed; when it is fetched is the holder's choice).
Lost, damaged and second books may take longer, and a trail does not tell them apart: one late book says nothing, an office's share does."""

OUT_OF_ORDER = "OUT_OF_ORDER"
SAME_OFFICER = "SAME_OFFICER"
UNKNOWN_SOP_VERSION = "UNKNOWN_SOP_VERSION"
UNKNOWN_STAGE = "UNKNOWN_STAGE"
LATE = "LATE"


def missing(stage: str) -> str:
    """The flag of a stage that is not in the trail, e.g. ``MISSING_INTERVIEW``."""
    return f"MISSING_{stage.upper()}"


FLAGS = (*map(missing, STAGES), OUT_OF_ORDER, SAME_OFFICER, LATE, UNKNOWN_STAGE, UNKNOWN_SOP_VERSION)
"""Every flag there is."""


def flags(trail: SopTrail, holidays: Collection[date] = ()) -> tuple[str, ...]:
    """What departs from the procedure, each flag once, in the order of :data:`FLAGS`; empty for a book issued by the procedure.

    Under an unknown version the stages cannot be judged: then that is a flag, and of the rest only what holds under every procedure.
    """
    found = set(_flags(trail, holidays))
    return tuple(flag for flag in FLAGS if flag in found)


def flagged(trail: SopTrail, holidays: Collection[date] = ()) -> SopTrail:
    """``trail`` with its flags; what it called its flags before is dropped."""
    return msgspec.structs.replace(trail, flags=flags(trail, holidays))


def _flags(trail: SopTrail, holidays: Collection[date]) -> Iterator[str]:
    if trail.distinct_approver is False:
        yield SAME_OFFICER
    procedure = PROCEDURES.get(trail.sop_version)
    if procedure is None:
        yield UNKNOWN_SOP_VERSION
        return
    done: dict[str, datetime | None] = {}
    for stage in trail.stages:
        done.setdefault(stage.name, stage.at)  # a stage may be repeated, as a photo taken again: its first time is its place
    yield from (missing(stage) for stage in procedure if stage not in done)
    if not done.keys() <= set(procedure):
        yield UNKNOWN_STAGE
    known = [stage for stage in done if stage in procedure]
    times = [at for stage in procedure if (at := done.get(stage)) is not None]
    if known != sorted(known, key=procedure.index) or times != sorted(times):
        yield OUT_OF_ORDER
    if _late(done.get("interview"), done.get("signing"), holidays):
        yield LATE


def _late(interview: datetime | None, ready: datetime | None, holidays: Collection[date]) -> bool:
    """More than :data:`WORKING_DAYS` after the day of the interview, Monday to Friday, by the dates in the issuer's zone."""
    if interview is None or ready is None:
        return False
    day, worked = interview.date(), 0
    while day < ready.date() and worked <= WORKING_DAYS:
        day += timedelta(days=1)
        worked += day.weekday() < 5 and day not in holidays
    return worked > WORKING_DAYS
