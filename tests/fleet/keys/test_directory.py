"""The key directory: who may speak, and who may no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gate.audit.note import FileSigner, VerifierKey
from gate.fleet.keys.directory import (
    Directory,
    Entry,
    KeyDirectory,
    KeysError,
    Revoked,
    encoded,
    parse_directory,
    read_directory,
    write_directory,
)
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.messages import EnvelopeError, key_id
from pki.durable import write_file

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def private(seed):
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def public(seed):
    return private(seed).public_key().public_bytes_raw()


PEOPLE = {public(101).hex(): "ani", public(102).hex(): "budi"}


def entry(name, seed, purpose="gate", approvers=(), **more):
    bare = Entry(purpose=purpose, name=name, public=public(seed).hex(), since=NOW - DAY, until=NOW + DAY, **more)
    approvals = {public(person).hex(): private(person).sign(bare.message).hex() for person in approvers}
    return msgspec.structs.replace(bare, approvals=approvals)


A, B, COLLECTOR = entry("CGK.D07", 1), entry("CGK.D08", 2), entry("jakarta", 3, "collector")


def directory(*entries, sequence=1):
    return Directory(sequence=sequence, entries=entries)


def keys(*entries, now=NOW, **more):
    return KeyDirectory(directory(*entries), now=lambda: now, **more)


def refusal(known, seed, gate, purpose):
    with pytest.raises(EnvelopeError) as caught:
        known.public(key_id(public(seed)), gate, purpose)
    return caught.value.code


def test_whoever_is_listed_may_speak_for_itself():
    known = keys(A, B, COLLECTOR)
    assert known.public(key_id(public(1)), "CGK.D07", "gate") == public(1)
    assert known.public(key_id(public(3)), "CGK.D07", "collector") == public(3)
    assert known.signers("collector") == {public(3).hex(): "jakarta"}


def test_nobody_speaks_for_another_or_as_what_it_is_not():
    known = keys(A, B, COLLECTOR)
    assert refusal(known, 1, "CGK.D08", "gate") == "other_gate"
    assert refusal(known, 1, "CGK.D07", "collector") == "unknown_key"
    assert refusal(known, 3, "CGK.D07", "gate") == "unknown_key"
    assert refusal(known, 9, "CGK.D07", "gate") == "unknown_key"


def test_a_key_counts_from_its_first_instant_to_before_its_last():
    for now, right in ((NOW - DAY, True), (NOW - DAY - DAY / 2, False), (NOW + DAY, False), (NOW + DAY / 2, True)):
        known = keys(A, now=now)
        assert (len(known.live("gate")) == 1) is right
        if not right:
            assert refusal(known, 1, "CGK.D07", "gate") == "expired"


def test_a_revoked_key_counts_for_nothing_whatever_the_instant_says():
    later = Revoked(at=NOW + DAY, because="stolen")
    known = keys(msgspec.structs.replace(A, revoked=later))
    assert refusal(known, 1, "CGK.D07", "gate") == "revoked"
    assert known.live() == ()


def test_an_entry_counts_by_two_people_and_no_less():
    both, one, twice = entry("CGK.D07", 1, approvers=(101, 102)), entry("CGK.D08", 2, approvers=(101,)), entry("CGK.D09", 4)
    stranger = entry("CGK.D10", 5, approvers=(101, 103))
    known = keys(both, one, twice, stranger, people=PEOPLE)
    assert [each.name for each in known.live()] == ["CGK.D07"]
    assert {each.name for each in known.unapproved} == {"CGK.D08", "CGK.D09", "CGK.D10"}
    assert refusal(known, 2, "CGK.D08", "gate") == "unknown_key"


def test_one_person_with_two_keys_is_one_person():
    both = entry("CGK.D07", 1, approvers=(101, 102))
    assert keys(both, people=dict.fromkeys(PEOPLE, "ani")).live() == ()


def test_an_approved_entry_cannot_be_changed():
    both = entry("CGK.D07", 1, approvers=(101, 102))
    for change in ({"name": "CGK.D08"}, {"public": public(7).hex()}, {"until": NOW + 9 * DAY}, {"purpose": "collector"}):
        assert not keys(msgspec.structs.replace(both, **change), people=PEOPLE).live()


def test_what_was_written_is_read_and_every_other_form_is_refused():
    audit = str(VerifierKey.of(FileSigner(name="CGK.D07", key=private(8))))
    whole = directory(entry("CGK.D07", 1, approvers=(101, 102), audit=audit), COLLECTOR)
    raw = encoded(whole)
    assert encoded(parse_directory(raw)) == raw
    for hostile in (
        raw[:-1],
        b" " + raw,
        raw.replace(b'"sequence":1', b'"sequence":1,"sequence":1'),
        raw.replace(b"Z", b"+00:00"),
    ):
        with pytest.raises(KeysError):
            parse_directory(hostile)


@pytest.mark.parametrize(
    "wrong",
    [
        entry("jakarta", 1),
        entry("CGK.D07", 1, "collector"),
        msgspec.structs.replace(A, public="01" + "00" * 31),
        msgspec.structs.replace(A, name="CGK.>"),
        msgspec.structs.replace(A, name='CGK.D07" }'),
        msgspec.structs.replace(A, audit="nonsense"),
    ],
    ids=["a gate of one word", "a collector with a gate's name", "a weak key", "a wildcard", "a quote", "no audit key"],
)
def test_an_entry_that_cannot_be_is_refused(wrong):
    with pytest.raises(KeysError):
        parse_directory(encoded(directory(wrong)))


def test_a_key_stands_once():
    with pytest.raises(KeysError, match="twice"):
        parse_directory(encoded(directory(A, msgspec.structs.replace(A, name="CGK.D08"))))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(raw):
    with pytest.raises(KeysError):
        parse_directory(raw)


@given(st.integers(0, len(encoded(directory(A, COLLECTOR))) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_as_it_stands_or_refused(at, byte):
    raw = bytearray(encoded(directory(A, COLLECTOR)))
    raw[at] = byte
    try:
        found = parse_directory(bytes(raw))
    except KeysError:
        return
    assert encoded(found) == bytes(raw)


class Kept:
    """A file and its keys."""

    def __init__(self, folder, *entries):
        self.path = folder / "keys.json"
        self.write(1, *entries)
        self.keys = FileKeys(self.path, now=lambda: NOW)

    def write(self, sequence, *entries):
        write_directory(self.path, directory(*entries, sequence=sequence))


def test_a_revocation_is_felt_when_the_file_changes(tmp_path):
    kept = Kept(tmp_path, A, COLLECTOR)
    assert kept.keys.public(key_id(public(1)), "CGK.D07", "gate")
    kept.write(2, msgspec.structs.replace(A, revoked=Revoked(at=NOW, because="stolen")), COLLECTOR)
    assert refusal(kept.keys, 1, "CGK.D07", "gate") == "revoked"
    assert kept.keys.public(key_id(public(3)), "CGK.D08", "collector")


@pytest.mark.parametrize(
    ("sequence", "entries"),
    [(1, [A]), (3, [A]), (3, [])],
    ids=["an older one", "a newer one that brings it back", "one that forgets it"],
)
def test_what_was_revoked_stays_revoked(tmp_path, sequence, entries):
    kept = Kept(tmp_path, A)
    kept.write(2, msgspec.structs.replace(A, revoked=Revoked(at=NOW, because="stolen")))
    assert refusal(kept.keys, 1, "CGK.D07", "gate") == "revoked"
    kept.write(sequence, *entries)
    assert refusal(kept.keys, 1, "CGK.D07", "gate") == "revoked"
    assert f"directory {sequence}" in kept.keys.trouble


def test_a_spoilt_file_changes_nothing_and_is_told(tmp_path, capsys):
    kept = Kept(tmp_path, A)
    write_file(kept.path, b"{}")
    assert kept.keys.public(key_id(public(1)), "CGK.D07", "gate")
    assert "no key directory" in kept.keys.trouble
    assert "the directory before stays in force" in capsys.readouterr().err, "a collector has nowhere else to say it"
    kept.write(2, A)
    assert kept.keys.public(key_id(public(1)), "CGK.D07", "gate")
    assert not kept.keys.trouble


def test_without_a_directory_nobody_is_believed(tmp_path):
    with pytest.raises(KeysError):
        FileKeys(tmp_path / "keys.json")
    with pytest.raises(KeysError):
        read_directory(tmp_path)


def test_a_directory_that_one_person_fills_turns_it_red(monkeypatch):
    monkeypatch.setattr("gate.fleet.keys.directory.QUORUM", 1)
    with pytest.raises(AssertionError):
        test_an_entry_counts_by_two_people_and_no_less()


def test_a_directory_that_forgets_revocations_turns_it_red(monkeypatch, tmp_path):
    monkeypatch.setattr(KeyDirectory, "check_follows", lambda *_: None)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test_what_was_revoked_stays_revoked(tmp_path, 3, [A])
