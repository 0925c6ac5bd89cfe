"""Worked examples of the standards, bit for bit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.bac import AccessKey, BacExchange
from hardware.emrtd.secure_messaging import AesCipher, SecureMessaging, TripleDesCipher, derive_key, session

H = bytes.fromhex

# Doc 9303-11, Appendix D.2 and D.3: keys from the MRZ of a document number with nine characters, authentication.
MRZ_INFORMATION = "L898902C<369080619406236"
K_SEED = H("239AB9CB282DAF66231DC5A4DF6BFBAE")
K_ENC, K_MAC = H("AB94FDECF2674FDFB9B391F85D7F76F2"), H("7962D9ECE03D1ACD4C76089DCE131543")
RND_IC, RND_IFD = H("4608F91988702212"), H("781723860C06C226")
K_IFD = H("0B795240CB7049B01C19B33E32804F0B")
EXTERNAL_AUTHENTICATE = H("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A7")
ANSWER = H("46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449")
KS_ENC, KS_MAC, SSC = H("979EC13B1CBFE9DCD01AB0FED307EAE5"), H("F1CB1F1FB5ADF208806B89DC579DC1F8"), 0x887022120C06C226

# Appendix D.4: EF.COM is selected and read under secure messaging: command, protected command, protected response, response.
SECURED = [
    ("00A4020C02011E", "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800", "990290008E08FA855A5D4C50A8ED9000", "9000"),
    (
        "00B0000004",
        "0CB000000D9701048E08ED6705417E96BA5500",
        "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000",
        "60145F019000",
    ),
    (
        "00B0000412",
        "0CB000040D9701128E082EA28A70F3C7B53500",
        "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000",
        "04303130365F36063034303030305C0261759000",
    ),
]

# TR-03110, worked example 8, under the keys of Doc 9303-11 Appendix G.2: MSE:Set DST with AES-128.
AES_K_ENC, AES_K_MAC = H("2F7F46ADCC9E7E521B45D192FAFA9126"), H("805A1D27D45A5116F73C54469462B7D8")
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


def test_document_basic_access_keys_of_appendix_d2() -> None:
    assert hashlib.sha1(MRZ_INFORMATION.encode()).digest()[:16] == K_SEED
    assert (derive_key(K_SEED, 1, tdes=True), derive_key(K_SEED, 2, tdes=True)) == (K_ENC, K_MAC)


def test_authentication_and_session_keys_of_appendix_d3() -> None:
    cipher = AccessKey(MRZ_INFORMATION).cipher()
    exchange = BacExchange(rnd_ic=RND_IC, rnd_ifd=RND_IFD, k_ifd=K_IFD)
    assert exchange.request(cipher) == EXTERNAL_AUTHENTICATE
    agreed = exchange.session(cipher, ANSWER)
    expected = SecureMessaging(TripleDesCipher(KS_ENC, KS_MAC), SSC)
    command = CommandApdu.decode(H(SECURED[0][0]))
    assert agreed.protect(command) == expected.protect(command)


def test_secured_reading_of_appendix_d4_on_both_sides() -> None:
    terminal, chip = (SecureMessaging(TripleDesCipher(KS_ENC, KS_MAC), SSC) for _ in range(2))
    for command, protected_command, protected_response, response in SECURED:
        assert terminal.protect(CommandApdu.decode(H(command))).encode() == H(protected_command)
        assert chip.open_command(CommandApdu.decode(H(protected_command))).encode() == H(command)
        assert chip.seal_response(ResponseApdu.decode(H(response))).encode() == H(protected_response)
        assert terminal.unprotect(ResponseApdu.decode(H(protected_response))).encode() == H(response)


@pytest.mark.parametrize(("counter", "command", "protected_command", "protected_response"), AES_SECURED)
def test_secured_commands_of_tr_03110_under_aes(
    counter: int, command: str, protected_command: str, protected_response: str
) -> None:
    terminal = SecureMessaging(AesCipher(AES_K_ENC, AES_K_MAC), counter)
    assert terminal.protect(CommandApdu.decode(H(command))).encode() == H(protected_command)
    assert terminal.unprotect(ResponseApdu.decode(H(protected_response))) == ResponseApdu(sw=0x9000)


def test_session_keys_of_appendix_g1_under_aes() -> None:
    # Doc 9303-11, Appendix G.1: shared secret and session keys of PACE with AES-128; the derivation serves chip authentication too.
    secret = H("28768D20701247DAE81804C9E780EDE582A9996DB4A315020B2733197DB84925")
    keys = H("F5F0E35C0D7161EE6724EE513A0D9A7F"), H("FE251C7858B356B24514B3BD5F4297D1")
    assert (derive_key(secret, 1), derive_key(secret, 2)) == keys
    command = CommandApdu(ins=0xB0, ne=4)
    assert session(secret, cipher="AES", key_length=16).protect(command) == SecureMessaging(AesCipher(*keys)).protect(command)


@pytest.mark.parametrize("length", [24, 32])
def test_longer_aes_keys_come_from_sha_256(length: int) -> None:
    # Doc 9303-11 §9.7.1.2
    assert derive_key(b"secret", 2, length=length) == hashlib.sha256(b"secret\0\0\0\2").digest()[:length]


@pytest.mark.shared
def test_typed_figures_equal_the_shared_vectors(pki_data: Path) -> None:
    vectors = json.loads((pki_data / "vectors" / "vectors.json").read_text())["bac_appendix_d"]
    assert [tuple(step[k] for k in ("capdu", "protected_capdu", "protected_rapdu", "rapdu")) for step in vectors["sm"]] == SECURED
    assert H(vectors["rapdu_external_authenticate"]) == ANSWER + H("9000")
