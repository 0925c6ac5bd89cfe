"""Passive authentication: honest documents pass, and each attack or defect has its own code."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from pki import der, passive_authentication, proof, sim
from pki.errors import ReasonCode
from pki.passive_authentication import authenticate_sod, bind_data_groups
from pki.results import Authentic, Rejected, SignedHashes, Undetermined
from pki.revocation import Revocation

SERIAL, VALIDITY, SUBJECT, KEY, EXTENSIONS = 1, 4, 5, 6, 7
"""Positions in TBSCertificate."""


def rejected(result, code: ReasonCode, step: str) -> bool:
    assert result == Rejected(code=code, step=step, detail=result.detail, steps=result.steps)
    return next(each.result for each in result.steps if each.finding) == "failed"


def undetermined(result, code: ReasonCode, step: str) -> bool:
    assert result == Undetermined(code=code, step=step, detail=result.detail, steps=result.steps)
    return next(each.result for each in result.steps if each.finding) == "undetermined"


# --- honest documents


@pytest.mark.parametrize(
    "key", ["ec:P-256", "ec:P-384", "ec:P-521", "ec:brainpoolP256r1", "ec:brainpoolP384r1", "ec:brainpoolP512r1"]
)
@pytest.mark.conforms("Doc 9303-11 §5.1", "positive")
def test_honest_document_is_authentic_on_every_curve(key, data_groups, now):
    state = sim.PretendState.create(country="ID", name="Pretendia", now=now, key=key)
    result = passive_authentication.passive_authentication(state.sign_sod(data_groups), data_groups, state.trust_store(), now)
    assert isinstance(result, Authentic)
    assert dict(result.data_groups) == data_groups
    assert (result.issuing_country, result.signed_at, result.revocation) == ("ID", now, Revocation.NO_CRL)


@pytest.mark.parametrize("algorithm", ["sha1", "sha224", "sha256", "sha384", "sha512"])
@pytest.mark.conforms("Doc 9303-11 §5.1", "positive")
def test_honest_document_is_authentic_with_every_hash(algorithm, workshop, rsa_state, data_groups, now):
    for state in (workshop.state, rsa_state):
        result = workshop.judge(state.sign_sod(data_groups, algorithm), trust=state.trust_store())
        assert isinstance(result, Authentic)


def test_all_steps_stand_in_the_verdict_in_order(workshop):
    result = workshop.judge(workshop.sod())
    assert [step.number for step in result.steps] == list(range(1, 12))
    assert {step.number for step in result.steps if step.result != "successful"} == {8}
    assert (result.record[8].result, result.record[8].code) == ("undetermined", "NO_CRL")


def test_the_numbered_steps_of_the_docstring_are_those_of_the_verdict(workshop):
    for step in workshop.judge(workshop.sod()).steps:
        assert f"{step.number}. *{step.name}*" in passive_authentication.__doc__.replace("\n ", "\n")


def test_hashes_are_bound_after_the_signature_without_reading_the_sod_again(workshop, data_groups, now):
    signed = authenticate_sod(workshop.sod(), workshop.state.trust_store(), now)
    assert isinstance(signed, SignedHashes)
    assert isinstance(bind_data_groups(signed, data_groups), Authentic)
    assert rejected(bind_data_groups(signed, data_groups | {2: b"x"}), ReasonCode.DATA_GROUP_HASH_MISMATCH, "hashes")


def test_listed_groups_that_were_not_read_are_reported_not_missed(workshop, data_groups):
    listed = data_groups | {14: b"n", 15: b"o"}
    result = workshop.judge(workshop.sod(workshop.content(listed)))
    assert isinstance(result, Authentic)
    assert (result.lists_dg14, result.lists_dg15) == (True, True)
    assert set(result.data_groups) == {1, 2}


def test_verified_data_groups_cannot_be_changed_afterwards(workshop, data_groups):
    handed_in = dict(data_groups)
    result = workshop.judge(workshop.sod(), handed_in)
    handed_in[2] = b"swapped"
    assert result.data_groups[2] == data_groups[2]
    with pytest.raises(TypeError):
        result.data_groups[2] = b"swapped"


def test_signed_attributes_sent_unsorted_verify_as_the_sorted_set_they_are(workshop, edit_element):
    def unsort(fields):
        fields[3] = edit_element(fields[3], lambda attributes: attributes.sort(reverse=True))

    content = workshop.content()
    info = edit_element(workshop.signer_info(content), unsort)
    assert info != workshop.signer_info(content)
    assert isinstance(workshop.judge(workshop.sod(content, signer_infos=[info])), Authentic)


def test_signer_may_be_named_by_key_identifier(workshop, edit_element):
    content = workshop.content()
    certificate = der.read(workshop.state.signer.certificate)
    extensions = certificate.children()[0].children()[EXTENSIONS].only_child().children()
    identifier = next(e.children()[1] for e in extensions if e.children()[0].oid() == "2.5.29.14").content

    def by_key(fields, value):
        fields[1] = der.encode(0x80, value)

    for value, kind in ((der.read(identifier).octets(), Authentic), (b"somebody else's ....", Undetermined)):
        info = edit_element(workshop.signer_info(content), lambda fields, value=value: by_key(fields, value))
        assert isinstance(workshop.judge(workshop.sod(content, signer_infos=[info])), kind)


@pytest.mark.parametrize("oid", ["1.2.840.113549.1.1.1", "1.2.840.113549.1.1.11"])
def test_pkcs1_signatures_verify_also_under_the_bare_name_of_rsa(oid, workshop, rsa_state, edit_element, data_groups):
    content = workshop.content()
    attributes = workshop.attributes(content)
    signature = rsa_state.signer.private_key.sign(der.encode_set(attributes), padding.PKCS1v15(), hashes.SHA256())

    def as_pkcs1(fields):
        fields[4] = der.encode(der.SEQUENCE, der.encode_oid(oid), der.encode(der.NULL))
        fields[5] = der.encode(der.OCTET_STRING, signature)

    info = edit_element(workshop.signer_info(content, signer=rsa_state.signer, attributes=attributes), as_pkcs1)
    sod = workshop.sod(content, signer=rsa_state.signer, signer_infos=[info])
    assert isinstance(workshop.judge(sod, trust=rsa_state.trust_store()), Authentic)


@pytest.mark.parametrize(("signed", "declared", "kind"), [(20, 20, Authentic), (20, 32, Rejected), (32, 2000, Undetermined)])
def test_pss_salt_length_comes_from_the_parameters(signed, declared, kind, workshop, rsa_state, edit_element):
    content = workshop.content()
    attributes = workshop.attributes(content)
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=signed)
    signature = rsa_state.signer.private_key.sign(der.encode_set(attributes), scheme, hashes.SHA256())

    def with_salt(fields):
        def declare(parameters):
            parameters[2] = der.encode(0xA2, der.encode_integer(declared))

        fields[4] = edit_element(fields[4], lambda parts: parts.__setitem__(1, edit_element(parts[1], declare)))
        fields[5] = der.encode(der.OCTET_STRING, signature)

    info = edit_element(workshop.signer_info(content, signer=rsa_state.signer, attributes=attributes), with_salt)
    sod = workshop.sod(content, signer=rsa_state.signer, signer_infos=[info])
    assert isinstance(workshop.judge(sod, trust=rsa_state.trust_store()), kind)


def test_null_after_ecdsa_is_let_pass_as_states_write_it(workshop, edit_element):
    content = workshop.content()

    def add_null(fields):
        fields[4] = edit_element(fields[4], lambda parts: parts.append(der.encode(der.NULL)))

    info = edit_element(workshop.signer_info(content), add_null)
    assert isinstance(workshop.judge(workshop.sod(content, signer_infos=[info])), Authentic)


# --- attacks on the data groups


@pytest.mark.conforms("Doc 9303-11 §5.1", "negative")
def test_portrait_swapped_after_signing_is_rejected(workshop, data_groups):
    result = workshop.judge(workshop.sod(), data_groups | {2: der.encode(0x75, b"somebody else")})
    assert rejected(result, ReasonCode.DATA_GROUP_HASH_MISMATCH, "hashes")


def test_two_data_groups_swapped_with_each_other_are_rejected(workshop, data_groups):
    result = workshop.judge(workshop.sod(), {1: data_groups[2], 2: data_groups[1]})
    assert rejected(result, ReasonCode.DATA_GROUP_HASH_MISMATCH, "hashes")


def test_data_group_that_was_never_signed_is_rejected(workshop, data_groups):
    result = workshop.judge(workshop.sod(), data_groups | {15: b"the key of a clone"})
    assert rejected(result, ReasonCode.DATA_GROUP_NOT_SIGNED, "hashes")


# --- attacks on the SignedData


def forged_content(workshop):
    """Hashes of the attacker's choice under the genuine signer's attributes and signature."""
    forged = {1: der.encode(0x61, b"?"), 2: b"attacker"}
    return forged, workshop.sod(workshop.content(forged), signer_infos=[workshop.signer_info(workshop.content())])


@pytest.mark.conforms("Doc 9303-11 §5.1", "negative")
def test_content_replaced_under_a_genuine_signature_is_rejected(workshop):
    forged, sod = forged_content(workshop)
    assert rejected(workshop.judge(sod, forged), ReasonCode.MESSAGE_DIGEST_MISMATCH, "attributes")


def test_only_the_message_digest_check_stands_between_that_forgery_and_authentic(workshop, monkeypatch):
    monkeypatch.setattr(proof, "check_attributes", lambda signer, signed: None)
    forged, sod = forged_content(workshop)
    assert isinstance(workshop.judge(sod, forged, mrz_issuing_state="IDN"), Authentic)


@pytest.mark.conforms("Doc 9303-11 §5.1", "negative")
def test_signature_of_another_key_under_the_signers_name_is_rejected(workshop):
    signer = workshop.state.signer
    impostor = sim.DocumentSigner(private_key=sim.new_key("ec:P-256"), certificate=signer.certificate, now=signer.now)
    assert rejected(workshop.judge(workshop.sod(signer=impostor)), ReasonCode.SIGNATURE_INVALID, "signature")


def test_key_of_another_kind_than_the_signature_is_rejected(workshop, rsa_state):
    signer = sim.DocumentSigner(
        private_key=workshop.state.signer.private_key, certificate=rsa_state.signer.certificate, now=workshop.now
    )
    assert rejected(workshop.judge(workshop.sod(signer=signer)), ReasonCode.SIGNATURE_INVALID, "signature")


def test_certificate_injected_before_the_signers_is_never_taken_by_position(workshop):
    stranger, signer = workshop.foreign.signer, workshop.state.signer
    both = [stranger.certificate, signer.certificate]
    result = workshop.judge(workshop.sod(certificates=both))
    assert isinstance(result, Authentic)
    assert "Elsewhere" not in result.signer
    impostor = sim.DocumentSigner(private_key=stranger.private_key, certificate=signer.certificate, now=signer.now)
    forged = workshop.sod(signer=impostor, certificates=both)
    assert rejected(workshop.judge(forged), ReasonCode.SIGNATURE_INVALID, "signature")


def test_made_up_certificate_with_the_genuine_signers_number_is_forged(workshop):
    """Same issuer, serial and key identifiers as the genuine signer, the attacker's key, signed by the attacker."""
    own = workshop.foreign.document_signer(key="ec:P-256")
    key = der.read(own.certificate).children()[0].children()[KEY].encoded
    forged = workshop.reissued(lambda fields: fields.__setitem__(KEY, key), issuer=workshop.foreign)
    signer = sim.DocumentSigner(private_key=own.private_key, certificate=forged.certificate, now=own.now)
    assert rejected(workshop.judge(workshop.sod(signer=signer)), ReasonCode.SIGNER_CERTIFICATE_FORGED, "chain")


def test_signer_is_named_by_issuer_and_serial_together(workshop):
    """A bag with two near misses before the signer: its State's other signer, and a stranger with its serial number."""
    serial = der.read(workshop.state.signer.certificate).children()[0].children()[SERIAL].encoded
    stranger = workshop.reissued(
        lambda fields: fields.__setitem__(SERIAL, serial), issuer=workshop.foreign, signer=workshop.foreign.signer
    )
    bag = [workshop.state.document_signer().certificate, stranger.certificate, workshop.state.signer.certificate]
    assert isinstance(workshop.judge(workshop.sod(certificates=bag)), Authentic)


def test_signer_that_no_certificate_matches_is_undetermined(workshop):
    sod = workshop.sod(certificates=[workshop.foreign.signer.certificate])
    assert undetermined(workshop.judge(sod), ReasonCode.SIGNER_NOT_FOUND, "signer")


def test_sod_without_certificates_is_undetermined(workshop):
    assert undetermined(workshop.judge(workshop.sod(certificates=[])), ReasonCode.SIGNER_NOT_FOUND, "signer")


def test_two_signers_are_undetermined_even_if_both_are_good(workshop):
    content = workshop.content()
    infos = [workshop.signer_info(content), workshop.state.document_signer().signer_info(workshop.attributes(content), "sha256")]
    assert undetermined(workshop.judge(workshop.sod(content, signer_infos=infos)), ReasonCode.SIGNER_COUNT, "decode")


def test_no_signer_at_all_is_undetermined(workshop):
    assert undetermined(workshop.judge(workshop.sod(signer_infos=[])), ReasonCode.SIGNER_COUNT, "decode")


@pytest.mark.parametrize("oid", ["1.2.840.113549.1.7.1", "2.23.136.1.1.2"])
def test_signed_data_of_another_kind_is_no_security_object(oid, workshop):
    content = workshop.content()
    info = workshop.signer_info(content, attributes=workshop.attributes(content, content_type=oid))
    sod = workshop.sod(content, signer_infos=[info], content_type=oid)
    assert undetermined(workshop.judge(sod), ReasonCode.WRONG_CONTENT_TYPE, "decode")


def test_master_list_attributes_passed_off_as_a_security_object_are_rejected(workshop):
    content = workshop.content()
    info = workshop.signer_info(content, attributes=workshop.attributes(content, content_type="2.23.136.1.1.2"))
    assert rejected(workshop.judge(workshop.sod(content, signer_infos=[info])), ReasonCode.CONTENT_TYPE_MISMATCH, "attributes")


def test_absent_signed_attributes_are_malformed_as_content_could_pose_as_them(workshop, edit_element):
    content = workshop.content()
    info = edit_element(workshop.signer_info(content), lambda fields: fields.pop(3))
    assert undetermined(workshop.judge(workshop.sod(content, signer_infos=[info])), ReasonCode.MALFORMED, "decode")


@pytest.mark.parametrize("index", [0, 1])
def test_mandatory_attribute_left_out_is_malformed(index, workshop):
    content = workshop.content()
    attributes = workshop.attributes(content)
    del attributes[index]
    sod = workshop.sod(content, signer_infos=[workshop.signer_info(content, attributes=attributes)])
    assert undetermined(workshop.judge(sod), ReasonCode.MALFORMED, "attributes")


def test_attribute_given_twice_is_malformed(workshop):
    content = workshop.content()
    attributes = workshop.attributes(content) + workshop.attributes(b"other")[1:2]
    sod = workshop.sod(content, signer_infos=[workshop.signer_info(content, attributes=attributes)])
    assert undetermined(workshop.judge(sod), ReasonCode.MALFORMED, "decode")


def test_unknown_digest_is_unsupported(workshop, edit_element):
    md5 = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.113549.2.5"))
    content = workshop.content()
    info = edit_element(workshop.signer_info(content), lambda fields: fields.__setitem__(2, md5))
    assert undetermined(
        workshop.judge(workshop.sod(content, signer_infos=[info])), ReasonCode.UNSUPPORTED_ALGORITHM, "attributes"
    )


# --- odd security objects, honestly signed


def entry(number: int, value: bytes) -> bytes:
    return der.encode(der.SEQUENCE, der.encode_integer(number), der.encode(der.OCTET_STRING, value))


@pytest.mark.parametrize(
    ("entries", "version"),
    [
        ([entry(1, bytes(20))], 0),  # a SHA-1 hash under the name of SHA-256
        ([entry(1, bytes(32)), entry(1, bytes(32))], 0),
        ([entry(17, bytes(32))], 0),
        ([entry(0, bytes(32))], 0),
        ([entry(1, bytes(32))], 2),
        ([entry(1, bytes(32))], 1),  # version 1 without LDSVersionInfo
        ([entry(number, bytes(32)) for number in range(1, 18)], 0),
    ],
)
def test_odd_list_of_hashes_is_malformed(entries, version, workshop):
    algorithm = der.encode(der.SEQUENCE, der.encode_oid("2.16.840.1.101.3.4.2.1"))
    content = der.encode(der.SEQUENCE, der.encode_integer(version), algorithm, der.encode(der.SEQUENCE, *entries))
    assert undetermined(workshop.judge(workshop.sod(content)), ReasonCode.MALFORMED, "decode")


def test_version_1_with_its_version_info_is_read(workshop, edit_element):
    def to_version_1(fields):
        fields[0] = der.encode_integer(1)
        fields.append(der.encode(der.SEQUENCE, der.encode(0x13, b"0107"), der.encode(0x13, b"040000")))

    content = edit_element(workshop.content(), to_version_1)
    assert isinstance(workshop.judge(workshop.sod(content)), Authentic)
