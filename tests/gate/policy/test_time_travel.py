"""The days on which the law changed, at both airports: what was right before midnight is not what is right after it.

A law begins at midnight in Jakarta (UTC+7), so at Ngurah Rai (UTC+8) at one in the morning; ages and dates of expiry are counted by the
calendar of the checkpoint.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from gate.clock import civil_date
from gate.decision import PolicyDecision, decide_entry
from gate.evidence import VOCABULARY, Direction, Evidence, Fact, successful
from gate.inspection import _age, _expiry, six_months_after
from gate.policy.schema import load_rules

RULES = load_rules()
ZONES = {"CGK": timezone(timedelta(hours=7)), "DPS": timezone(timedelta(hours=8))}
SECOND = timedelta(seconds=1)
ARRIVAL, DEPARTURE = Direction.ARRIVAL, Direction.DEPARTURE


def decided(checkpoint: str, at: datetime, direction: Direction = DEPARTURE, **changed: Fact) -> PolicyDecision:
    """The entry's decision on an ordinary traveller, all clean but for ``changed``."""
    clean = {fact: successful(words[0]) for fact, words in VOCABULARY.items()}
    evidence = Evidence(
        transaction="t",
        lane="L1",
        checkpoint=checkpoint,
        direction=direction,
        civil_date=civil_date(at, checkpoint),
        facts=clean | changed,
    )
    return decide_entry(evidence, RULES, at)


def local(checkpoint: str, *when: int) -> datetime:
    return datetime(*when, tzinfo=ZONES[checkpoint])  # type: ignore[arg-type]  # year to second


@pytest.mark.parametrize(("checkpoint", "hour"), [("CGK", 0), ("DPS", 1)])
def test_the_rule_on_inspection_changed_on_2024_06_18(checkpoint: str, hour: int) -> None:
    change = local(checkpoint, 2024, 6, 18, hour)
    assert decided(checkpoint, change - SECOND).grant == "citizen-ordinary-departure-2023-entry"
    assert decided(checkpoint, change).grant == "citizen-ordinary-departure-entry"
    bases = {grant.entry.id: grant.entry.basis for grant in RULES.grants}
    assert "44/2015" in bases["citizen-ordinary-departure-2023-entry"]
    assert "9/2024" in bases["citizen-ordinary-departure-entry"]


@pytest.mark.parametrize(("checkpoint", "hour"), [("CGK", 0), ("DPS", 1)])
@pytest.mark.parametrize("direction", Direction)
def test_the_least_age_fell_from_14_to_6_on_2024_08_26(checkpoint: str, hour: int, direction: Direction) -> None:
    change = local(checkpoint, 2024, 8, 26, hour)

    def said(years: int, at: datetime, guardian: str = "present") -> tuple[str, ...]:
        born = civil_date(at, checkpoint).replace(year=2024 - years)
        decision = decided(checkpoint, at, direction, age=_age(born, civil_date(at, checkpoint)), guardian=successful(guardian))
        return decision.reasons or (decision.outcome,)

    before = change - SECOND
    assert [said(years, before) for years in (5, 6, 13, 14, 17, 18)] == [
        ("UNDER_6",),
        ("UNDER_14",),
        ("UNDER_14",),
        ("OPEN",),
        ("OPEN",),
        ("OPEN",),
    ]
    assert [said(years, change) for years in (5, 6, 13, 14, 17, 18)] == [("UNDER_6",), *[("OPEN",)] * 5]
    assert said(10, change, guardian="absent") == ("MINOR_NEEDS_OFFICER",)


def test_a_birthday_comes_an_hour_earlier_at_ngurah_rai() -> None:
    at = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)  # half past midnight of the 2nd at DPS, half past eleven of the 1st at CGK
    born = date(2020, 3, 2)
    assert {place: _age(born, civil_date(at, place)).value for place in ZONES} == {"CGK": "under_6", "DPS": "from_6_to_13"}


@pytest.mark.parametrize(
    ("direction", "nationality", "outcome"),
    [
        (DEPARTURE, "citizen", "COUNTER"),
        (ARRIVAL, "citizen", "OPEN"),
        (ARRIVAL, "foreigner", "SECONDARY"),
        (DEPARTURE, "foreigner", "OPEN"),
    ],
)
def test_six_months_are_counted_by_the_calendar_of_the_checkpoint(direction: Direction, nationality: str, outcome: str) -> None:
    at = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
    expires = date(2026, 9, 1)  # six months from the 1st of March, a day less than six from the 2nd
    who = successful(nationality)
    by_place = {
        place: decided(place, at, direction, nationality=who, expiry=_expiry(expires, civil_date(at, place))).outcome
        for place in ZONES
    }
    assert by_place == {"CGK": "OPEN", "DPS": outcome}


@pytest.mark.parametrize(
    ("day", "after"),
    [
        (date(2026, 1, 1), date(2026, 7, 1)),
        (date(2026, 7, 1), date(2027, 1, 1)),
        (date(2026, 8, 31), date(2027, 2, 28)),
        (date(2027, 8, 31), date(2028, 2, 29)),
        (date(2026, 12, 31), date(2027, 6, 30)),
    ],
)
def test_half_a_year_has_up_to_184_days(day: date, after: date) -> None:
    assert six_months_after(day) == after
    assert _expiry(after, day).value == "valid"
    assert _expiry(after - timedelta(days=1), day).value == "under_6_months"


@pytest.mark.parametrize(("checkpoint", "hour"), [("CGK", 0), ("DPS", 1)])
@pytest.mark.parametrize("document_class", ["service", "diplomatic"])
def test_the_trial_of_official_books_begins_at_its_instant(checkpoint: str, hour: int, document_class: str) -> None:
    change = local(checkpoint, 2025, 12, 1, hour)
    book = successful(document_class)
    assert decided(checkpoint, change, document_class=book).outcome == "OPEN"
    assert decided(checkpoint, change - SECOND, document_class=book).unmet == ("grant=not_in_force",)
