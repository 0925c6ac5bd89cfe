"""The chain from the document signer to the issuing State: each attack, each date, each list and each curve has its own code."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from pki import der, sim
from pki.certificates import parse_certificate
from pki.errors import PkiError, ReasonCode
from pki.results import Authentic, Rejected, Undetermined
from pki.revocation import Revocation
from pki.trust import Csca, TrustStore

SERIAL, VALIDITY, SUBJECT, KEY, EXTENSIONS = 1, 4, 5, 6, 7
"""Positions in TBSCertificate."""


def rejected(result, code: ReasonCode, step: str) -> bool:
    assert result == Rejected(code=code, step=step, detail=result.detail, steps=result.steps)
    return next(each.result for each in result.steps if each.finding) == "failed"


def undetermined(result, code: ReasonCode, step: str) -> bool:
    assert result == Undetermined(code=code, step=step, detail=result.detail, steps=result.steps)
    return next(each.result for each in result.steps if each.finding) == "undetermined"


# --- attacks on the chain


def test_state_in_no_trust_store_is_no_trust_anchor_never_forged(workshop):
    sod = workshop.sod(signer=workshop.foreign.signer)
    assert undetermined(workshop.judge(sod), ReasonCode.NO_TRUST_ANCHOR, "chain")


@pytest.mark.conforms("Doc 9303-12 §7.1, chain", "negative")
def test_state_of_the_same_name_with_other_keys_is_no_trust_anchor(workshop, now):
    namesake = sim.PretendState.create(country="ID", name="Pretendia", now=now)
    assert undetermined(workshop.judge(workshop.sod(signer=namesake.signer)), ReasonCode.NO_TRUST_ANCHOR, "chain")


@pytest.mark.conforms("Doc 9303-12 §7.1, chain", "positive")
def test_the_right_csca_is_found_among_namesakes(workshop, now):
    namesakes = [sim.PretendState.create(country="ID", name="Pretendia", now=now) for _ in range(3)]
    anchors = [Csca.of(state.csca, provenance=str(at)) for at, state in enumerate([*namesakes, workshop.state])]
    result = workshop.judge(workshop.sod(), trust=TrustStore(anchors=tuple(anchors)))
    assert isinstance(result, Authentic)
    assert result.csca.endswith("(3)")


def test_csca_is_found_by_name_where_the_signer_carries_no_key_identifier(workshop, edit_element):
    signer = workshop.reissued(lambda fields: fields.pop(EXTENSIONS))
    assert isinstance(workshop.judge(workshop.sod(signer=signer)), Authentic)


@pytest.mark.conforms("Doc 9303-12 §7.1, chain", "negative")
def test_csca_that_signs_a_document_itself_is_not_entitled(workshop):
    csca = sim.DocumentSigner(private_key=workshop.state.private_key, certificate=workshop.state.csca, now=workshop.now)
    result = workshop.judge(workshop.sod(signer=csca))
    assert rejected(result, ReasonCode.SIGNER_NOT_ENTITLED, "validity")


def with_extension(workshop, edit_element, oid: str, value: bytes, *, critical: bool = False):
    """The signer with one extension more."""
    flag = der.encode(der.BOOLEAN, b"\xff") if critical else b""
    extension = der.encode(der.SEQUENCE, der.encode_oid(oid), flag, der.encode(der.OCTET_STRING, value))

    def add(fields):
        inner = edit_element(der.read(fields[EXTENSIONS]).only_child().encoded, lambda items: items.append(extension))
        fields[EXTENSIONS] = der.encode(0xA3, inner)

    return workshop.reissued(add)


def test_unknown_extension_matters_only_if_critical(workshop, edit_element):
    for critical in (False, True):
        signer = with_extension(workshop, edit_element, "1.3.6.1.4.1.99999.1", b"\x05\x00", critical=critical)
        result = workshop.judge(workshop.sod(signer=signer))
        assert isinstance(result, Authentic) != critical
    assert undetermined(result, ReasonCode.UNSUPPORTED_EXTENSION, "validity")


def test_name_of_a_signer_cannot_break_a_log_line(workshop):
    text = der.encode(0x0C, b"DS\nverdict: authentic\x1b[2J" + b"A" * 3000)
    names = [
        der.encode(der.SEQUENCE, der.encode_oid(oid), value)
        for oid, value in (("2.5.4.6", der.encode(0x13, b"ID")), ("2.5.4.3", text))
    ]
    subject = der.encode(der.SEQUENCE, *(der.encode(der.SET, name) for name in names))
    result = workshop.judge(workshop.sod(signer=workshop.reissued(lambda fields: fields.__setitem__(SUBJECT, subject))))
    assert isinstance(result, Authentic)
    assert result.signer.isprintable()
    assert len(result.signer) < 300


def test_name_of_unreasonable_length_is_malformed(workshop):
    subject = der.encode(
        der.SEQUENCE, der.encode(der.SET, der.encode(der.SEQUENCE, der.encode_oid("2.5.4.3"), der.encode(0x0C, b"A" * 5000)))
    )
    signer = workshop.reissued(lambda fields: fields.__setitem__(SUBJECT, subject))
    with pytest.raises(PkiError):
        parse_certificate(signer.certificate)
    good = workshop.signer_info(workshop.content())
    sod = workshop.sod(certificates=[signer.certificate], signer_infos=[good])
    assert undetermined(workshop.judge(sod), ReasonCode.MALFORMED, "signer")


@pytest.mark.conforms("Doc 9303-12 §7.1.1, profile", "negative")
def test_signer_of_master_lists_may_not_sign_documents(workshop, edit_element):
    purpose = der.encode(der.SEQUENCE, der.encode_oid("2.23.136.1.1.3"))
    signer = with_extension(workshop, edit_element, "2.5.29.37", purpose)
    assert rejected(workshop.judge(workshop.sod(signer=signer)), ReasonCode.SIGNER_NOT_ENTITLED, "validity")


def test_certificate_of_an_issuer_may_not_sign_documents(workshop, edit_element):
    constraints = der.encode(der.SEQUENCE, der.encode(der.BOOLEAN, b"\xff"))
    signer = with_extension(workshop, edit_element, "2.5.29.19", constraints)
    assert rejected(workshop.judge(workshop.sod(signer=signer)), ReasonCode.SIGNER_NOT_ENTITLED, "validity")


@pytest.mark.conforms("Doc 9303-12 §7.1.1, profile", "negative")
def test_key_for_other_use_than_signatures_may_not_sign_documents(workshop):
    usage = der.encode(der.OCTET_STRING, der.encode(der.BIT_STRING, b"\x07\x80"))
    other = der.encode(der.OCTET_STRING, der.encode(der.BIT_STRING, b"\x05\x20"))  # keyEncipherment

    def edit(fields):
        assert usage in fields[EXTENSIONS]
        fields[EXTENSIONS] = fields[EXTENSIONS].replace(usage, other)

    signer = workshop.reissued(edit)
    assert rejected(workshop.judge(workshop.sod(signer=signer)), ReasonCode.SIGNER_NOT_ENTITLED, "validity")


@pytest.mark.conforms("Doc 9303-12 §7.1.1, country", "negative")
def test_signer_that_names_another_country_than_its_csca_is_rejected(workshop):
    other = der.read(workshop.foreign.signer.certificate).children()[0].children()[SUBJECT].encoded
    signer = workshop.reissued(lambda fields: fields.__setitem__(SUBJECT, other))
    assert rejected(workshop.judge(workshop.sod(signer=signer)), ReasonCode.ISSUING_COUNTRY_MISMATCH, "country")


def test_signer_without_a_country_is_undetermined(workshop):
    name = der.encode(der.SEQUENCE)
    signer = workshop.reissued(lambda fields: fields.__setitem__(SUBJECT, name))
    assert undetermined(workshop.judge(workshop.sod(signer=signer)), ReasonCode.ISSUING_STATE_UNKNOWN, "country")


@pytest.mark.conforms("Doc 9303-12 §7.1.1, country", "positive")
def test_country_in_lower_case_is_the_same_country(workshop, now):
    state = sim.PretendState.create(country="id", name="Pretendia", now=now)
    assert isinstance(workshop.judge(workshop.sod(signer=state.signer), trust=state.trust_store()), Authentic)


@pytest.mark.parametrize(("letters", "authentic"), [(b"IDN", True), (b"idn", True), (b"XXA", False), (b"IRN", False)])
@pytest.mark.conforms("TR-03135-1 §5.6.4.5", "positive")
def test_country_in_three_letters_is_the_country_of_that_mrz_code(letters, authentic, workshop):
    pair = der.encode(der.SEQUENCE, der.encode_oid("2.5.4.6"), der.encode(0x13, letters))
    subject = der.encode(der.SEQUENCE, der.encode(der.SET, pair))
    signer = workshop.reissued(lambda fields: fields.__setitem__(SUBJECT, subject))
    assert isinstance(workshop.judge(workshop.sod(signer=signer)), Authentic) == authentic


@pytest.mark.conforms("Doc 9303-12 §7.1.1, country", "negative")
@pytest.mark.conforms("TR-03135-1 §5.6.4.5", "negative")
def test_trusted_state_cannot_vouch_for_another_states_document(workshop, data_groups):
    """A rogue but trusted State signs an Indonesian passport."""
    sod = workshop.sod(signer=workshop.foreign.signer)
    result = workshop.judge(sod, trust=workshop.foreign.trust_store())
    assert rejected(result, ReasonCode.ISSUING_COUNTRY_MISMATCH, "issuing state")


# --- time


@pytest.mark.conforms("Doc 9303-12 §7.1, validity", "negative")
def test_signer_expired_at_signing_is_undetermined(workshop, now):
    content = workshop.content()
    late = now + timedelta(days=12 * 365)
    info = workshop.signer_info(content, attributes=workshop.attributes(content, now=late))
    result = workshop.judge(workshop.sod(content, signer_infos=[info]), now=late)
    assert undetermined(result, ReasonCode.CERTIFICATE_NOT_VALID_AT_SIGNING, "validity")


@pytest.mark.parametrize(("days", "authentic"), [(-31, False), (-29, True), (59, True), (61, False)])
def test_signer_signs_within_its_keys_period_of_use_only(days, authentic, workshop, now):
    """privateKeyUsagePeriod: the key was made 30 days ago for 90 days, the certificate lives eleven years."""
    content, moment = workshop.content(), now + timedelta(days=days)
    info = workshop.signer_info(content, attributes=workshop.attributes(content, now=moment))
    result = workshop.judge(workshop.sod(content, signer_infos=[info]), now=now + timedelta(days=400))
    assert isinstance(result, Authentic) == authentic
    assert authentic or undetermined(result, ReasonCode.CERTIFICATE_NOT_VALID_AT_SIGNING, "validity")


@pytest.mark.conforms("Doc 9303-12 §7.1, validity", "positive")
def test_signer_and_csca_expired_since_signing_do_not_matter(workshop, now):
    assert isinstance(workshop.judge(workshop.sod(), now=now + timedelta(days=20 * 365)), Authentic)


def test_without_a_signing_time_the_signer_must_be_valid_now(workshop, now):
    content = workshop.content()
    info = workshop.signer_info(content, attributes=workshop.attributes(content, now=None))
    sod = workshop.sod(content, signer_infos=[info])
    result = workshop.judge(sod)
    assert isinstance(result, Authentic)
    assert result.signed_at is None
    assert "no signing time: judged now" in [step.detail for step in result.steps]
    late = workshop.judge(sod, now=now + timedelta(days=20 * 365))
    assert undetermined(late, ReasonCode.CERTIFICATE_NOT_VALID_AT_SIGNING, "validity")


@pytest.mark.conforms("Doc 9303-12 §7.1, validity", "negative")
def test_document_signed_in_the_future_is_undetermined(workshop, now):
    assert isinstance(workshop.judge(workshop.sod(), now=now - timedelta(hours=14)), Authentic)
    result = workshop.judge(workshop.sod(), now=now - timedelta(days=3))
    assert undetermined(result, ReasonCode.SIGNED_IN_FUTURE, "validity")


def test_signer_issued_after_the_cscas_key_was_retired_is_undetermined(workshop, now):
    times = [(now + timedelta(days=days)).strftime("%y%m%d%H%M%SZ").encode() for days in (5 * 365, 10 * 365)]
    validity = der.encode(der.SEQUENCE, *(der.encode(der.UTC_TIME, time) for time in times))
    signer = workshop.reissued(lambda fields: fields.__setitem__(VALIDITY, validity))
    result = workshop.judge(workshop.sod(signer=signer), now=now + timedelta(days=6 * 365))
    assert undetermined(result, ReasonCode.CSCA_NOT_VALID_AT_ISSUE, "chain")


# --- issuing State


@pytest.mark.parametrize(
    ("country", "state"), [("DE", "D<<"), ("GB", "GBD"), ("ID", "IDN"), ("UT", "UTO"), ("KS", "RKS"), ("UN", "UNO")]
)
@pytest.mark.conforms("Doc 9303-12 §7.1.1, country", "positive")
def test_mrz_codes_of_their_own_belong_to_their_country(country, state, workshop, now):
    pretend = sim.PretendState.create(country=country, name="Pretendia", now=now)
    sod, trust = workshop.sod(signer=pretend.signer), pretend.trust_store()
    assert isinstance(workshop.judge(sod, trust=trust, mrz_issuing_state=state), Authentic)
    assert isinstance(workshop.judge(sod, trust=trust, mrz_issuing_state="FRA"), Rejected)


@pytest.mark.parametrize("state", ["", "<<<", "XYZ", "ID", "idn"])
def test_unknown_mrz_code_never_opens(state, workshop):
    result = workshop.judge(workshop.sod(), mrz_issuing_state=state)
    assert undetermined(result, ReasonCode.ISSUING_STATE_UNKNOWN, "issuing state")


def test_neither_mrz_nor_data_group_1_is_undetermined(workshop):
    assert undetermined(workshop.judge(workshop.sod(), {}), ReasonCode.ISSUING_STATE_UNKNOWN, "issuing state")


def test_data_group_1_that_is_no_mrz_is_undetermined(workshop):
    odd = {1: der.encode(0x61, der.encode(0x5F1F, b"P<IDN"))}
    assert undetermined(
        workshop.judge(workshop.sod(workshop.content(odd | {2: b""})), odd), ReasonCode.MALFORMED, "issuing state"
    )


# --- document type


def limited_to(workshop, edit_element, *kinds: str):
    listed = der.encode_set([der.encode(0x13, kind.encode()) for kind in kinds])
    return with_extension(workshop, edit_element, "2.23.136.1.1.6.2", der.encode(der.SEQUENCE, der.encode_integer(0), listed))


@pytest.mark.parametrize(("kinds", "authentic"), [(["P"], True), (["ID", "P<"], True), (["ID"], False), (["PD"], False)])
@pytest.mark.conforms("Doc 9303-12 §7.1.1, document types", "positive")
def test_signer_signs_the_types_of_document_that_it_is_limited_to(kinds, authentic, workshop, edit_element):
    result = workshop.judge(workshop.sod(signer=limited_to(workshop, edit_element, *kinds)))
    assert isinstance(result, Authentic) == authentic
    assert authentic or rejected(result, ReasonCode.DOCUMENT_TYPE_MISMATCH, "document type")


@pytest.mark.conforms("Doc 9303-12 §7.1.1, document types", "negative")
def test_list_of_document_types_that_cannot_be_read_is_malformed(workshop, edit_element):
    signer = with_extension(workshop, edit_element, "2.23.136.1.1.6.2", b"\x05\x00")
    with pytest.raises(PkiError):
        parse_certificate(signer.certificate)


# --- revocation


@pytest.mark.conforms("Doc 9303-12 §7.1.4", "negative")
def test_revoked_signer_is_rejected_even_by_a_stale_list(workshop, now):
    crl = workshop.state.crl([workshop.state.signer])
    trust = workshop.state.trust_store(crls=[crl])
    for moment in (now, now + timedelta(days=400)):
        assert rejected(workshop.judge(workshop.sod(), trust=trust, now=moment), ReasonCode.SIGNER_REVOKED, "revocation")


def test_negative_serial_number_is_revoked_by_the_same_octets_without_a_sign(workshop, now):
    """States have issued serial numbers whose first bit is set; their lists may write a zero octet before them."""
    signer = workshop.reissued(lambda fields: fields.__setitem__(SERIAL, der.encode_integer(-5)))
    for serial, revoked in ((251, True), (252, False)):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        issuer = x509.load_der_x509_certificate(workshop.state.csca).subject
        builder = x509.CertificateRevocationListBuilder(issuer, now, now + timedelta(days=9), revoked_certificates=[entry])
        crl = builder.sign(workshop.state.private_key, hashes.SHA256()).public_bytes(Encoding.DER)
        result = workshop.judge(workshop.sod(signer=signer), trust=workshop.state.trust_store(crls=[crl]))
        assert isinstance(result, Rejected) == revoked


@pytest.mark.conforms("Doc 9303-12 §7.1.4", "positive")
def test_revocation_of_another_signer_leaves_this_one_good(workshop):
    trust = workshop.state.trust_store(crls=[workshop.state.crl([workshop.state.document_signer()])])
    assert workshop.judge(workshop.sod(), trust=trust).revocation is Revocation.GOOD


@pytest.mark.conforms("Doc 9303-12 §7.1.4", "negative")
def test_stale_list_is_reported_as_stale(workshop, now):
    trust = workshop.state.trust_store(crls=[workshop.state.crl()])
    assert workshop.judge(workshop.sod(), trust=trust, now=now + timedelta(days=91)).revocation is Revocation.STALE_CRL


def test_list_from_the_future_is_not_good(workshop, now):
    trust = workshop.state.trust_store(crls=[workshop.state.crl(at=now + timedelta(days=5))])
    assert workshop.judge(workshop.sod(), trust=trust).revocation is Revocation.STALE_CRL


def test_partial_list_revokes_but_clears_nobody(workshop, now):
    """A delta CRL (RFC 5280 §5.2.4) names the newly revoked alone."""

    def delta(revoked):
        builder = x509.CertificateRevocationListBuilder().last_update(now).next_update(now + timedelta(days=9))
        builder = builder.issuer_name(x509.load_der_x509_certificate(workshop.state.csca).subject)
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
        for serial in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            )
        return builder.sign(workshop.state.private_key, hashes.SHA256()).public_bytes(Encoding.DER)

    serial = der.read(workshop.state.signer.certificate).children()[0].children()[SERIAL].integer()
    assert workshop.judge(workshop.sod(), trust=workshop.state.trust_store(crls=[delta([])])).revocation is Revocation.STALE_CRL
    revoked = workshop.judge(workshop.sod(), trust=workshop.state.trust_store(crls=[delta([serial])]))
    assert rejected(revoked, ReasonCode.SIGNER_REVOKED, "revocation")


def test_list_under_another_issuers_name_speaks_of_other_serial_numbers(workshop, now):
    serial = der.read(workshop.state.signer.certificate).children()[0].children()[SERIAL].integer()
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
    other = x509.load_der_x509_certificate(workshop.foreign.csca).subject
    builder = x509.CertificateRevocationListBuilder(other, now, now + timedelta(days=9), revoked_certificates=[entry])
    crl = builder.sign(workshop.state.private_key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert workshop.judge(workshop.sod(), trust=workshop.state.trust_store(crls=[crl])).revocation is Revocation.NO_CRL


def test_list_of_a_namesake_is_no_list(workshop, now):
    """Whoever can drop a file into the store's folder cannot revoke, nor clear, a State's signer."""
    namesake = sim.PretendState.create(country="ID", name="Pretendia", now=now)
    trust = workshop.state.trust_store(crls=[namesake.crl([workshop.state.signer])])
    assert workshop.judge(workshop.sod(), trust=trust).revocation is Revocation.NO_CRL


# --- explicit curve parameters


def explicit_key(signer, edit=lambda parameters: None) -> bytes:
    """The signer's P-256 key with explicit parameters, as Doc 9303-12 §4.1.6.3 asks."""
    from pki.curves import CURVES

    curve = next(curve for curve in CURVES if curve.name == "secp256r1")
    numbers = signer.private_key.public_key().public_numbers()

    def octets(value):
        return der.encode(der.OCTET_STRING, value.to_bytes(32, "big"))

    def point(x, y):
        return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")

    parameters = [
        der.encode_integer(1),
        der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.1.1"), der.encode_integer(curve.p)),
        der.encode(der.SEQUENCE, octets(curve.a), octets(curve.b)),
        der.encode(der.OCTET_STRING, point(*curve.g)),
        der.encode_integer(curve.n),
        der.encode_integer(curve.h),
    ]
    edit(parameters)
    algorithm = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.2.1"), der.encode(der.SEQUENCE, *parameters))
    return der.encode(der.SEQUENCE, algorithm, der.encode(der.BIT_STRING, b"\0" + point(numbers.x, numbers.y)))


def test_explicit_parameters_equal_to_a_named_curve_are_that_curve(workshop):
    key = explicit_key(workshop.state.signer)
    signer = workshop.reissued(lambda fields: fields.__setitem__(KEY, key))
    assert isinstance(workshop.judge(workshop.sod(signer=signer)), Authentic)


def own_generator(parameters):
    """CVE-2020-0601: a generator of the attacker's choice makes any public key his own."""
    x = sim.new_key("ec:P-256").public_key().public_numbers()
    parameters[3] = der.encode(der.OCTET_STRING, b"\x04" + x.x.to_bytes(32, "big") + x.y.to_bytes(32, "big"))


@pytest.mark.parametrize(
    "edit",
    [
        own_generator,
        lambda parameters: parameters.__setitem__(
            1, der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.1.1"), der.encode_integer(15))
        ),
        lambda parameters: parameters.__setitem__(2, der.encode(der.SEQUENCE, *[der.encode(der.OCTET_STRING, bytes(32))] * 2)),
        lambda parameters: parameters.__setitem__(4, der.encode_integer(1)),
        lambda parameters: parameters.__setitem__(5, der.encode_integer(2)),
        lambda parameters: parameters.pop(5),
        lambda parameters: parameters.__setitem__(1, der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.1.2"))),
    ],
)
def test_explicit_parameters_that_differ_in_anything_are_refused(edit, workshop):
    key = explicit_key(workshop.state.signer, edit)
    signer = workshop.reissued(lambda fields: fields.__setitem__(KEY, key))
    assert undetermined(workshop.judge(workshop.sod(signer=signer)), ReasonCode.UNSUPPORTED_CURVE, "signature")


def test_point_off_the_curve_is_malformed(workshop):
    key = bytearray(der.read(workshop.state.signer.certificate).children()[0].children()[KEY].encoded)
    key[-1] ^= 1
    signer = workshop.reissued(lambda fields: fields.__setitem__(KEY, bytes(key)))
    assert undetermined(workshop.judge(workshop.sod(signer=signer)), ReasonCode.MALFORMED, "signature")


def test_signature_with_a_number_beyond_the_order_is_rejected(workshop, edit_element):
    content = workshop.content()
    zero = der.encode(der.OCTET_STRING, der.encode(der.SEQUENCE, der.encode_integer(0), der.encode_integer(0)))
    info = edit_element(workshop.signer_info(content), lambda fields: fields.__setitem__(5, zero))
    assert rejected(workshop.judge(workshop.sod(content, signer_infos=[info])), ReasonCode.SIGNATURE_INVALID, "signature")
