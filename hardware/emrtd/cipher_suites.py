"""Symmetric ciphers that a protocol's object identifier names, and what key agreement makes of them (Doc 9303-11 §4.4.3, §6.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hardware.emrtd import tlv
from hardware.emrtd.secure_messaging import KDF_ENC, KDF_MAC, AesCipher, TripleDesCipher, derive_key, pad
from hardware.emrtd.security_infos import encode_oid

KDF_PASSWORD = 3
"""Counter of the key derivation from a password (§9.7.3)."""
PUBLIC_KEY_OBJECT = 0x7F49

SessionCipher = AesCipher | TripleDesCipher


@dataclass(frozen=True, slots=True, kw_only=True)
class CipherSuite:
    """A block cipher, with the length of its keys in bytes."""

    cipher: Literal["3DES", "AES"]
    key_length: int

    @property
    def block(self) -> int:
        return 8 if self.cipher == "3DES" else 16

    def session_cipher(self, secret: bytes) -> SessionCipher:
        """Encryption and MAC under KS_Enc and KS_MAC (§9.7.4)."""
        k_enc, k_mac = (self._derive(secret, counter) for counter in (KDF_ENC, KDF_MAC))
        return TripleDesCipher(k_enc, k_mac) if self.cipher == "3DES" else AesCipher(k_enc, k_mac)

    def password_key(self, password: bytes) -> bytes:
        """Kπ = KDF(f(π), 3) (§9.7.3)."""
        return self._derive(password, KDF_PASSWORD)

    def encrypt(self, key: bytes, blocks: bytes) -> bytes:
        """CBC under a zero IV, whole blocks."""
        context = self._context(key).encryptor()
        return context.update(blocks) + context.finalize()

    def decrypt(self, key: bytes, blocks: bytes) -> bytes:
        context = self._context(key).decryptor()
        return context.update(blocks) + context.finalize()

    def _context(self, key: bytes) -> Cipher[modes.CBC]:
        algorithm = TripleDES(key + key[:8]) if self.cipher == "3DES" else algorithms.AES(key)
        return Cipher(algorithm, modes.CBC(bytes(self.block)))

    def _derive(self, secret: bytes, counter: int) -> bytes:
        return derive_key(secret, counter, length=self.key_length, tdes=self.cipher == "3DES")


SUITES: Mapping[str, CipherSuite] = MappingProxyType(
    {
        "1": CipherSuite(cipher="3DES", key_length=16),
        "2": CipherSuite(cipher="AES", key_length=16),
        "3": CipherSuite(cipher="AES", key_length=24),
        "4": CipherSuite(cipher="AES", key_length=32),
    }
)
"""By the last arc of the object identifiers of PACE and chip authentication (§9.2.3, §9.2.7)."""


def authentication_token(cipher: SessionCipher, oid: str, tag: int, public_key: bytes) -> bytes:
    """Eight bytes of MAC over the protocol's object identifier and the other side's ephemeral public key (§4.4.3.4, §9.4)."""
    message = tlv.encode(PUBLIC_KEY_OBJECT, tlv.encode(tlv.OBJECT_IDENTIFIER, encode_oid(oid)) + tlv.encode(tag, public_key))
    return cipher.mac(message if isinstance(cipher, AesCipher) else pad(message, cipher.block))
