"""What lies on the gate's disk about people and their books: keyed hashes to look up by, sealed values to read.

Two keys come from the gate's snapshot key by HKDF-SHA256 (RFC 5869): one for hashes (HMAC-SHA256, cut to 128 bits), one for seals
(AES-256-GCM). Without the key a stolen disk shows how many rows there are, and how long they are, and nothing else. A seal holds for
the place it was made for (``place`` is its associated data), so a row that was moved is one that was broken. Each file has keys of
its own (:meth:`SnapshotKey.for_file`): rows of two files cannot be mixed, nor compared to see what has changed.

A seal says nothing of a row that was taken away. Who answers *not listed* from a file must know that it is whole:
:meth:`SnapshotKey.tally` is a code over all that a file holds.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LEAST_SECRET = 32
"""Bytes of the gate's snapshot key."""
SALT_BYTES = 16
HASH_BYTES = 16
"""A row is found by 128 bits: two of a million rows share a hash once in 10**27 snapshots."""
NONCE_BYTES = 12
"""What AES-GCM takes (NIST SP 800-38D §8.2.2: at random, for 2**32 seals under one key at most)."""


class SealBroken(Exception):
    """Not sealed under this key, or not for this place, or changed since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotKey:
    """The keys of one file, or of what only lies in one place. Equal secrets and salts give equal keys."""

    _secret: bytes = field(repr=False)
    _hashing: bytes = field(repr=False)
    _sealing: AESGCM = field(repr=False, compare=False)

    @classmethod
    def derive(cls, secret: bytes, salt: bytes = b"") -> Self:
        """From the gate's snapshot key, :data:`LEAST_SECRET` bytes or more (ValueError below)."""
        if len(secret) < LEAST_SECRET:
            raise ValueError(f"a snapshot key has {LEAST_SECRET} bytes or more")
        keys = HKDF(SHA256(), length=64, salt=salt or None, info=b"autogate snapshot").derive(secret)
        return cls(_secret=secret, _hashing=keys[:32], _sealing=AESGCM(keys[32:]))

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file with the key as hexadecimal text. Raises OSError, or ValueError where it holds no key, or one that everybody knows."""
        text = private(path).read_text(encoding="ascii", errors="replace").strip()
        try:
            return cls.derive(bytes.fromhex(text))
        except ValueError:
            raise ValueError(f"{path}: not a key: write {2 * LEAST_SECRET} hexadecimal digits") from None

    def for_file(self, salt: bytes) -> Self:
        """The keys of the file that bears ``salt`` (:func:`new_salt`)."""
        return self.derive(self._secret, salt)

    def hash(self, *parts: str) -> bytes:
        """What a row about ``parts`` is found by: :data:`HASH_BYTES` bytes. ``("ab", "c")`` and ``("a", "bc")`` differ."""
        told = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode("utf-8", "surrogatepass") for part in parts))
        return hmac.digest(self._hashing, told, "sha256")[:HASH_BYTES]

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """``plain``, to be opened by this key at ``place`` alone."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._sealing.encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """What was sealed for ``place``. Raises SealBroken, and nothing else, for any other bytes."""
        try:
            return self._sealing.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError):
            raise SealBroken("not sealed under this key for this place") from None

    def tally(self) -> Tally:
        """A code over rows, in the order in which they are added."""
        return Tally(hmac.new(self._hashing, b"rows of a file", hashlib.sha256))


@dataclass(slots=True)
class Tally:
    """Which rows a file holds, as one code that only the gate's key can make."""

    _mac: hmac.HMAC
    rows: int = 0

    def add(self, *columns: bytes) -> None:
        """Count one row in."""
        self.rows += 1
        for column in columns:
            self._mac.update(len(column).to_bytes(4, "big"))
            self._mac.update(column)

    def digest(self) -> bytes:
        """32 bytes over all rows so far."""
        return self._mac.digest()


def private(path: Path) -> Path:
    """``path``, a file with a key. Raises OSError; ValueError where everybody on this machine may read or change it."""
    if path.stat().st_mode & stat.S_IRWXO:
        raise ValueError(f"{path}: everybody on this machine may read or change this key: chmod 600")
    return path


def new_salt() -> bytes:
    """For a new file."""
    return os.urandom(SALT_BYTES)
