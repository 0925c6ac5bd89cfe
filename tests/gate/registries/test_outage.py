"""20 June 2024, 04:15 in Jakarta: the national data centre is gone. The gate goes on for as long as it may, lets nobody through who
may not, loses nobody's crossing, and knows a centre that comes back badly from one that is well.

The reference server, its TLS, the gate's clients, snapshots, rules and outbox are the real ones; only the clock is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import msgspec
import pytest

from benchmarks.outage import LAST_REFRESH, WIB, Ruling, allowed_s, counts, crossings_told, run, table
from gate.decision import Outcome, decide_entry
from gate.evidence import IN_SNAPSHOT, Evidence
from gate.policy.engine import SNAPSHOT_TOO_OLD
from gate.policy.schema import load_rules

RULES = load_rules()
SECOND = 1 / 3600
FIRST_END = LAST_REFRESH + 6
"""The shortest of the tolerances that everybody needs, in the packaged rules: six hours."""
THE_DAY = date(2024, 6, 20)
THE_DAYS_HOURS = (0.25, 2, 3 - SECOND, 3, FIRST_END, FIRST_END + SECOND, 30, 41, 44, 45.5, 47, 49)
A_LATER_YEAR = date(2026, 6, 20)
"""On which service and diplomatic passports are served as well."""
ITS_HOURS = (0.25, FIRST_END, FIRST_END + SECOND, 49)


class Played:
    def __init__(self, began: date, rulings: list[Ruling], crossings: dict[str, int]) -> None:
        self.began, self.rulings, self.crossings = began, rulings, crossings
        self.failed = datetime(began.year, began.month, began.day, 4, 15, tzinfo=WIB)

    def at(self, hours: float, pick: Callable[[Ruling], bool] = lambda _: True) -> list[Ruling]:
        found = [each for each in self.rulings if each.hours == hours and pick(each)]
        assert found
        return found


def play(factory: pytest.TempPathFactory, began: date, hours: tuple[float, ...]) -> Played:
    return Played(began, *asyncio.run(run(factory.mktemp("outage"), began, hours, RULES)))


@pytest.fixture(scope="module")
def the_day(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory, THE_DAY, THE_DAYS_HOURS)


@pytest.fixture(scope="module")
def a_later_year(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory, A_LATER_YEAR, ITS_HOURS)


@pytest.fixture(params=["the_day", "a_later_year"])
def played(request: pytest.FixtureRequest) -> Played:
    found: Played = request.getfixturevalue(request.param)
    return found


def served(each: Ruling) -> bool:
    return each.person.clean and each.facts["enablement"].value == "enabled"


def test_nobody_is_let_through_who_may_not_and_nobody_kept_without_need(played: Played) -> None:
    told = counts(played.rulings, RULES)
    assert (told["wrong"], told["kept"]) == (0, 0)
    shown = [int(cell) for line in list(table(played.rulings))[2:] for cell in line.split("|")[5:-1] if cell.strip()]
    assert told["decisions"] == len(played.rulings) == sum(shown)
    barred = [each for each in played.rulings if each.person.barred(each.at)]
    assert len({each.person.kind for each in barred if each.source == "snapshot"}) >= 13


def test_no_crossing_is_lost_or_told_twice_and_all_in_their_order(played: Played) -> None:
    assert played.crossings["crossed"] == played.crossings["told"] > 20
    assert not any(played.crossings[what] for what in ("lost", "doubled", "disordered", "waiting"))


def test_the_judge_sees_each_fault_that_it_counts(the_day: Played) -> None:
    """Seeded: one who is barred and let through, one who is clean and kept, crossings lost, doubled and out of order."""
    barred = next(each for each in the_day.rulings if each.person.barred(each.at))
    clean = the_day.at(0.25, served)[0]
    opened = replace(barred, decision=clean.decision)
    kept = replace(clean, decision=barred.decision)
    assert counts([opened, kept], RULES) == {"decisions": 2, "wrong": 1, "too_late": 0, "kept": 1}
    ids = [each.transaction for each in the_day.rulings if each.opened][:3]
    recorded = [(ids[1], "passed"), (ids[0], "passed"), (ids[0], "passed"), (ids[2], "uncertain")]
    told = crossings_told([each for each in the_day.rulings if each.transaction in ids], recorded, waiting=0)
    assert (told["lost"], told["doubled"], told["disordered"]) == (1, 1, 1)


def test_before_and_after_everybody_is_served_live(played: Played) -> None:
    for hours in (LAST_REFRESH, 49):
        for each in played.at(hours, served):
            assert (each.source, each.decision.outcome, each.decision.tolerances) == ("live", Outcome.OPEN, ())


def test_without_a_network_snapshots_speak_and_the_decision_says_so(played: Played) -> None:
    for each in played.at(0.25, served):
        assert (each.source, each.opened) == ("snapshot", True)
        assert each.decision.tolerances
        old = {fact.as_of for fact in each.facts.values() if fact.value.endswith(IN_SNAPSHOT)}
        assert old == {played.failed + timedelta(hours=LAST_REFRESH)}


def test_each_class_goes_to_the_counter_when_its_snapshots_are_too_old_to_the_second(played: Played) -> None:
    for each in played.at(FIRST_END, served):
        assert allowed_s(RULES, each) == 6 * 3600
        assert each.opened
    for each in played.at(FIRST_END + SECOND, served):
        assert (each.source, each.decision.outcome, each.decision.reasons) == ("snapshot", Outcome.COUNTER, (SNAPSHOT_TOO_OLD,))


def test_each_tolerance_ends_to_the_second(played: Played) -> None:
    """One fact from a snapshot, all others live: the fact's own tolerance says how long."""
    as_of = played.failed + timedelta(hours=LAST_REFRESH)
    tried = set()
    for each in played.at(0.25, served):
        for name in (name for name, fact in each.facts.items() if fact.value.endswith(IN_SNAPSHOT)):
            alone = only_from_snapshot(each.evidence, name)
            (used,) = decide_entry(alone, RULES, each.at).tolerances
            (tolerance,) = [one for one in RULES.tolerances("trial", each.at) if one.id == used]
            assert tolerance.max_age_s
            end = as_of + timedelta(seconds=tolerance.max_age_s)
            assert decide_entry(alone, RULES, end).outcome is Outcome.OPEN
            assert decide_entry(alone, RULES, end + timedelta(seconds=1)).outcome is Outcome.COUNTER
            tried.add(used)
    assert len(tried) >= (9 if played.began == A_LATER_YEAR else 7)


def only_from_snapshot(evidence: Evidence, name: str) -> Evidence:
    live = {
        other: msgspec.structs.replace(fact, value=fact.value.removesuffix(IN_SNAPSHOT))
        for other, fact in evidence.facts.items()
        if other != name
    }
    return evidence.with_facts(**live)


def test_an_urgent_entry_lapses_and_another_begins_while_the_network_is_gone(the_day: Played) -> None:
    for hours, kind, outcome in (
        (2, "pencegahan, urgent, ends", Outcome.HOLD),
        (3 - SECOND, "pencegahan, urgent, ends", Outcome.HOLD),
        (3, "pencegahan, urgent, ends", Outcome.OPEN),
        (0.25, "pencegahan, begins", Outcome.OPEN),
        (2, "pencegahan, begins", Outcome.HOLD),
    ):
        (each,) = the_day.at(hours, lambda each, kind=kind: each.person.kind == kind)  # type: ignore[misc]
        assert (each.source, each.decision.outcome) == ("snapshot", outcome)


def test_news_that_came_too_late_are_the_price_and_counted(played: Played) -> None:
    told = counts(played.rulings, RULES)
    missed = [each for each in played.rulings if each.opened and each.person.later(each.at)]
    assert told["too_late"] == len(missed) > 0
    assert {each.source for each in missed} == {"snapshot"}
    assert played.at(49, lambda each: each.person.kind == "revoked too late")[0].decision.outcome is Outcome.HOLD


def test_bad_news_out_of_a_snapshot_weigh_as_much_after_days(the_day: Played) -> None:
    """Where only the age of good news keeps the others, whoever is barred is told apart still."""
    for hours in (30, 44):
        words = {each.person.kind: each.decision.outcome for each in the_day.at(hours)}
        for kind in ("revoked", "reported lost", "stolen (SLTD)", "pencegahan", "wanted", "penangkalan, foreigner"):
            assert words[kind] is Outcome.HOLD, kind


def test_a_centre_that_comes_back_badly_opens_nothing(the_day: Played) -> None:
    for each in (each for each in the_day.rulings if each.phase in {"slow", "old data", "older data", "forged"}):
        assert not each.opened
    whys = {each.facts[name].code for each in the_day.rulings if each.phase == "forged" for name in each.facts}
    assert whys >= {"forged", "misaddressed", "malformed"}
    for each in the_day.rulings:
        if each.phase in {"forged", "older data"}:
            assert each.source == "none", "a registry that lies is not away, and its snapshot does not speak for it"
