"""Signed attributes: what the signature covers, and that it is this content."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from forge import (
    CONTENT_TYPE,
    DATA,
    DATA_GROUPS,
    DAY,
    LDS_SECURITY_OBJECT,
    MESSAGE_DIGEST,
    NOW,
    SIGNING_TIME,
    State,
    attribute,
    attributes,
    generalized_time,
    octet_string,
    security_object,
    utc_time,
)
from inspection import case, inspection

from pki import der


def signed_with(state: State, signed: list[bytes], content: bytes | None = None, **info) -> bytes:
    """A SOD whose SignerInfo sends ``signed``."""
    content = security_object() if content is None else content
    return replace(state.signer.sod(content), signers=(state.signer.info(signed, **info),)).built()


@case(clause="RFC 5652 §5.4: the SET OF in DER is signed, whatever order was sent")
def attributes_sent_unsorted(state):
    """A real signer sends them in the order of its programme; the signature covers the sorted SET."""
    signed = sorted(attributes(security_object()).values(), reverse=True)
    return inspection(state, signed_with(state, signed))


@case(clause="RFC 5652 §5.4: a separate DER encoding", expect="Rejected/SIGNATURE_INVALID")
def signature_over_the_attributes_as_sent(state):
    """Signed with the implicit tag [0] that they are sent under, instead of as a SET."""
    signed = sorted(attributes(security_object()).values())
    return inspection(state, signed_with(state, signed, covers=der.encode(0xA0, *signed)))


@case(clause="RFC 5652 §5.4: a separate DER encoding", expect="Rejected/SIGNATURE_INVALID")
def signature_over_the_unsorted_set(state):
    """A SET OF that is not sorted is not DER."""
    signed = sorted(attributes(security_object()).values(), reverse=True)
    return inspection(state, signed_with(state, signed, covers=der.encode(der.SET, *signed)))


@case(clause="RFC 5652 §5.4", expect="Rejected/SIGNATURE_INVALID")
def signature_over_the_content_beside_attributes(state):
    """Where attributes are sent, they are what is signed."""
    content = security_object()
    return inspection(state, signed_with(state, sorted(attributes(content).values()), covers=content))


@case(clause="RFC 5652 §11.2, Doc 9303-11 §5.1 step 3", expect="Rejected/MESSAGE_DIGEST_MISMATCH")
def content_changed_after_signing(state):
    """Another hash for the portrait, the attributes and their signature untouched."""
    content = security_object({**DATA_GROUPS, 2: b"another portrait"})
    return inspection(state, replace(state.signer.sod(), content=content).built())


@case(clause="RFC 5652 §11.2", expect="Rejected/MESSAGE_DIGEST_MISMATCH")
def digest_made_with_another_algorithm_than_it_says(state):
    """SHA-1 over the content, called SHA-256."""
    return inspection(state, signed_with(state, sorted(attributes(security_object(), "sha1").values())))


@case(clause="RFC 5652 §11.2", expect="Rejected/MESSAGE_DIGEST_MISMATCH", over=("empty", "cut", "of the attributes"))
def digest_of_something_else(state, what):
    """A comparison that stops early, or compares nothing, would let these pass."""
    content = security_object()
    right = hashlib.sha256(content).digest()
    value = {"empty": b"", "cut": right[:20], "of the attributes": hashlib.sha256(b"").digest()}[what]
    changed = attributes(content) | {MESSAGE_DIGEST: attribute(MESSAGE_DIGEST, octet_string(value))}
    return inspection(state, signed_with(state, sorted(changed.values())))


@case(
    clause="RFC 5652 §11.1: contentType equals eContentType",
    expect="Rejected/CONTENT_TYPE_MISMATCH",
    over=(DATA, "2.23.136.1.1.2"),
)
def signed_content_type_of_another_thing(state, oid):
    """The signature says that a master list (or plain data) was signed, the message that it is a security object."""
    return inspection(state, signed_with(state, sorted(attributes(security_object(), content_type=oid).values())))


@case(
    clause="RFC 5652 §5.3: contentType and messageDigest must be there",
    expect="Undetermined/MALFORMED",
    over=(CONTENT_TYPE, MESSAGE_DIGEST),
)
def attribute_that_is_missing(state, oid):
    """Without the one nothing binds the kind, without the other nothing the content."""
    left = {each: value for each, value in attributes(security_object()).items() if each != oid}
    return inspection(state, signed_with(state, sorted(left.values())))


@case(clause="RFC 5652 §5.3: SIZE (1..MAX)", expect="Undetermined/MALFORMED")
def no_attribute_at_all(state):
    """An empty set, signed."""
    return inspection(state, signed_with(state, []))


@case(
    clause="RFC 5652 §11.1 to §11.3: one instance",
    expect="Undetermined/MALFORMED",
    over=(CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME),
)
def attribute_twice(state, oid):
    """Which of the two counts would be the reader's choice."""
    other = {
        CONTENT_TYPE: der.encode_oid(DATA),
        MESSAGE_DIGEST: octet_string(bytes(32)),
        SIGNING_TIME: utc_time(NOW - DAY),
    }[oid]
    signed = sorted([*attributes(security_object()).values(), attribute(oid, other)])
    return inspection(state, signed_with(state, signed))


@case(
    clause="RFC 5652 §11.1 to §11.3: one value",
    expect="Undetermined/MALFORMED",
    over=[(oid, count) for oid in (CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME) for count in (0, 2)],
)
def attribute_of_another_number_of_values(state, oid_and_count):
    """None or several values in one attribute."""
    oid, count = oid_and_count
    signed = attributes(security_object())
    value = der.read(signed[oid]).children()[1].content
    changed = signed | {oid: attribute(oid, value * count)}
    return inspection(state, signed_with(state, sorted(changed.values())))


@case(clause="RFC 5652 §5.3: further attributes are allowed")
def attribute_that_nobody_knows(state):
    """Signed by the State, of no meaning here."""
    more = attribute("1.2.840.113549.1.9.52", octet_string(b"whatever"))
    return inspection(state, signed_with(state, sorted([*attributes(security_object()).values(), more])))


@case(clause="RFC 5652 §5.4", expect="Rejected/SIGNATURE_INVALID", over=("changed", "added", "removed"))
def attributes_touched_after_signing(state, what):
    """The date of signing moved, an attribute put in, one taken out."""
    signed = attributes(security_object())
    covers = der.encode_set(list(signed.values()))
    sent = {
        "changed": signed | {SIGNING_TIME: attribute(SIGNING_TIME, utc_time(NOW - DAY))},
        "added": signed | {"": attribute("1.2.840.113549.1.9.52", octet_string(b"whatever"))},
        "removed": {oid: value for oid, value in signed.items() if oid != SIGNING_TIME},
    }[what]
    return inspection(state, signed_with(state, sorted(sent.values()), covers=covers))


@case(clause="RFC 5652 §11.3: UTCTime or GeneralizedTime")
def signing_time_as_generalized_time(state):
    """Meant for years from 2050; earlier ones are read all the same."""
    changed = attributes(security_object()) | {SIGNING_TIME: attribute(SIGNING_TIME, generalized_time(NOW))}
    return inspection(state, signed_with(state, sorted(changed.values())))


@case(
    clause="RFC 5652 §11.3, RFC 5280 §4.1.2.5",
    expect="Undetermined/MALFORMED",
    over=(b"260932120000Z", b"260901250000Z", b"260901120000+0700", b"2609011200", b"", b"26090112000Z", b"260901120000.5Z"),
)
def signing_time_that_is_no_time(state, text):
    """A 32nd day, a 25th hour, local time, no zone, nothing, half a second: none is guessed at."""
    changed = attributes(security_object()) | {SIGNING_TIME: attribute(SIGNING_TIME, der.encode(der.UTC_TIME, text))}
    return inspection(state, signed_with(state, sorted(changed.values())))


@case(clause="RFC 5652 §11.1", expect="Undetermined/MALFORMED")
def content_type_padded(state):
    """X.690 §8.19.2: no part of an object identifier begins with 80; two encodings of one name would be two names elsewhere."""
    padded = der.encode(der.OID, b"\x67\x80" + der.read(der.encode_oid(LDS_SECURITY_OBJECT)).content[1:])
    changed = attributes(security_object()) | {CONTENT_TYPE: attribute(CONTENT_TYPE, padded)}
    return inspection(state, signed_with(state, sorted(changed.values())))
