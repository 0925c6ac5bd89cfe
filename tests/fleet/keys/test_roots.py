"""The root above all: two of three people, from one root to the next, and never one alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gate.fleet.keys.directory import KeysError
from gate.fleet.keys.roots import keys_of, new_root, read_root, sign, signed_by
from gate.fleet.updates.repository import Repository
from gate.fleet.updates.targets import KEYS, UpdateError

NOW = datetime.now(UTC)
PEOPLE = {
    name: Ed25519PrivateKey.from_private_bytes(bytes([at]) * 32) for at, name in enumerate(("ani", "budi", "citra", "dewi"), 1)
}
ONLINE = Ed25519PrivateKey.from_private_bytes(b"\x77" * 32)


def public(key):
    return key.public_key().public_bytes_raw().hex()


NAMES = {public(key): name for name, key in PEOPLE.items()}
THREE, NEXT = (
    [public(PEOPLE[name]) for name in ("ani", "budi", "citra")],
    [public(PEOPLE[name]) for name in ("budi", "citra", "dewi")],
)


def root(*by, people=THREE, before=None):
    made = new_root(people, people, public(ONLINE), NOW, before=before)
    for name in by:
        made = sign(made, PEOPLE[name])
    return made


def test_two_of_three_make_a_root_and_one_does_not():
    assert signed_by(root("ani", "citra"), NAMES) == (True, ("ani", "citra"))
    assert signed_by(root("ani"), NAMES) == (False, ("ani",))
    assert signed_by(root("ani", "ani"), NAMES) == (False, ("ani",))
    assert signed_by(root("ani", "dewi"), NAMES) == (False, ("ani",))


def test_a_next_root_needs_two_of_the_old_and_two_of_the_new():
    first = root("ani", "budi")
    for by, counts in (
        (("budi", "citra"), True),
        (("citra", "dewi"), False),
        (("ani", "budi"), False),
        (("ani", "budi", "dewi"), True),
    ):
        assert signed_by(root(*by, people=NEXT, before=first), NAMES, first)[0] is counts, by
    with pytest.raises(KeysError, match="not the next root"):
        signed_by(root("budi", "citra", people=NEXT, before=root("budi", "citra", people=NEXT, before=first)), NAMES, first)


@pytest.mark.parametrize(
    ("people", "online"), [(THREE[:2], public(ONLINE)), (THREE, THREE[0])], ids=["two people", "a person online"]
)
def test_a_root_that_one_loss_would_break_is_not_made(people, online):
    with pytest.raises(KeysError):
        new_root(people, people, online, NOW)


def test_a_root_says_whose_keys_count_and_until_when():
    made = root()
    assert sorted(keys_of(made, "root")) == sorted(keys_of(made, "targets")) == sorted(THREE)
    assert keys_of(made, "snapshot") == keys_of(made, "timestamp") == (public(ONLINE),)
    assert read_root(made).signed.expires - NOW <= timedelta(days=365)


def test_the_repository_takes_these_roots_and_the_directory_of_keys_under_them(tmp_path):
    repository = Repository(tmp_path)
    with pytest.raises(UpdateError):
        repository.add_root(root("ani"))
    first = root("ani", "budi")
    assert repository.add_root(first) == 1
    draft = repository.draft(NOW, add={KEYS: b"{}"})
    signed = draft.to_bytes()
    for name in ("ani", "budi"):
        assert repository.sign(PEOPLE[name])
        signed = sign(signed, PEOPLE[name])
    repository.publish(ONLINE, NOW)
    assert KEYS in repository.allowed()
    read_root(first).signed.verify_delegate("targets", draft.signed_bytes, type(draft).from_bytes(signed).signatures)
    assert repository.add_root(root("budi", "citra", people=NEXT, before=first)) == 2


@given(st.binary(max_size=200))
def test_any_bytes_are_no_root(raw):
    for read in (read_root, lambda each: sign(each, PEOPLE["ani"])):
        with pytest.raises(KeysError):
            read(raw)
