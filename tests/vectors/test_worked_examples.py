"""Our implementation, bit for bit through the worked examples of Doc 9303-11, and of TR-03110 for secure messaging under AES."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from doc9303_11 import (
    BAC_D4,
    EXAMPLES,
    PACE_CAM_ECDH_I1,
    PACE_GM_DH_G2,
    PACE_GM_ECDH_G1,
    PACE_IM_DH_H2,
    PACE_IM_ECDH_H1,
    Example,
    exchanges,
    octets,
)

from hardware.emrtd import pace
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.bac import BacExchange
from hardware.emrtd.cipher_suites import SUITES, authentication_token
from hardware.emrtd.domain_parameters import STANDARDIZED
from hardware.emrtd.pace_mapping import map_integrated, pseudo_random
from hardware.emrtd.secure_messaging import AesCipher, SecureMessaging, TripleDesCipher, derive_key, session
from hardware.emrtd.security_infos import encode_oid, parse_security_infos
from hardware.emrtd.tlv import encode
from hardware.sim.chip_protocols import BasicAccessControl

H = bytes.fromhex
AES_128 = SUITES["2"]
BRAINPOOL_P256R1, MODP_1024 = STANDARDIZED[13], STANDARDIZED[0]

# TR-03110, worked example 8, under the keys of Doc 9303-11 Appendix G.2: MSE:Set DST with AES-128.
AES_SECURED = [
    (  # 8.1, counter 1 and 2
        0,
        "002281B611830F444554455354435643413030303033",
        "0C2281B62D872101B37BB57DA1DB37D1C49604917BD699E61D6A3074E69E4067A1B399038823" + "36338E08F36526DE03A31A1900",
        "990290008E08EBFF08D3B20A04149000",
    ),
    (  # 8.3, counter 5 and 6
        4,
        "002281B60F830D4445544553544456444530313" + "9",
        "0C2281B61D8711016AB81B7D96082493AF87D2C42FB28C858E08DECBF75913BC1A7600",
        "990290008E08C529A8ED4BDCB9969000",
    ),
]


def falls(*draws: bytes) -> Callable[[int], bytes]:
    """A source of randomness that gives what the example drew, at the sizes that it drew."""
    rest = iter(draws)

    def random(size: int) -> bytes:
        drawn = next(rest)
        assert len(drawn) == size
        return drawn

    return random


# --- Appendix D: basic access control, secure messaging under 3DES ---


def test_document_basic_access_keys_of_appendix_d2() -> None:
    seed = octets(BAC_D4, "k_seed")
    assert hashlib.sha1(BAC_D4["mrz_information"].encode()).digest() == octets(BAC_D4, "sha1")
    keys = derive_key(seed, 1, tdes=True), derive_key(seed, 2, tdes=True)
    assert keys == (octets(BAC_D4, "k_enc"), octets(BAC_D4, "k_mac"))


@pytest.mark.conforms("Doc 9303-11 §4.3", "positive")
def test_authentication_of_appendix_d3_on_both_sides() -> None:
    rnd_ic, rnd_ifd, k_ifd, k_ic = (octets(BAC_D4, name) for name in ("rnd_ic", "rnd_ifd", "k_ifd", "k_ic"))
    cipher, chip = (
        AccessKey(BAC_D4["mrz_information"]).bac_cipher(),
        BasicAccessControl(BAC_D4["mrz_information"], random=falls(rnd_ic, k_ic)),
    )
    exchange = BacExchange(rnd_ic=chip.challenge(), rnd_ifd=rnd_ifd, k_ifd=k_ifd)
    request = CommandApdu(ins=0x82, data=exchange.request(cipher), ne=40)
    assert request.encode() == octets(BAC_D4, "capdu_external_authenticate")
    assert request.data == octets(BAC_D4, "e_ifd") + octets(BAC_D4, "m_ifd")
    answer = chip.authenticate(request.data)
    assert answer is not None
    assert answer[0] + H("9000") == octets(BAC_D4, "rapdu_external_authenticate")
    command = CommandApdu.decode(H(BAC_D4["sm"][0]["capdu"]))
    protected = H(BAC_D4["sm"][0]["protected_capdu"])
    assert exchange.session(cipher, answer[0]).protect(command).encode() == protected
    assert answer[1].open_command(CommandApdu.decode(protected)) == command


@pytest.mark.conforms("Doc 9303-11 §9.8", "positive")
def test_secured_reading_of_appendix_d4_on_both_sides() -> None:
    keys, counter = (octets(BAC_D4, "ks_enc"), octets(BAC_D4, "ks_mac")), int(BAC_D4["ssc"], 16)
    terminal, chip = (SecureMessaging(TripleDesCipher(*keys), counter) for _ in range(2))
    read = b""
    for step in BAC_D4["sm"]:
        command, protected_command, protected_response, response = (
            H(step[name]) for name in ("capdu", "protected_capdu", "protected_rapdu", "rapdu")
        )
        assert terminal.protect(CommandApdu.decode(command)).encode() == protected_command
        assert chip.open_command(CommandApdu.decode(protected_command)).encode() == command
        assert chip.seal_response(ResponseApdu.decode(response)).encode() == protected_response
        opened = terminal.unprotect(ResponseApdu.decode(protected_response))
        assert opened.encode() == response
        read += opened.data
    assert read == octets(BAC_D4, "ef_com")


# --- Appendix G: PACE, generic mapping ---


def play(example: Example, offer: pace.PaceOffer, key: AccessKey) -> pace.PaceSession:
    """Run our terminal against the chip of the example: each command must be the one that stands there, to the end."""
    script = iter(exchanges(example))

    def exchange(command: CommandApdu) -> ResponseApdu:
        expected, response = next(script)
        assert command.encode() == expected
        return ResponseApdu.decode(response)

    random = falls(octets(example, "pcd_map_private"), octets(example, "pcd_private"))
    ended = pace.establish(exchange, offer, key, random=random)
    assert next(script, None) is None
    return ended


def mrz_key(example: Example) -> AccessKey:
    information = ""
    for field in example["mrz"].values():
        digits = (int(each, 36) for each in field)
        information += field + str(sum(digit * (7, 3, 1)[i % 3] for i, digit in enumerate(digits)) % 10)
    return AccessKey(information)


def under(example: Example) -> SecureMessaging:
    return SecureMessaging(AesCipher(octets(example, "k_enc"), octets(example, "k_mac")))


def same_session(one: SecureMessaging, other: SecureMessaging) -> bool:
    """Both encrypt and authenticate alike."""
    command = CommandApdu(ins=0xA4, p1=2, p2=0x0C, data=b"\x01\x1e")
    return one.protect(command) == other.protect(command)


def offered(example: Example, *, ambiguous: bool) -> pace.PaceOffer:
    """Our choice out of an EF.CardAccess with the example's PACEInfo."""
    info = octets(example, "pace_info")
    choice = pace.choose(encode(0x31, info))
    assert choice is not None
    assert (choice.oid, choice.parameter_id) == (example["oid"], example["standard_domain_parameters"])
    return pace.PaceOffer(oid=choice.oid, parameter_id=choice.parameter_id, ambiguous=ambiguous)


@pytest.mark.conforms("Doc 9303-11 §4.4", "positive")
def test_pace_of_appendix_g1_apdu_by_apdu() -> None:
    key = mrz_key(PACE_GM_ECDH_G1)
    assert key.pace_secret() == octets(PACE_GM_ECDH_G1, "k")
    assert AES_128.password_key(key.pace_secret()) == octets(PACE_GM_ECDH_G1, "k_pi")
    ended = play(PACE_GM_ECDH_G1, offered(PACE_GM_ECDH_G1, ambiguous=True), key)  # the example names its parameters
    assert same_session(ended.session, under(PACE_GM_ECDH_G1))
    assert ended.mapping_key == octets(PACE_GM_ECDH_G1, "ic_map_public")


def test_mapping_and_keys_of_appendix_g1_over_curves() -> None:
    agrees(PACE_GM_ECDH_G1, BRAINPOOL_P256R1)


@pytest.mark.conforms("Doc 9303-11 §4.4", "positive")
def test_mapping_and_keys_of_appendix_g2_over_integers_modulo_a_prime() -> None:
    agrees(PACE_GM_DH_G2, MODP_1024)
    assert (MODP_1024.p, MODP_1024.order) == (int(PACE_GM_DH_G2["p"], 16), int(PACE_GM_DH_G2["q"], 16))
    offered(PACE_GM_DH_G2, ambiguous=False)


def agrees(example: Example, group) -> None:
    """From the nonce and the shared mapping secret H to both tokens."""
    nonce = group.key(int(example["nonce"], 16) % group.order)
    generator = group.combine(nonce.public, octets(example, "shared_h"))
    assert generator == octets(example, "mapped_g")
    key = group.random_key(falls(octets(example, "pcd_private")))
    assert key.multiply(generator) == octets(example, "pcd_public")
    secret = key.agree(octets(example, "ic_public"))
    assert secret == octets(example, "shared_secret_k")
    assert (derive_key(secret, 1), derive_key(secret, 2)) == (octets(example, "k_enc"), octets(example, "k_mac"))
    tokens = (
        authentication_token(AES_128.session_cipher(secret), example["oid"], group.public_key_tag, octets(example, each))
        for each in ("ic_public", "pcd_public")
    )
    assert tuple(tokens) == (octets(example, "token_pcd"), octets(example, "token_ic"))


# --- Appendix H: integrated mapping ---


@pytest.mark.parametrize(
    ("example", "group"), [(PACE_IM_ECDH_H1, BRAINPOOL_P256R1), (PACE_IM_DH_H2, MODP_1024)], ids=["H.1", "H.2"]
)
@pytest.mark.conforms("Doc 9303-11 §4.4", "positive")
def test_integrated_mapping_of_appendix_h(example: Example, group) -> None:
    s, t = octets(example, "nonce_s"), octets(example, "nonce_t")
    assert pseudo_random(AES_128, s, t, group.p) == int(example["rp"], 16) == int(example["r"], 16) % group.p
    assert map_integrated(group, AES_128, s, t) == octets(example, "mapped_g")


# --- Appendix I: chip authentication mapping ---


@pytest.mark.conforms("Doc 9303-11 §4.4.3.3", "positive")
def test_pace_of_appendix_i1_apdu_by_apdu_proves_the_chips_key() -> None:
    example = PACE_CAM_ECDH_I1
    offer = offered(example, ambiguous=False)
    ended = play(example, offer, mrz_key(example))
    assert same_session(ended.session, under(example))
    assert ended.chip_authentication_data == octets(example, "chip_authentication_data")
    assert ended.mapping_key == octets(example, "ic_map_public")
    right, wrong = (static_key(octets(example, name)) for name in ("ic_static_public", "pcd_public"))
    assert pace.cam_public_key(ended, card_security(wrong, right), offer) == right
    assert pace.cam_public_key(ended, card_security(wrong), offer) is None


def static_key(point: bytes) -> bytes:
    """SubjectPublicKeyInfo on brainpoolP256r1 (RFC 5480, RFC 5639)."""
    algorithm = encode(0x30, encode(0x06, encode_oid("1.2.840.10045.2.1")) + encode(0x06, encode_oid("1.3.36.3.3.2.8.1.1.7")))
    return encode(0x30, algorithm + encode(0x03, b"\0" + point))


def card_security(*keys: bytes):
    infos = (encode(0x30, encode(0x06, encode_oid("0.4.0.127.0.7.2.2.1.2")) + key + b"\x02\x01\x0d") for key in keys)
    return parse_security_infos(encode(0x31, b"".join(infos)), "EF.CardSecurity")


# --- AES ---


@pytest.mark.parametrize(("counter", "command", "protected_command", "protected_response"), AES_SECURED)
def test_secured_commands_of_tr_03110_under_aes(
    counter: int, command: str, protected_command: str, protected_response: str
) -> None:
    keys = octets(PACE_GM_DH_G2, "k_enc"), octets(PACE_GM_DH_G2, "k_mac")
    terminal = SecureMessaging(AesCipher(*keys), counter)
    assert terminal.protect(CommandApdu.decode(H(command))).encode() == H(protected_command)
    assert terminal.unprotect(ResponseApdu.decode(H(protected_response))) == ResponseApdu(sw=0x9000)


def test_session_of_appendix_g1_under_aes() -> None:
    secret = octets(PACE_GM_ECDH_G1, "shared_secret_k")
    assert same_session(session(secret, cipher="AES", key_length=16), under(PACE_GM_ECDH_G1))


@pytest.mark.parametrize("length", [24, 32])
def test_longer_aes_keys_come_from_sha_256(length: int) -> None:
    # Doc 9303-11 §9.7.1.2
    assert derive_key(b"secret", 2, length=length) == hashlib.sha256(b"secret\0\0\0\2").digest()[:length]


@pytest.mark.shared
@pytest.mark.parametrize("name", EXAMPLES)
def test_typed_figures_equal_the_shared_vectors(name: str, shared_dir: Path) -> None:
    vectors = json.loads((shared_dir / "data" / "pki" / "vectors" / "vectors.json").read_text())[name]
    shared = {key: value for key, value in vectors.items() if key != "source"}
    assert json.loads(json.dumps(EXAMPLES[name])) == shared
