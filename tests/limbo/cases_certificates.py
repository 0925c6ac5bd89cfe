"""Certificates: the profile of Doc 9303-12, what in it is harmless, and who may not sign documents."""

from __future__ import annotations

from dataclasses import replace

from forge import (
    AUTHORITY_KEY,
    CERT_AND_CRL_SIGN,
    CONSTRAINTS,
    DAY,
    EXTENDED_KEY_USAGE,
    KEY_PERIOD,
    KEY_USAGE,
    MARK,
    NAME_CHANGE,
    NOW,
    SIGNER_END,
    SIGNER_START,
    SUBJECT_KEY,
    TRUE,
    YEAR,
    Certificate,
    Signer,
    State,
    appended,
    authority_key,
    bit_string,
    edited,
    extension,
    generalized_time,
    key_usage,
    name,
    octet_string,
    pretend,
    pretended,
    subject_key,
)
from forge_keys import NULL, RSA, ecdsa, identifier, key, rsa_public, sequence
from inspection import Inspection, case, inspection

from pki import der

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
OTHER_SIGNERS = ("2.23.136.1.1.3", "2.23.136.1.1.8", "2.23.136.1.1.12.1", SERVER_AUTH, "1.3.6.1.5.5.7.3.4")


def with_signer(state: State, parts: Certificate) -> Inspection:
    return inspection(state, state.issue(parts).sod().built())


@case(clause="X.690 §8.3.2: the shortest form", over=("02020005", "0203fffffb"))
def serial_number_that_is_padded(state, serial):
    """Against the rule, and harmless: it is only compared, by its value."""
    return with_signer(state, state.parts.but(serial=bytes.fromhex(serial)))


@case(clause="X.690 §8.1.3: length octets", over=("authority key", "subject key"))
def wrong_length_in_a_key_identifier(state, which):
    """Genuine certificates have wrong lengths inside. This one says where to look first, no more."""
    value = b"\x30\x18\x80\x14" if which == "authority key" else b"\x04\x15"
    oid = AUTHORITY_KEY if which == "authority key" else SUBJECT_KEY
    odd = sequence(der.encode_oid(oid), octet_string(value + bytes(20)))
    return with_signer(state, state.parts.having(odd))


@case(clause="X.690 §8.1.3: length octets", expect="Undetermined/MALFORMED")
def wrong_length_in_the_key_usage(state):
    """What limits a key is read as it stands or not at all."""
    return with_signer(state, state.parts.having(sequence(der.encode_oid(KEY_USAGE), octet_string(b"\x03\x03\x07\x80"))))


def with_csca(state: State, parts: Certificate) -> Inspection:
    return inspection(state, anchors=(parts.signed(state.csca_key),))


@case(clause="RFC 5280 §4.1.2.2", over=(-1, -(1 << 63), 0, (1 << 159) - 1, 1 << 300))
def serial_number_of_a_careless_issuer(state, serial):
    """Negative, zero and longer than twenty octets: met in genuine certificates, harmless where compared as a number."""
    return with_signer(state, state.parts.but(serial=der.encode_integer(serial)))


@case(clause="RFC 5280 §4.2.1.1: authorityKeyIdentifier")
def signer_without_authority_key_identifier(state):
    """The issuer is then found by its name."""
    return with_signer(state, state.parts.lacking(AUTHORITY_KEY))


@case(clause="RFC 5280 §4.2.1.1: authorityKeyIdentifier")
def signer_with_a_wrong_authority_key_identifier(state):
    """The identifier helps to find the issuer; the signature proves it."""
    return with_signer(state, state.parts.having(authority_key(bytes(20))))


@case(clause="RFC 5280 §4.2.1.2: subjectKeyIdentifier")
def csca_without_key_identifiers(state):
    """A root of the first generation."""
    return with_csca(state, state.csca_parts.lacking(SUBJECT_KEY, AUTHORITY_KEY))


@case(clause="RFC 5280 §4.1.2.1: version")
def csca_of_version_1(state):
    """A root from before extensions: it is believed because it was handed over, not for what it says."""
    return with_csca(state, state.csca_parts.but(version=b"").lacking(*state.csca_parts.extensions))


@case(clause="Doc 9303-12 §7.1: nameChange", over=("critical", "not critical"))
def csca_that_says_its_name_changed(state, what):
    """NULL in an extension of the standard's own; one State marks it critical."""
    return with_csca(state, state.csca_parts.having(extension(NAME_CHANGE, NULL, critical=TRUE if what == "critical" else b"")))


@case(clause="RFC 5280 §4.1.2.5: UTCTime until 2049")
def dates_before_2050_as_generalized_time(state):
    """A form that the profile keeps for later years."""
    return with_signer(state, state.parts.but(not_before=generalized_time(SIGNER_START), not_after=generalized_time(SIGNER_END)))


@case(clause="RFC 5280 §4.1.2.5: 99991231235959Z")
def signer_without_an_end(state):
    """The value that stands for no well-defined end."""
    return with_signer(state, state.parts.but(not_after=der.encode(der.GENERALIZED_TIME, b"99991231235959Z")))


@case(clause="RFC 5280 §4.1.2.5.1: years from 50 are 19xx", expect="Undetermined/CERTIFICATE_NOT_VALID_AT_SIGNING")
def signer_whose_two_digit_year_is_of_the_last_century(state):
    """UTCTime 50 is 1950."""
    return with_signer(state, state.parts.but(not_after=der.encode(der.UTC_TIME, b"500101000000Z")))


@case(clause="RFC 5280 §4.1.2.5", expect="Undetermined/MALFORMED", over=(b"261301000000Z", b"2601010000Z0", b"", b"260101000000"))
def date_in_a_certificate_that_is_no_date(state, text):
    """A 13th month, odd octets, nothing, no zone."""
    return with_signer(state, state.parts.but(not_before=der.encode(der.UTC_TIME, text)))


@case(clause="RFC 5280 §4.1.1.2: both copies of the algorithm are equal", expect="Undetermined/MALFORMED", over=("ecdsa", "null"))
def algorithm_in_the_certificate_that_is_not_the_signed_one(state, what):
    """One of the two is outside the signature: an attacker's choice if it counted."""
    inner = ecdsa("sha384").identifier if what == "ecdsa" else appended(ecdsa().identifier, NULL)
    signer = Signer(key=state.signer.key, certificate=state.parts.signed(state.csca_key, inner=inner))
    return inspection(state, signer.sod().built())


@case(clause="RFC 5280 §7.1: comparison of names", over=("printable string", "letter case", "spaces"))
def issuer_written_in_another_way(state, what):
    """Names are equal but for the kind of string, letter case and runs of spaces."""
    subject = {
        "printable string": pretended("UT", "CSCA Pretendia", text=0x13),
        "letter case": pretended("ut", "csca PRETENDIA"),
        "spaces": pretended("UT", "  CSCA   Pretendia "),
    }[what]
    return with_csca(state, state.csca_parts.but(subject=subject, issuer=subject).lacking(SUBJECT_KEY))


@case(clause="RFC 5280 §7.1: comparison of names", over=("sid", "certificate"))
def signer_identifier_in_another_kind_of_string(state, where):
    """The SignerInfo names the issuer in PrintableStrings, the certificate in UTF8Strings, or the other way round."""
    printable = pretended("UT", "CSCA Pretendia", text=0x13)
    if where == "certificate":
        return with_signer(state, state.parts.but(issuer=printable))
    return inspection(state, state.sod(sid=sequence(printable, state.parts.serial)))


@case(clause="RFC 5280 §4.2: an unknown critical extension", expect="Undetermined/UNSUPPORTED_EXTENSION")
def unknown_critical_extension_in_the_signer(state):
    """Its issuer says: whoever does not understand this must not rely on the certificate."""
    return with_signer(state, state.parts.having(extension("1.3.6.1.4.1.99999.1", NULL, critical=TRUE)))


@case(clause="X.690 §8.2.2, RFC 5280 §4.2", expect="Undetermined/UNSUPPORTED_EXTENSION")
def critical_written_with_another_octet_than_ff(state):
    """TRUE is FF in DER, anything but zero in BER; read as FALSE it would switch the check off."""
    flag = der.encode(der.BOOLEAN, b"\x01")
    return with_signer(state, state.parts.having(extension("1.3.6.1.4.1.99999.1", NULL, critical=flag)))


@case(clause="RFC 5280 §4.2: unknown extensions that are not critical are ignored", over=("default", "false"))
def unknown_extension_in_the_signer(state, what):
    """FALSE is the default and should not be written; some write it."""
    flag = der.encode(der.BOOLEAN, b"\0") if what == "false" else b""
    return with_signer(state, state.parts.having(extension("1.3.6.1.4.1.99999.1", NULL, critical=flag)))


def again(state: State, other: bytes) -> Inspection:
    """The signer's certificate with one more extension, of a kind that it has."""
    oid = der.read(other).children()[0].oid()
    extensions = {**state.parts.extensions, oid: state.parts.extensions.get(oid, other), "again": other}
    return with_signer(state, replace(state.parts, extensions=extensions))


@case(clause="RFC 5280 §4.2: one instance of an extension", expect="Undetermined/MALFORMED", over=("key usage", "key"))
def extension_twice(state, what):
    """Which of the two counts would be the reader's choice."""
    return again(state, key_usage(CERT_AND_CRL_SIGN) if what == "key usage" else subject_key(bytes(20)))


@case(
    clause="RFC 5280 §4.2: one instance of an extension",
    expect="Undetermined/MALFORMED",
)
def unknown_extension_twice(state):
    """The rule makes no difference between extensions that a reader knows and others."""
    return again(state, extension("1.3.6.1.4.1.99999.1", NULL))


@case(clause="RFC 5280 §4.2.1.9: cA is FALSE by default", over=("empty", "written", "with a path length"))
def basic_constraints_of_no_issuer(state, what):
    """FALSE should not be written, and a path length has no meaning without TRUE: met, and harmless."""
    false = der.encode(der.BOOLEAN, b"\0")
    value = {"empty": sequence(), "written": sequence(false), "with a path length": sequence(false, der.encode_integer(0))}[what]
    return with_signer(state, state.parts.having(extension(CONSTRAINTS, value, critical=TRUE)))


@case(clause="Doc 9303-12 §7.1: a document signer is no certification authority", expect="Rejected/SIGNER_NOT_ENTITLED")
def signer_that_may_issue_certificates(state):
    """basicConstraints with cA TRUE: not a document signer, whatever else it says."""
    return with_signer(state, state.parts.having(extension(CONSTRAINTS, sequence(TRUE), critical=TRUE)))


@case(
    clause="Doc 9303-12 §7.1: keyUsage of a document signer is digitalSignature",
    expect="Rejected/SIGNER_NOT_ENTITLED",
    over=("0640", "0106", "0520", "0700"),
)
def signer_whose_key_is_for_something_else(state, flags):
    """Non-repudiation alone, certificates and CRLs, key encipherment, nothing."""
    return with_signer(state, state.parts.having(key_usage(bytes.fromhex(flags))))


@case(clause="Doc 9303-12 §7.1", expect="Rejected/SIGNER_NOT_ENTITLED")
def csca_that_signs_a_document_itself(state):
    """Its key is for certificates and lists; a document signed with it is none that the State issues."""
    signer = Signer(key=state.csca_key, certificate=state.csca)
    return inspection(state, signer.sod().built())


@case(clause="Doc 9303-12 §7.1: extKeyUsage of list signers", expect="Rejected/SIGNER_NOT_ENTITLED", over=OTHER_SIGNERS[:3])
def signer_of_lists_or_seals(state, oid):
    """Master lists, deviation lists and visible seals have signers of their own under the same CSCA."""
    return with_signer(state, state.parts.having(extension(EXTENDED_KEY_USAGE, sequence(der.encode_oid(oid)), critical=TRUE)))


@case(
    clause="RFC 5280 §4.2.1.12: the certificate serves the purposes named, and no other",
    expect="Rejected/SIGNER_NOT_ENTITLED",
    over=OTHER_SIGNERS[3:],
)
def signer_for_purposes_outside_the_passport(state, oid):
    """A certificate for web servers or mail under the State's key signs no document."""
    return with_signer(state, state.parts.having(extension(EXTENDED_KEY_USAGE, sequence(der.encode_oid(oid)))))


@case(clause="RFC 5280 §4.2.1.12; Doc 9303-12 §7.1: none for document signers", over=("1.3.6.1.4.1.99999.7", "2.5.29.37.0"))
def signer_with_a_purpose_of_its_states_own(state, oid):
    """What a State means by it is not known, *any* is any: odd, and no sign that the key is for something else."""
    return with_signer(state, state.parts.having(extension(EXTENDED_KEY_USAGE, sequence(der.encode_oid(oid)))))


@case(clause="Doc 9303-12 §7.1: keyUsage is mandatory; RFC 5280 §4.2.1.3: absent, it restricts nothing")
def signer_without_key_usage(state):
    """The profile is not kept; what the State meant is not in doubt."""
    return with_signer(state, state.parts.lacking(KEY_USAGE))


@case(clause="Doc 9303-12 §7.1: validity", expect="Undetermined/CERTIFICATE_NOT_VALID_AT_SIGNING")
def signer_that_ends_before_it_begins(state):
    """No moment lies inside."""
    return with_signer(state, state.parts.valid(NOW + DAY, NOW - DAY))


@case(clause="Doc 9303-12 §7.1: countryName is mandatory", expect="Undetermined/ISSUING_STATE_UNKNOWN")
def signer_without_a_country(state):
    """Nothing says whose signer it is."""
    return with_signer(state, state.parts.but(subject=name(("2.5.4.3", MARK))))


@case(
    clause="Doc 9303-12 §7.1: one countryName",
    expect="Rejected/ISSUING_COUNTRY_MISMATCH",
)
def signer_of_two_countries(state):
    """One name, two countries: signer, CSCA and MRZ do not name one State."""
    subject = name(("2.5.4.6", "UT"), ("2.5.4.6", "XX"), ("2.5.4.3", MARK))
    return with_signer(state, state.parts.but(subject=subject))


@case(clause="RFC 5280 §4.1.2.4", expect="Undetermined/MALFORMED")
def name_of_unreasonable_length(state):
    """Names are shown to people and written to records."""
    return with_signer(state, state.parts.but(subject=pretended("UT", "A" * 5000)))


@case(clause="RFC 5280 §4.1.2.4")
def name_with_control_characters(state):
    """Ugly, and no reason to doubt the document; what is shown of it is the reader's business."""
    return with_signer(state, state.parts.but(subject=pretended("UT", "Signer\r\n\x1b[31m\0 of ugly names")))


@case(
    clause="Doc 9303-12 §7.1",
    expect="Rejected/SIGNER_CERTIFICATE_FORGED",
    over=("key", "serial", "subject", "dates", "extensions"),
)
def certificate_changed_after_the_csca_signed(state, what):
    """Any part replaced, the CSCA's signature of before; the key is the forger's own."""
    forger = key("ec:secp256r1", "forger")
    changed = {
        "key": state.parts.but(public=forger.public),
        "serial": state.parts.but(serial=der.encode_integer(3)),
        "subject": state.parts.but(subject=pretended("UT", "Document Signer Forger")),
        "dates": state.parts.valid(SIGNER_START - YEAR, SIGNER_END + YEAR),
        "extensions": state.parts.lacking(KEY_PERIOD),
    }[what]
    honest, fresh = der.read(state.signer.certificate).children(), der.read(changed.signed(forger)).children()
    certificate = sequence(fresh[0].encoded, honest[1].encoded, honest[2].encoded)
    signer = Signer(key=forger if what == "key" else state.signer.key, certificate=certificate)
    return inspection(state, signer.sod().built())


@case(clause="RFC 5280 §4.1", expect="Undetermined/MALFORMED", over=("nothing", "an integer", "a name", "half"))
def bag_with_something_that_is_no_certificate(state, what):
    """Before the signer's own one; what cannot be read could be the one that is meant."""
    odd = {
        "nothing": sequence(),
        "an integer": sequence(der.encode_integer(1)),
        "a name": state.parts.subject,
        "half": edited(state.signer.certificate, 2),
    }[what]
    return inspection(state, replace(state.signer.sod(), certificates=(odd, state.signer.certificate)).built())


@case(clause="RFC 5280 §4.1.2.8: unique identifiers are not used, and to be parsed")
def signer_with_unique_identifiers(state):
    """Two optional elements from before key identifiers."""
    public = state.parts.public + der.encode(0x81, b"\0issuer") + der.encode(0x82, b"\0subject")
    return with_signer(state, state.parts.but(public=public))


@case(clause="RFC 5280 §4.1: TBSCertificate ends with its extensions", expect="Undetermined/MALFORMED")
def something_after_the_extensions(state):
    """Signed by the CSCA, and in no place of the syntax."""
    return with_signer(state, state.parts.but(after=NULL))


@case(clause="RFC 5280 §4.1.2.7: SubjectPublicKeyInfo", expect="Undetermined/MALFORMED", over=("key", "numbers"))
def something_after_the_public_key(_state, where):
    """An element that no reader asks for."""
    rsa = pretend("UT", "rsa:2048")
    numbers = sequence(der.encode_integer(rsa.signer.key.n), der.encode_integer(65537), NULL)
    longer = sequence(identifier(RSA, NULL), bit_string(numbers))
    public = appended(rsa.signer.key.public, NULL) if where == "key" else longer
    return with_signer(rsa, rsa.parts.but(public=public))


@case(clause="RFC 8017 §3.1: the modulus is positive")
def rsa_modulus_without_its_leading_zero(_state):
    """Read with a sign it is negative: in use in genuine documents, and a modulus has no sign."""
    rsa = pretend("UT", "rsa:2048")
    numbers = sequence(der.encode(der.INTEGER, rsa.signer.key.number(rsa.signer.key.n)), der.encode_integer(65537))
    return with_signer(rsa, rsa.parts.but(public=sequence(identifier(RSA, NULL), bit_string(numbers))))


@case(clause="RFC 8017 §3.1: n is odd", expect="Undetermined/UNSUPPORTED_ALGORITHM")
def rsa_modulus_that_is_even(_state):
    """No product of odd primes."""
    rsa = pretend("UT", "rsa:2048")
    return with_signer(rsa, rsa.parts.but(public=rsa_public(rsa.signer.key.n + 1, 65537)))


@case(clause="RFC 8017 §3.1: e is any odd number from 3")
def rsa_exponent_of_two_hundred_bits(_state):
    """Slow, met in genuine certificates, and as good as any."""
    rsa = pretend("UT", "rsa:2048")
    own = replace(rsa.signer.key, e=(1 << 200) + 235, private=None)
    return inspection(rsa, rsa.issue(rsa.parts.but(public=own.public), signer_key=own).sod().built())
