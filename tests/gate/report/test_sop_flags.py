"""What departs from the standard procedure is flagged, each flag for its own reason, and no decision reads any of it."""

from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.records import SopStage, SopTrail, TransactionRecord
from gate.sop import FLAGS, SPPT_2014, STAGES, WORKING_DAYS, flagged, flags, missing

WIT = timezone(timedelta(hours=9))
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=WIT)


def issued(*, ready=timedelta(days=3), interview=MONDAY, **changes):
    """A book issued by the procedure: ten minutes a stage until its interview, signed ``ready`` later."""
    first, signing = STAGES.index("interview"), STAGES.index("signing")
    stages = tuple(
        SopStage(
            name=name, at=interview + timedelta(minutes=10 * (place - first)) + (ready if place >= signing else timedelta(0))
        )
        for place, name in enumerate(STAGES)
    )
    return msgspec.structs.replace(
        SopTrail(sop_version=SPPT_2014, issuing_office="Kanim", stages=stages, distinct_approver=True), **changes
    )


def test_a_book_issued_by_the_procedure_has_no_flag():
    assert flags(issued()) == ()
    assert flags(issued(distinct_approver=None)) == ()  # not said is not found


@pytest.mark.parametrize("left_out", STAGES)
def test_a_missing_stage_is_named_and_nothing_else(left_out):
    whole = issued()
    stages = tuple(stage for stage in whole.stages if stage.name != left_out)
    assert flags(msgspec.structs.replace(whole, stages=stages)) == (missing(left_out),)


@given(st.integers(0, len(STAGES) - 2))
@settings(max_examples=20, deadline=None)
def test_neighbours_that_change_places_are_out_of_order_by_the_log_and_by_the_clock(place):
    stages = list(issued(ready=timedelta(0)).stages)
    stages[place], stages[place + 1] = stages[place + 1], stages[place]
    assert flags(issued(stages=tuple(stages))) == ("OUT_OF_ORDER",)
    swapped = [msgspec.structs.replace(stage, at=other.at) for stage, other in zip(issued().stages, stages, strict=True)]
    assert flags(issued(stages=tuple(swapped))) == ("OUT_OF_ORDER",)


def test_a_stage_that_was_repeated_keeps_its_first_place():
    stages = issued().stages
    again = msgspec.structs.replace(stages[6], at=stages[8].at + timedelta(minutes=1))
    assert flags(issued(stages=(*stages[:9], again, *stages[9:]))) == ()


def test_stages_without_a_time_are_there():
    assert flags(issued(stages=tuple(SopStage(name=name, at=None) for name in STAGES))) == ()


def test_the_same_officer_twice_is_a_flag_under_any_procedure():
    assert flags(issued(distinct_approver=False)) == ("SAME_OFFICER",)
    assert flags(issued(distinct_approver=False, sop_version="?", stages=())) == ("SAME_OFFICER", "UNKNOWN_SOP_VERSION")


def test_a_stage_of_no_procedure_is_a_flag():
    odd = (*issued().stages, SopStage(name="intervew", at=None))
    assert flags(issued(stages=odd)) == ("UNKNOWN_STAGE",)


@pytest.mark.parametrize(
    ("interview", "days", "late"),
    [  # 2026-03-02 is a Monday
        (2, 4, False),  # Monday to Friday: four working days
        (2, 5, False),  # to Saturday: a fifth has not begun
        (2, 7, True),  # to the next Monday
        (4, 6, False),  # Wednesday to Tuesday, over a weekend
        (4, 7, True),
        (6, 6, False),  # Friday to Thursday
    ],
)
def test_four_working_days_from_the_interview(interview, days, late):
    begun = datetime(2026, 3, interview, 10, 0, tzinfo=WIT)
    assert flags(issued(interview=begun, ready=timedelta(days=days))) == (("LATE",) if late else ())


def test_a_public_holiday_is_no_working_day():
    late = issued(ready=timedelta(days=7))
    assert flags(late) == ("LATE",)
    assert flags(late, holidays={date(2026, 3, 4)}) == ()
    assert WORKING_DAYS == 4


def test_flags_that_somebody_claims_are_replaced_by_those_that_are_found():
    assert flagged(issued(flags=("LATE", "nonsense"))).flags == ()
    assert flagged(issued(distinct_approver=False)).flags == ("SAME_OFFICER",)


stages = st.builds(
    SopStage,
    name=st.sampled_from(STAGES) | st.text(max_size=6),
    at=st.none() | st.datetimes(timezones=st.sampled_from([UTC, WIT])),
)
trails = st.builds(
    SopTrail,
    sop_version=st.just(SPPT_2014) | st.text(max_size=6),
    issuing_office=st.text(max_size=6),
    stages=st.lists(stages, max_size=16).map(tuple),
    distinct_approver=st.none() | st.booleans(),
)


@given(trails)
@settings(max_examples=80, deadline=None)
def test_any_trail_gives_known_flags_each_once_and_goes_through_the_log(trail):
    found = flags(trail)
    assert list(found) == sorted(set(found), key=FLAGS.index)
    assert msgspec.json.decode(msgspec.json.encode(flagged(trail)), type=SopTrail) == flagged(trail)


def test_the_first_and_the_last_day_of_the_calendar_break_nothing():
    ends = (datetime.min.replace(tzinfo=WIT), datetime.max.replace(tzinfo=UTC))
    for interview in ends:
        for ready in ends:
            stages = (SopStage(name="interview", at=interview), SopStage(name="signing", at=ready))
            flags(issued(stages=stages))


def test_a_log_from_before_there_were_trails_is_read():
    fields = {"transaction": "T", "lane": "l", "checkpoint": "CGK", "direction": "arrival", "document_class": "service"}
    fields |= {"started": "2026-03-02T01:00:00Z", "ended": "2026-03-02T01:00:09Z", "document_key": "00", "outcome": "OPEN"}
    fields |= {"reasons": [], "stages": [], "decisions": [], "backends": {}, "demonstration": False}
    assert msgspec.json.decode(msgspec.json.encode(fields), type=TransactionRecord).trail is None
