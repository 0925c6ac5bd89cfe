"""Algorithms: every honest one is authentic; unknown, mismatched and forged ones are not."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from forge import (
    Signer,
    State,
    appended,
    attributes,
    authority_key,
    csca_parts,
    key_identifier,
    octet_string,
    pretend,
    security_object,
)
from forge_keys import (
    HASH_OIDS,
    NULL,
    PKCS1_OIDS,
    PSS,
    RSA,
    Key,
    ecdsa,
    identifier,
    key,
    pkcs1,
    pss,
    pss_parameters,
    rsa_public,
    sequence,
)
from inspection import case, inspection

from pki import der

HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")
CURVES = [
    "brainpoolP160r1",
    "brainpoolP192r1",
    "brainpoolP224r1",
    "brainpoolP256r1",
    "brainpoolP320r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
    "secp192r1",
    "secp224r1",
    "secp256r1",
    "secp384r1",
    "secp521r1",
]


def of_kind(kind: str) -> State:
    return pretend("UT", kind)


def signer_with(state: State, public: bytes, signer_key: Key) -> Signer:
    """A signer of ``state`` whose certificate holds ``public``."""
    return state.issue(state.parts.but(public=public), signer_key=signer_key)


@case(clause="Doc 9303-11 §5.1, Doc 9303-12 §4.1.6.3", over=CURVES)
def honest_ecdsa_document(_state, curve):
    """A document whose CSCA and signer have keys on this curve is authentic."""
    return inspection(of_kind(f"ec:{curve}"))


@case(clause="Doc 9303-11 §5.1, Doc 9303-12 §4.1.6", over=HASHES)
def honest_ecdsa_document_with_hash(state, hash_):
    """One hash throughout: of the data groups, of the content and under the signature."""
    return inspection(state, state.sod(security_object(hash_=hash_), hash_=hash_, scheme=ecdsa(hash_)))


@case(clause="Doc 9303-12 §4.1.6", over=HASHES)
def honest_pss_document_with_hash(_state, hash_):
    """RSASSA-PSS with each hash, its mask and its salt of the same size."""
    rsa = of_kind("rsa:2048")
    return inspection(rsa, rsa.sod(security_object(hash_=hash_), hash_=hash_, scheme=pss(hash_)))


@case(clause="Doc 9303-12 §4.1.6", over=HASHES)
def honest_pkcs1_document_with_hash(_state, hash_):
    """RSASSA-PKCS1-v1_5 with each hash."""
    rsa = of_kind("rsa:2048")
    return inspection(rsa, rsa.sod(security_object(hash_=hash_), hash_=hash_, scheme=pkcs1(hash_)))


@case(clause="Doc 9303-12 §4.1.6", over=("rsa:1024", "rsa:2048", "rsa:3072", "rsa:6144", "rsa:2048:3"))
def honest_rsa_signer_under_an_ec_csca(state, kind):
    """RSA keys of each size in use, exponent 3 among them; signer and CSCA need not be of one kind."""
    other = key(kind, "signer of another kind")
    return inspection(state, signer_with(state, other.public, other).sod().built())


@case(clause="Doc 9303-12 §4.1.6")
def honest_signer_under_a_csca_of_rsa_4096(_state):
    """The commonest pair of keys: signer RSA-2048, CSCA RSA-4096, both PSS."""
    return inspection(of_kind_pair())


def of_kind_pair() -> State:
    root_key, state = key("rsa:4096", "csca"), of_kind("rsa:2048")
    root = csca_parts(state.csca_parts.subject, root_key.public)
    parts = state.parts.having(authority_key(key_identifier(root_key.public)))
    signer = Signer(key=state.signer.key, certificate=parts.signed(root_key))
    return replace(state, csca_key=root_key, csca_parts=root, csca=root.signed(root_key), parts=parts, signer=signer)


@case(clause="RFC 5652 §5.3: signatureAlgorithm and digestAlgorithm of the SignerInfo")
def algorithms_are_those_of_the_signer_info(_state):
    """The certificate is signed with PKCS#1 and SHA-512, the document with PSS and SHA-256: each by its own identifier."""
    rsa = of_kind("rsa:2048")
    return inspection(rsa, rsa.issue(rsa.parts, scheme=pkcs1("sha512")).sod(scheme=pss()).built())


@case(clause="RFC 5652 §5.4, RFC 5753 §2.1.1")
def hash_of_the_signature_may_differ_from_the_digest(state):
    """The message digest is SHA-256, the signature over the attributes ECDSA with SHA-384: each as its identifier says."""
    return inspection(state, state.sod(scheme=ecdsa("sha384")))


@case(clause="Doc 9303-10 §4.6.2.2")
def hash_of_the_data_groups_may_differ_from_the_digest(state):
    """Data groups hashed with SHA-512 under a message digest of SHA-256."""
    return inspection(state, state.sod(security_object(hash_="sha512")))


@case(clause="RFC 3370 §3.2, RFC 5754 §3.2")
def bare_rsa_encryption_means_pkcs1_with_the_digest(_state):
    """CMS allows the plain name of RSA for PKCS#1 v1.5; the hash is then that of the SignerInfo."""
    rsa = of_kind("rsa:2048")
    return inspection(rsa, rsa.sod(scheme=pkcs1().saying(identifier(RSA, NULL))))


@case(clause="RFC 4055 §5: implementations accept absent parameters")
def pkcs1_without_null_is_read(_state):
    """NULL is to be sent with PKCS#1 identifiers, and its absence is to be accepted."""
    rsa = of_kind("rsa:2048")
    return inspection(rsa, rsa.sod(scheme=pkcs1().saying(identifier(PKCS1_OIDS["sha256"]))))


@case(clause="RFC 5758 §3.2: parameters are absent")
def ecdsa_with_null_is_read(state):
    """Genuine certificates carry NULL after ECDSA identifiers; it changes nothing."""
    said = appended(ecdsa().identifier, NULL)
    return inspection(state, state.sod(scheme=ecdsa().saying(said)))


@case(clause="Doc 9303-12 §4.1.6", expect="Undetermined/UNSUPPORTED_ALGORITHM", over=("md5", "sha3_256"))
def digest_outside_the_list(state, hash_):
    """MD5 is broken, SHA-3 is not in the list of the standard: neither proves anything."""
    content = security_object()
    signed = sorted(attributes(content, hash_).values())
    info = state.signer.info(signed, digest=identifier(HASH_OIDS[hash_]))
    return inspection(state, replace(state.signer.sod(content), signers=(info,)).built())


@case(clause="Doc 9303-12 §4.1.6", expect="Undetermined/UNSUPPORTED_ALGORITHM")
def data_groups_hashed_with_md5(state):
    """The signature is good, but what it binds is an MD5 that anybody can find a second portrait for."""
    return inspection(state, state.sod(security_object(hash_="md5")))


@case(clause="Doc 9303-12 §4.1.6", expect="Undetermined/UNSUPPORTED_ALGORITHM")
def signature_with_md5(_state):
    """md5WithRSAEncryption, correctly made."""
    rsa = of_kind("rsa:2048")
    return inspection(rsa, rsa.sod(scheme=pkcs1("md5")))


@case(
    clause="Doc 9303-12 §4.1.6",
    expect="Undetermined/UNSUPPORTED_ALGORITHM",
    over=("1.3.101.112", "1.2.840.10040.4.3", "2.16.840.1.101.3.4.3.10"),
)
def signature_algorithm_outside_the_list(state, oid):
    """Ed25519, DSA with SHA-1 and ECDSA with SHA3-256 are no algorithms of passports as inspected here."""
    return inspection(state, state.sod(scheme=ecdsa().saying(identifier(oid))))


@case(clause="Doc 9303-12 §4.1.6", expect="Undetermined/UNSUPPORTED_ALGORITHM", over=(512, 1023, 16384))
def rsa_key_of_impossible_size(state, bits):
    """Too short a modulus is factored, too long a one stops the gate: neither is computed with."""
    public = rsa_public((1 << bits - 1) + 1, 65537)
    return inspection(state, signer_with(state, public, state.signer.key).sod().built())


@case(clause="RFC 8017 §3.1: e is odd, from 3", expect="Undetermined/MALFORMED")
def rsa_exponent_of_one(_state):
    """With e = 1 the padded message is its own signature: everybody can sign for such a key."""
    rsa = of_kind("rsa:2048")
    signer = signer_with(rsa, rsa_public(rsa.signer.key.n, 1), rsa.signer.key)
    return inspection(rsa, signer.sod(signature=emsa_pkcs1(rsa, b"")).built())


def emsa_pkcs1(state: State, message: bytes) -> bytes:
    """EMSA-PKCS1-v1_5 (RFC 8017 §9.2) with SHA-256, as long as the signer's modulus."""
    size = (state.signer.key.n.bit_length() + 7) // 8
    info = sequence(identifier(HASH_OIDS["sha256"], NULL), octet_string(hashlib.sha256(message).digest()))
    return b"\0\1" + b"\xff" * (size - 3 - len(info)) + b"\0" + info


@case(clause="RFC 8017 §8.2.2 step 4, CVE-2006-4339", expect="Rejected/SIGNATURE_INVALID")
def cube_root_forgery_without_the_private_key(state):
    """With exponent 3 a padding that is not checked to its end lets everybody sign: a cube root, garbage after the hash."""
    victim = key("rsa:2048:3", "signer of another kind")
    signer = signer_with(state, victim.public, victim)
    content = security_object()
    signed = sorted(attributes(content).values())
    info = sequence(identifier(HASH_OIDS["sha256"], NULL), octet_string(hashlib.sha256(der.encode_set(signed)).digest()))
    block = (b"\0\1" + b"\xff" * 8 + b"\0" + info).ljust(256, b"\xff")
    root = _cube_root(int.from_bytes(block, "big"))
    assert root.bit_length() < 700
    assert victim.number(root**3).startswith(block[: 11 + len(info)])
    forged = signer.info(signed, scheme=pkcs1(), signature=victim.number(root))
    return inspection(state, replace(signer.sod(content), signers=(forged,)).built())


def _cube_root(value: int) -> int:
    low, high = 0, 1 << value.bit_length() // 3 + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle)
    return low


@case(clause="RFC 8017 §8.2.2 step 1: the signature has the modulus's length", expect="Rejected/SIGNATURE_INVALID")
def rsa_signature_with_a_leading_zero_too_many(_state):
    """The same number in one octet more."""
    rsa = of_kind("rsa:2048")
    return inspection(rsa, tampered(rsa, pss(), lambda signature: b"\0" + signature))


@case(clause="RFC 8017 §5.2.2 step 1: the representative is below n", expect="Rejected/SIGNATURE_INVALID")
def rsa_signature_plus_the_modulus(_state):
    """The same residue, another number: accepted, each signature would have several forms."""
    rsa = of_kind("rsa:2048")
    return inspection(rsa, tampered(rsa, pss(), lambda signature: more(signature, rsa.signer.key.n)))


def more(signature: bytes, n: int) -> bytes:
    value = int.from_bytes(signature, "big") + n
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def tampered(state: State, scheme, change) -> bytes:
    """A SOD whose signature was good before ``change``."""
    content = security_object()
    signed = sorted(attributes(content).values())
    signature = state.signer.key.sign(der.encode_set(signed), scheme)
    info = state.signer.info(signed, scheme=scheme, signature=change(signature))
    return replace(state.signer.sod(content), signers=(info,)).built()


@case(clause="RFC 8017 §8.1.2", expect="Rejected/SIGNATURE_INVALID", over=("empty", "one bit", "all zero", "all ones"))
def rsa_signature_of_chance(_state, what):
    """Nothing, almost the signature, 0 and -1."""
    change = {
        "empty": lambda _: b"",
        "one bit": lambda signature: signature[:-1] + bytes((signature[-1] ^ 1,)),
        "all zero": lambda signature: bytes(len(signature)),
        "all ones": lambda signature: b"\xff" * len(signature),
    }[what]
    rsa = of_kind("rsa:2048")
    return inspection(rsa, tampered(rsa, pss(), change))


@case(
    clause="FIPS 186-4 §6.4.2 step 1: r and s lie in [1, n - 1]; CVE-2022-21449",
    expect="Rejected/SIGNATURE_INVALID",
    over=("zero", "order", "r of zero", "negative s", "r beyond the order"),
)
def ecdsa_signature_of_numbers_that_cannot_be(state, what):
    """Zeros fit every message where the check of the range is missing."""
    n, (r, s) = state.signer.key.curve.n, (5, 7)
    pair = {"zero": (0, 0), "order": (n, n), "r of zero": (0, s), "negative s": (r, -s), "r beyond the order": (n + r, s)}[what]
    return inspection(state, tampered(state, ecdsa(), lambda _: sequence(*map(der.encode_integer, pair))))


@case(clause="FIPS 186-4 §6.4.2 step 1", expect="Rejected/SIGNATURE_INVALID", over=("brainpoolP224r1", "brainpoolP320r1"))
def psychic_signature_on_a_rare_curve(_state, curve):
    """The same on curves that few libraries have."""
    rare = of_kind(f"ec:{curve}")
    zeros = sequence(der.encode_integer(0), der.encode_integer(0))
    return inspection(rare, tampered(rare, ecdsa(), lambda _: zeros))


@case(clause="FIPS 186-4 §6.4: s and n - s both verify")
def ecdsa_signature_with_the_other_s(state):
    """The complement of s is a signature, too: nothing that was signed is changed by it."""
    n = state.signer.key.curve.n

    def complemented(signature: bytes) -> bytes:
        r, s = (child.integer() for child in der.read(signature).children())
        return sequence(der.encode_integer(r), der.encode_integer(n - s))

    return inspection(state, tampered(state, ecdsa(), complemented))


@case(clause="RFC 3279 §2.2.3: ECDSA-Sig-Value in DER", expect="Rejected/SIGNATURE_INVALID")
def ecdsa_signature_in_plain_form(state):
    """r and s side by side are the form of active authentication, not of a SOD."""

    def plain(signature: bytes) -> bytes:
        return b"".join(child.integer().to_bytes(32, "big") for child in der.read(signature).children())

    return inspection(state, tampered(state, ecdsa(), plain))


@case(
    clause="RFC 3279 §2.2.3: ECDSA-Sig-Value in DER",
    expect="Rejected/SIGNATURE_INVALID",
    over=("secp256r1", "brainpoolP224r1"),
)
def ecdsa_signature_with_octets_after_it(_state, curve):
    """Octets after the two numbers are no part of a signature."""
    chosen = of_kind(f"ec:{curve}")
    return inspection(chosen, tampered(chosen, ecdsa(), lambda signature: signature + b"\0"))


@case(clause="RFC 5652 §5.4", expect="Rejected/SIGNATURE_INVALID")
def rsa_signature_under_an_ec_key(state):
    """The SignerInfo says PSS, the certificate holds an EC key."""
    return inspection(state, state.sod(scheme=ecdsa().saying(pss().identifier)))


@case(clause="RFC 5652 §5.4", expect="Rejected/SIGNATURE_INVALID")
def ecdsa_signature_under_an_rsa_key(_state):
    """The SignerInfo says ECDSA, the certificate holds an RSA key."""
    rsa = of_kind("rsa:2048")
    return inspection(rsa, rsa.sod(scheme=pss().saying(ecdsa().identifier)))


@case(clause="RFC 5652 §5.4", expect="Rejected/SIGNATURE_INVALID")
def signature_with_another_hash_than_it_says(state):
    """Made with SHA-512, called SHA-256."""
    return inspection(state, state.sod(scheme=ecdsa("sha512").saying(ecdsa("sha256").identifier)))


@case(
    clause="RFC 4055 §1.2: a key named id-RSASSA-PSS serves PSS alone",
    expect="Rejected/SIGNATURE_INVALID",
)
def pss_key_used_with_pkcs1(_state):
    """The CSCA certified the key for PSS; a signature in the older padding is not one of that key."""
    rsa = of_kind("rsa:2048")
    public = rsa_public(rsa.signer.key.n, rsa.signer.key.e, identifier(PSS))
    return inspection(rsa, signer_with(rsa, public, rsa.signer.key).sod(scheme=pkcs1()).built())


@case(
    clause="RFC 4055 §3.3: parameters in the key bind the signature's",
    expect="Rejected/SIGNATURE_INVALID",
)
def pss_key_used_with_another_hash_than_it_allows(_state):
    """The certificate restricts the key to SHA-512; the document is signed with SHA-1."""
    rsa = of_kind("rsa:2048")
    public = rsa_public(rsa.signer.key.n, rsa.signer.key.e, identifier(PSS, pss_parameters("sha512", "sha512", 64)))
    return inspection(rsa, signer_with(rsa, public, rsa.signer.key).sod(scheme=pss("sha1")).built())


@case(clause="RFC 4055 §3.3: the salt of a signature is no shorter than the key's", over=(20, 32))
def pss_key_used_as_it_allows(_state, salt):
    """The certificate restricts the key to SHA-256 with so many octets of salt at least; it is used with 32."""
    rsa = of_kind("rsa:2048")
    public = rsa_public(rsa.signer.key.n, rsa.signer.key.e, identifier(PSS, pss_parameters("sha256", "sha256", salt)))
    return inspection(rsa, signer_with(rsa, public, rsa.signer.key).sod(scheme=pss()).built())


@case(clause="RFC 4055 §3.3: the salt of a signature is no shorter than the key's", expect="Rejected/SIGNATURE_INVALID")
def pss_key_used_with_a_shorter_salt_than_it_allows(_state):
    """The certificate asks for 48 octets of salt; the document's has 32."""
    rsa = of_kind("rsa:2048")
    public = rsa_public(rsa.signer.key.n, rsa.signer.key.e, identifier(PSS, pss_parameters("sha256", "sha256", 48)))
    return inspection(rsa, signer_with(rsa, public, rsa.signer.key).sod(scheme=pss()).built())


@case(clause="RFC 4055 §1.2: a key named id-RSASSA-PSS without parameters serves PSS with any")
def pss_key_without_limits(_state):
    """The name alone restricts it to PSS, and PSS it is."""
    rsa = of_kind("rsa:2048")
    public = rsa_public(rsa.signer.key.n, rsa.signer.key.e, identifier(PSS))
    return inspection(rsa, signer_with(rsa, public, rsa.signer.key).sod(scheme=pss()).built())
