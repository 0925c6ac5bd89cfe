"""Passwords of who may look and nothing else: Argon2id (RFC 9106) with parameters of our own choosing, on the roster that two people signed."""

from __future__ import annotations

import re
import secrets

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

MEMORY_KIB, PASSES, LANES = 65_536, 3, 1
"""RFC 9106 §4, second recommended option, on one lane: about a tenth of a second, of which a console has few to answer."""
HASH = r"^\$argon2id\$v=19\$m=65536,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}\Z"
"""Of exactly these parameters: no roster makes a console spend more memory, or a thief less."""
LEAST, MOST = 12, 128
"""Characters."""


def hashed(password: str) -> str:
    """The text for the roster. Raises ValueError for a password that is too short or too long."""
    if not LEAST <= len(password) <= MOST:
        raise ValueError(f"a password has {LEAST} to {MOST} characters")
    return _derivation(secrets.token_bytes(16)).derive_phc_encoded(password.encode())


def matches(password: str, told: str) -> bool:
    """Whether ``password`` is the one that ``told`` was made of. Takes a tenth of a second; False for whatever is no such text."""
    if len(password) > MOST or not re.match(HASH, told):
        return False
    try:
        Argon2id.verify_phc_encoded(password.encode("utf-8", "replace"), told)
    except (InvalidKey, ValueError):
        return False
    return True


def _derivation(salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
