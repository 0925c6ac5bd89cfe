"""Attacks on what comes down, named as TUF and Uptane name them: whoever holds the broker, the director's key, one person's key, or all online keys."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tuf import ngclient

from gate.fleet.updates import client
from gate.fleet.updates.assignment import Assignments
from gate.fleet.updates.packing import pack_folder
from gate.fleet.updates.repository import Repository
from gate.fleet.updates.sources import Folder
from gate.fleet.updates.targets import KEYS, UpdateError
from gate.fleet.updates.updater import Updater
from pki.errors import PkiError


class Tampered(Folder):
    """A mirror that hands over something else for some names."""

    def __init__(self, folder, **instead):
        super().__init__(folder)
        self.instead, self.handed = instead, 0

    def chunks(self, name):
        found = next((content for part, content in self.instead.items() if part in name), None)
        if found is None:
            yield from super().chunks(name)
            return
        for chunk in found() if callable(found) else [found]:
            self.handed += len(chunk)
            yield chunk


@pytest.fixture
def second(centre):
    """Rule set two, allowed, with its way back."""
    forth = centre.bring_rules("two")
    back = centre.bring_rules("one", version=1, because="roll-out failed")
    centre.allow(dict([forth, back]))
    return forth[0], back[0]


def test_what_is_allowed_assigned_and_signed_by_two_comes_into_force(centre, gate, second):
    assert gate.work() == "one"
    assert gate.look(centre.assignment({"rules": second[0]})) == ""
    assert gate.work() == "two"
    assert gate.updater.versions["rules.statement"].startswith("000002-")
    assert gate.look(centre.assignment({"rules": second[1]})) == ""
    assert gate.work() == "one", "the way back is a statement of its own"
    assert gate.updater.versions["rules.statement"].startswith("000003-")


def test_arbitrary_install_what_nobody_allowed_is_refused_whoever_assigned_it(centre, gate):
    path, _ = centre.bring_rules("two")
    assert "not allowed" in gate.look(centre.assignment({"rules": path}))
    assert gate.updater.refused == {"not_allowed": 1}
    assert gate.work() == "one"


def test_arbitrary_install_other_octets_under_an_allowed_name_are_refused(centre, gate, second):
    other = centre.repository.folder / "targets"
    (raw,) = [path.read_bytes() for path in other.rglob("*.tar") if "000003-" in path.name]
    for instead, code in ((raw, "altered"), (b"", "altered"), (lambda: iter(lambda: b"x" * 65536, None), "oversized")):
        gate.restarted()
        source = Tampered(centre.repository.folder, **{"000002-": instead})
        assert gate.look(centre.assignment({"rules": second[0]}), source)
        assert gate.updater.refused == {code: 1}
        assert gate.work() == "one"


def test_rule_sets_that_two_people_allowed_and_nobody_signed_inside_are_refused(centre, gate):
    """Whoever steals two keys of those who allow still lacks two of those who sign rule sets."""
    made = centre.rules.find("1")
    for name in ("siti",):
        signed = centre.rules.sign(made, centre.people[name], now=centre.now, because="alone")
    (centre.rules.folder / "active").write_bytes(signed.encoded)
    path, raw = pack_folder("rules", centre.rules.folder)
    centre.allow({path: raw})
    assert "signed by 1 of 2" in gate.look(centre.assignment({"rules": path}))
    assert gate.updater.refused == {"not_signed": 1}


def test_key_compromise_below_threshold_one_person_allows_nothing(centre, gate):
    path, raw = centre.bring_rules("two")
    centre.repository.draft(centre.now, add={path: raw})
    assert centre.repository.sign(centre.people["siti"]) == (1, 2)
    assert centre.repository.sign(centre.people["siti"]) == (1, 2)
    with pytest.raises(UpdateError) as caught:
        centre.repository.publish(centre.online, centre.now)
    assert caught.value.code == "not_signed"
    with pytest.raises(UpdateError):
        centre.repository.sign(centre.stranger)
    # The one who holds the online keys, too, publishes it all the same.
    folder = centre.repository.folder
    (folder / "metadata" / "2.targets.json").write_bytes((folder / "draft" / "targets.json").read_bytes())
    (folder / "draft" / "targets.json").unlink()
    centre.repository.publish(centre.online, centre.now)
    gate.look(centre.assignment({"rules": path}))
    assert gate.updater.refused == {"not_signed": 1}
    assert gate.work() == "one"


def test_rollback_of_metadata_is_refused(centre, gate, second):
    old = (centre.repository.folder / "metadata" / "timestamp.json").read_bytes()
    centre.allow(remove=[second[0]])
    assert gate.look() == ""
    gate.restarted()  # also after a restart
    gate.look(centre.assignment({"rules": second[0]}), Tampered(centre.repository.folder, timestamp=old))
    assert gate.updater.refused == {"rolled_back": 1}


def test_rollback_to_a_rule_set_from_before_the_one_in_force_is_refused(centre, gate):
    first = centre.bring_rules("two")
    third = centre.bring_rules("three")
    centre.allow(dict([first, third]))
    assert gate.look(centre.assignment({"rules": third[0]})) == ""
    assert gate.work() == "three"
    gate.look(centre.assignment({"rules": first[0]}))
    assert gate.updater.refused == {"rolled_back": 1}
    assert gate.work() == "three"


def test_rollback_below_what_lies_ready_is_refused_before_it_was_ever_worked_under(centre, gate):
    first = centre.bring_rules("two")
    third = centre.bring_rules("three")
    centre.allow(dict([first, third]))
    assert gate.look(centre.assignment({"rules": third[0]})) == ""
    gate.look(centre.assignment({"rules": first[0]}))
    assert gate.updater.refused == {"rolled_back": 1}


def test_freeze_old_metadata_stops_counting_and_the_gate_says_so(centre, gate, second):
    assert gate.look() == ""
    centre.now += timedelta(days=3)
    assert "expired" in gate.look(centre.assignment({"rules": second[0]}))
    assert gate.updater.refused == {"expired": 1}
    centre.repository.publish(centre.online, centre.now)
    assert gate.look(centre.assignment({"rules": second[0]})) == ""


def test_a_clock_that_is_set_back_brings_no_old_metadata_back(centre, gate):
    """TUF is told the gate's time, which never goes back; the machine's own is not asked."""
    centre.now += timedelta(days=3)
    gate.look()
    assert gate.updater.refused == {"expired": 1}


def test_mix_and_match_targets_of_another_snapshot_are_refused(centre, gate, second):
    folder = centre.repository.folder / "metadata"
    old = (folder / "2.targets.json").read_bytes()
    centre.allow(remove=[second[0]])
    gate.look(centre.assignment({"rules": second[0]}), Tampered(centre.repository.folder, **{"3.targets": old}))
    assert gate.updater.refused["rolled_back"] == 1
    assert gate.work() == "one"


@pytest.mark.parametrize("name", ["timestamp", "snapshot", "targets.json", "2.root"])
def test_endless_data_is_cut_off(centre, gate, second, name):
    source = Tampered(centre.repository.folder, **{name: lambda: iter(lambda: b" " * 65536, None)})
    gate.look(centre.assignment({"rules": second[0]}), source)
    assert gate.updater.refused == {"oversized": 1}
    assert source.handed < 17 << 20


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 4000, b'{"signed": {"_type": "timestamp"}, "signatures": []}']
)
@pytest.mark.parametrize("name", ["timestamp", "snapshot", "targets.json"])
def test_octets_that_are_no_metadata_are_a_refusal_and_nothing_else(centre, gate, name, raw):
    gate.look(None, Tampered(centre.repository.folder, **{name: raw}))
    assert sum(gate.updater.refused.values()) == 1
    assert gate.updater.refused.keys() <= {"malformed", "altered", "not_signed"}


def test_deny_a_centre_that_hands_over_nothing_costs_news_and_nothing_else(centre, gate, second, tmp_path):
    assert gate.look(centre.assignment({"rules": second[0]})) == ""
    gate.look(None, Folder(tmp_path / "nothing"))
    assert gate.updater.refused == {"unreachable": 1}
    assert gate.work() == "two"


def test_an_assignment_to_another_gate_is_refused(centre, gate, second):
    gate.look(centre.assignment({"rules": second[0]}, gate="CGK.D08"))
    assert gate.updater.refused == {"other_gate": 1}


def test_another_gates_configuration_or_list_is_refused_though_allowed_and_assigned(centre, gate):
    from gate.fleet.updates.targets import config_path, snapshot_path

    for path, kind in (
        (config_path("CGK.D08", 1, "a" * 64), "config"),
        (snapshot_path("CGK.D08", "watchlist", 1, "a" * 64), "snapshots/watchlist"),
    ):
        centre.allow({path: b"x"})
        gate.restarted()
        gate.look(centre.assignment({kind: path}))
        assert gate.updater.refused == {"other_gate": 1}


def test_an_old_assignment_that_is_replayed_is_refused_after_a_restart_too(centre, gate, second):
    old = centre.assignment({"rules": second[0]})
    assert gate.look(centre.assignment({})) == ""
    gate.restarted()
    gate.look(old)
    assert gate.updater.refused == {"rolled_back": 1}
    assert gate.work() == "one"


def test_two_assignments_under_one_number_are_refused_and_the_same_one_again_is_not(centre, gate, second):
    first = centre.assignment({})
    centre.number -= 1
    other = centre.assignment({"rules": second[0]})
    assert gate.look(first) == ""
    gate.look(other)
    assert gate.updater.refused == {"rolled_back": 1}
    assert gate.look(first) == ""


def test_an_assignment_whose_time_is_over_or_not_come_or_none_is_refused(centre, gate, second):
    for changes in (
        {"until": (centre.now).isoformat()},
        {"at": (centre.now + timedelta(hours=1)).isoformat()},
        {"until": "soon"},
        {"until": "2026-07-01T00:00:00"},
    ):
        gate.restarted()
        gate.look(centre.assignment({"rules": second[0]}, **changes))
        assert sum(gate.updater.refused.values()) == 1
        assert gate.updater.refused.keys() <= {"expired", "malformed"}
    assert gate.work() == "one"


def test_a_memory_of_assignments_that_is_damaged_lets_none_in(centre, gate, second):
    assert gate.look(centre.assignment({})) == ""
    (gate.updates / "assignment-seen.json").write_bytes(b"{}")
    gate.look(centre.assignment({"rules": second[0]}))
    assert gate.updater.refused == {"disk": 1}
    assert gate.work() == "one"


def test_strangers_and_gates_direct_nobody(centre, gate, second):
    gate.look(centre.assignment({"rules": second[0]}, key=centre.stranger))
    assert gate.updater.refused == {"unknown_key": 1}
    raw = bytearray(centre.assignment({"rules": second[0]}))
    raw[-1] ^= 1
    gate.restarted()
    gate.look(bytes(raw))
    assert gate.updater.refused == {"forged": 1}


def test_a_stolen_directors_key_chooses_among_what_is_allowed_and_ends_with_its_revocation(centre, gate, second):
    from gate.fleet.keys.directory import Revoked

    assert gate.look(centre.assignment({"rules": second[0]})) == "", "it can do that"
    centre.allow({KEYS: centre.directory(2, revoked=Revoked(at=centre.now, because="stolen"))})
    gate.look(centre.assignment({"rules": second[1]}))
    assert gate.updater.refused == {"revoked": 1}
    assert gate.work() == "two"


def test_a_directory_that_brings_a_revoked_key_back_is_refused(centre, gate):
    from gate.fleet.keys.directory import Revoked

    centre.allow({KEYS: centre.directory(3, revoked=Revoked(at=centre.now, because="stolen"))})
    assert gate.look() == ""
    centre.allow({KEYS: centre.directory(4)})
    gate.look()
    assert gate.updater.refused == {"refused": 1}


def test_a_version_that_was_taken_back_is_told_of_where_it_is_in_force(centre, gate, second):
    assert gate.look(told := centre.assignment({"rules": second[0]})) == ""
    centre.allow(remove=[second[0]])
    assert "not allowed" in gate.look(told)
    assert gate.work() == "two", "what two people signed goes on judging until they say otherwise"


@pytest.mark.parametrize(
    "targets",
    [
        {"rules": "../../etc/passwd"},
        {"rules": "rules/000002-" + "a" * 64 + ".tar/../x"},
        {"trust": "rules/000002-" + "a" * 64 + ".tar"},
        {"rules": "keys.json"},
        {"doors": "open"},
        {"rules": ""},
    ],
)
def test_assignments_of_what_is_no_target_are_refused(centre, gate, targets):
    gate.look(centre.assignment(targets))
    assert gate.updater.refused == {"malformed": 1}


def test_what_is_wrong_with_one_target_keeps_none_of_the_others(centre, gate, second):
    assert gate.look(centre.assignment({"config": "config/x", "rules": second[0]})) != ""
    assert gate.updater.refused == {"malformed": 1}
    assert gate.work() == "two"


def test_a_new_root_is_followed_and_one_that_too_few_signed_is_not(centre, gate, second):
    raw = centre.signed_root(("siti", "dewi"), before=centre.root)
    few = centre.signed_root(("siti",), before=centre.root)
    gate.look(None, Tampered(centre.repository.folder, **{"2.root": few}))
    assert gate.updater.refused == {"not_signed": 1}
    assert centre.repository.add_root(raw) == 2
    centre.repository.publish(centre.online, centre.now)
    gate.restarted()
    assert gate.look(centre.assignment({"rules": second[0]})) == ""
    assert json.loads((gate.updates / "trusted" / "root_history" / "2.root.json").read_bytes())["signed"]["version"] == 2


@pytest.mark.parametrize("lost", ["timestamp.json", "snapshot.json", "targets.json"])
def test_trusted_metadata_that_is_damaged_on_the_disk_is_fetched_again(centre, gate, second, lost):
    assert gate.look() == ""
    (gate.updates / "trusted" / lost).write_bytes(b"")
    assert gate.look(centre.assignment({"rules": second[0]})) == ""


def test_what_a_power_cut_left_half_done_is_cleared_away_and_costs_nothing(centre, gate, second):
    left = gate.updates / ".work-abc" / "targets"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"x")
    assert gate.look(centre.assignment({"rules": second[0]})) == ""
    assert sorted(path.name for path in gate.updates.iterdir()) == ["assignment-seen.json", "lock", "root.json", "trusted"]


def test_of_two_looks_at_once_the_second_does_nothing(centre, gate, second):
    told = centre.assignment({"rules": second[0]})

    class Meanwhile(Folder):
        def chunks(self, name):
            other = Updater(gate.config, None, config_path=gate.file, now=lambda: centre.now)
            other.look(Folder(centre.repository.folder), lambda _: told)
            assert other.trouble == "another look for updates goes on"
            return super().chunks(name)

    assert gate.look(told, Meanwhile(centre.repository.folder)) == ""
    assert gate.work() == "two"


def test_a_disk_that_takes_nothing_is_told_and_nothing_is_half_done(centre, gate, second, monkeypatch):
    from gate.fleet.updates import assignment
    from gate.policy import sets

    def full(*_):
        raise OSError(28, "No space left on device")

    told = centre.assignment({"rules": second[0]})
    for module in (assignment, sets):
        with monkeypatch.context() as patch:
            patch.setattr(module, "write_file", full)
            gate.restarted()
            gate.look(told)
            assert gate.updater.refused == {"disk": 1}
        assert gate.work() == "one"
    assert gate.look(told) == ""
    assert gate.work() == "two"


def test_a_gate_without_its_first_root_has_no_updates_and_says_so(gate):
    (gate.updates / "root.json").unlink()
    with pytest.raises(UpdateError):
        gate.restarted()


def test_nothing_new_is_nothing_fetched_twice(centre, gate, second):
    names = []

    class Counting(Folder):
        def chunks(self, name):
            names.append(name)
            return super().chunks(name)

    source, told = Counting(centre.repository.folder), centre.assignment({"rules": second[0]})
    assert gate.look(told, source) == ""
    names.clear()
    assert gate.look(told, source) == ""
    assert names == ["metadata/2.root.json", "metadata/timestamp.json"]


def test_a_broker_that_holds_back_assignments_is_told_of(centre, gate):
    assert gate.look(None) == "", "a gate to which nothing was ever assigned"
    assert gate.look(centre.assignment({})) == ""
    gate.look(None)
    assert gate.updater.refused == {"unreachable": 1}


def test_what_was_found_wrong_is_refused_at_every_look_and_fetched_once_an_hour(centre, gate, second):
    class Counting(Tampered):
        fetched = 0

        def chunks(self, name):
            type(self).fetched += "000002-" in name
            return super().chunks(name)

    source, told = Counting(centre.repository.folder, **{"000002-": b"x"}), centre.assignment({"rules": second[0]})
    for _ in range(3):
        gate.look(told, source)
    assert (gate.updater.refused, source.fetched) == ({"altered": 3}, 1)
    centre.now += timedelta(hours=1, minutes=1)
    assert gate.look(told) == ""
    assert gate.work() == "two"


# --- seeded defects: each makes one of the above fail --------------------------------------------------------------------------------------------


def seeded(monkeypatch, place, name, instead, attack, *arguments):
    monkeypatch.setattr(place, name, instead)
    with pytest.raises((AssertionError, PkiError, UpdateError)):
        attack(*arguments)


def test_a_gate_that_forgets_assignments_turns_it_red(monkeypatch, centre, gate, second):
    attack = test_an_old_assignment_that_is_replayed_is_refused_after_a_restart_too
    seeded(monkeypatch, Assignments, "_check_forward", lambda *_: None, attack, centre, gate, second)


def test_a_gate_that_asks_the_machine_for_the_time_turns_it_red(monkeypatch, centre, gate, second):
    def updater(self, metadata, targets):
        return ngclient.Updater(
            str(metadata),
            "source:metadata/",
            str(targets),
            "source:targets/",
            client._Fetcher(self._source),
            bootstrap=self._root,
        )

    attack = test_freeze_old_metadata_stops_counting_and_the_gate_says_so
    seeded(monkeypatch, client.Client, "_updater", updater, attack, centre, gate, second)


def test_a_gate_that_remembers_no_metadata_turns_it_red(monkeypatch, centre, gate, second):
    attack = test_rollback_of_metadata_is_refused
    seeded(monkeypatch, client.Client, "_keep", lambda *_: None, attack, centre, gate, second)


def test_a_gate_that_takes_what_is_assigned_and_not_allowed_turns_it_red(monkeypatch, centre, gate):
    def fetch(*_):
        file = centre.folder / "pack"
        file.write_bytes(pack_folder("rules", centre.rules.folder)[1])
        return file

    monkeypatch.setattr(client.Allowed, "fetch", fetch)
    attack = test_arbitrary_install_what_nobody_allowed_is_refused_whoever_assigned_it
    seeded(monkeypatch, client.Allowed, "find", lambda _, path: path != KEYS or None, attack, centre, gate)


def test_a_repository_that_publishes_what_one_signed_turns_it_red(monkeypatch, centre, gate):
    monkeypatch.setattr(Repository, "_check_signed", lambda *_: None)
    with pytest.raises(pytest.fail.Exception):
        test_key_compromise_below_threshold_one_person_allows_nothing(centre, gate)
