"""Ciphers and what hangs on them (Doc 9303-11 §9.7, §9.8): key derivation, CBC, MACs, padding. Only the bare block is foreign."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


@dataclass(frozen=True)
class Suite:
    """3DES with two keys, or AES. ``number`` is the last arc of the object identifiers."""

    name: str
    number: int
    key_length: int
    block: int
    nonce_length: int
    """Octets of the nonce s of the integrated mapping: the least multiple of the block that holds a key."""

    def derive(self, secret: bytes, counter: int) -> bytes:
        """KDF(K, c): SHA-1 for keys of 128 bits, SHA-256 for longer ones."""
        digest = hashlib.sha1 if self.key_length == 16 else hashlib.sha256
        key = digest(secret + counter.to_bytes(4, "big")).digest()[: self.key_length]
        return bytes(map(odd_parity, key)) if self.block == 8 else key

    def ecb(self, key: bytes, data: bytes, *, decrypt: bool = False) -> bytes:
        """Each block for itself."""
        algorithm = TripleDES(key + key[:8]) if self.block == 8 else algorithms.AES(key)
        cipher = Cipher(algorithm, modes.ECB())  # the bare block cipher: every mode above it is written out here
        context = cipher.decryptor() if decrypt else cipher.encryptor()
        return context.update(data) + context.finalize()

    def encrypt(self, key: bytes, data: bytes, start: bytes | None = None) -> bytes:
        """CBC; ``start`` is the initialisation vector, zero unless given."""
        chain, out = start or bytes(self.block), []
        for block in blocks(data, self.block):
            chain = self.ecb(key, xor(block, chain))
            out.append(chain)
        return b"".join(out)

    def decrypt(self, key: bytes, data: bytes, start: bytes | None = None) -> bytes:
        before = (start or bytes(self.block)) + data
        return b"".join(
            xor(self.ecb(key, block, decrypt=True), chain)
            for block, chain in zip(blocks(data, self.block), blocks(before, self.block), strict=False)
        )

    def mac(self, key: bytes, message: bytes) -> bytes:
        """Eight octets: the retail MAC over padded data, or CMAC over data as it is."""
        return self._retail_mac(key, self.pad(message)) if self.block == 8 else self._cmac(key, message)

    def pad(self, data: bytes) -> bytes:
        return data + b"\x80" + bytes(-(len(data) + 1) % self.block)

    def _retail_mac(self, key: bytes, padded: bytes) -> bytes:
        """ISO/IEC 9797-1, algorithm 3: DES in CBC mode with one key, the last block once more under both."""
        chain = bytes(8)
        for block in blocks(padded, 8):
            chain = self.ecb(key[:8] * 2, xor(block, chain))  # the same key twice: single DES
        return self.ecb(key[:8] * 2, self.ecb(key[8:] * 2, chain, decrypt=True))

    def _cmac(self, key: bytes, message: bytes) -> bytes:
        """NIST SP 800-38B, cut to eight octets."""
        once = double(self.ecb(key, bytes(16)))
        *head, last = blocks(message, 16) or [b""]
        last = xor(last, once) if len(last) == 16 else xor(self.pad(last), double(once))
        return self.encrypt(key, b"".join(head) + last)[-16:][:8]


SUITES = {
    1: Suite("3DES", 1, 16, 8, 16),
    2: Suite("AES-128", 2, 16, 16, 16),
    3: Suite("AES-192", 3, 24, 16, 32),
    4: Suite("AES-256", 4, 32, 16, 32),
}


def unpad(data: bytes) -> bytes:
    head, mark, tail = data.rpartition(b"\x80")
    if not mark or any(tail):
        raise ValueError("padding")
    return head


def blocks(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def double(block: bytes) -> bytes:
    """Multiplication by x in the field of 2¹²⁸ elements."""
    shifted = int.from_bytes(block, "big") << 1
    return (shifted ^ (0x100000000000000000000000000000087 if shifted >> 128 else 0)).to_bytes(16, "big")


def odd_parity(octet: int) -> int:
    return octet & 0xFE | ((octet >> 1).bit_count() + 1) % 2
