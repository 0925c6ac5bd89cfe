"""Where anchors come from, and what a set of them is worth: on the command line as a person asks."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from pki import der, sim, sim_lists
from pki.__main__ import main
from pki.errors import PkiError, ReasonCode
from pki.inventory import outlook, take_inventory
from pki.revocation import parse_crl
from pki.sources import read_sources
from pki.trust import Csca, TrustStore


@pytest.fixture
def folder(tmp_path, workshop):
    """A master list of the home State with a foreign certificate in it, and files of a directory."""
    listed = sim_lists.signed_master_list(workshop.state, [workshop.foreign.csca])
    (tmp_path / "list.ml").write_bytes(listed)
    entries = {
        "c=ID": {"pkdMasterListContent": listed, "certificateRevocationList;binary": workshop.state.crl()},
        "c=XX": {"cscaCertificate;binary": workshop.foreign.csca},
        "c=YY": {"cscaCertificate;binary": b"no certificate"},
    }
    (tmp_path / "pkd.ldif").write_bytes(sim_lists.ldif(entries))
    (tmp_path / "anchor.cer").write_bytes(workshop.state.csca)
    return tmp_path


def test_all_sources_are_read_each_with_its_provenance(folder, workshop, now):
    found = read_sources([folder], workshop.state.trust_store(), now)
    assert [(anchor.country, anchor.provenance.partition(", signed by ")[0]) for anchor in found.anchors] == [
        ("ID", "anchor.cer"),
        ("XX", "master list of ID, 2026-09-01"),
        ("XX", "master list of ID, 2026-09-01"),
    ]
    assert [(anchor.country, anchor.provenance) for anchor in found.bare] == [("XX", "bare, c=XX")]
    (crl,), (line,) = found.crls, found.unreadable
    assert parse_crl(crl).issuer.same_as(workshop.parsed_csca.subject)
    assert "c=YY" in line


def test_directory_keeps_what_is_good_beside_a_list_that_is_not_vouched_for(folder, workshop, now):
    found = read_sources([folder / "pkd.ldif"], workshop.foreign.trust_store(), now)
    assert (found.anchors, len(found.bare)) == ([], 1)
    assert len(found.unreadable) == 2


@pytest.mark.parametrize(("name", "content"), [("a.txt", b"?"), ("a.ml", b"\x30\x00"), ("a.cer", b"?"), ("a.ldif", b"?")])
def test_file_that_cannot_be_used_is_named(name, content, folder, workshop, now):
    (folder / name).write_bytes(content)
    with pytest.raises(PkiError, match=name):
        read_sources([folder / name], workshop.state.trust_store(), now)


def test_list_that_is_vouched_for_by_nobody_is_named_with_its_code(folder, now, workshop):
    with pytest.raises(PkiError, match=r"list\.ml") as caught:
        read_sources([folder / "list.ml"], TrustStore(anchors=()), now)
    assert caught.value.code is ReasonCode.NO_TRUST_ANCHOR


# --- what it is worth


def unusable_csca(workshop) -> bytes:
    key = der.encode(
        der.SEQUENCE,
        der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.2.1"), der.encode_oid("1.3.132.0.10")),  # secp256k1
        der.encode(der.BIT_STRING, b"\0\x04" + bytes(64)),
    )
    return workshop.reissued(lambda fields: fields.__setitem__(6, key)).certificate


def test_inventory_counts_each_certificate_once_and_names_the_unusable(workshop, rsa_state):
    anchors = [Csca.of(item, "a test") for item in (workshop.state.csca, rsa_state.csca, unusable_csca(workshop))]
    found = take_inventory(anchors)
    assert (found.certificates, found.countries) == (3, 1)
    assert dict(found.keys) == {"RSA-2048": 1, "secp256r1": 1}
    assert dict(found.signatures) == {"ECDSA sha256": 1, "PKCS#1 sha256": 1}
    assert (found.self_signed, found.chained, found.orphans) == (2, 1, ())
    assert len(found.unusable) == 1


def test_state_without_a_usable_anchor_comes_first_then_the_one_that_ends_soonest(workshop, now):
    old = sim.PretendState.create(country="YY", name="Old", now=now - timedelta(days=900))
    anchors = [Csca.of(item, "a test") for item in (workshop.foreign.csca, old.csca, unusable_csca(workshop))]
    states = outlook(anchors)
    assert [state.country for state in states] == ["ID", "YY", "XX"]
    assert states[0].signs_until is None
    assert states[1].signs_until < states[2].signs_until < states[2].valid_until


def inspect(folder, capsys, *more) -> tuple[int, str]:
    status = main(["inspect", str(folder), "--anchor", str(folder / "anchor.cer"), "--at", "2026-09-01T12:00:00", *more])
    return status, capsys.readouterr().out


def test_command_tells_what_the_sources_hold(folder, capsys):
    status, told = inspect(folder, capsys)
    assert status == 0
    assert told.startswith("1 certificates of 1 countries\n1 self-signed, 0 under another, 0 whose issuer is not at hand\n")
    assert "refused, as their State is pinned and they are not:\n  C=ID" in told
    assert "left out:\n" in told


def test_command_tells_the_same_to_machines(folder, capsys):
    status, told = inspect(folder, capsys, "--json")
    report = json.loads(told)
    assert (status, report["certificates"], report["keys"]) == (0, 1, {"secp256r1": 1})
    assert [state["country"] for state in report["states"]] == ["XX"]


def test_command_without_the_anchor_names_the_list_in_one_line(folder, capsys):
    assert main(["inspect", str(folder / "list.ml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.shared
def test_published_lists_are_usable_to_the_last_key(shared_dir, capsys):
    folder = shared_dir / "data/pki/masterlists"
    anchors = [f"--anchor={folder / name}" for name in ("DE_ROOT_CA_CSCA07.cer", "NL_ROOT_CA.cer")]
    lists = [str(path) for path in sorted(folder.glob("*.ml"))]
    assert main(["inspect", *lists, str(folder.parent / "csca_id"), *anchors, "--at", "2026-09-01", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["certificates"], report["unusable"], report["refused"], report["unreadable"]) == (632, [], [], [])
    assert (report["self_signed"], report["chained"], len(report["orphans"])) == (417, 204, 11)
    assert sum(report["keys"].values()) == 632
