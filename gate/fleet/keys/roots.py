"""The root of what gates take from above: TUF's root metadata, whose keys are people's, and the signatures of people on it and on targets.

Root: two of three people or more. Targets, what is allowed at all: two people. Snapshot and timestamp: a key of the centre, online, which can say
no more than what of the allowed is the newest. A new root is signed by two under the old one and two under itself (TUF specification §5.3.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Role, Root
from tuf.api.serialization.json import JSONSerializer

from gate.fleet.keys.directory import KeysError
from pki.signed_statement import QUORUM

PEOPLE = 3
"""Of the root, at least: where one key is lost, two are left."""
LIFE = timedelta(days=365)
MOST_METADATA = 16 << 20
"""Bytes of what people sign: targets of a fleet of 3,000 gates have some megabytes."""
_SERIALIZER = JSONSerializer(compact=False)


def new_root(
    people: Iterable[str],
    allowing: Iterable[str],
    online: str,
    now: datetime,
    *,
    before: bytes | None = None,
    life: timedelta = LIFE,
) -> bytes:
    """A root, unsigned. ``people`` sign roots, ``allowing`` sign targets, ``online`` signs snapshot and timestamp; all keys are
    public ones, in hexadecimal. ``before``: the root that it follows. Raises KeysError.
    """
    root_keys, target_keys = sorted(set(people)), sorted(set(allowing))
    if len(root_keys) < PEOPLE or len(target_keys) < QUORUM:
        raise KeysError(f"a root takes {PEOPLE} people, of whom {QUORUM} sign, and {QUORUM} who sign what is allowed")
    if online in {*root_keys, *target_keys}:
        raise KeysError("the key of snapshot and timestamp lies online, and is nobody's")
    roles = {"root": root_keys, "targets": target_keys, "snapshot": [online], "timestamp": [online]}
    made = Root(
        version=read_root(before).signed.version + 1 if before else 1,
        expires=(now + life).replace(microsecond=0),
        roles={role: Role([], QUORUM if role in {"root", "targets"} else 1) for role in roles},
    )
    for role, keys in roles.items():
        for key in keys:
            made.add_key(tuf_key(key), role)
    return Metadata(made).to_bytes(_SERIALIZER)


def sign(metadata: bytes, key: Ed25519PrivateKey) -> bytes:
    """Any TUF metadata with one more signature. Raises KeysError."""
    found = _read(metadata)
    found.sign(CryptoSigner(key), append=True)
    return found.to_bytes(_SERIALIZER)


def signed_by(root: bytes, people: Mapping[str, str], before: bytes | None = None) -> tuple[bool, tuple[str, ...]]:
    """Whether the root counts (``before``: the one that it follows), and who of ``people`` (public key → name) signed it. Raises KeysError."""
    found = read_root(root)
    try:
        result = found.signed.get_root_verification_result(
            read_root(before).signed if before else None, found.signed_bytes, found.signatures
        )
    except ValueError as error:
        raise KeysError(f"not the next root: {error}") from None
    names = {tuf_key(public).keyid: name for public, name in people.items()}
    return result.verified, tuple(sorted({names.get(keyid, keyid[:16]) for keyid in result.signed}))


def read_root(raw: bytes) -> Metadata[Root]:
    """Raises KeysError."""
    found = _read(raw)
    if not isinstance(found.signed, Root):
        raise KeysError("no root metadata")
    return found


def keys_of(root: bytes, role: str) -> tuple[str, ...]:
    """Public keys of ``root`` or ``targets`` … in hexadecimal. Raises KeysError."""
    signed = read_root(root).signed
    return tuple(str(signed.keys[keyid].keyval["public"]) for keyid in signed.roles[role].keyids)


def tuf_key(public: str) -> SSlibKey:
    """Raises KeysError."""
    try:
        return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeysError(f"{public}: no public key: {error}") from None


def _read(raw: bytes) -> Metadata[Any]:
    try:
        return Metadata.from_bytes(raw)
    except (RepositoryError, ValueError, RecursionError) as error:
        raise KeysError(f"no metadata: {error}") from None
