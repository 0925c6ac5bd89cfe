"""Into the directory by two people, out of it at once, and never back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gate.fleet.keys import enrolment
from gate.fleet.keys.directory import Directory, KeyDirectory, KeysError, Revoked
from gate.fleet.keys.enrolment import admitted, approve, approved, parse_enrolment, revoked

STOLEN = Revoked(at=datetime.now(UTC), because="stolen")
EMPTY = Directory(sequence=1)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x55" * 32)


def test_two_people_who_compared_the_fingerprint_list_a_gate(fleet):
    _, _, made = fleet.request("CGK.D07")
    entry = approved(fleet.approved(made), fleet.folder.approvers())
    found = KeyDirectory(admitted(EMPTY, entry, datetime.now(UTC)), people=fleet.folder.people)
    assert [one.name for one in found.live("gate")] == ["CGK.D07"]
    assert entry.approved_by(fleet.folder.people) == ("ani", "budi")


def test_nobody_approves_alone_or_twice_or_as_a_stranger(fleet):
    _, _, made = fleet.request("CGK.D07")
    twice = fleet.approved(made, "ani", "ani")
    with_stranger = approve(fleet.approved(made, "ani"), made.request.fingerprint, STRANGER, datetime.now(UTC))
    for short in (made, fleet.approved(made, "ani"), twice, with_stranger):
        with pytest.raises(KeysError, match="of 2 people"):
            approved(short, fleet.folder.approvers())


def test_nobody_approves_what_nobody_read_to_them(fleet):
    _, _, made = fleet.request("CGK.D07")
    _, _, other = fleet.request("CGK.D07")
    for wrong in ("", other.request.fingerprint, made.request.fingerprint[:-1]):
        with pytest.raises(KeysError, match="fingerprint"):
            approve(made, wrong, STRANGER, datetime.now(UTC))
    assert approve(made, made.request.fingerprint.upper().replace(" ", ""), STRANGER, datetime.now(UTC)).entry


def test_a_request_cannot_be_changed_on_its_way(fleet):
    _, _, made = fleet.request("CGK.D07")
    _, _, other = fleet.request("CGK.D08")
    changes = (
        {"name": "CGK.D08"},
        {"purpose": "collector"},
        {"certificate": other.request.certificate},
        {"public": other.request.public},
    )
    for change in changes:
        altered = msgspec.structs.replace(made, request=msgspec.structs.replace(made.request, **change))
        with pytest.raises(KeysError):
            parse_enrolment(enrolment.encoded(altered))


def test_approvals_of_one_request_do_not_carry_to_another(fleet):
    _, _, made = fleet.request("CGK.D07")
    _, _, other = fleet.request("CGK.D08")
    moved = msgspec.structs.replace(other, entry=fleet.approved(made).entry)
    with pytest.raises(KeysError, match="not what was asked"):
        parse_enrolment(enrolment.encoded(moved))
    longer = msgspec.structs.replace(fleet.approved(made).entry, until=datetime.now(UTC) + timedelta(days=9999))
    with pytest.raises(KeysError, match="0 of 2"):
        approved(msgspec.structs.replace(made, entry=longer), fleet.folder.approvers())


@pytest.mark.parametrize(
    ("purpose", "name"), [("gate", "jakarta"), ("collector", "CGK.D07"), ("gate", "CGK.>"), ("gate", "CGK.D 7")]
)
def test_a_name_that_cannot_be_is_not_asked_for(fleet, purpose, name):
    with pytest.raises(KeysError):
        fleet.request(name, purpose)


@given(st.binary(max_size=300))
def test_any_bytes_are_no_request(raw):
    with pytest.raises(KeysError):
        parse_enrolment(raw)


def test_a_gate_with_a_key_gets_no_second_one_but_by_rotation(fleet):
    first, second = (approved(fleet.approved(fleet.request("CGK.D07")[2]), fleet.folder.approvers()) for _ in range(2))
    with_first = admitted(EMPTY, first, datetime.now(UTC))
    with pytest.raises(KeysError, match="has a key"):
        admitted(with_first, second, datetime.now(UTC))
    after = KeyDirectory(
        admitted(with_first, second, datetime.now(UTC), rotated=Revoked(at=datetime.now(UTC), because="rotated"))
    )
    assert [one.public for one in after.live()] == [second.public]
    assert after.directory.sequence > with_first.sequence


def test_collectors_stand_beside_each_other(fleet):
    first, second = (
        approved(fleet.approved(fleet.request("jakarta", "collector")[2]), fleet.folder.approvers()) for _ in range(2)
    )
    assert (
        len(KeyDirectory(admitted(admitted(EMPTY, first, datetime.now(UTC)), second, datetime.now(UTC))).live("collector")) == 2
    )


def test_a_key_that_was_listed_never_comes_back(fleet):
    entry = approved(fleet.approved(fleet.request("CGK.D07")[2]), fleet.folder.approvers())
    gone = revoked(admitted(EMPTY, entry, datetime.now(UTC)), ["CGK.D07"], STOLEN)
    with pytest.raises(KeysError, match="no key comes back"):
        admitted(gone, entry, datetime.now(UTC))


def test_an_approval_that_has_ended_admits_nobody(fleet):
    entry = approved(fleet.approved(fleet.request("CGK.D07")[2]), fleet.folder.approvers())
    for when in (entry.until, entry.since - timedelta(seconds=1)):
        with pytest.raises(KeysError, match="not now"):
            admitted(EMPTY, entry, when)


def test_revoking_takes_one_key_or_all_of_a_name_and_nobody_else(fleet):
    for name in ("CGK.D07", "CGK.D08"):
        fleet.admit(name)
    known = fleet.folder.directory().directory
    by_name = KeyDirectory(revoked(known, ["CGK.D07"], STOLEN))
    by_key = KeyDirectory(revoked(known, [fleet.members["CGK.D07"].entry.id.hex()], STOLEN))
    assert [one.name for one in by_name.live()] == [one.name for one in by_key.live()] == ["CGK.D08"]
    for nobody in (["CGK.D99"], []):
        with pytest.raises(KeysError, match="no key of that name"):
            revoked(known, nobody, STOLEN)
    with pytest.raises(KeysError, match="revoked already"):
        revoked(by_name.directory, ["CGK.D07"], STOLEN)


def test_the_folder_takes_no_directory_that_brings_back_a_revoked_key(fleet):
    fleet.admit("CGK.D07")
    before = fleet.folder.directory().directory
    fleet.revoke("CGK.D07")
    with pytest.raises(KeysError, match="forgets"):
        fleet.folder.put(msgspec.structs.replace(before, sequence=9))
    with pytest.raises(KeysError, match="forgets"):
        fleet.folder.put(Directory(sequence=9))
    with pytest.raises(KeysError, match="older"):
        fleet.folder.put(before)
