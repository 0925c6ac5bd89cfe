"""What a lane makes of signed rules: it switches between travellers at the instant, says so, and stays with the last good ones."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from gate import doctor
from gate.audit.log import FILE_NAME, AuditLog, AuditWriter, decode, open_readonly
from gate.clock import WALL_FLOOR_FILE, SystemClock, WallFloor
from gate.config import Camera, Config, Controller, Face, Lane, Rules, Scanner, Trust
from gate.evidence import Direction
from gate.lane import View
from gate.policy import schedule as schedules
from gate.policy.engine import decide
from gate.policy.examiner import examine
from gate.policy.schedule import SIGNED, Answer, Period, Schedule, read_schedule
from gate.policy.schema import PACKAGED, RulesError, load_rules
from gate.policy.survey.samples import satisfying
from gate.policy_command import explained
from gate.processes import rules_watch
from gate.processes.casework import Casework
from gate.processes.rules_watch import RulesWatch, open_schedule
from gate.records import DecisionRecord, RulesInForce
from gate.replay import RULES_FOLDER, replay_command, rule_sets, rules_of

MIDNIGHT = datetime(2026, 12, 1, tzinfo=timezone(timedelta(hours=7)))
SECOND = timedelta(seconds=1)
KEY = b"k" * 32
pytestmark = pytest.mark.usefixtures("remembered", "here")


@pytest.fixture
def here(monkeypatch):
    """The examiner in this process: what it costs to start one is paid in the tests of the real lane."""

    def examined(config: Config, at: datetime) -> Answer:
        from pki.errors import PkiError

        try:
            return examine(schedules.Question.of(config, at), keep=True)
        except PkiError as error:
            return Answer(problem=error.detail)

    monkeypatch.setattr(schedules, "_examined", examined)


def configured(house, **changes: Any) -> Config:
    config = Config(
        profile="trial",
        state_dir=house.state,
        lane=Lane(id="1", checkpoint="CGK", direction=Direction.DEPARTURE),
        scanner=Scanner(kind="serial", address="scanner", profile="rte", mrz="device"),
        camera=Camera(kind="opencv", address="camera"),
        controller=Controller(device="/dev/null"),
        face=Face(pack="operator", packs_dir=house.state),
        trust=Trust(store=house.state),
        rules=Rules(store=house.folder, signers=house.signers),
    )
    return msgspec.structs.replace(config, **changes)


class Clock:
    """At the time that a test says, and a second later at each look where it says so."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def wall(self) -> datetime:
        return self.now

    def boot(self) -> float:
        return 1.0


def name(version: str) -> str:
    return version.partition("@")[0]


# --- the schedule


def test_the_version_in_a_decision_names_set_files_and_signatures(house):
    house.bring("one")
    period = read_schedule(configured(house), house.at).at(house.at)
    told, _, statement = period.rules.version.partition(SIGNED)
    assert told == load_rules(period.folder).version
    assert statement == house.versions.in_force().statement.digest[:32]
    assert period.people == ("budi", "siti")


def test_without_a_store_the_rules_are_those_of_the_folder_or_the_packaged_ones_and_nobodys(house):
    for rules in (Rules(), Rules(folder=PACKAGED)):
        period = read_schedule(configured(house, profile="demo", rules=rules), house.at).at(house.at)
        assert (period.rules.version, period.people) == (load_rules().version, ())


def test_files_that_are_changed_between_proof_and_loading_are_refused(house, monkeypatch):
    version = house.bring("one")
    proven = schedules._examined

    def changed_then(config: Config, at: datetime) -> Answer:
        answer = proven(config, at)
        path = version.path / "rule_set.toml"
        path.write_text(path.read_text().replace('"one"', '"two"'))
        return answer

    monkeypatch.setattr(schedules, "_examined", changed_then)
    with pytest.raises(RulesError, match="other rules than were signed"):
        read_schedule(configured(house), house.at)


@pytest.mark.parametrize(("module", "why"), [("gate.policy.no_such", "No module named"), ("this", "could not be examined")])
def test_an_examiner_that_does_not_answer_leaves_no_rules(house, monkeypatch, module, why):
    monkeypatch.undo()
    monkeypatch.setattr(schedules, "EXAMINER", module)
    house.bring("one")
    with pytest.raises(RulesError, match=why):
        read_schedule(configured(house), house.at)


def test_the_real_examiner_answers_for_the_lane(house, monkeypatch):
    monkeypatch.undo()
    house.bring("one")
    assert name(read_schedule(configured(house), house.at).at(house.at).rules.version) == "one"
    (house.versions.find("1").path / "rules.toml").write_bytes(b"")
    told = read_schedule(configured(house), house.at)
    assert "was changed" in told.problem


# --- the lane


@pytest.fixture
async def watch_at(house):
    """A watch over the house's rules at a moment, and what it told."""
    log = AuditWriter(AuditLog(house.state / FILE_NAME, KEY))

    def watch_at(at: datetime) -> tuple[RulesWatch, Clock, list[str]]:
        clock, told = Clock(at), list[str]()
        config = configured(house)
        floor = WallFloor(house.state / WALL_FLOOR_FILE)
        watch = RulesWatch(config, open_schedule(config, clock), clock, floor=floor, log=log, tell=told.append)
        return watch, clock, told

    yield watch_at
    await asyncio.to_thread(log.close)


async def settled(watch: RulesWatch) -> None:
    while watch._notes:
        await asyncio.wait(watch._notes)


def noted(house) -> list[RulesInForce]:
    with open_readonly(house.state / FILE_NAME, KEY) as log:
        return [decode(record, RulesInForce) for record in log.records("event")]


async def test_the_switch_comes_with_the_instant_and_is_written_down_with_who_signed_it(house, watch_at):
    house.bring("old")
    house.bring("new", begins=MIDNIGHT)
    watch, clock, _ = watch_at(MIDNIGHT - SECOND)
    assert name(watch.now().version) == "old"
    clock.now = MIDNIGHT - timedelta(microseconds=1)
    assert name(watch.now().version) == "old"
    clock.now = MIDNIGHT
    assert name(watch.now().version) == "new"
    assert watch.now() is watch.now()
    await settled(watch)
    first, second = noted(house)
    assert (first.before, second.before, second.statement) == ("", first.rules_version, 2)
    assert (name(second.rules_version), second.people, second.begins) == ("new", ("budi", "siti"), MIDNIGHT)


async def test_a_clock_that_is_set_back_after_the_switch_does_not_undo_it(house, watch_at):
    """The switch itself is a time that was seen: the gate's clock is never below it again, and doubtful until it is right."""
    house.bring("old")
    house.bring("new", begins=MIDNIGHT)
    watch, _, _ = watch_at(MIDNIGHT + SECOND)
    watch.now()
    await settled(watch)
    floor = WallFloor(house.state / WALL_FLOOR_FILE)
    assert floor.highest == MIDNIGHT + SECOND
    assert not floor.trusted(MIDNIGHT - SECOND)


def test_a_clock_that_is_set_back_before_the_switch_only_puts_it_off(house):
    house.bring("old")
    house.bring("new", begins=MIDNIGHT)
    schedule = read_schedule(configured(house), MIDNIGHT - SECOND)
    back = house.at - timedelta(days=400)
    assert [name(schedule.at(at).rules.version) for at in (back, MIDNIGHT - SECOND, MIDNIGHT)] == ["old", "old", "new"]


async def _until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_lane_that_runs_finds_what_people_put_into_force_and_keeps_what_it_has_where_that_is_spoilt(
    house, watch_at, monkeypatch, capsys
):
    monkeypatch.setattr(rules_watch, "LOOK_S", 0.01)
    monkeypatch.setattr(rules_watch, "AGAIN_S", 0.02)
    house.bring("old")
    watch, _, told = watch_at(house.at)
    heeding = asyncio.create_task(watch.heed())
    version, good = house.add("new"), house.active.read_bytes()
    house.active.write_bytes(house.sign(version, "siti").encoded)  # one person alone, put there by hand
    await _until(lambda: told)
    assert "signed by 1 of 2 people (siti)" in told[-1]
    assert name(watch.now().version) == "old"
    house.active.write_bytes(good)
    house.sign(version, "dewi")
    house.activate(version)
    await _until(lambda: name(watch.now().version) == "new")
    await _until(lambda: told[-1] == "")
    heeding.cancel()
    assert "lane: rules: " in capsys.readouterr().err
    digests = {each.partition("@")[2] for each in rule_sets(house.state) if name(each) in {"old", "new"}}
    assert {path.name for path in (house.state / RULES_FOLDER).iterdir()} == digests


async def test_a_lane_whose_next_rules_cannot_be_loaded_goes_on_with_those_it_has(house, watch_at, monkeypatch):
    monkeypatch.setattr(rules_watch, "LOOK_S", 0.01)
    house.bring("old")
    watch, _, told = watch_at(house.at)
    heeding = asyncio.create_task(watch.heed())

    def unreadable(*_: Any) -> Schedule:
        raise OSError("disk on fire")

    monkeypatch.setattr(rules_watch, "read_schedule", unreadable)
    house.bring("new")
    await _until(lambda: told)
    assert "disk on fire" in told[-1]
    assert name(watch.now().version) == "old"
    heeding.cancel()


async def test_rules_that_nobody_signed_leave_no_word_in_the_log(house):
    log = AuditWriter(AuditLog(house.state / FILE_NAME, KEY))
    clock, config = Clock(house.at), configured(house, rules=Rules())
    watch = RulesWatch(
        config,
        Schedule.unsigned(load_rules()),
        clock,
        floor=WallFloor(house.state / WALL_FLOOR_FILE),
        log=log,
        tell=lambda _: pytest.fail("nothing to tell"),
    )
    assert watch.now().version == load_rules().version
    await watch.heed()
    await asyncio.to_thread(log.close)
    assert noted(house) == []


# --- one traveller, one set


class Helpers:
    """Whom the casework sends and asks: does whatever it is told, and answers with nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: {}


async def test_a_traveller_is_judged_to_the_end_by_the_rules_they_began_with(tmp_path):
    """At midnight somebody stands between the doors."""
    packaged = load_rules()
    sets = [replace(packaged, version=each) for each in ("old@1", "new@2")]
    now = [sets[0]]
    log = AuditWriter(AuditLog(tmp_path / FILE_NAME, KEY))
    config = Config(
        profile="demo",
        state_dir=tmp_path,
        lane=Lane(id="1", checkpoint="CGK", direction=Direction.DEPARTURE),
        scanner=Scanner(kind="simulator", address="x"),
        camera=Camera(kind="simulator", address="x"),
        controller=Controller(device="x"),
        face=Face(pack="demo", packs_dir=tmp_path),
        trust=Trust(store=tmp_path),
    )
    case = Casework(config, sets[0], log, clock=SystemClock(), helpers=Helpers(), key=KEY, rules_now=lambda: now[0])
    case.attach(lambda _: None, lambda what: what(), lambda: ("ready", View()), lambda work: work())
    judged = []
    for _ in range(2):
        case.begin()
        now[0] = sets[1]
        case.rule_again()
        judged.append(case.running.last_decision.rules_version)
        case.rule_again()
        case.end()
    await case.settle()
    await asyncio.to_thread(log.close)
    assert judged == ["old@1", "new@2"]


# --- afterwards


def recorded(house, period: Period) -> DecisionRecord:
    grant = period.rules.grants[0]
    evidence = satisfying(grant, house.at)
    return DecisionRecord(at=house.at, evidence=evidence, decision=decide(evidence, period.rules, house.at, grant.entry.stage))


def test_a_decision_replays_and_is_explained_under_the_signed_version_that_judged(house, tmp_path, capsys):
    house.bring("one")
    record = recorded(house, read_schedule(configured(house), house.at).at(house.at))
    log = AuditLog(house.state / FILE_NAME, KEY)
    log.append("decision", record.evidence.transaction, record, house.at, 1.0)
    log.close()
    assert replay_command(house.state) == 1
    assert "is not at hand" in capsys.readouterr().out
    assert replay_command(house.state, store=house.folder) == 0
    rules = rules_of(record.decision, rule_sets(house.state, house.folder))
    assert rules is not None
    assert any("granted: " in line for line in explained(record, rules))
    assert rules_of(record.decision, rule_sets(house.state)) is None


def test_a_kept_set_that_this_release_cannot_read_is_said_and_keeps_no_other_from_being_replayed(house, capsys):
    folder = house.state / RULES_FOLDER / "older"
    folder.mkdir(parents=True)
    (folder / "rules.toml").write_text("[[rule]]\n")
    assert rule_sets(house.state).keys() == {load_rules().version}
    assert "older: not a rule set of this release" in capsys.readouterr().err


def test_the_doctor_says_which_rules_a_lane_would_go_by_and_what_is_wrong_with_them(house):
    assert doctor._check_rules(configured(house, rules=Rules())).what.endswith("unsigned")
    assert not doctor._check_rules(configured(house)).ok
    version = house.bring("one")
    told = doctor._check_rules(configured(house))
    assert told.ok
    assert "signed by budi and siti" in told.what
    open_schedule(configured(house), Clock(house.at))
    (version.path / "rules.toml").write_bytes(b"")
    told = doctor._check_rules(configured(house))
    assert (told.ok, "was changed" in told.what) == (False, True)


def test_a_statement_is_plain_json_that_people_can_read(house):
    house.bring("one", begins=MIDNIGHT, because="PP 1/2027")
    told = json.loads(house.active.read_bytes())["statement"]
    assert (told["begins"], told["because"], told["version"]) == (MIDNIGHT.isoformat(), "PP 1/2027", 1)
