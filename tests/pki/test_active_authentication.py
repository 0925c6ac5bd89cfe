"""Active authentication: the chip's key over our challenge, in every form chips answer in, and nothing else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import sim
from pki.active_authentication import ActiveAuthenticationEvidence, answers
from pki.errors import PkiError
from pki.security_infos import parse_data_group_15

CHALLENGE = b"\x01\x02\x03\x04\x05\x06\x07\x08"


def answered(response: bytes, public_key: bytes, ecdsa_hash=None, challenge: bytes = CHALLENGE) -> bool:
    return answers(ActiveAuthenticationEvidence(challenge=challenge, response=response), public_key, ecdsa_hash)


@pytest.fixture(scope="module")
def rsa_chip():
    key, group = sim.active_authentication_key("rsa:1024")
    return key, parse_data_group_15(group)


@pytest.fixture(scope="module", params=["ec:P-256", "ec:brainpoolP384r1"])
def ec_chip(request):
    key, group = sim.active_authentication_key(request.param)
    return key, parse_data_group_15(group)


@pytest.mark.parametrize("algorithm", ["sha1", "sha224", "sha256", "sha384", "sha512"])
@pytest.mark.conforms("Doc 9303-11 §6.1", "positive")
def test_rsa_answer_is_accepted_with_every_trailer(algorithm, rsa_chip, sign_9796_2):
    key, public = rsa_chip
    assert answered(sign_9796_2(key, CHALLENGE, algorithm), public)


def test_sha1_with_its_explicit_trailer_is_accepted(rsa_chip, sign_9796_2):
    assert answered(sign_9796_2(rsa_chip[0], CHALLENGE, "sha1", trailer=b"\x33\xcc"), rsa_chip[1])


def test_smaller_of_the_two_roots_is_accepted(rsa_chip, sign_9796_2):
    key, public = rsa_chip
    n = key.public_key().public_numbers().n
    other = n - int.from_bytes(sign_9796_2(key, CHALLENGE, "sha256"), "big")
    assert answered(other.to_bytes(128, "big"), public)


def test_padded_header_is_accepted_to_its_end_only(rsa_chip, sign_9796_2):
    key, public = rsa_chip
    assert answered(sign_9796_2(key, CHALLENGE, "sha256", header=b"\x6b\xbb\xba"), public)
    for header in (b"\x6b\xbb\xbb", b"\x4a", b"\x4b\xbb\xba", b"\x6b\xaa\xba", b"\x7a"):
        assert not answered(sign_9796_2(key, CHALLENGE, "sha256", header=header), public)


@pytest.mark.conforms("Doc 9303-11 §6.1", "negative")
def test_answer_to_another_challenge_is_refused(rsa_chip, ec_chip, sign_9796_2):
    assert not answered(sign_9796_2(rsa_chip[0], b"replayed", "sha256"), rsa_chip[1])
    replayed = ec_chip[0].sign(b"replayed", ec.ECDSA(hashes.SHA256()))
    assert not answered(replayed, ec_chip[1], hashes.SHA256())


def test_hash_under_a_trailer_of_another_is_refused(rsa_chip, sign_9796_2):
    assert not answered(sign_9796_2(rsa_chip[0], CHALLENGE, "sha256", trailer=b"\x33\xcc"), rsa_chip[1])


@pytest.mark.parametrize("trailer", [b"\x37\xcc", b"\xf3\xcc", b"\x1c", b"\x00"])
def test_odd_trailer_is_refused_and_no_excuse(trailer, rsa_chip, sign_9796_2):
    assert not answered(sign_9796_2(rsa_chip[0], CHALLENGE, "sha256", trailer=trailer), rsa_chip[1])


def test_number_beyond_the_modulus_is_refused(rsa_chip, sign_9796_2):
    """Else each answer had a twin, and what is recorded of an answer would not name it."""
    key, public = rsa_chip
    n = key.public_key().public_numbers().n
    challenges = (number.to_bytes(8, "big") for number in range(400))
    answers_of = ((challenge, int.from_bytes(sign_9796_2(key, challenge, "sha256"), "big")) for challenge in challenges)
    challenge, signature = next((challenge, answer) for challenge, answer in answers_of if answer + n < 1 << 1024)
    assert answered(signature.to_bytes(128, "big"), public, challenge=challenge)
    assert not answered((signature + n).to_bytes(128, "big"), public, challenge=challenge)
    assert not answered(n.to_bytes(128, "big"), public, challenge=challenge)


@pytest.mark.conforms("Doc 9303-11 §6.1", "negative")
def test_answer_signed_by_a_clones_own_key_is_refused(rsa_chip, ec_chip, sign_9796_2):
    clone = sim.active_authentication_key("rsa:1024")[0]
    assert not answered(sign_9796_2(clone, CHALLENGE, "sha256"), rsa_chip[1])
    clone = ec.generate_private_key(ec_chip[0].curve)
    assert not answered(clone.sign(CHALLENGE, ec.ECDSA(hashes.SHA256())), ec_chip[1], hashes.SHA256())


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA512()])
@pytest.mark.conforms("Doc 9303-11 §6.1", "positive")
def test_ecdsa_answer_is_accepted_plain_and_in_der(algorithm, ec_chip):
    key, public = ec_chip
    encoded = key.sign(CHALLENGE, ec.ECDSA(algorithm))
    size = (key.key_size + 7) // 8
    plain = b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(encoded))
    assert answered(encoded, public, algorithm)
    assert answered(plain, public, algorithm)
    assert not answered(plain[:-1], public, algorithm)
    assert not answered(plain, public, hashes.SHA384())


def test_ec_key_without_a_hash_in_data_group_14_is_unsupported(ec_chip):
    with pytest.raises(PkiError, match="ActiveAuthenticationInfo"):
        answered(ec_chip[0].sign(CHALLENGE, ec.ECDSA(hashes.SHA256())), ec_chip[1])


@pytest.mark.parametrize("challenge", [b"", CHALLENGE[:-1], CHALLENGE + b"\0"])
def test_challenge_of_another_length_proves_nothing(challenge, rsa_chip, sign_9796_2):
    assert not answered(sign_9796_2(rsa_chip[0], challenge, "sha256"), rsa_chip[1], challenge=challenge)


@given(response=st.binary(max_size=140))
def test_any_response_is_refused_and_never_an_error(response, rsa_chip, ec_chip):
    assert not answered(response, ec_chip[1], hashes.SHA256())
    assert not answered(response, rsa_chip[1])


@settings(max_examples=40)
@given(
    block=st.binary(min_size=127, max_size=127),
    ending=st.sampled_from([b"\xbc", b"\x33\xcc", b"\x34\xcc"]),
    head=st.sampled_from([b"\x6a", b"\x6b"]),
)
def test_any_block_that_is_not_a_hash_of_the_challenge_is_refused(block, ending, head, rsa_chip):
    """Straight at the format: the attacker of a small exponent chooses what comes out of the power."""
    key, public = rsa_chip
    numbers = key.private_numbers()
    chosen = (head + block)[: 128 - len(ending)] + ending
    signature = pow(int.from_bytes(chosen, "big"), numbers.d, numbers.public_numbers.n)
    assert not answered(signature.to_bytes(128, "big"), public)
