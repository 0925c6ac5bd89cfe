"""Certificates, CRLs and curves against other implementations and against what States really publish."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest
from asn1crypto import cms as oracle_cms
from asn1crypto import crl as oracle_crl
from asn1crypto import x509 as oracle_x509

from pki import der, sim
from pki.certificates import parse_certificate
from pki.cms import MESSAGE_DIGEST, parse_signed_data
from pki.errors import PkiError
from pki.revocation import parse_crl
from pki.sod import parse_sod


def test_certificate_fields_agree_with_asn1crypto(workshop, rsa_state):
    for encoded in (workshop.state.csca, workshop.state.signer.certificate, rsa_state.csca, rsa_state.signer.certificate):
        ours, theirs = parse_certificate(encoded), oracle_x509.Certificate.load(encoded)
        assert_same_fields(ours, theirs)
        assert ours.extensions.key_usage is not None
        assert ours.extensions.is_issuer == bool(theirs.ca)


def assert_same_fields(ours, theirs):
    assert ours.serial == theirs.serial_number
    assert ours.issuer.encoded == theirs.issuer.dump()
    assert ours.subject.encoded == theirs.subject.dump()
    validity = theirs["tbs_certificate"]["validity"]
    assert (ours.not_before, ours.not_after) == (validity["not_before"].native, validity["not_after"].native)
    assert ours.signed_part == theirs["tbs_certificate"].dump()
    assert ours.signature == theirs.signature
    assert ours.subject_public_key_info == theirs.public_key.dump()
    assert ours.extensions.subject_key_identifier == theirs.key_identifier
    assert ours.extensions.authority_key_identifier == theirs.authority_key_identifier


def test_signed_data_fields_agree_with_asn1crypto(workshop):
    sod = workshop.sod()
    ours = parse_sod(sod)
    theirs = oracle_cms.ContentInfo.load(der.read(sod).content)["content"]
    assert ours.content == theirs["encap_content_info"]["content"].native
    assert list(ours.certificates) == [item.dump() for item in theirs["certificates"]]
    (signer,), (info,) = ours.signers, theirs["signer_infos"]
    assert signer.signature == info["signature"].native
    assert signer.serial == info["sid"].chosen["serial_number"].native
    assert signer.signed_attributes == info["signed_attrs"].untag().dump(force=True)
    attributes = {attribute["type"].dotted: attribute["values"][0].native for attribute in info["signed_attrs"]}
    assert signer.attributes[MESSAGE_DIGEST].octets() == attributes[MESSAGE_DIGEST]


def test_crl_fields_agree_with_asn1crypto(workshop):
    encoded = workshop.state.crl([workshop.state.signer, workshop.state.document_signer()])
    ours, theirs = parse_crl(encoded), oracle_crl.CertificateList.load(encoded)["tbs_cert_list"]
    assert ours.revoked == {entry["user_certificate"].native for entry in theirs["revoked_certificates"]}
    assert (ours.this_update, ours.next_update) == (theirs["this_update"].native, theirs["next_update"].native)
    assert ours.issuer.encoded == theirs["issuer"].dump()


def test_names_are_the_same_but_for_case_spaces_and_string_type():
    def name(tag, text):
        pair = der.encode(der.SEQUENCE, der.encode_oid("2.5.4.6"), der.encode(tag, text))
        return parse_name(der.read(der.encode(der.SEQUENCE, der.encode(der.SET, pair))))

    from pki.certificates import parse_name

    assert name(0x13, b"ID").same_as(name(0x0C, b" id "))
    assert name(0x1E, "ID".encode("utf-16-be")).same_as(name(0x13, b"ID"))
    assert not name(0x13, b"ID").same_as(name(0x13, b"IE"))


def test_extension_given_twice_is_refused(workshop, edit_element):
    def twice(fields):
        inner = der.read(fields[7]).only_child().encoded
        fields[7] = der.encode(0xA3, edit_element(inner, lambda items: items.append(items[0])))

    signer = workshop.reissued(twice)
    with pytest.raises(PkiError, match="twice"):
        parse_certificate(signer.certificate)


def test_outer_algorithm_must_be_the_signed_one(workshop, edit_element):
    other = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.4.1"))
    changed = edit_element(workshop.state.csca, lambda fields: fields.__setitem__(1, other))
    with pytest.raises(PkiError, match="differs"):
        parse_certificate(changed)


def test_key_signs_within_validity_and_usage_period_only(workshop, day):
    csca = parse_certificate(workshop.state.csca)
    start, end = csca.not_before + 10 * day, csca.not_before + 20 * day
    csca = replace(csca, extensions=replace(csca.extensions, key_period_start=start, key_period_end=end))
    moments = (csca.not_before, start - day, start, end, end + day)
    assert [csca.may_sign_at(moment) for moment in moments] == [False, False, True, True, False]
    free = replace(csca, extensions=replace(csca.extensions, key_period_start=None, key_period_end=None))
    assert [free.may_sign_at(moment) for moment in (csca.not_before - day, *moments)] == [False, *[True] * 5]


# --- what States publish


def certificates_of_list(path) -> list[bytes]:
    content = der.read(parse_signed_data(der.read(path.read_bytes())).content)
    return [element.encoded for element in content.children()[1].children(2000)]


@pytest.fixture(scope="module")
def published(shared_dir):
    """German and Dutch master list and five Indonesian certificates, each certificate once."""
    lists = [certificates_of_list(path) for path in sorted((shared_dir / "data/pki/masterlists").glob("*.ml"))]
    files = [path.read_bytes() for path in sorted((shared_dir / "data/pki/csca_id").glob("*.cer"))]
    return [parse_certificate(encoded) for encoded in dict.fromkeys(chain(*lists, files))]


@pytest.mark.shared
def test_every_published_csca_certificate_and_key_is_read(published):
    assert len(published) == 632
    assert all(certificate.public_key() for certificate in published)


@pytest.mark.shared
def test_published_fields_agree_with_asn1crypto(published):
    for ours in published:
        theirs = oracle_x509.Certificate.load(ours.encoded)
        assert ours.serial == theirs.serial_number
        assert ours.signature == theirs["signature_value"].native
        assert ours.subject_public_key_info == theirs["tbs_certificate"]["subject_public_key_info"].dump()


def test_demonstration_names_say_so(workshop):
    for encoded in (workshop.state.csca, workshop.state.signer.certificate):
        certificate = parse_certificate(encoded)
        assert sim.MARK in str(certificate.subject)
        assert sim.MARK in str(certificate.issuer)
