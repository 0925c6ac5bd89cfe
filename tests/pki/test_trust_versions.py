"""Versions of a trust store: two people, forward only, whole after a power cut, and nothing but what was signed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import PkiError, ReasonCode
from pki.trust import Csca, TrustStore
from pki.trust_file import trust_body
from pki.trust_statement import SignedStatement, Statement, parse_signers, parse_statement
from pki.trust_versions import TrustVersions, open_active

NAMES = ("first", "second", "third")
KEYS = {name: Ed25519PrivateKey.generate() for name in (*NAMES, "stranger")}
SIGNERS = {KEYS[name].public_key().public_bytes_raw().hex(): name for name in NAMES}
FINGERPRINT = "ab" * 32
STATEMENT = Statement(action="activate", version=1, store="0" * 64, sequence=1, replaces="", date="2026-09-01T12:00:00+00:00")


@pytest.fixture(scope="module")
def stores(workshop) -> list[TrustStore]:
    """Three that differ."""
    one, two = (Csca.of(state.csca, "a list") for state in (workshop.state, workshop.foreign))
    return [TrustStore(anchors=(one,)), TrustStore(anchors=(one, two), crls=(workshop.state.crl(),)), TrustStore(anchors=(two,))]


@pytest.fixture
def house(tmp_path, now) -> House:
    return House(tmp_path / "trust", now)


class House:
    """The people and their folder."""

    def __init__(self, folder: Path, now) -> None:
        self.versions, self.now = TrustVersions(folder), now

    def add(self, store):
        return self.versions.add(store)

    def sign(self, version, *names, **more):
        for name in names:
            signed = self.versions.sign(version, KEYS[name], now=self.now, **more)
        return signed

    def activate(self, version, action="activate"):
        return self.versions.activate(version, action, SIGNERS, now=self.now)

    def bring(self, store, **more):
        """Into force, by two people."""
        version = self.add(store)
        signed = self.sign(version, "first", "second", **more)
        self.activate(version, signed.statement.action)
        return version

    def open(self, **more):
        return open_active(self.versions.folder, SIGNERS, **({"demo": False} | more))

    @property
    def active(self) -> Path:
        return self.versions.folder / "active"


def refused(work) -> ReasonCode:
    with pytest.raises(PkiError) as caught:
        work()
    return caught.value.code


# --- two people


def test_what_two_people_signed_is_opened_as_it_was_imported(house, stores):
    house.bring(stores[1])
    opened = house.open()
    assert opened.store == stores[1]
    assert (opened.people, opened.statement.sequence, opened.statement.version) == (("first", "second"), 1, 1)


def test_nobody_one_person_one_person_twice_and_strangers_are_not_two_people(house, stores):
    version = house.add(stores[0])
    assert refused(lambda: house.activate(version)) is ReasonCode.STORE_NOT_SIGNED
    for names in (("first",), ("first",), ("stranger",)):
        house.sign(version, *names)
        assert refused(lambda: house.activate(version)) is ReasonCode.STORE_NOT_SIGNED
    assert refused(house.open) is ReasonCode.MALFORMED  # nothing is in force
    house.sign(version, "third")
    house.activate(version)
    assert house.open().people == ("first", "third")


def test_a_statement_put_in_force_by_hand_is_not_enough_at_the_gate(house, stores):
    signed = house.sign(house.add(stores[0]), "first")
    house.active.write_bytes(signed.encoded)
    assert refused(house.open) is ReasonCode.STORE_NOT_SIGNED


def test_two_keys_of_one_name_and_one_key_of_two_names_are_refused():
    one, two = (character * 64 for character in "ab")
    assert parse_signers([f"x:{one}", f"y:{two}"]) == {one: "x", two: "y"}
    for lines in (
        [f"x:{one}", f"x:{two}"],
        [f"x:{one}", f"y:{one}"],
        [f"x:{one[1:]}"],
        [one],
        [f"x:{one} "],
        [f"x:{one.upper()}"],
    ):
        assert refused(lambda lines=lines: parse_signers(lines)) is ReasonCode.MALFORMED


WEAK = [bytes.fromhex(y) for y in ("00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
)]  # fmt: skip


@pytest.mark.parametrize("key", [y[:31] + bytes([y[31] | sign]) for y in WEAK for sign in (0, 128)], ids=bytes.hex)
def test_a_key_under_which_anybody_signs_is_no_signers(key):
    """A statement is forged under it without any private key, to show that the danger is real."""
    signer = f"nobody:{key.hex()}"
    forged = (
        SignedStatement(statement=replace(STATEMENT, because=str(number)), signatures={key.hex(): (point + bytes(32)).hex()})
        for number in range(64)
        for point in WEAK
    )
    assert any(one.people({key.hex(): "nobody"}) for one in forged)
    with pytest.raises(PkiError, match="nobody"):
        parse_signers([signer])


def test_two_keys_under_one_name_count_once(house, stores):
    house.bring(stores[0])
    same = dict.fromkeys(SIGNERS, "one person")
    assert refused(lambda: open_active(house.versions.folder, same, demo=False)) is ReasonCode.STORE_NOT_SIGNED


def test_whoever_signs_second_signs_what_the_first_signed(house, stores):
    version = house.add(stores[0])
    signed = house.sign(version, "first", because="lists of the week", confirmed=(FINGERPRINT,))
    assert refused(lambda: house.sign(version, "second", because="something else")) is ReasonCode.MALFORMED
    assert refused(lambda: house.sign(version, "second", confirmed=("cd" * 32,))) is ReasonCode.MALFORMED
    assert house.sign(version, "second").statement == signed.statement


def test_a_statement_changed_between_two_signatures_has_lost_the_first(house, stores):
    version = house.add(stores[0])
    house.sign(version, "first")
    (path,) = (house.versions.folder / "statements").iterdir()
    changed = json.loads(path.read_bytes())
    changed["statement"]["confirmed"] = [FINGERPRINT]
    path.write_text(json.dumps(changed))
    assert house.sign(version, "second").people(SIGNERS) == ("second",)
    assert refused(lambda: house.activate(version)) is ReasonCode.STORE_NOT_SIGNED


def test_signatures_under_one_statement_are_none_under_another(house, stores):
    house.bring(stores[0])
    old = house.versions.in_force()
    second = house.add(stores[1])
    fresh = replace(old.statement, version=second.number, store=second.digest, sequence=2, replaces=old.statement.digest)
    house.active.write_bytes(replace(old, statement=fresh).encoded)
    assert refused(house.open) is ReasonCode.STORE_NOT_SIGNED


@pytest.mark.parametrize("lie", [{"country": "DE"}, {"subject": "another"}, {"key_identifier": b"\1" * 20}], ids=str)
def test_nobody_signs_an_index_that_hides_whose_certificate_it_is(house, stores, lie):
    """Listed under another State, a stranger's certificate for the home State would not be seen by who looks that State up."""
    honest = stores[0].anchors[0]
    version = house.add(replace(stores[0], anchors=(replace(honest, **lie),)))
    with pytest.raises(PkiError, match="index"):
        house.sign(version, "first")
    assert house.versions.pending() == ()


def test_a_confirmation_stays_with_later_versions(house, stores):
    house.bring(stores[0], confirmed=(FINGERPRINT,))
    house.bring(stores[1])
    assert house.open().statement.confirmed == (FINGERPRINT,)


# --- every octet


def test_no_octet_of_version_or_statement_can_be_changed(house, stores):
    version = house.bring(stores[0])
    for path in (version.path, house.active):
        whole = path.read_bytes()
        for position in range(0, len(whole), 5):
            changed = bytearray(whole)
            changed[position] ^= 0x10
            path.write_bytes(changed)
            assert refused(house.open) in {ReasonCode.STORE_NOT_SIGNED, ReasonCode.MALFORMED}
        for wrong in (b"", whole[:-2], whole + b"x"):
            path.write_bytes(wrong)
            assert refused(house.open) in {ReasonCode.STORE_NOT_SIGNED, ReasonCode.MALFORMED}
        path.write_bytes(whole)
    assert house.open().store == stores[0]


def test_another_version_under_the_name_of_the_one_in_force_is_refused(house, stores):
    first, second = house.bring(stores[0]), house.add(stores[1])
    shutil.copy(second.path, first.path)
    assert refused(house.open) is ReasonCode.STORE_NOT_SIGNED
    assert refused(lambda: house.sign(first, "third")) is ReasonCode.STORE_NOT_SIGNED
    first.path.unlink()
    assert refused(house.open) is ReasonCode.MALFORMED


def test_a_version_that_calls_itself_by_another_number_is_refused(house, stores):
    house.bring(stores[0])
    body = trust_body(stores[1], 7)
    second = house.add(stores[1])
    honest = house.versions.version(7, second.digest)
    disguised = second.path.with_name(f"000009-{second.digest}.store")
    shutil.copy(second.path, disguised)
    assert refused(lambda: house.sign(house.versions.find("9"), "first")) is ReasonCode.MALFORMED
    assert len(body) == second.path.stat().st_size  # only the number differs
    assert refused(lambda: house.versions.read(honest)) is ReasonCode.MALFORMED


@pytest.mark.parametrize("what", ["version", "active", "versions", "statements", "lock"])
def test_nothing_is_read_or_written_through_a_link(house, stores, tmp_path, what):
    version = house.bring(stores[0])
    path = version.path if what == "version" else house.versions.folder / what
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))
    if what in {"version", "active"}:
        assert refused(house.open) is ReasonCode.MALFORMED
    with pytest.raises((PkiError, OSError)):
        house.sign(house.versions.find("1"), "third", because="again")
    if what != "active":
        assert sorted(tmp_path.rglob("*")) == before


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(house, stores):
    version = house.bring(stores[0])
    version.path.unlink()
    os.mkfifo(version.path)
    assert refused(house.open) is ReasonCode.MALFORMED


def test_what_two_people_signed_is_still_refused_where_it_is_no_store(house):
    """They were handed something that no tool of ours made."""
    digest = hashlib.sha256(b"no store").hexdigest()
    (house.versions.folder / "versions").mkdir(parents=True)
    house.versions.version(1, digest).path.write_bytes(b"no store")
    signed = SignedStatement(statement=replace(STATEMENT, store=digest)).signed_with(KEYS["first"]).signed_with(KEYS["second"])
    house.active.write_bytes(signed.encoded)
    assert refused(house.open) is ReasonCode.MALFORMED


# --- forward only


def test_an_older_statement_is_not_taken_back(house, stores):
    house.bring(stores[0])
    old = house.active.read_bytes()
    house.bring(stores[1])
    seen = house.open().seen
    house.active.write_bytes(old)
    assert refused(lambda: house.open(seen=seen)) is ReasonCode.STORE_OUTDATED


def test_another_statement_of_the_same_number_is_refused(house, stores, tmp_path, now):
    other = House(tmp_path / "other", now + timedelta(days=1))
    for each in (house, other):
        each.bring(stores[0])
    assert refused(lambda: house.open(seen=other.open().seen)) is ReasonCode.STORE_OUTDATED
    house.bring(stores[1])
    assert refused(lambda: house.open(seen=other.open().seen)) is ReasonCode.STORE_OUTDATED


def test_a_statement_for_a_place_that_is_taken_is_refused(house, stores):
    house.bring(stores[0])
    second, third = house.add(stores[1]), house.add(stores[2])
    for version in (second, third):
        house.sign(version, "first", "second")
    house.activate(second)
    assert refused(lambda: house.activate(third)) is ReasonCode.STORE_NOT_SIGNED
    assert house.versions.pending() == ()


def test_going_back_takes_a_reason_two_signatures_and_its_own_word(house, stores):
    first, second = house.bring(stores[0]), house.bring(stores[1])
    seen = house.open().seen
    assert refused(lambda: house.sign(first, "first")) is ReasonCode.STORE_OUTDATED
    assert refused(lambda: house.activate(first, "rollback")) is ReasonCode.STORE_NOT_SIGNED
    house.sign(first, "first", because="a list was withdrawn")
    assert refused(lambda: house.activate(first, "rollback")) is ReasonCode.STORE_NOT_SIGNED
    house.sign(first, "second")
    assert refused(lambda: house.activate(first, "activate")) is ReasonCode.STORE_OUTDATED
    house.activate(first, "rollback")
    opened = house.open(seen=seen)
    assert (opened.store, opened.statement.sequence, opened.statement.action) == (stores[0], 3, "rollback")
    assert opened.statement.because == "a list was withdrawn"
    house.sign(second, "first", "third")
    house.activate(second)
    assert house.open(seen=opened.seen).statement.sequence == 4


def test_a_statement_that_goes_back_without_saying_so_is_refused_at_the_gate(house, stores):
    first, second = house.bring(stores[0]), house.bring(stores[1])
    seen = house.open().seen
    sly = replace(house.open().statement, version=first.number, store=first.digest, sequence=3, replaces=seen.statement)
    assert second.number > first.number
    for action, wanted in (("activate", ReasonCode.STORE_OUTDATED), ("rollback", None)):
        signed = SignedStatement(statement=replace(sly, action=action)).signed_with(KEYS["first"]).signed_with(KEYS["second"])
        house.active.write_bytes(signed.encoded)
        assert (refused(lambda: house.open(seen=seen)) if wanted else house.open(seen=seen).store) in {wanted, stores[0]}


# --- the disk


def test_the_same_content_again_is_the_same_version(house, stores):
    first = house.add(stores[0])
    assert house.add(stores[0]) == first
    assert [house.add(stores[1]).number, house.add(stores[0]).number] == [2, 3]


def test_a_full_disk_leaves_everything_as_it_was(house, stores, monkeypatch):
    house.bring(stores[0])
    second = house.add(stores[1])
    house.sign(second, "first", "second")
    before = {path: path.read_bytes() for path in house.versions.folder.rglob("*") if path.is_file()}
    written, real = [0], os.write

    def full(descriptor: int, data) -> int:
        if written[0] >= 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        written[0] += (count := real(descriptor, data[:60]))
        return count

    for work in (lambda: house.add(stores[2]), lambda: house.sign(second, "third"), lambda: house.activate(second)):
        written[0] = 0
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(OSError, match="No space left"):
                work()
        assert {path: path.read_bytes() for path in house.versions.folder.rglob("*") if path.is_file()} == before


def test_octets_are_on_the_disk_before_their_name_is_and_then_the_name(house, stores, monkeypatch):
    house.bring(stores[0])
    done = []

    def noted(name, real):
        return lambda *arguments: (done.append(name(*arguments)), real(*arguments))[1]

    monkeypatch.setattr(os, "write", noted(lambda *_: "write", os.write))
    monkeypatch.setattr(os, "fsync", noted(lambda at: "sync folder" if stat.S_ISDIR(os.fstat(at).st_mode) else "sync", os.fsync))
    monkeypatch.setattr(Path, "replace", noted(lambda *_: "rename", Path.replace))
    house.bring(stores[1])
    assert done == ["write", "sync", "rename", "sync folder"] * 4  # a version, two signatures, what is in force


def test_a_disk_that_takes_little_at_a_time_gets_everything(house, stores, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:97]))
    house.bring(stores[1])
    assert house.open().store == stores[1]


class PowerCut(BaseException):
    pass


def test_after_a_power_cut_at_any_moment_the_old_or_the_new_version_is_in_force(tmp_path, stores, now, monkeypatch):
    moment, outcomes = 0, []
    while True:
        house = House(tmp_path / f"cut-{moment}", now)
        house.bring(stores[0])
        finished = _cut_at(moment, monkeypatch, lambda house=house: house.bring(stores[1]))
        opened = house.open()
        outcomes.append(opened.statement.version)
        assert opened.store == stores[opened.statement.version - 1]
        house.bring(stores[1])  # goes on as if nothing had been
        assert house.open().store == stores[1]
        if finished:
            break
        moment += 1
    assert outcomes == sorted(outcomes)
    assert {1, 2} == set(outcomes)
    assert moment > 10


def test_a_power_cut_while_the_folder_is_made_leaves_nothing_in_the_way(tmp_path, stores, now, monkeypatch):
    store, moment, finished = replace(stores[0], demo=True), 0, False
    while not finished:
        house = House(tmp_path / f"cut-{moment}", now)
        finished = _cut_at(moment, monkeypatch, lambda house=house: house.add(store))
        house.activate(house.add(store))
        assert house.open(demo=True).store == store
        moment += 1
    assert moment > 6


def _cut_at(moment: int, monkeypatch, work) -> bool:
    """Let ``work`` reach the disk ``moment`` times, then nothing any more. Returns whether it came to its end."""
    left = [moment]

    def counted(real):
        def call(*arguments, **more):
            if left[0] <= 0:
                raise PowerCut
            left[0] -= 1
            return real(*arguments, **more)

        return call

    with monkeypatch.context() as patch:
        for place, name in ((os, "write"), (os, "fsync"), (Path, "replace"), (Path, "mkdir")):
            patch.setattr(place, name, counted(getattr(place, name)))
        unlink = Path.unlink
        patch.setattr(
            Path, "unlink", lambda *at, **how: unlink(*at, **how) if left[0] > 0 else None
        )  # nobody tidies up afterwards
        try:
            work()
        except PowerCut:
            return False
    return True


def test_two_at_once_are_told_so(house, stores):
    house.add(stores[0])
    with (house.versions.folder / "lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(PkiError, match="another command"):
            house.add(stores[1])
    assert house.add(stores[1]).number == 2


def test_an_import_made_from_what_is_no_longer_the_newest_is_refused(house, stores):
    house.versions.add(stores[0], onto=0)
    with pytest.raises(PkiError, match="import again"):
        house.versions.add(stores[1], onto=0)
    assert house.versions.add(stores[1], onto=1).number == 2


# --- demonstrations


def test_a_demonstrations_store_needs_no_signature_and_no_other_profile_opens_it(house, stores):
    version = house.add(replace(stores[0], demo=True))
    house.activate(version)
    assert house.open(demo=True).store.demo
    assert refused(house.open) is ReasonCode.STORE_NOT_SIGNED
    signed = house.versions.in_force().signed_with(KEYS["first"]).signed_with(KEYS["second"])
    house.active.write_bytes(signed.encoded)
    assert refused(house.open) is ReasonCode.MALFORMED


def test_a_demonstration_opens_no_real_store_and_no_folder_holds_both_kinds(house, stores):
    house.bring(stores[0])
    assert refused(lambda: house.open(demo=True)) is ReasonCode.MALFORMED
    assert refused(lambda: house.add(replace(stores[1], demo=True))) is ReasonCode.MALFORMED


def test_versions_are_found_by_number_and_digest(house, stores):
    first, second = house.add(stores[0]), house.add(stores[1])
    assert (house.versions.find("2"), house.versions.find(first.digest[:8])) == (second, first)
    for name in ("3", first.digest[:7], "", "x" * 64):
        assert refused(lambda name=name: house.versions.find(name)) is ReasonCode.MALFORMED


# --- any bytes

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_statement_or_the_rooms_error(data):
    assert refused(lambda: parse_statement(data)) is ReasonCode.MALFORMED


@given(changes=st.dictionaries(st.sampled_from([*Statement.__slots__, "other"]), ANYTHING, min_size=1), signatures=ANYTHING)
def test_any_values_are_a_statement_or_the_rooms_error(changes, signatures):
    whole = json.loads(SignedStatement(statement=STATEMENT).encoded)
    for given_signatures in (whole["signatures"], signatures):
        data = json.dumps({"statement": whole["statement"] | changes, "signatures": given_signatures}).encode()
        with contextlib.suppress(PkiError):
            assert parse_statement(parse_statement(data).encoded) == parse_statement(data)


@pytest.mark.parametrize(
    "wrong", [{"action": "trust"}, {"version": 0}, {"version": True}, {"sequence": 10**6}, {"store": "0"}, {"because": "a\nb"}]
)
def test_a_statement_with_a_value_that_makes_no_sense_is_none(wrong):
    assert parse_statement(SignedStatement(statement=STATEMENT).encoded).statement == STATEMENT
    assert (
        refused(lambda: parse_statement(SignedStatement(statement=replace(STATEMENT, **wrong)).encoded)) is ReasonCode.MALFORMED
    )
