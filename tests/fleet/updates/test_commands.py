"""``autogate fleet update`` and ``rollout`` from the first root to a gate that is undone, as people type them."""

from __future__ import annotations

import argparse

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gate.fleet.centre.database import migrate
from gate.fleet.updates import command
from gate.fleet.updates.repository import Repository

PLAN = """
name = "two"
target = "{target}"
back = "{back}"
[[stages]]
name = "one-gate"
gates = ["CGK.D07"]
soak_s = 60
most_s = 600
[conditions]
fewest = 0
"""


@pytest.fixture
def typed(capsys):
    def typed(word, *arguments):
        """Exit status, and what was printed."""
        parser = argparse.ArgumentParser()
        command.add_arguments(word, parser)
        status = command.run(word, parser.parse_args([str(each) for each in arguments]))
        told = capsys.readouterr()
        return status, told.out + told.err

    return typed


@pytest.fixture
def keys(centre):
    """Files with the keys that people and machines sign with."""
    files = {}
    for name, key in {**centre.people, "online": centre.online, "director": centre.director, "stranger": centre.stranger}.items():
        files[name] = centre.folder / f"{name}.pem"
        files[name].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def test_from_a_root_to_a_gate_and_back(centre, gate, keys, typed, database, tmp_path):
    folder = tmp_path / "repository"
    root, plan, carried = tmp_path / "root.json", tmp_path / "plan.toml", tmp_path / "assignment"
    root.write_bytes(centre.signed_root())
    (gate.updates / "root.json").write_bytes(root.read_bytes())
    where = ("--repository", folder)
    assert typed("update", "root", root, *where)[0] == 0

    centre.bring_rules("two")
    paths = [typed("update", "allow", "rules", centre.rules.folder, *where)[1].split()[1]]
    assert typed("update", "publish", "--key", keys["online"], *where)[0] == 2, "nobody signed"
    centre.bring_rules("one", version=1, because="roll-out failed")
    paths.append(typed("update", "allow", "rules", centre.rules.folder, *where)[1].split()[1])
    assert typed("update", "allow", "keys", gate.keys, *where)[0] == 0
    assert typed("update", "sign", "--key", keys["stranger"], *where)[0] == 2
    assert "1 of 2" in typed("update", "sign", "--key", keys["siti"], *where)[1]
    assert "2 of 2" in typed("update", "sign", "--key", keys["budi"], *where)[1]
    assert typed("update", "publish", "--key", keys["online"], *where)[0] == 0
    assert all(path in typed("update", "list", *where)[1] for path in paths)

    migrate(database)
    dsn = ("--dsn", database)
    plan.write_text(PLAN.format(target=paths[0], back=paths[0]))
    assert typed("rollout", "begin", plan, *dsn, *where)[0] == 2, "without a way back"
    plan.write_text(PLAN.format(target=paths[0], back=paths[1]))
    assert typed("rollout", "status", *dsn) == (0, "no roll-out yet\n")
    assert typed("rollout", "begin", plan, *dsn, *where)[0] == 0
    assert "forth, stage 1 of 1 (one-gate)" in typed("rollout", "status", *dsn)[1]
    assert "paused by budi" in typed("rollout", "pause", "two", "--by", "budi", *dsn)[1]
    assert typed("rollout", "pause", "two", *dsn)[0] == 2
    assert typed("rollout", "resume", "two", *dsn)[0] == 0
    assert typed("rollout", "undo", "other", *dsn)[0] == 2

    assert typed("rollout", "assignment", "CGK.D07", carried, "--key", keys["director"], *dsn)[0] == 2, "nothing is assigned yet"
    assert typed("rollout", "assign", paths[0], "CGK.D07", *where, *dsn)[0] == 0
    assert typed("rollout", "assign", paths[0].replace("000002", "000009"), "CGK.D07", *where, *dsn)[0] == 2
    assert "assignment 1 of CGK.D07" in typed("rollout", "assignment", "CGK.D07", carried, "--key", keys["director"], *dsn)[1]
    from gate.fleet.updates.sources import Folder

    gate.restarted()
    gate.updater.look(Folder(folder), lambda _: carried.read_bytes())
    assert gate.updater.trouble == ""
    assert gate.work() == "two"


def test_what_is_taken_off_a_draft_is_allowed_no_more_and_what_never_was_is_an_error(centre, keys, typed):
    where = ("--repository", centre.repository.folder)
    assert typed("update", "remove", "rules/x", *where)[0] == 2
    assert typed("update", "remove", "keys.json", *where)[0] == 0
    for name in ("siti", "dewi"):
        typed("update", "sign", "--key", keys[name], *where)
    assert typed("update", "publish", "--key", keys["online"], *where)[0] == 0
    assert typed("update", "list", *where) == (0, "")


@pytest.mark.parametrize("arguments", [("list",), ("sign", "--key", "{key}"), ("publish", "--key", "{key}"), ("root", "{key}")])
def test_a_repository_that_is_none_is_an_error_in_words(keys, typed, tmp_path, arguments):
    status, told = typed("update", *(each.format(key=keys["siti"]) for each in arguments), "--repository", tmp_path / "nothing")
    assert status == 2
    assert any(words in told for words in ("no repository", "no metadata", "nothing is drafted"))


def test_a_root_that_too_few_signed_or_that_follows_another_is_not_taken(centre):
    repository = Repository(centre.folder / "fresh")
    from gate.fleet.updates.targets import UpdateError

    for raw in (centre.signed_root(("siti",)), b"{}", b""):
        with pytest.raises(UpdateError):
            repository.add_root(raw)
    assert repository.add_root(centre.root) == 1
    for raw in (centre.signed_root(), centre.signed_root(("siti",), before=centre.root)):
        with pytest.raises(UpdateError):
            repository.add_root(raw)
    assert repository.add_root(centre.signed_root(("budi", "dewi"), before=centre.root)) == 2


def test_a_timer_says_anew_that_this_is_the_newest_and_leaves_a_draft_to_people(centre, gate, keys, typed):
    where = ("--repository", centre.repository.folder)
    refresh = ("update", "publish", "--refresh", "--key", keys["online"], *where)
    typed("update", "remove", "keys.json", *where)
    assert typed("update", "publish", "--key", keys["online"], *where)[0] == 2, "nobody signed"
    before = centre.repository.until()
    status, told = typed(*refresh)
    after = centre.repository.until()
    assert status == 0
    assert f"timestamp counts until {after['timestamp']:%Y-%m-%d %H:%M} UTC" in told
    assert (before["targets"], before["root"]) == (after["targets"], after["root"])
    assert "keys.json" in typed("update", "list", *where)[1]
    for name in ("siti", "budi"):
        typed("update", "sign", "--key", keys[name], *where)
    assert typed(*refresh)[0] == 0
    assert "keys.json" in typed("update", "list", *where)[1], "signed, and still for somebody to publish"
    assert gate.look() == ""
    assert typed("update", "publish", "--key", keys["online"], *where)[0] == 0
    assert typed("update", "list", *where) == (0, "")


def test_a_key_that_says_nothing_of_what_is_the_newest_refreshes_nothing_that_a_gate_believes(centre, gate, keys, typed):
    assert gate.look() == ""
    where = ("--repository", centre.repository.folder)
    assert typed("update", "publish", "--refresh", "--key", keys["stranger"], *where)[0] == 0
    gate.look()
    assert gate.updater.refused == {"not_signed": 1}
