"""The private key by which somebody signs for the gate: a file that belongs to one person, on a machine of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

MAX_KEY = 4096
"""Octets of its file."""


def private_key(path: Path, passphrase: Path | None) -> Ed25519PrivateKey:
    """Raises OSError, ValueError naming the file."""
    try:
        with path.open("rb") as file:
            key = load_pem_private_key(file.read(MAX_KEY), words(passphrase))
    except (ValueError, TypeError):
        raise ValueError(f"{path}: no key that can be read, or not with that passphrase (--passphrase FILE)") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path}: no Ed25519 key: autogate trust keygen")  # noqa: TRY004 - said like the file's other faults
    return key


def key_of(name: str, path: Path, passphrase: Path | None, signers: Mapping[str, str]) -> Ed25519PrivateKey:
    """The key in ``path``, which is to be that of ``name`` where ``signers`` (public key → name) are known. Raises as above."""
    key = private_key(path, passphrase)
    if signers and signers.get(public_hex(key)) != name:
        raise ValueError(f"the key in {path} is not the one of {name} among the signers")
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public half, in hexadecimal."""
    return key.public_key().public_bytes_raw().hex()


def words(passphrase: Path | None) -> bytes | None:
    """What encrypts a key. Raises OSError."""
    return passphrase.read_bytes().strip() if passphrase else None
