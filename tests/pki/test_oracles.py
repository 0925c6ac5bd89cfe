"""Differential tests: the same bytes to us, to asn1crypto and to the openssl command. Every disagreement has its reason here."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest
from asn1crypto import x509 as oracle_x509

from pki import der, sim_lists
from pki.certificates import parse_certificate
from pki.cms import parse_signed_data
from pki.errors import PkiError
from pki.masterlist import MASTER_LIST, open_master_list
from pki.passive_authentication import authenticate_sod
from pki.sod import EF_SOD
from pki.trust import Csca, TrustStore


@pytest.fixture(scope="module")
def published(shared_dir):
    """The German and Dutch master lists and the Indonesian files, each certificate once."""
    folder = shared_dir / "data/pki"
    found: dict[bytes, None] = {}
    for path in sorted((folder / "masterlists").glob("*.ml")):
        content = der.read(parse_signed_data(der.read(path.read_bytes())).content)
        found |= dict.fromkeys(element.encoded for element in content.children()[1].children(2000))
    found |= dict.fromkeys(path.read_bytes() for path in sorted((folder / "csca_id").glob("*.cer")))
    return list(found)


def oracle_flags(certificate) -> int | None:
    names = [*oracle_x509.KeyUsage._map.items()]
    if certificate.key_usage_value is None:
        return None
    return sum(1 << bit for bit, name in names if name in certificate.key_usage_value.native)


@pytest.mark.shared
def test_every_published_field_agrees_with_asn1crypto(published):
    assert len(published) == 632
    for encoded in published:
        ours, theirs = parse_certificate(encoded), oracle_x509.Certificate.load(encoded)
        signed = theirs["tbs_certificate"]
        assert ours.serial == theirs.serial_number
        assert (ours.subject.encoded, ours.issuer.encoded) == (signed["subject"].dump(), signed["issuer"].dump())
        assert (ours.not_before, ours.not_after) == (
            signed["validity"]["not_before"].native,
            signed["validity"]["not_after"].native,
        )
        assert ours.subject_public_key_info == signed["subject_public_key_info"].dump()
        assert ours.signature == theirs["signature_value"].native
        extensions = ours.extensions
        assert extensions.subject_key_identifier == theirs.key_identifier
        assert extensions.authority_key_identifier == theirs.authority_key_identifier
        assert extensions.key_usage == oracle_flags(theirs)
        assert extensions.is_issuer == bool(theirs.basic_constraints_value and theirs.basic_constraints_value["ca"].native)
        period = theirs.private_key_usage_period_value
        assert (extensions.key_period_start, extensions.key_period_end) == (
            (period["not_before"].native, period["not_after"].native) if period else (None, None)
        )


@pytest.mark.shared
def test_openssl_reads_the_same_serial_numbers(published, openssl, tmp_path):
    """A sample, the negative and the zero ones among it."""
    odd = [encoded for encoded in published if parse_certificate(encoded).serial <= 0]
    file = tmp_path / "certificate"
    for encoded in (*odd, *published[::79]):
        file.write_bytes(encoded)
        told = openssl("x509", "-inform", "DER", "-in", str(file), "-noout", "-serial").decode().strip().removeprefix("serial=")
        assert int(told, 16) == parse_certificate(encoded).serial


# --- signatures


def openssl_accepts(openssl, cms: bytes, path) -> bool:
    """Structure, attributes and signature, without a chain: that is our step 1 to 4."""
    path.write_bytes(cms)
    try:
        openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", str(path), "-out", "/dev/null")
    except subprocess.CalledProcessError:
        return False
    return True


def we_accept(cms: bytes, trust, now) -> bool:
    result = authenticate_sod(der.encode(EF_SOD, cms), trust, now)
    return any(step.name == "signature" and step.result == "successful" for step in result.steps)


def test_no_changed_document_is_accepted_by_us_and_refused_by_openssl(
    workshop, rsa_state, openssl, tmp_path, now, dice, data_groups
):
    """The other way round happens: openssl asks less of a document (versions, attributes that come twice, what is signed)."""
    for state in (workshop.state, rsa_state):
        cms, trust = der.read(state.sign_sod(data_groups)).content, state.trust_store()
        assert we_accept(cms, trust, now)
        assert openssl_accepts(openssl, cms, tmp_path / "good")
        accepted = 0
        for _ in range(30):
            changed = bytearray(cms)
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
            if we_accept(bytes(changed), trust, now):
                accepted += 1
                assert openssl_accepts(openssl, bytes(changed), tmp_path / "changed")
        assert accepted < 15


def test_attributes_sent_unsorted_are_refused_by_openssl_and_read_by_us(workshop, openssl, tmp_path, now):
    """The one disagreement in our favour: RFC 5652 §5.4 signs the sorted SET, whatever order is sent; openssl verifies as sent."""
    signer, content = sim_lists.list_signer(workshop.state, MASTER_LIST), sim_lists.master_list([workshop.state.csca])
    for attributes_sorted in (True, False):
        encoded = sim_lists.signed_list(signer, MASTER_LIST, content, attributes_sorted=attributes_sorted)
        assert open_master_list(encoded, workshop.state.trust_store(), now).certificates
        assert openssl_accepts(openssl, encoded, tmp_path / "list") == attributes_sorted


@pytest.mark.shared
@pytest.mark.parametrize(("name", "anchor"), [("DE_ML_2026-05-28", "DE_ROOT_CA_CSCA07"), ("NL_ML_2026-07-22", "NL_ROOT_CA")])
def test_published_list_is_accepted_by_both(name, anchor, shared_dir, openssl, tmp_path):
    folder = shared_dir / "data/pki/masterlists"
    encoded = (folder / f"{name}.ml").read_bytes()
    trust = TrustStore(anchors=(Csca.of((folder / f"{anchor}.cer").read_bytes(), anchor),))
    assert open_master_list(encoded, trust, datetime(2026, 9, 1, tzinfo=UTC))
    assert openssl_accepts(openssl, encoded, tmp_path / "list")
    changed = encoded[:-1] + bytes((encoded[-1] ^ 1,))
    assert not openssl_accepts(openssl, changed, tmp_path / "list")
    with pytest.raises(PkiError):
        open_master_list(changed, trust, datetime(2026, 9, 1, tzinfo=UTC))
