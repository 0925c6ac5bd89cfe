"""Registries' lists as they travel: sealed to one gate (HPKE, RFC 9180), so that whoever runs the broker or reads its disks reads none.

The gate's key comes from its snapshot key, which seals the same lists on its own disk; its public half stands in its status. Sealing proves
nothing: the registry's signature lies inside.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gate.fleet.updates.targets import UpdateError
from gate.registries.sealed import SnapshotKey, private

WORD = "snapshots.key"
"""Under which a gate's status tells the public half."""
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_CONTEXT = b"autogate list for a gate 1\n"


def list_key(key_file: Path) -> X25519PrivateKey:
    """Of the gate whose snapshot key lies in ``key_file``. Raises OSError, ValueError."""
    SnapshotKey.read(key_file)  # what is wrong with the file it says
    secret = bytes.fromhex(private(key_file).read_text(encoding="ascii").strip())
    derived = HKDF(SHA256(), length=32, salt=None, info=b"autogate list transport").derive(secret)
    return X25519PrivateKey.from_private_bytes(derived)


def public_half(key_file: Path) -> str:
    """In hexadecimal. Raises as :func:`list_key`."""
    return list_key(key_file).public_key().public_bytes_raw().hex()


def seal_list(content: bytes, gate: str, public: str) -> bytes:
    """For ``gate`` alone, whose key is ``public``. Raises ValueError."""
    key = X25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return _SUITE.encrypt(content, key, _CONTEXT + gate.encode())


def open_list(sealed: bytes, gate: str, key_file: Path) -> bytes:
    """Raises UpdateError(other_gate) for what was not sealed for this gate; OSError, ValueError."""
    try:
        return _SUITE.decrypt(sealed, list_key(key_file), _CONTEXT + gate.encode())
    except InvalidTag:
        raise UpdateError("other_gate", "a list that was not sealed for this gate, or was changed") from None
