"""A small simulated trial: whole, repeatable, and with nobody let through who should not be."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gate.__main__ import main
from gate.audit.log import FILE_NAME, KEY_FILE, decode, gate_key, open_readonly
from gate.outcome import Outcome
from gate.records import OfficerActed, TransactionRecord
from gate.simulation.lane import SimulatedLane
from gate.simulation.scenario import Choice, Fixed, Scenario, ScenarioError, Share
from gate.simulation.trial import QUEUE_FILE, Wanted, simulate
from gate.simulation.world import Books

NOTED = {"assumption": True, "reason": "made for a test"}
ALWAYS, NEVER = Share(of=1, **NOTED), Share(of=0, **NOTED)


def changed(wanted: Wanted, **sections: dict[str, object]) -> Wanted:
    """``wanted`` with parts of its scenario's sections replaced."""
    scenario: Scenario = wanted.scenario
    for name, parts in sections.items():
        scenario = msgspec.structs.replace(scenario, **{name: msgspec.structs.replace(getattr(scenario, name), **parts)})
    return dataclasses.replace(wanted, scenario=scenario)


def transactions(out: Path) -> list[TransactionRecord]:
    return [decode(record, TransactionRecord) for record in _records(out, "transaction")]


def _records(out: Path, kind: str) -> Iterator[object]:
    for folder in sorted(out.glob("CGK-*")):
        with open_readonly(folder / FILE_NAME, gate_key(folder / KEY_FILE)) as log:
            assert list(log.verify()) == []
            yield from list(log.records(kind))


def only(kind: str) -> dict[str, object]:
    return {"kind": Choice(weights={kind: 1}, **NOTED), "family_size": Choice(weights={"1": 1}, **NOTED), "declared": ALWAYS}


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(wanted: Wanted):
    told = []
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        out = wanted.out / name
        simulate(dataclasses.replace(wanted, seed=seed, out=out))
        told.append(((out / QUEUE_FILE).read_bytes(), [msgspec.json.encode(each) for each in transactions(out)]))
    assert told[0] == told[1]
    assert told[0][0] != told[2][0]
    assert told[0][1] != told[2][1]


def test_everybody_who_comes_is_served_and_says_plainly_that_nobody_was_there(wanted: Wanted):
    told = simulate(wanted)
    [bank] = told["banks"]
    assert bank["arrived"] == bank["served"] >= 30
    assert sum(hour["arrived"] for hour in bank["hours"]) == bank["arrived"]
    records = transactions(wanted.out)
    assert len(records) >= bank["served"]
    assert all(record.demonstration for record in records)
    assert all("simulator" in record.backends[what] for record in records for what in ("scanner", "chip", "face", "controller"))
    assert told["simulated"] is True
    assert json.loads((wanted.out / QUEUE_FILE).read_bytes()) == told
    opened = [record for record in records if record.outcome is Outcome.OPEN]
    assert told["whole_traveller"]["opened"] == len(opened) > 10


def test_whoever_stands_on_a_list_is_never_let_through(wanted: Wanted):
    told = simulate(changed(wanted, people=only("foreigner") | {"listed": ALWAYS}))
    assert told["whole_traveller"]["opened"] == 0
    reasons = Counter(reason for record in transactions(wanted.out) for reason in record.reasons)
    assert reasons["WANTED_PERSON"] > 0, reasons


def test_the_same_travellers_pass_where_nobody_is_listed(wanted: Wanted, monkeypatch: pytest.MonkeyPatch):
    """Else the test before would also hold for a gate that opens for nobody."""
    monkeypatch.setattr(Books, "reply", _clean(Books.reply))
    told = simulate(changed(wanted, people=only("foreigner") | {"listed": ALWAYS}))
    assert told["whole_traveller"]["opened"] > 15


def _clean(real):
    """A registry that was bribed: nobody is listed."""

    def reply(self, contract, question, now):
        self.listed = ()
        self._records["lost_and_stolen"] = {}
        return real(self, contract, question, now)

    return reply


def test_a_lane_that_closes_while_nobody_comes_leaves_the_next_one_to_the_other(wanted: Wanted):
    """Of two lanes one is lost from the beginning to the end: all go by the other, and who waits, waits in the queue."""
    gone = {"link_losses_per_lane_day": Fixed(value=1e6, **NOTED), "link_loss_s": Fixed(value=86_400, **NOTED)}
    bank = msgspec.structs.replace(wanted.scenario.bank[0], lanes=2)
    scenario = msgspec.structs.replace(changed(wanted, networks=gone).scenario, bank=(bank,))
    lanes: list[SimulatedLane] = []
    real = SimulatedLane.lose_links

    async def lose_links(self: SimulatedLane) -> None:
        lanes.append(self)
        if len(lanes) == 1:
            await real(self)
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedLane, "lose_links", lose_links)
        simulate(dataclasses.replace(wanted, scenario=scenario))
    served = Counter(record.lane for record in transactions(wanted.out))
    assert set(served) == {"CGK-arr-2"}, served


def test_service_passports_pass_where_the_rules_say_so_and_fail_for_the_reason_that_was_drawn(wanted: Wanted):
    good = {"chipless_official": NEVER, "chip_dead": NEVER, "tag_lost": NEVER, "no_biometric_record": NEVER}
    simulate(dataclasses.replace(changed(wanted, people=only("service"), documents=good), out=wanted.out / "good"))
    outcomes = Counter(record.outcome for record in transactions(wanted.out / "good"))
    assert outcomes[Outcome.OPEN] > 15, outcomes
    bad = good | {"no_biometric_record": ALWAYS}
    simulate(dataclasses.replace(changed(wanted, people=only("service"), documents=bad), out=wanted.out / "bad"))
    records = transactions(wanted.out / "bad")
    assert not any(record.outcome is Outcome.OPEN for record in records)
    assert any("NO_BIOMETRIC_RECORD" in record.reasons for record in records)


def test_in_an_outage_the_snapshots_speak_and_say_so(wanted: Wanted):
    away = {"outage": ALWAYS, "outage_s": Fixed(value=86_400, **NOTED)}
    begins_late = changed(wanted, networks=away, people=only("ordinary"))
    bank = msgspec.structs.replace(begins_late.scenario.bank[0], lanes=1, hours=Choice(weights={"23": 1}, **NOTED))
    scenario = msgspec.structs.replace(begins_late.scenario, bank=(bank,))
    simulate(dataclasses.replace(begins_late, scenario=scenario))
    words = Counter(
        (record.outcome, record.decisions[-1].evidence.value("issuance"))
        for record in transactions(wanted.out)
        if record.decisions
    )
    assert not any(word == "active" for _, word in words), words
    assert any(word == "active_in_snapshot" for _, word in words), words


def test_a_second_person_inside_goes_back_out_and_nobody_passes(wanted: Wanted):
    told = simulate(changed(wanted, motion={"second_inside": ALWAYS}, people=only("ordinary")))
    assert told["whole_traveller"]["opened"] == 0
    assert any("MORE_THAN_ONE_PERSON" in record.reasons for record in transactions(wanted.out))


def test_what_is_left_behind_an_officer_fetches_and_the_lane_goes_on(wanted: Wanted):
    told = simulate(changed(wanted, motion={"leaves_object": ALWAYS}, people=only("ordinary")))
    assert told["banks"][0]["served"] >= 30


def test_a_lane_whose_line_is_lost_again_and_again_still_serves_everybody(wanted: Wanted):
    lost = {"link_losses_per_lane_day": Fixed(value=2500, **NOTED), "link_loss_s": Fixed(value=5, **NOTED)}
    told = simulate(changed(wanted, networks=lost))
    assert told["banks"][0]["served"] == told["banks"][0]["arrived"]
    assert all(lane["link_losses"] > 3 and lane["out_of_service_s"] > 10 for lane in told["lanes"])


def test_whoever_is_held_is_let_out_by_an_officer_whose_act_is_on_record(wanted: Wanted):
    attacked = {"impostor": Choice(weights={"attack": 1}, **NOTED)}
    told = simulate(changed(wanted, people=only("ordinary") | attacked, officer={"reach_s": Fixed(value=5, **NOTED)}))
    stopped = [record for record in transactions(wanted.out) if "PRESENTATION_ATTACK" in record.reasons]
    assert len(stopped) > 10
    acts = [decode(record, OfficerActed) for record in _records(wanted.out, "officer")]
    assert any(act.action == "eject" and not act.refused for act in acts)
    assert told["whole_traveller"]["opened"] < len(stopped)


def test_time_of_a_traveller_adds_up(wanted: Wanted):
    whole = simulate(changed(wanted, people=only("ordinary")))["whole_traveller"]
    assert 0 < whole["neither_without_chip_allowance_s"]["p50"] < whole["neither_s"]["p50"] < whole["total_s"]["p50"]
    assert whole["saved_by_concurrency_s"]["p50"] > 0
    assert whole["one_after_another_s"]["p50"] > whole["neither_s"]["p50"]


# --- asked wrongly ------------------------------------------------------------------------------------------------------------


def test_an_airport_without_a_bank_is_named(wanted: Wanted):
    with pytest.raises(ScenarioError, match="CGK"):
        simulate(dataclasses.replace(wanted, airport="SUB"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--days", "0"], "--days"),
        (["--airport", "XXX"], "no bank"),
        (["--scenario", "none.toml"], "none.toml"),
        (["--compute", "none.toml"], "none.toml"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str):
    assert main(["simulate", "--state", str(tmp_path / "out"), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_no_folder_with_something_in_it_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    assert main(["simulate", "--state", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]
