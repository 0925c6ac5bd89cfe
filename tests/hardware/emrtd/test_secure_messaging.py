"""The ciphers under a session, whose contexts live as long as it does, against contexts made anew for each message."""

from __future__ import annotations

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd.secure_messaging import AesCipher, TripleDesCipher

K_ENC, K_MAC = bytes(range(16)), bytes(range(16, 32))


def cbc(algorithm, iv: bytes, data: bytes, *, decrypt: bool = False) -> bytes:
    cipher = Cipher(algorithm, modes.CBC(iv))
    context = cipher.decryptor() if decrypt else cipher.encryptor()
    return context.update(data) + context.finalize()


def blocks(size: int) -> st.SearchStrategy[bytes]:
    return st.integers(1, 5).flatmap(lambda count: st.binary(min_size=count * size, max_size=count * size))


def messages(size: int) -> st.SearchStrategy[list[tuple[str, bytes, bytes]]]:
    kinds = st.sampled_from(["encrypt", "decrypt", "decrypt_into", "mac"])
    return st.lists(st.tuples(kinds, st.binary(min_size=size, max_size=size), blocks(size)), max_size=8)


def said(cipher: AesCipher | TripleDesCipher, kind: str, ssc: bytes, data: bytes) -> bytes:
    if kind == "mac":
        return cipher.mac(data)
    if kind == "decrypt_into":
        room = bytearray(len(data) + cipher.block)
        return bytes(room[: cipher.decrypt_into(ssc, data, room)])
    return cipher.encrypt(ssc, data) if kind == "encrypt" else cipher.decrypt(ssc, data)


@given(messages(16))
def test_aes_depends_on_no_message_before(sequence: list[tuple[str, bytes, bytes]]) -> None:
    cipher, key = AesCipher(K_ENC, K_MAC), algorithms.AES(K_ENC)
    for kind, ssc, data in sequence:
        iv = cbc(key, bytes(16), ssc)
        cmac = CMAC(algorithms.AES(K_MAC))
        cmac.update(data)
        expected = cmac.finalize()[:8] if kind == "mac" else cbc(key, iv, data, decrypt=kind != "encrypt")
        assert said(cipher, kind, ssc, data) == expected


@given(messages(8))
def test_3des_depends_on_no_message_before(sequence: list[tuple[str, bytes, bytes]]) -> None:
    cipher, key = TripleDesCipher(K_ENC, K_MAC), TripleDES(K_ENC + K_ENC[:8])
    for kind, ssc, data in sequence:
        inner = cbc(TripleDES(K_MAC[:8] * 3), bytes(8), data)[-8:]  # §9.8.6.2: of the last block, decrypt and encrypt again
        mac = cbc(TripleDES(K_MAC[:8] * 3), bytes(8), cbc(TripleDES(K_MAC[8:] * 3), bytes(8), inner, decrypt=True))
        assert said(cipher, kind, ssc, data) == (mac if kind == "mac" else cbc(key, bytes(8), data, decrypt=kind != "encrypt"))


@pytest.mark.parametrize("cipher", [AesCipher(K_ENC, K_MAC), TripleDesCipher(K_ENC, K_MAC)], ids=["AES", "3DES"])
@pytest.mark.parametrize("length", [0, 1, 15, 17])
def test_what_is_no_whole_blocks_is_refused_before_a_context_keeps_it(cipher: AesCipher | TripleDesCipher, length: int) -> None:
    ssc, data = bytes(cipher.block), bytes(2 * cipher.block)
    expected = cipher.encrypt(ssc, data)
    for work in (cipher.encrypt, cipher.decrypt, lambda ssc, odd: cipher.decrypt_into(ssc, odd, bytearray(99))):
        with pytest.raises(ValueError, match="whole blocks"):
            work(ssc, bytes(length))
    assert cipher.encrypt(ssc, data) == expected
    assert cipher.decrypt(ssc, expected) == data
