"""The trust store on disk, and the command that judges with it."""

from __future__ import annotations

import base64
import json
import re

import pytest

from pki import sim
from pki.__main__ import main
from pki.errors import PkiError
from pki.trust import TrustStore, load_trust_store, save_trust_store


@pytest.fixture
def folder(tmp_path, workshop):
    save_trust_store(workshop.state.trust_store(crls=[workshop.state.crl()]), tmp_path / "trust")
    return tmp_path / "trust"


def test_saved_store_is_loaded_to_the_same_version(folder, workshop):
    store, loaded = workshop.state.trust_store(crls=[workshop.state.crl()]), load_trust_store(folder)
    assert loaded.demo
    assert [anchor.certificate for anchor in loaded.anchors] == [anchor.certificate for anchor in store.anchors]
    save_trust_store(loaded, folder)
    assert load_trust_store(folder).version == loaded.version


def test_version_changes_with_anything_in_the_store(workshop, now):
    state, other = workshop.state, workshop.foreign
    crl = state.crl([state.signer])
    stores = [
        state.trust_store(),
        state.trust_store(crls=[crl]),
        other.trust_store(),
        TrustStore(anchors=state.trust_store().anchors),
        TrustStore(anchors=(*state.trust_store().anchors, *other.trust_store().anchors), demo=True),
    ]
    assert len({store.version for store in stores}) == len(stores)


def test_version_does_not_depend_on_the_order_of_anchors(workshop):
    anchors = (*workshop.state.trust_store().anchors, *workshop.foreign.trust_store().anchors)
    assert TrustStore(anchors=anchors).version == TrustStore(anchors=anchors[::-1]).version


def test_pem_with_several_certificates_is_read(tmp_path, workshop):
    def pem(encoded):
        return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(encoded) + b"-----END CERTIFICATE-----\n"

    (tmp_path / "both.pem").write_bytes(pem(workshop.state.csca) + pem(workshop.foreign.csca) + pem(workshop.state.csca))
    store = load_trust_store(tmp_path)
    assert {anchor.certificate for anchor in store.anchors} == {workshop.state.csca, workshop.foreign.csca}
    assert {anchor.provenance for anchor in store.anchors} == {"both.pem"}
    assert not store.demo


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.cer", b"\x30\x03abc"),
        ("broken.pem", b"-----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----"),
        ("empty.der", b""),
        ("broken.crl", b"no list"),
        ("revoked.crl.bak", b""),
        ("large.cer", bytes(2 << 20)),
    ],
)
def test_file_that_cannot_be_used_is_named(name, content, folder):
    (folder / name).write_bytes(content)
    with pytest.raises(PkiError, match=name.replace(".", r"\.")):
        load_trust_store(folder)


def test_folder_without_certificates_or_missing_is_named(tmp_path):
    for missing in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(PkiError, match=missing.name):
            load_trust_store(missing)


def test_folder_inside_the_folder_is_named(folder):
    (folder / "more.cer").mkdir()
    with pytest.raises(PkiError, match="more"):
        load_trust_store(folder)


@pytest.mark.shared
def test_indonesian_certificates_make_a_store(shared_dir):
    store = load_trust_store(shared_dir / "data/pki/csca_id")
    assert len(store.anchors) == 5
    assert {anchor.parsed.subject.country for anchor in store.anchors} == {"ID"}
    assert not store.demo


def test_store_refuses_a_crl_that_cannot_be_read(workshop):
    with pytest.raises(PkiError):
        TrustStore(anchors=workshop.state.trust_store().anchors, crls=(b"no list",))


# --- python -m pki


@pytest.fixture
def document(tmp_path, workshop, data_groups):
    files = {"SOD": workshop.sod()} | {f"DG{number}": content for number, content in data_groups.items()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def judge(document, folder, capsys, *more) -> tuple[int, dict]:
    groups = [f"--dg={number}={document / f'DG{number}'}" for number in (1, 2)]
    status = main([str(document / "SOD"), *groups, "--trust", str(folder), "--at", "2026-09-01T12:00:00", "--json", *more])
    return status, json.loads(capsys.readouterr().out)


def test_command_prints_the_verdict_with_its_steps(document, folder, capsys):
    status, verdict = judge(document, folder, capsys)
    assert (status, verdict["verdict"], verdict["demonstration"]) == (0, "authentic", True)
    assert [step["number"] for step in verdict["steps"]] == list(range(1, 12))
    assert (verdict["signed_at"], verdict["revocation"]) == ("2026-09-01 12:00:00+00:00", "good")


def test_command_tells_data_groups_by_their_tags_and_prints_each_step(document, folder, capsys):
    groups = [str(document / name) for name in ("DG2", "DG1")]
    assert main(["verify", str(document / "SOD"), *groups, "--trust", str(folder), "--at", "2026-09-01T12:00:00"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " 9 ✓ hashes             successful    DG1 DG2" in lines
    assert lines[-1] == "verdict: authentic; all checks together: aborted"
    (document / "odd").write_bytes(b"?")
    assert main(["verify", str(document / "SOD"), str(document / "odd"), "--trust", str(folder)]) == 2


def test_command_names_the_anchor_that_is_missing(document, capsys):
    assert main(["verify", str(document / "SOD"), str(document / "DG1")]) == 3
    printed = capsys.readouterr().out
    assert "undetermined NO_TRUST_ANCHOR at step chain" in printed
    assert re.search(r"^missing anchor: .*C=ID.*, key [0-9a-f]{40}$", printed, re.MULTILINE)


def test_command_shows_no_content_of_a_data_group(document, folder, capsys):
    assert "BUDI" not in json.dumps(judge(document, folder, capsys))


def test_command_tells_rejected_from_undetermined(document, folder, capsys):
    (document / "DG2").write_bytes(b"swapped")
    status, verdict = judge(document, folder, capsys)
    assert (status, verdict["verdict"], verdict["code"]) == (1, "rejected", "DATA_GROUP_HASH_MISMATCH")
    status, verdict = judge(document, folder, capsys, "--state", "FRA", "--at", "2020-01-01")
    assert (status, verdict["verdict"], verdict["code"]) == (3, "undetermined", "SIGNED_IN_FUTURE")


def test_command_names_unusable_input_in_one_line(document, folder, capsys):
    assert main([str(document / "nowhere"), "--trust", str(folder)]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert main([str(document / "SOD"), "--trust", str(document)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    for odd in ("0=x", "17=x", "x", "a=b"):
        with pytest.raises(SystemExit):
            main([str(document / "SOD"), "--trust", str(folder), "--dg", odd])


# --- the pretend State


def test_pretend_state_makes_no_unknown_kind_of_key():
    with pytest.raises(ValueError, match="unknown kind"):
        sim.new_key("dsa:1024")
