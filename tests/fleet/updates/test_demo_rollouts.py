"""What the demonstration of a fleet rolls out: a good version that a gate takes, a bad one that none takes, and what is told of both."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest

from gate.audit.keys import open_signer
from gate.config import Camera, Config, Controller, Face, Lane, Scanner, Trust
from gate.evidence import Direction
from gate.fleet.centre.database import migrate
from gate.fleet.demo_keys import DemoKeys, Enrolled
from gate.fleet.demo_rollouts import Rollouts, line
from gate.fleet.demo_updates import DemoUpdates
from gate.fleet.keys.command import EVENT_KEY
from gate.fleet.updates import ledger
from gate.fleet.updates.director import Director, signed_assignment
from gate.fleet.updates.rollout import Plan, Stage, State
from gate.fleet.updates.sources import Folder
from gate.fleet.updates.targets import Target
from gate.fleet.updates.updater import Updater
from gate.policy.sets import RulesVersions

FIRST, SECOND = "CGK.demo-1", "DPS.demo-1"


class Prepared:
    """As :class:`gate.fleet.demo.FleetDemo` prepares it: everybody's keys, the first gate's folders, what is rolled out."""

    def __init__(self, folder):
        keys = DemoKeys(folder=folder / "authority")
        keys.make(4222)
        gate = Enrolled(purpose="gate", name=FIRST, folder=folder / "gate")
        director = Enrolled(purpose="director", name="director", folder=folder / "director")
        keys.enrol([gate, director])
        updates = DemoUpdates(folder / "updates", keys)
        updates.make()
        rules, root = updates.equip(gate.folder)
        self.repository, self.rollouts = updates.repository, updates.allow({"CGK": [FIRST], "DPS": [SECOND]})
        self.signer = open_signer(director.folder / EVENT_KEY, "director director")
        file = folder / "gate.toml"
        file.write_text("# a gate\n")
        self.config = Config(
            profile="demo",
            state_dir=folder,
            lane=Lane(id="demo-1", checkpoint="CGK", direction=Direction.DEPARTURE),
            scanner=Scanner(kind="simulator", address="x"),
            camera=Camera(kind="simulator", address="x"),
            controller=Controller(device="x"),
            face=Face(pack="demo", packs_dir=folder),
            trust=Trust(store=folder / "trust"),
            rules=rules,
            fleet=msgspec.structs.replace(keys.section(gate, "tls://127.0.0.1:4222"), updates=root),
        )
        self.updater = Updater(self.config, None, config_path=file)
        self.store, self._number = RulesVersions(rules.store), 0

    def takes(self, path):
        """What troubled the gate when it was assigned that."""
        self._number += 1
        raw = signed_assignment(self.signer, FIRST, self._number, {"rules": path}, datetime.now(UTC))
        self.updater.look(Folder(self.repository.folder), lambda _: raw)
        return self.updater.trouble

    @property
    def in_force(self):
        one = self.store.in_force().statement
        return one.version, one.sequence, one.action


@pytest.fixture
def prepared(tmp_path):
    return Prepared(tmp_path)


def test_a_gate_takes_the_good_version_refuses_what_somebody_signed_who_may_not_and_takes_the_way_back(prepared):
    good, bad = (each.plan for each in prepared.rollouts)
    assert prepared.in_force == (1, 1, "activate")
    assert prepared.takes(good.target) == ""
    assert prepared.in_force == (2, 2, "activate")
    assert "is signed by 1 of 2 people (pretend-2)" in prepared.takes(bad.target)
    assert prepared.updater.refused == {"not_signed": 1}
    assert prepared.in_force == (2, 2, "activate")
    assert prepared.takes(bad.back) == ""
    assert prepared.in_force == (2, 5, "rollback")


def tell(connection, gate, path, rules):
    """As the collector writes a gate's status that goes by ``rules``."""
    target = Target.parse(path)
    connection.execute(
        "insert into gate_status (gate, told, at, boot, log, head, receipted, state, troubles, waiting_s, versions, freshness, refused)"
        " values (%s, now(), now(), 0, '', 0, 0, 'idle', '{}', 0, %s, '{}', '{}') on conflict (gate) do update set versions = excluded.versions",
        (gate, json.dumps({target.word: target.label, "rules": f"{rules}+{target.digest[:32]}"})),
    )


def test_the_second_begins_when_the_first_has_ended_and_both_are_told_as_they_went(database, prepared, capsys):
    good, bad = prepared.rollouts
    rollouts, ahead = Rollouts(prepared.rollouts), timedelta()
    director = Director("", None, None, prepared.repository, lambda: datetime.now(UTC) + ahead)
    with psycopg.connect(database, autocommit=True) as connection:

        def moved():
            director._move(connection)
            rollouts.look(connection)
            return ledger.newest(connection).state

        rollouts.look(connection)  # no table yet
        migrate(database)
        tell(connection, FIRST, good.plan.back, "demonstration-1@0")
        rollouts.look(connection)
        assert ledger.newest(connection) is None, "the second gate has not said by which rules it goes"
        assert [each.split(":")[1].split(" not")[0] for each in rollouts.told(connection)] == [" rules 2", " rules 3"]
        tell(connection, SECOND, good.plan.back, "demonstration-1@0")
        rollouts.look(connection)
        for number, gate in enumerate((FIRST, SECOND)):
            assert moved().stage == number
            tell(connection, gate, good.plan.target, good.rules)
            ahead += timedelta(seconds=4)
        assert moved().phase == "forth", "the second has begun"
        assert moved().phase == "forth", "and is not yet too late"
        ahead += timedelta(minutes=1)
        assert moved().phase == "back"
        assert not rollouts.over
        tell(connection, FIRST, bad.plan.back, good.rules)
        assert moved().phase == "undone"
        assert rollouts.over
        assert list(rollouts.told(connection)) == [
            "roll-out: rules 2 in force at 2 of 2 gates, stages 2",
            f"roll-out: rules 3 returned after stage 1, in force at 0 of 2 gates: {FIRST} did not report the version within 15 s",
        ]
    assert capsys.readouterr().out.splitlines() == [
        "  roll-out: rules 2 forth, stage 1 of 2 (CGK)",
        "  roll-out: rules 2 forth, stage 2 of 2 (DPS)",
        "  roll-out: rules 2 done, stage 2 of 2 (DPS)",
        "  roll-out: rules 3 forth, stage 1 of 2 (CGK)",
        "  roll-out: rules 3 back, stage 1 of 2 (CGK)",
        "  roll-out: rules 3 undone, stage 1 of 2 (CGK)",
    ]


def test_one_that_has_not_ended_is_told_with_what_it_waits_for():
    now = datetime.now(UTC)
    state = State(phase="forth", stage=1, since=now, why=f"{SECOND} still to report the version")
    stages = tuple(Stage(name=gate[:3], gates=(gate,), soak_s=0, most_s=1) for gate in (FIRST, SECOND))
    found = ledger.Rollout(plan=Plan(name="rules-2", target="x", back="y", stages=stages), state=state, begun=now)
    told = f"roll-out: rules 2 forth at stage 2 of 2, in force at 1 of 2 gates: {SECOND} still to report the version"
    assert line(found, "1 of 2 gates") == told


def test_with_nobody_to_take_anything_nothing_is_waited_for():
    assert Rollouts(()).over
