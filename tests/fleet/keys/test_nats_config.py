"""The broker's configuration: nobody in it who does not count, and nothing in it that a name could smuggle in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gate.fleet.keys.authority import user_of
from gate.fleet.keys.directory import PURPOSES, Directory, Entry, KeyDirectory, KeysError, Revoked
from gate.fleet.keys.nats_config import BROKERED, Broker, configuration, permissions, tell_server
from gate.fleet.messages import MOST_MESSAGE, gate_may_hear, gate_may_tell

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
FILES = Broker(certificate="/etc/b.pem", key="/etc/b.key", authority="/etc/a.pem", store="/var/store", pid_file="/run/b.pid")


def entry(name, seed, purpose="gate", **more):
    times = {"since": NOW - timedelta(days=1), "until": NOW + timedelta(days=1)} | more
    return Entry(purpose=purpose, name=name, public=bytes([seed] * 32).hex(), **times)


def text(*entries, broker=FILES):
    return configuration(broker, KeyDirectory(Directory(sequence=1, entries=entries), now=lambda: NOW))


def test_there_is_a_user_for_each_key_that_counts_and_for_no_other():
    live = [entry("CGK.D07", 1), entry("jakarta", 2, "collector")]
    gone = [
        entry("CGK.D08", 3, until=NOW),
        entry("CGK.D09", 4, since=NOW + timedelta(hours=1), until=NOW + timedelta(days=2)),
        entry("CGK.D10", 5, revoked=Revoked(at=NOW, because="stolen")),
        entry("sari", 6, "rules"),
    ]
    made = text(*live, *gone)
    assert all(f'"{user_of(one)}"' in made for one in live)
    assert not any(user_of(one) in made for one in gone)
    assert made.count("{user:") == 2
    assert "verify_and_map: true" in made
    assert f"max_payload: {MOST_MESSAGE}" in made


@pytest.mark.parametrize(
    "hostile", ['/x" }\nauthorization { users: [] }', "/x\n", "/x#", "/x\\", "/x'", "", "/" + "x" * 400, "/x{", "/x;"]
)
def test_no_path_can_say_more_than_a_path(hostile):
    with pytest.raises(KeysError, match="cannot stand"):
        text(broker=msgspec.structs.replace(FILES, store=hostile))


@pytest.mark.parametrize("hostile", ['CGK.D07", permissions: {}', "CGK.D07\n", "CGK.{"])
def test_no_name_can_say_more_than_a_name(hostile):
    with pytest.raises(KeysError, match="cannot stand"):
        text(entry(hostile, 1))


def test_a_gates_rights_are_what_gates_ask_for_and_name_no_other_gate():
    may = permissions(entry("CGK.D07", 1))
    assert set(gate_may_tell("CGK.D07")) <= set(may.publish)
    assert set(gate_may_hear("CGK.D07")) == set(may.subscribe)
    shared = {"$JS.API.DIRECT.GET.OBJ_autogate-updates", "$JS.API.DIRECT.GET.OBJ_autogate-updates.$O.autogate-updates.M.*"}
    assert all("CGK.D07" in each for each in {*may.publish, *may.subscribe} - shared)


def test_nobody_may_everything_or_delete_what_came():
    for purpose in PURPOSES:
        one = entry("CGK.D07" if purpose == "gate" else "one", 1, purpose)
        if purpose not in BROKERED:
            with pytest.raises(KeysError, match="no business"):
                permissions(one)
            continue
        subjects = [*permissions(one).publish, *permissions(one).subscribe]
        assert not {">", "*", "$JS.>", "$JS.API.>", "_INBOX.>", "$SYS.>"} & set(subjects)
        assert not [each for each in subjects if "DELETE" in each or ("PURGE" in each and "OBJ" not in each and "KV" not in each)]


def test_a_number_that_belongs_to_another_process_is_left_alone(tmp_path):
    import os

    for content in (str(os.getpid()), "nonsense", ""):  # a SIGHUP would end this test
        (tmp_path / "pid").write_text(content)
        assert not tell_server(tmp_path / "pid")
    assert not tell_server(tmp_path / "none")


def test_a_gate_that_could_tell_everything_turns_it_red(monkeypatch):
    monkeypatch.setattr("gate.fleet.keys.nats_config.gate_may_tell", lambda _: ("autogate.>",))
    with pytest.raises(AssertionError):
        test_a_gates_rights_are_what_gates_ask_for_and_name_no_other_gate()
