"""The ten holes that an earlier draft of the rules was known to have, each closed by number."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import product

import pytest

from gate.decision import Outcome, PolicyDecision, decide_entry
from gate.evidence import NOT_PERFORMED, VOCABULARY, Direction, Evidence, successful
from gate.inspection import AGE_BANDS, _age
from gate.policy.schema import load_rules
from gate.policy.survey.cubes import minus
from gate.policy.survey.regions import survey, turning_points
from gate.policy.survey.samples import satisfying

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
RULES = load_rules()
DEPARTURE, ARRIVAL = Direction.DEPARTURE, Direction.ARRIVAL
WIB = timezone(timedelta(hours=7))


def traveller(direction: Direction = DEPARTURE, **words: str) -> Evidence:
    """Clean by every fact, but for ``words``."""
    clean = {fact: allowed[0] for fact, allowed in VOCABULARY.items()} | words
    return Evidence(
        transaction="t",
        lane="L1",
        checkpoint="CGK",
        direction=direction,
        civil_date=date(2026, 3, 2),
        facts={fact: successful(word) for fact, word in clean.items()},
    )


def entry(direction: Direction = DEPARTURE, at: datetime = NOW, **words: str) -> PolicyDecision:
    return decide_entry(traveller(direction, **words), RULES, at)


def said(decision: PolicyDecision) -> tuple[str, tuple[str, ...]]:
    return decision.outcome.value, decision.reasons


NOTHING = Evidence(transaction="", lane="", checkpoint="", direction=DEPARTURE, civil_date=NOW.date(), facts={})


@pytest.mark.parametrize("word", [NOT_PERFORMED, "", "Ok", "unkown"])
def test_hole_1_what_is_missing_unknown_or_misspelt_opens_nothing(word: str) -> None:
    assert said(decide_entry(NOTHING, RULES, NOW)) == ("COUNTER", ("REQUIREMENT_UNMET",))
    for grant in (grant for grant in RULES.grants if grant.entry.in_force(NOW) and grant.entry.stage == "entry"):
        clean = satisfying(grant, NOW)
        assert decide_entry(clean, RULES, NOW).outcome is Outcome.OPEN
        for need in grant.requirements:
            spoilt = clean.with_facts(**{need.fact: successful(word)})
            assert decide_entry(spoilt, RULES, NOW).outcome is not Outcome.OPEN, (grant.entry.id, need.fact)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(
    ("word", "outcome", "reason"),
    [
        ("no_reentry", "COUNTER", "NO_REENTRY_PERMIT"),
        ("overstay", "SECONDARY", "OVERSTAY"),
        ("none", "COUNTER", "NO_ELECTRONIC_PERMIT"),
        ("abtc", "COUNTER", "ABTC_HOLDER"),
        ("unavailable", "COUNTER", "STAY_PERMIT_UNAVAILABLE"),
    ],
)
def test_hole_2_a_foreigner_needs_the_permit_in_both_directions(
    direction: Direction, word: str, outcome: str, reason: str
) -> None:
    assert said(entry(direction, nationality="foreigner", stay_permit=word)) == (outcome, (reason,))


def test_hole_3_citizens_come_home_whatever_the_list_says_and_an_officer_is_told() -> None:
    words = ("clear", "unavailable", "possible", "hit")
    decisions = [entry(ARRIVAL, penangkalan=word) for word in words]
    assert [decision.outcome for decision in decisions] == [Outcome.OPEN] * 4
    told = [decision.annotations for decision in decisions]
    assert told == [(), ("PENANGKALAN_NOT_ASKED",), ("CITIZEN_PERHAPS_ON_PENANGKALAN",), ("CITIZEN_ON_PENANGKALAN",)]
    assert all(decision.tolerances for decision in decisions[1:])
    held = [entry(ARRIVAL, penangkalan=word, nationality="foreigner").outcome for word in words]
    assert held == [Outcome.OPEN, Outcome.COUNTER, Outcome.SECONDARY, Outcome.HOLD]
    assert entry(ARRIVAL, penangkalan=NOT_PERFORMED).outcome is Outcome.COUNTER


@pytest.mark.parametrize(
    ("unproven", "outcome", "reasons"),
    [
        ({"passive_authentication": "no_trust_anchor"}, "SECONDARY", ("PENANGKALAN_HIT", "NO_TRUST_ANCHOR")),
        ({"passive_authentication": "undetermined"}, "SECONDARY", ("PENANGKALAN_HIT", "PA_UNDETERMINED")),
        (
            {"chip": "unreadable", "passive_authentication": NOT_PERFORMED},
            "SECONDARY",
            ("PENANGKALAN_HIT", "CHIP_UNREADABLE"),
        ),
        ({"passive_authentication": "rejected"}, "HOLD", ("PA_SIGNATURE_OR_HASH_BAD",)),
        ({"dg1_mrz": "different"}, "HOLD", ("DG1_MRZ_DIFFERENT",)),
        ({"issuance": NOT_PERFORMED}, "COUNTER", ("REQUIREMENT_UNMET",)),  # another State's book
        ({"chip_authenticity": "not_genuine"}, "HOLD", ("CHIP_NOT_GENUINE",)),
    ],
)
def test_hole_3_a_book_that_merely_says_citizen_brings_nobody_home(
    unproven: dict[str, str], outcome: str, reasons: tuple[str, ...]
) -> None:
    """Else a barred foreigner with a forged book would be announced as somebody who may not be refused."""
    decision = entry(ARRIVAL, penangkalan="hit", **unproven)
    assert said(decision) == (outcome, reasons)
    assert not decision.annotations


def test_hole_4_each_list_speaks_of_its_own_direction_alone() -> None:
    for nationality in ("citizen", "foreigner"):
        assert entry(ARRIVAL, nationality=nationality, pencegahan="hit").outcome is Outcome.OPEN
        assert entry(DEPARTURE, nationality=nationality, penangkalan="hit").outcome is Outcome.OPEN
        assert said(entry(DEPARTURE, nationality=nationality, pencegahan="hit")) == ("HOLD", ("PENCEGAHAN_HIT",))
    assert said(entry(ARRIVAL, nationality="foreigner", penangkalan="hit")) == ("HOLD", ("PENANGKALAN_HIT",))


@pytest.mark.parametrize("document_class", ["service", "diplomatic"])
@pytest.mark.parametrize("direction", Direction)
def test_hole_5_a_foreign_official_book_is_not_missed_in_our_registries(document_class: str, direction: Direction) -> None:
    decision = entry(
        direction,
        document_class=document_class,
        nationality="foreigner",
        issuance="not_found",
        biometric_record="none",
        exit_permit="none",
    )
    assert said(decision) == ("COUNTER", ("FOREIGN_OFFICIAL_BOOK",))


def test_hole_6_a_wanted_person_is_held_and_a_namesake_is_looked_at() -> None:
    for direction, nationality in product(Direction, ("citizen", "foreigner")):
        assert said(entry(direction, nationality=nationality, wanted="hit")) == ("HOLD", ("WANTED_PERSON",))
        assert said(entry(direction, nationality=nationality, wanted="possible")) == ("SECONDARY", ("WATCHLIST_POSSIBLE",))


def test_hole_7_only_the_issuer_says_that_a_book_has_no_chip() -> None:
    reasons = {
        model: said(entry(chip="unreadable", document_model=model)) for model in (*VOCABULARY["document_model"], NOT_PERFORMED)
    }
    assert reasons == {
        "chip_expected": ("COUNTER", ("CHIP_UNREADABLE",)),
        "unknown": ("COUNTER", ("CHIP_UNREADABLE",)),
        NOT_PERFORMED: ("COUNTER", ("CHIP_UNREADABLE",)),
        "chipless": ("COUNTER", ("CHIPLESS_BOOK",)),
    }
    assert said(entry(chip="read", document_model="chipless")) == ("SECONDARY", ("CHIP_NOT_EXPECTED",))


def test_hole_8_on_no_day_opens_what_would_not_open_today_and_before_the_first_nothing_does() -> None:
    """No rule begins at a day, so an earlier one has every rule of today's; the only things that opened then and do not now are named."""
    assert all(rule.effective_from == RULES.rules[0].effective_from for rule in RULES.rules)
    days = turning_points(RULES)
    assert not any(region.cubes for region in survey(RULES, days[0]).regions)
    first = min(grant.entry.effective_from for grant in RULES.grants)
    assert first == datetime(2023, 10, 2, tzinfo=WIB)
    assert said(entry(at=first - timedelta(microseconds=1))) == ("COUNTER", ("REQUIREMENT_UNMET",))
    today = [cube for region in survey(RULES, NOW).regions for cube in region.cubes]
    for day in (day for day in days[1:] if day < NOW):
        then = survey(RULES, day)
        opened = [case for region in then.regions for case in region.cubes]
        assert not minus(opened, today), day


@pytest.mark.parametrize(
    ("born", "band"),
    [
        (date(2008, 3, 2), "adult"),
        (date(2008, 3, 3), "from_14_to_17"),
        (date(2012, 3, 2), "from_14_to_17"),
        (date(2012, 3, 3), "from_6_to_13"),
        (date(2020, 3, 2), "from_6_to_13"),
        (date(2020, 3, 3), "under_6"),
        (date(2026, 3, 2), "under_6"),
    ],
)
def test_hole_9_fourteen_has_a_band_of_its_own_and_ends_on_the_birthday(born: date, band: str) -> None:
    assert [least for least, _ in AGE_BANDS] == [18, 14, 6, 0]
    assert _age(born, date(2026, 3, 2)).value == band
    assert _age(None, date(2026, 3, 2)).value == "unknown"
    assert said(entry(age="unknown")) == ("COUNTER", ("AGE_UNKNOWN",))


def test_hole_10_each_entry_says_whether_its_source_was_seen_inferred_or_assumed() -> None:
    status = {rule.reason: rule.source_status for rule in RULES.rules}
    assert status["DECLARATION_MISSING"] == "design_assumption"
    assert status["SIGNER_REVOKED"] == "design_assumption"
    for entry_ in (*RULES.rules, *RULES.annotations, *(grant.entry for grant in RULES.grants), *RULES.enablement):
        assert entry_.basis
        assert entry_.source_status in {"seen", "inferred", "design_assumption"}
