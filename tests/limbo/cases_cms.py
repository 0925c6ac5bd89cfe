"""Cryptographic Message Syntax: one SignedData, one signer, chosen by its identifier."""

from __future__ import annotations

from dataclasses import replace

from forge import (
    DATA,
    EMPTY_SET,
    LDS_SECURITY_OBJECT,
    SIGNED_DATA,
    SUBJECT_KEY,
    Signer,
    State,
    appended,
    attribute,
    attributes,
    issuer_and_serial,
    key_identifier,
    octet_string,
    pretend,
    pretended,
    security_object,
)
from forge_keys import HASH_OIDS, NULL, identifier, key, sequence
from inspection import case, inspection

from pki import der

OTHER_TYPES = (DATA, "1.3.27.1.1.1", "2.23.136.1.1.2", "2.23.136.1.1.7", "0.4.0.127.0.7.3.2.1")


@case(clause="Doc 9303-11 §5.1")
def honest_document(state):
    """The document that all others are measured against."""
    return inspection(state)


@case(clause="RFC 5652 §5.1: version", over=(0, 1, 4))
def signed_data_of_another_version(state, version):
    """The version says what may follow; it is not signed, and a wrong one changes nothing that is."""
    return inspection(state, replace(state.signer.sod(), version=der.encode_integer(version)).built())


@case(clause="RFC 5652 §5.1: digestAlgorithms helps one-pass readers", over=("none", "another"))
def digest_algorithms_are_a_hint(state, what):
    """The set of digests is not signed; the SignerInfo says which one counts."""
    digests = EMPTY_SET if what == "none" else der.encode(der.SET, identifier(HASH_OIDS["sha1"]))
    return inspection(state, replace(state.signer.sod(), digests=digests).built())


@case(clause="RFC 5652 §5.3: unsignedAttrs")
def unsigned_attributes_are_passed_over(state):
    """What is not signed may stand there and proves nothing."""
    after = der.encode(0xA1, attribute("1.2.840.113549.1.9.6", octet_string(b"a countersignature")))
    return inspection(state, state.sod(after=after))


@case(clause="RFC 5652 §5.3: sid, subjectKeyIdentifier")
def signer_named_by_key_identifier(state):
    """The other form of naming a signer, with version 3."""
    sid = der.encode(0x80, key_identifier(state.parts.public))
    return inspection(state, state.sod(sid=sid, version=3))


@case(clause="RFC 5652 §5.3: sid", expect="Undetermined/SIGNER_NOT_FOUND", over=("key identifier", "serial", "issuer"))
def signer_that_is_not_there(state, what):
    """The identifier names no certificate of the bag: the one that is there is not taken instead."""
    name_ = pretended("UT", "CSCA Pretendia of old")
    sid = {
        "key identifier": der.encode(0x80, bytes(20)),
        "serial": sequence(state.parts.issuer, der.encode_integer(77)),
        "issuer": sequence(name_, state.parts.serial),
    }[what]
    return inspection(state, state.sod(sid=sid))


@case(clause="RFC 5652 §5.3: sid", expect="Undetermined/SIGNER_NOT_FOUND", over=("empty", "zeros"))
def key_identifier_that_no_certificate_states(state, what):
    """The certificate has no key identifier: neither an empty nor any other one is its own."""
    signer = state.issue(state.parts.lacking(SUBJECT_KEY))
    return inspection(state, signer.sod(sid=der.encode(0x80, bytes(20) if what == "zeros" else b"")).built())


@case(clause="Doc 9303-10 §4.6.2: certificates are mandatory", expect="Undetermined/SIGNER_NOT_FOUND")
def no_certificates(state):
    """The signer's certificate is to be in the document."""
    return inspection(state, replace(state.signer.sod(), certificates=()).built())


@case(clause="RFC 5652 §5.1: a SET has no order", over=("first", "last"))
def strangers_in_the_bag(state, where):
    """Certificates of others beside the signer's, wherever they stand."""
    own, stranger = state.signer.certificate, elsewhere().signer.certificate
    bag = (own, stranger, state.csca) if where == "first" else (stranger, state.csca, own)
    return inspection(state, replace(state.signer.sod(), certificates=bag).built())


def elsewhere() -> State:
    return pretend("XX", label="Elsewhere")


@case(
    clause="RFC 5652 §5.3: sid; Doc 9303-12 §7.1",
    expect="Rejected/SIGNER_CERTIFICATE_FORGED",
    over=("in the bag alone", "beside the true one"),
)
def forged_certificate_with_the_true_name_and_serial(state, what):
    """A forger's certificate says all that the true one says, but for the key and the signature."""
    forger = key("ec:secp256r1", "forger")
    forged = Signer(key=forger, certificate=state.parts.but(public=forger.public).signed(forger))
    bag = (forged.certificate,) if what == "in the bag alone" else (forged.certificate, state.signer.certificate)
    return inspection(state, replace(forged.sod(), certificates=bag).built())


@case(clause="RFC 5652 §5.3: sid", expect="Rejected/SIGNATURE_INVALID")
def true_certificate_before_the_forged_one(state):
    """Two certificates answer to the identifier: the true one stands first, and did not sign this."""
    forger = key("ec:secp256r1", "forger")
    forged = Signer(key=forger, certificate=state.parts.but(public=forger.public).signed(forger))
    return inspection(state, replace(forged.sod(), certificates=(state.signer.certificate, forged.certificate)).built())


@case(clause="RFC 5652 §5.1, Doc 9303-10 §4.6.2.3: one signerInfo", expect="Undetermined/SIGNER_COUNT")
def nobody_signed(state):
    """A SignedData without a SignerInfo is a bag of bytes."""
    return inspection(state, replace(state.signer.sod(), signers=()).built())


@case(
    clause="Doc 9303-10 §4.6.2.3: one signerInfo",
    expect="Undetermined/SIGNER_COUNT",
    over=("both good", "the second forged", "the first forged"),
)
def two_signers(state, what):
    """With two signatures one could be shown to one inspector and one to another; people look."""
    made = state.signer.sod()
    forged = state.signer.info(sorted(attributes(made.content).values()), signature=b"nonsense")
    infos = {
        "both good": made.signers * 2,
        "the second forged": (*made.signers, forged),
        "the first forged": (forged, *made.signers),
    }[what]
    return inspection(state, replace(made, signers=infos).built())


@case(
    clause="Doc 9303-10 §4.6.2: id-icao-mrtd-security-ldsSecurityObject",
    expect="Undetermined/WRONG_CONTENT_TYPE",
    over=OTHER_TYPES,
)
def content_of_another_type(state, oid):
    """A good signature of that State over something else: plain data, an old name, a master list, a deviation list, EF.CardSecurity."""
    content = security_object()
    signed = sorted(attributes(content, content_type=oid).values())
    made = replace(state.signer.sod(content), content_type=oid, signers=(state.signer.info(signed),))
    return inspection(state, made.built())


@case(clause="RFC 5652 §5.3: signedAttrs must be there unless the content is id-data", expect="Undetermined/MALFORMED")
def signature_straight_over_the_content(state):
    """Without signed attributes nothing says what kind of thing was signed."""
    content = security_object()
    return inspection(state, replace(state.signer.sod(content), signers=(bare_info(state, content),)).built())


def bare_info(state: State, covers: bytes, signature: bytes | None = None) -> bytes:
    """SignerInfo without signed attributes."""
    scheme = state.signer.key.scheme
    sid, digest = issuer_and_serial(state.signer.certificate), identifier(HASH_OIDS["sha256"])
    signature = state.signer.key.sign(covers, scheme) if signature is None else signature
    return sequence(der.encode_integer(1), sid, digest, scheme.identifier, octet_string(signature))


@case(clause="RFC 5652 §5.3, RFC 8933", expect="Undetermined/MALFORMED")
def attributes_of_another_document_passed_off_as_content(state):
    """The signature of a true document covers its attributes: sent as content and without attributes, they would verify."""
    signed = der.encode_set(list(attributes(security_object()).values()))
    return inspection(state, replace(state.signer.sod(), content=signed, signers=(bare_info(state, signed),)).built())


@case(clause="RFC 5652 §5.2: eContent", expect="Undetermined/MALFORMED", over=("absent", "bare", "constructed", "two"))
def content_that_is_not_one_octet_string(state, what):
    """Detached, without its OCTET STRING, in pieces as BER allows it, or twice."""
    made, oid = state.signer.sod(), der.encode_oid(LDS_SECURITY_OBJECT)
    inside = {
        "absent": b"",
        "bare": der.encode(0xA0, made.content),
        "constructed": der.encode(0xA0, der.encode(0x24, octet_string(made.content))),
        "two": der.encode(0xA0, octet_string(made.content), octet_string(made.content)),
    }[what]
    return inspection(state, made.built(encapsulated=sequence(oid, inside)))


@case(
    clause="RFC 5652 §3: ContentInfo",
    expect="Undetermined/MALFORMED",
    over=(DATA, "1.2.840.113549.1.7.3", "1.2.840.113549.1.7.5"),
)
def content_info_of_another_type(state, oid):
    """Data, EnvelopedData, DigestedData: not signed by anybody."""
    made = state.signer.sod()
    content_info = sequence(der.encode_oid(oid), der.encode(0xA0, sequence(*made.parts())))
    return inspection(state, made.built(content_info=content_info))


@case(clause="Doc 9303-10 §4.6.2: EF.SOD has tag 77", expect="Undetermined/MALFORMED", over=(0x30, 0x60, 0x6E, 0x75))
def file_under_another_tag(state, tag):
    """The file that was read is not EF.SOD."""
    return inspection(state, der.encode(tag, der.read(state.sod()).content))


@case(clause="Doc 9303-12 §7.1: CRLs come from the issuing State, not from the document")
def revocation_list_in_the_document_itself(state):
    """A list in the SOD is chosen by whoever made the SOD: it neither revokes nor clears."""
    return inspection(state, replace(state.signer.sod(), crls=der.encode(0xA1, state.crl(2))).built())


@case(clause="Doc 9303-12 §7.1", expect="Rejected/SIGNER_REVOKED")
def clean_list_in_the_document_does_not_clear(state):
    """The document carries a list that knows no revocation; the inspector's own list does."""
    sod = replace(state.signer.sod(), crls=der.encode(0xA1, state.crl())).built()
    return inspection(state, sod, crls=(state.crl(2),))


@case(
    clause="RFC 5652 §5.1 and §5.3: nothing follows",
    expect="Undetermined/MALFORMED",
    over=("signed data", "content info"),
)
def something_after_the_last_part(state, where):
    """An element that the syntax has no place for."""
    made = state.signer.sod()
    signed_data = sequence(*made.parts(), NULL) if where == "signed data" else sequence(*made.parts())
    content_info = sequence(der.encode_oid(SIGNED_DATA), der.encode(0xA0, signed_data), NULL if where != "signed data" else b"")
    return inspection(state, made.built(content_info=content_info))


@case(
    clause="RFC 5652 §5.2 and §5.3: nothing follows",
    expect="Undetermined/MALFORMED",
    over=("signer info", "encapsulated content", "signer identifier"),
)
def something_after_the_last_part_inside(state, where):
    """An element that the syntax has no place for, unsigned."""
    made = state.signer.sod()
    if where == "encapsulated content":
        return inspection(state, made.built(encapsulated=appended(made.encapsulated(), NULL)))
    sid = appended(issuer_and_serial(state.signer.certificate), NULL)
    return inspection(state, state.sod(sid=sid) if where == "signer identifier" else state.sod(after=NULL))
