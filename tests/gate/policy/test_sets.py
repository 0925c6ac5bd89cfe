"""Signed rule sets: two people, forward only, from a set instant, whole after a power cut, and nothing but what was signed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.policy import examiner
from gate.policy.examiner import KEPT_FOLDER, SEEN_FILE
from gate.policy.sets import MANIFEST, RulesStatement, RulesVersions
from pki.errors import PkiError, ReasonCode
from pki.signed_statement import SignedStatement, parse_signed
from pki.trust_statement import Statement

WIB = timezone(timedelta(hours=7))
MIDNIGHT = datetime(2026, 12, 1, tzinfo=WIB)
"""From which a law is to be applied, at the checkpoint's own clock."""
SECOND = timedelta(seconds=1)
STRIDE = 3
"""Every how manyth moment a power cut is tried at; a soak kills whoever is at work."""
pytestmark = pytest.mark.usefixtures("remembered")


def refused(work) -> ReasonCode:
    with pytest.raises(PkiError) as caught:
        work()
    return caught.value.code


# --- two people


def test_what_two_people_signed_judges_and_its_decisions_name_both_and_the_statement(house):
    house.bring("one")
    answer = house.examine()
    (only,) = answer.sets
    assert (only.people, only.sequence, only.version) == (("budi", "siti"), 1, 1)
    assert only.rules.startswith("one@")
    assert only.statement == house.versions.in_force().statement.digest


def test_nobody_one_person_one_person_twice_and_strangers_are_not_two_people(house):
    version = house.add("one")
    assert refused(lambda: house.activate(version)) is ReasonCode.STORE_NOT_SIGNED
    for name in ("siti", "siti", "stranger"):
        signed = house.sign(version, name)
        assert refused(lambda: house.activate(version)) is ReasonCode.STORE_NOT_SIGNED
        house.active.write_bytes(signed.encoded)  # put there by hand
        assert refused(house.examine) is ReasonCode.STORE_NOT_SIGNED
        house.active.unlink()
    house.sign(version, "dewi")
    house.activate(version)
    assert house.judging() == "one"


def test_one_person_under_two_names_or_two_keys_is_refused(house):
    house.bring("one")
    siti, budi = (line.partition(":")[2] for line in house.signers[:2])
    for signers in ((f"siti:{siti}", f"siti:{budi}"), (f"siti:{siti}", f"budi:{siti}"), (house.signers[0],)):
        assert refused(lambda signers=signers: house.examine(signers=signers)) in {
            ReasonCode.STORE_NOT_SIGNED,
            ReasonCode.MALFORMED,
        }


def test_signatures_under_another_version_or_another_instant_are_none(house):
    house.bring("one")
    old, second = house.versions.in_force(), house.add("two")
    one = old.statement
    for change in (
        {"version": second.number, "store": second.digest},
        {"begins": "2020-01-01T00:00:00+07:00"},
        {"sequence": 2, "replaces": one.digest},
        {"action": "rollback"},
    ):
        house.active.write_bytes(replace(old, statement=replace(one, **change)).encoded)
        assert refused(house.examine) is ReasonCode.STORE_NOT_SIGNED


def test_a_signature_for_a_trust_store_is_none_for_a_rule_set(house):
    """Were what is signed the same for both, whoever signs for a list of certificates could be made to sign for rules."""
    version = house.add("one")
    told = {"action": "activate", "version": 1, "store": version.digest, "sequence": 1, "replaces": "", "date": "2026-11-20"}
    rules = SignedStatement(statement=RulesStatement(**told, begins=house.at.isoformat()))
    trust = SignedStatement(statement=Statement(**told))
    for name in ("siti", "budi"):
        trust = trust.signed_with(house.keys[name])
    house.active.write_bytes(replace(rules, signatures=trust.signatures).encoded)
    assert refused(house.examine) is ReasonCode.STORE_NOT_SIGNED
    house.active.write_bytes(trust.encoded)
    assert refused(house.examine) is ReasonCode.MALFORMED


def test_whoever_signs_second_signs_what_the_first_signed(house):
    version = house.add("one")
    first = house.sign(version, "siti", begins=MIDNIGHT, because="PP 1/2027")
    assert refused(lambda: house.sign(version, "budi", begins=MIDNIGHT + SECOND)) is ReasonCode.MALFORMED
    assert refused(lambda: house.sign(version, "budi", because="something else")) is ReasonCode.MALFORMED
    assert house.sign(version, "budi").statement == first.statement
    assert house.sign(version, "dewi", begins=MIDNIGHT.astimezone(UTC)).statement == first.statement


# --- every octet


def test_no_octet_of_a_version_can_be_changed_not_even_a_comment(house):
    version = house.bring("one")
    for path in sorted(version.path.iterdir()):
        whole = path.read_bytes()
        for changed in (b"# " + whole, whole[:-1], whole.replace(b"a", b"b", 1), b""):
            path.write_bytes(changed)
            assert refused(house.examine) in {ReasonCode.STORE_NOT_SIGNED, ReasonCode.MALFORMED}, path
        path.unlink()
        assert refused(house.examine) is ReasonCode.MALFORMED
        path.write_bytes(whole)
    assert house.judging() == "one"


def test_a_rule_file_that_was_put_beside_the_signed_ones_is_refused(house):
    (house.bring("one").path / "more.toml").write_text("")
    with pytest.raises(PkiError, match=r"more\.toml.*not a rule file"):
        house.examine()


def test_another_version_under_the_name_of_the_one_in_force_is_refused(house):
    first, second = house.bring("one"), house.add("two")
    shutil.rmtree(first.path)
    shutil.copytree(second.path, first.path)
    assert refused(house.examine) is ReasonCode.STORE_NOT_SIGNED


@pytest.mark.parametrize("what", ["folder", MANIFEST, "rules.toml", "active"])
def test_nothing_is_read_through_a_link(house, tmp_path, what):
    version = house.bring("one")
    path = {"folder": version.path, "active": house.active}.get(what, version.path / what)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert refused(house.examine) is ReasonCode.MALFORMED


def test_what_a_later_release_wrote_is_refused_with_what_to_do(house):
    version = house.add("one")
    path = version.path / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2'))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    later = house.versions.version(1, digest)
    version.path.rename(later.path)
    with pytest.raises(PkiError, match=r"format 2.*update autogate"):
        house.sign(later, "siti")


def test_what_two_people_signed_is_still_refused_where_this_release_cannot_read_it(house):
    """Signed on a machine with another release, whose rule files may say other things."""
    files = dict(house.versions.read(house.add("one"))[1])
    del files[MANIFEST]
    version = house.versions.add(files | {"grants.toml": b"[[grnat]]\n"}, "odd@0")
    statement = RulesStatement(
        action="activate", version=2, store=version.digest, sequence=1, replaces="", date="2026", begins=house.at.isoformat()
    )
    signed = SignedStatement(statement=statement)
    for name in ("siti", "budi"):
        signed = signed.signed_with(house.keys[name])
    house.active.write_bytes(signed.encoded)
    with pytest.raises(PkiError, match=r"this release refuses it: grants\.toml"):
        house.examine()
    assert refused(lambda: house.sign(version, "siti")) is ReasonCode.MALFORMED


def test_a_trial_opens_no_set_that_lets_something_unsafe_pass(house, monkeypatch):
    """The check of the files refuses such a set; should it ever not, this does."""
    house.bring("one")
    grants = house.versions.rules(house.versions.find("1")).grants
    assert any("demo" in each.profiles for grant in grants for need in grant.requirements for each in need.tolerated.values())
    assert house.examine(profile="demo").sets
    monkeypatch.setitem(examiner.PROFILES, "demo", examiner.PROFILES["trial"])
    with pytest.raises(PkiError, match="UnsafeNoPad"):
        house.examine(profile="demo")


@given(
    st.binary(max_size=200) | st.dictionaries(st.text(), st.text() | st.integers()).map(lambda each: json.dumps(each).encode())
)
def test_any_bytes_are_a_statement_or_the_rooms_own_error(encoded):
    try:
        told = parse_signed(encoded, RulesStatement)
    except PkiError:
        return
    assert told.statement.is_sound()


@pytest.mark.parametrize("begins", ["", "2026-12-01", "2026-12-01T00:00:00", "2026-12-01T00:00+07:00", "soon", 3, None, "9" * 60])
def test_an_instant_without_zone_or_in_another_form_is_no_instant(begins):
    told = RulesStatement(action="activate", version=1, store="0" * 64, sequence=1, replaces="", date="d", begins=begins)
    assert not told.is_sound()
    assert replace(told, begins="2026-12-01T00:00:00+07:00").is_sound()


# --- from a set instant


def test_a_set_judges_from_midnight_of_the_checkpoint_on_to_the_second_and_the_one_before_until_then(house):
    house.bring("old")
    house.bring("new", begins=MIDNIGHT)
    for at, name in ((MIDNIGHT - SECOND, "old"), (MIDNIGHT, "new"), (datetime(2026, 11, 30, 17, tzinfo=UTC), "new")):
        assert house.judging(at) == name
    assert house.judging(datetime(2026, 11, 30, 16, 59, 59, 999_999, tzinfo=UTC)) == "old"
    ahead = house.examine(MIDNIGHT - SECOND).sets
    assert [one.rules.partition("@")[0] for one in ahead] == ["new", "old"]
    assert [one.begins for one in house.examine(MIDNIGHT).sets] == [MIDNIGHT]


def test_several_sets_begin_one_after_the_other(house):
    house.bring("old")
    days = [MIDNIGHT, MIDNIGHT + timedelta(days=31)]
    for name, day in zip(("december", "january"), days, strict=True):
        house.bring(name, begins=day)
    assert [house.judging(at) for at in (MIDNIGHT - SECOND, MIDNIGHT, days[1] - SECOND, days[1])] == [
        "old",
        "december",
        "december",
        "january",
    ]


def test_before_the_first_set_begins_nobody_is_judged(house):
    house.bring("one", begins=MIDNIGHT)
    with pytest.raises(PkiError, match="begins at 2026-12-01T00:00:00\\+07:00"):
        house.examine(MIDNIGHT - SECOND)
    assert house.judging(MIDNIGHT) == "one"


def test_what_is_to_begin_is_taken_back_by_bringing_back_what_judges_until_then(house):
    first = house.bring("old")
    second = house.bring("new", begins=MIDNIGHT)
    assert refused(lambda: house.sign(second, "siti", begins=MIDNIGHT + 9 * SECOND)) is ReasonCode.MALFORMED
    assert refused(lambda: house.sign(first, "siti")) is ReasonCode.STORE_OUTDATED  # without a reason
    house.sign(first, "siti", "budi", because="put off")
    house.activate(first, "rollback")
    assert house.judging(MIDNIGHT) == "old"
    house.bring("new", begins=MIDNIGHT + timedelta(days=1))
    assert [house.judging(MIDNIGHT + timedelta(days=day)) for day in (0, 1)] == ["old", "new"]


def test_new_people_may_sign_anew_for_what_judges_already(house):
    version = house.bring("one")
    house.sign(version, "siti", "dewi", at=house.at + timedelta(days=2))
    house.activate(version)
    assert house.examine(house.at + timedelta(days=3)).sets[0].people == ("dewi", "siti")


def test_the_statement_before_is_proven_as_strictly_as_the_one_that_is_to_begin(house):
    house.bring("old")
    house.bring("new", begins=MIDNIGHT)
    (path,) = (house.folder / "statements").glob("000001-*")
    whole = json.loads(path.read_bytes())
    path.write_text(json.dumps(whole | {"signatures": dict(list(whole["signatures"].items())[:1])}))
    assert refused(lambda: house.examine(MIDNIGHT - SECOND)) is ReasonCode.STORE_NOT_SIGNED
    path.unlink()
    assert refused(lambda: house.examine(MIDNIGHT - SECOND)) is ReasonCode.MALFORMED
    assert house.judging(MIDNIGHT) == "new"


# --- forward only


def test_an_older_statement_is_not_taken_back_not_even_one_that_was_to_begin(house):
    """Whoever could undo what is about to begin by restoring a file could keep a law from being applied."""
    house.bring("old")
    before = house.active.read_bytes()
    house.bring("new", begins=MIDNIGHT)
    house.examine(MIDNIGHT - SECOND)
    house.active.write_bytes(before)
    shutil.rmtree(house.state / KEPT_FOLDER)
    assert refused(lambda: house.examine(MIDNIGHT - SECOND)) is ReasonCode.STORE_OUTDATED


def test_going_back_takes_a_reason_two_signatures_and_its_own_word(house):
    first = house.bring("old")
    house.bring("new")
    house.examine()
    assert refused(lambda: house.sign(first, "siti")) is ReasonCode.STORE_OUTDATED
    house.sign(first, "siti", because="a fault in rule 9")
    assert refused(lambda: house.activate(first, "rollback")) is ReasonCode.STORE_NOT_SIGNED
    house.sign(first, "budi")
    assert refused(lambda: house.activate(first, "activate")) is ReasonCode.STORE_OUTDATED
    house.activate(first, "rollback")
    assert house.judging() == "old"


def test_a_gate_that_cannot_read_what_it_worked_under_does_not_start(house):
    house.bring("one")
    house.examine()
    (house.state / SEEN_FILE).write_bytes(b"{}")
    with pytest.raises(PkiError, match="autogate policy list, then delete it"):
        house.examine()


# --- what a gate goes by when its store is not to be gone by


@pytest.mark.parametrize("what", ["signature", "file", "older", "gone"])
def test_a_gate_whose_store_is_spoilt_goes_by_what_it_could_prove_last_and_says_so(house, what):
    first = house.bring("old")
    old = house.active.read_bytes()
    version = house.bring("new")
    assert house.judging() == "new"
    match what:
        case "signature":
            house.add("third")
            house.sign(house.versions.find("3"), "siti")
            house.active.write_bytes(next((house.folder / "statements").glob("000003-*")).read_bytes())
        case "file":
            (version.path / "rules.toml").write_bytes(b"")
        case "older":
            house.active.write_bytes(old)
        case "gone":
            shutil.rmtree(house.folder)
    answer = house.examine()
    assert answer.problem
    assert answer.sets[0].rules.startswith("new@")
    assert str(house.state) in answer.sets[0].folder
    assert first.number == 1


def test_a_gate_that_proved_nothing_yet_does_not_start_and_looking_keeps_nothing(house):
    version = house.bring("one")
    examiner.examine(house.question(), keep=False)
    assert list(house.state.iterdir()) == []
    (version.path / "rules.toml").write_bytes(b"")
    with pytest.raises(PkiError, match=r"rules\.toml: was changed: put back"):
        house.examine()


def test_what_a_gate_keeps_is_not_believed_for_lying_in_its_own_folder(house):
    house.bring("one")
    house.examine()
    (kept,) = (house.state / KEPT_FOLDER / "versions").iterdir()
    (kept / "rules.toml").write_bytes(b"")
    shutil.rmtree(house.folder)
    assert refused(house.examine) is ReasonCode.MALFORMED


def test_a_damaged_copy_is_made_anew(house):
    house.bring("one")
    house.examine()
    (kept,) = (house.state / KEPT_FOLDER / "versions").iterdir()
    (kept / "rules.toml").write_bytes(b"")
    house.examine()
    shutil.rmtree(house.folder)
    assert house.examine().sets[0].rules.startswith("one@")


# --- the disk


class PowerCutError(BaseException):
    pass


def cut_at(moment: int, monkeypatch, work) -> bool:
    """Let ``work`` reach the disk ``moment`` times, then nothing any more. Returns whether it came to its end."""
    left = [moment]

    def counted(real):
        def call(*arguments, **more):
            if left[0] <= 0:
                raise PowerCutError
            left[0] -= 1
            return real(*arguments, **more)

        return call

    with monkeypatch.context() as patch:
        for place, name in ((os, "write"), (os, "fsync"), (Path, "replace"), (Path, "rename"), (Path, "mkdir")):
            patch.setattr(place, name, counted(getattr(place, name)))
        unlink, rmtree = Path.unlink, shutil.rmtree
        patch.setattr(
            Path, "unlink", lambda *at, **how: unlink(*at, **how) if left[0] > 0 else None
        )  # nobody tidies up afterwards
        patch.setattr(shutil, "rmtree", lambda *at, **how: rmtree(*at, **how) if left[0] > 0 else None)
        try:
            work()
        except PowerCutError:
            return False
    return True


def test_after_a_power_cut_at_any_moment_the_old_or_the_new_set_judges(house, monkeypatch, tmp_path):
    house.bring("old")
    clean, judged, finished, moment = tmp_path / "clean", [], False, 0
    shutil.copytree(house.folder, clean)
    while not finished:
        shutil.rmtree(house.folder)
        shutil.copytree(clean, house.folder)
        shutil.rmtree(house.state)
        house.state.mkdir()
        finished = cut_at(moment, monkeypatch, lambda: house.bring("new"))
        judged.append(house.judging())
        house.bring("new")  # goes on as if nothing had been
        assert house.judging() == "new"
        moment += STRIDE
    assert judged == sorted(judged, reverse=True)
    assert {"old", "new"} == set(judged)
    assert moment > 30


def test_after_a_power_cut_while_a_gate_keeps_its_copy_it_starts_again(house, monkeypatch):
    house.bring("old")
    house.examine()
    house.bring("new")
    moment, finished = 0, False
    while not finished:
        finished = cut_at(moment, monkeypatch, house.examine)
        assert house.judging() == "new"
        shutil.rmtree(house.state)
        house.state.mkdir()
        moment += STRIDE
    assert moment > 20


def test_two_at_once_are_told_so(house):
    import fcntl

    house.add("one")
    with (house.folder / "lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(PkiError, match="another command"):
            house.add("two")
    assert house.add("two").number == 2


def test_the_same_octets_again_are_the_same_version(house):
    first = house.add("one")
    assert house.add("one") == first
    assert [house.add("two").number, house.add("one").number] == [2, 3]
    assert [one.number for one in RulesVersions(house.folder).versions()] == [1, 2, 3]
