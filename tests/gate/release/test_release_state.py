"""The state follows the software forth and back, and what must last is never rewritten."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest

import gate.release.state as state_module
from gate.release.state import LASTING, Migration, StateError, forbidden, format_of, lanes, migrate, undo


@pytest.fixture
def state(tmp_path) -> Path:
    for name in ("T1", "T2", "packages", "backups", "packs"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_no_migration_that_is_shipped_rewrites_what_must_last():
    assert forbidden() == []


@pytest.mark.parametrize(
    "name", ["audit.sqlite3", "audit-keys.sqlite3", "*", "a*", "trust-seen.json", "crossings.sqlite3-wal", "sub/file", "gate.key"]
)
def test_a_migration_that_could_rewrite_what_must_last_is_found(name):
    assert forbidden([Migration(files=(name,), up=lambda _: None)]) == [name]


def test_an_ordinary_name_is_allowed():
    assert forbidden([Migration(files=("closed", "policy-cache-*"), up=lambda _: None)]) == []


def test_lanes_are_the_folders_that_are_not_the_packages_own(state):
    (state / "T3").symlink_to(state / "T1")
    assert [path.name for path in lanes(state)] == ["T1", "T2"]


def test_a_new_machine_begins_with_this_softwares_format(tmp_path, monkeypatch):
    monkeypatch.setattr(state_module, "MIGRATIONS", (Migration(files=("x",), up=lambda _: None),) * 3)
    assert migrate(tmp_path) == 3
    assert format_of(tmp_path) == 3


def test_each_lane_goes_through_each_step_once(state, monkeypatch):
    went: list[tuple[str, str]] = []
    monkeypatch.setattr(state_module, "MIGRATIONS", (Migration(files=("x",), up=lambda _: None),) * 2)
    monkeypatch.setattr(state_module, "_as_owner", lambda lane, what: went.append((lane.name, what[1])))
    migrate(state)
    migrate(state)
    assert went == [("T1", "1"), ("T2", "1"), ("T1", "2"), ("T2", "2")]


def test_a_step_that_fails_leaves_the_format_before_it(state, monkeypatch):
    def fails(lane: Path, what: list[str]) -> None:
        if what[1] == "2":
            raise StateError(lane.name)

    monkeypatch.setattr(state_module, "MIGRATIONS", (Migration(files=("x",), up=lambda _: None),) * 2)
    monkeypatch.setattr(state_module, "_as_owner", fails)
    with pytest.raises(StateError):
        migrate(state)
    assert format_of(state) == 1


def test_a_state_of_a_later_format_is_not_touched(state):
    (state / "state-format").write_text("7\n", encoding="ascii")
    with pytest.raises(StateError, match="format 7, this software knows"):
        migrate(state)
    assert format_of(state) == 7


@pytest.mark.parametrize("text", ["", "x", "1.5", "9" * 20])
def test_a_format_that_cannot_be_read_is_said(state, text):
    (state / "state-format").write_text(text, encoding="ascii")
    with pytest.raises(Exception, match="state-format"):
        migrate(state)


def test_a_copy_that_is_none_restores_nothing(state):
    (state / "backups/0.1.tar").write_bytes(b"no tar")
    with pytest.raises(StateError):
        undo(state, state / "backups/0.1.tar")


def test_a_link_that_a_lanes_user_laid_leads_nowhere(state, tmp_path, monkeypatch):
    """Both ends: a link in the lane's folder, and one in the copy."""
    outside = tmp_path / "outside"
    outside.write_text("untouched", encoding="ascii")
    with tarfile.open(state / "backups/0.1.tar", "w") as copy:
        link = tarfile.TarInfo("./T1/other")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        copy.addfile(link)
        (tmp_path / "note").write_text("as it was", encoding="ascii")
        copy.add(tmp_path / "note", "./T1/note")
        copy.add(tmp_path / "note", "./T1/../../outside-too")
    (state / "T1/note").symlink_to(outside)
    (state / "state-format").write_text("1\n", encoding="ascii")
    monkeypatch.setattr(state_module, "MIGRATIONS", (Migration(files=("note", "other", "outside*"), up=lambda _: None),))
    assert undo(state, state / "backups/0.1.tar") == 0
    assert outside.read_text(encoding="ascii") == "untouched"
    assert sorted(path.name for path in (state / "T1").iterdir()) == ["note"]
    assert (state / "T1/note").read_text(encoding="ascii") == "as it was"
    assert not (state / "T1/note").is_symlink()


def test_a_step_runs_in_a_process_of_its_own_and_its_last_word_is_told(state, monkeypatch):
    monkeypatch.setattr(state_module, "MIGRATIONS", (Migration(files=("x",), up=lambda _: None),))
    with pytest.raises(StateError, match=r"T1: up 1 failed: IndexError"):
        migrate(state)  # the process knows none
    assert sys.executable


def test_lasting_names_cover_what_a_lane_keeps():
    from gate.audit.keyring import FILE_NAME as KEYS
    from gate.audit.log import FILE_NAME as LOG
    from gate.clock import WALL_FLOOR_FILE
    from gate.console.verifier import COUNTERS_FILE
    from gate.console.verifier import SEEN_FILE as ROSTER_SEEN
    from gate.policy.examiner import SEEN_FILE as RULES_SEEN
    from gate.registries.crossing import FILE_NAME as CROSSINGS
    from gate.trust_store import SEEN_FILE as TRUST_SEEN

    assert len(LASTING) >= 5
    for name in (
        LOG,
        KEYS,
        CROSSINGS,
        "rules-kept",
        "fleet-receipt",
        WALL_FLOOR_FILE,
        ROSTER_SEEN,
        COUNTERS_FILE,
        RULES_SEEN,
        TRUST_SEEN,
    ):
        assert forbidden([Migration(files=(name,), up=lambda _: None)]) == [name]
