"""RSASSA-PSS: hash, mask, salt and trailer are those of the parameters, and the signature must fit them all."""

from __future__ import annotations

from forge import pretend
from forge_keys import HASH_OIDS, MGF1, PSS, Scheme, identifier, pss, pss_parameters, sequence
from inspection import Inspection, case, inspection

from pki import der


def pss_document(scheme: Scheme) -> Inspection:
    rsa = pretend("UT", "rsa:2048")
    return inspection(rsa, rsa.sod(scheme=scheme))


def saying(*parameters: bytes) -> bytes:
    """An identifier of PSS with these elements of its parameters."""
    return identifier(PSS, sequence(*parameters))


def stated(tag: int, value: bytes) -> bytes:
    return der.encode(0xA0 + tag, value)


HASH, MASK, SALT = (
    stated(tag, value)
    for tag, value in enumerate(
        (identifier(HASH_OIDS["sha256"]), identifier(MGF1, identifier(HASH_OIDS["sha256"])), der.encode_integer(32))
    )
)


@case(clause="RFC 4055 §3.1: saltLength", over=(0, 20, 48, 64, 222))
def salt_of_another_size_than_the_hash(_state, salt):
    """Recommended is the size of the hash, and genuine certificates hold others: what is stated counts, up to what fits."""
    return pss_document(pss(salt=salt))


@case(clause="RFC 4055 §3.1: maskGenAlgorithm")
def mask_with_another_hash(_state):
    """Recommended is the same hash; another one is stated and used."""
    return pss_document(pss("sha256", mask="sha1"))


@case(clause="RFC 4055 §3.1: defaults")
def empty_parameters_mean_sha1_and_twenty(_state):
    """An empty SEQUENCE is SHA-1, MGF1 with SHA-1 and 20 octets of salt."""
    return pss_document(pss("sha1", salt=20).saying(saying()))


@case(clause="RFC 4055 §3.1: defaults", expect="Rejected/SIGNATURE_INVALID")
def empty_parameters_do_not_mean_the_hash_in_use(_state):
    """A signature with SHA-256 under silent parameters: they say SHA-1."""
    return pss_document(pss().saying(saying()))


@case(
    clause="RFC 4056 §2.2: the parameters must be there",
    expect="Undetermined/MALFORMED",
)
def no_parameters(_state):
    """A signature's identifier without parameters says nothing of how it was made."""
    return pss_document(pss("sha1", salt=20).saying(identifier(PSS)))


@case(clause="RFC 4055 §3.1: trailerField 1")
def trailer_field_that_is_the_default(_state):
    """Stated though it need not be."""
    return pss_document(pss().saying(identifier(PSS, pss_parameters("sha256", "sha256", 32, 1))))


@case(clause="RFC 4055 §3.1: trailerField must be 1", expect="Undetermined/MALFORMED", over=(0, 2, -1))
def trailer_field_of_another_value(_state, value):
    """No other trailer is defined."""
    return pss_document(pss().saying(identifier(PSS, pss_parameters("sha256", "sha256", 32, value))))


@case(clause="RFC 8017 §9.1.2 step 4: the last octet is BC", expect="Rejected/SIGNATURE_INVALID", over=(0xCC, 0x00, 0xBD))
def trailer_octet_of_another_value(_state, value):
    """Correct in all but its last octet."""
    return pss_document(pss(trailer=value))


@case(clause="RFC 8017 §9.1.2 step 10", expect="Rejected/SIGNATURE_INVALID", over=(0, 20, 31, 33))
def salt_longer_or_shorter_than_stated(_state, salt):
    """Made with this salt, said to have 32 octets."""
    return pss_document(pss(salt=salt).saying(pss().identifier))


@case(clause="RFC 8017 §9.1.2", expect="Rejected/SIGNATURE_INVALID")
def mask_with_another_hash_than_stated(_state):
    """The mask made with SHA-1, said to be of SHA-256."""
    return pss_document(pss("sha256", mask="sha1").saying(pss().identifier))


@case(clause="RFC 8017 §9.1.2", expect="Rejected/SIGNATURE_INVALID")
def hash_other_than_stated(_state):
    """Made with SHA-512, said to be of SHA-256 with the same mask and salt."""
    return pss_document(pss("sha512", mask="sha256", salt=32).saying(pss().identifier))


@case(clause="RFC 4055 §3.1, RFC 8017 §9.1.1", expect="Rejected/SIGNATURE_INVALID")
def salt_that_does_not_fit_the_modulus(_state):
    """A stated salt longer than the whole message block."""
    return pss_document(pss().saying(identifier(PSS, pss_parameters("sha256", "sha256", 512))))


@case(clause="RFC 4055 §3.1", expect="Undetermined/UNSUPPORTED_ALGORITHM", over=(-1, 1 << 31, 1 << 64))
def salt_length_beyond_reason(_state, salt):
    """Negative, or longer than any modulus: refused before anything is computed."""
    return pss_document(pss().saying(identifier(PSS, pss_parameters("sha256", "sha256", salt))))


@case(clause="RFC 4055 §2.2: MGF1", expect="Undetermined/UNSUPPORTED_ALGORITHM")
def mask_generation_other_than_mgf1(_state):
    """SHAKE as a mask (RFC 8702) is not in use in passports."""
    return pss_document(pss().saying(saying(HASH, stated(1, identifier("2.16.840.1.101.3.4.2.11")), SALT)))


@case(clause="Doc 9303-12 §4.1.6", expect="Undetermined/UNSUPPORTED_ALGORITHM", over=("hash", "mask"))
def pss_with_an_unknown_hash(_state, where):
    """A hash outside the list, in either place."""
    unknown = identifier(HASH_OIDS["sha3_256"])
    parts = (stated(0, unknown), MASK, SALT) if where == "hash" else (HASH, stated(1, identifier(MGF1, unknown)), SALT)
    return pss_document(pss().saying(saying(*parts)))


@case(
    clause="RFC 4055 §3.1: a SEQUENCE of [0] to [3]",
    expect="Undetermined/MALFORMED",
    over=("twice", "out of order"),
)
def parameters_that_are_no_such_sequence(_state, what):
    """Two salts, or the salt before the hash: readers differ in what they make of it."""
    twenty = stated(2, der.encode_integer(20))
    parts = (HASH, MASK, twenty, SALT) if what == "twice" else (SALT, HASH, MASK)
    return pss_document(pss().saying(saying(*parts)))


@case(clause="RFC 4055 §3.1", expect="Undetermined/MALFORMED")
def parameter_that_is_unknown(_state):
    """A fifth element [4]."""
    return pss_document(pss().saying(saying(HASH, MASK, SALT, stated(4, der.encode_integer(1)))))


@case(clause="Doc 9303-12 §4.1.6, RFC 4055 §3.1")
def certificate_and_document_with_salts_of_their_own(_state):
    """The CSCA signed with 20 octets of salt, the signer with 32."""
    rsa = pretend("UT", "rsa:2048")
    return inspection(rsa, rsa.issue(rsa.parts, scheme=pss(salt=20)).sod().built())
