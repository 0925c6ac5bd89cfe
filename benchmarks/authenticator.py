"""An officer's security key in software, and a roster that two people signed: for officers who are played."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gate.console.acts import RP_ID, Role
from gate.console.assertion import encoded
from gate.console.roster import Officer, RosterVersions
from gate.signer_key import public_hex
from pki.signed_statement import parse_signers

PRESENT_AND_VERIFIED = 0x05
"""Flags of authenticator data (Web Authentication §6.1): a person was there, and was the right one."""


class Authenticator:
    """Counts, and signs what it is shown."""

    def __init__(self, name: str, role: Role = "officer") -> None:
        self.name, self._role = name, role
        self._key, self._counter = generate_private_key(SECP256R1()), 0
        self.credential = encoded(secrets.token_bytes(16))

    def officer(self) -> Officer:
        """As it stands on a roster, from yesterday until tomorrow."""
        public, today = self._key.public_key(), datetime.now(UTC).date()
        return Officer(
            name=self.name,
            role=self._role,
            credential=self.credential,
            key=encoded(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
            since=today - timedelta(days=1),
            until=today + timedelta(days=1),
        )

    def sign(self, challenge: bytes, origin: str) -> dict[str, bytes]:
        """The parts of an assertion over ``challenge``, made on the page at ``origin``."""
        self._counter += 1
        data = hashlib.sha256(RP_ID.encode()).digest() + bytes([PRESENT_AND_VERIFIED]) + self._counter.to_bytes(4, "big")
        client = {"type": "webauthn.get", "challenge": encoded(challenge), "origin": origin, "crossOrigin": False}
        raw = json.dumps(client).encode()
        signature = self._key.sign(data + hashlib.sha256(raw).digest(), ECDSA(SHA256()))
        return {"authenticator_data": data, "client_data": raw, "signature": signature}


def put_in_force(folder: Path, keys: Sequence[Authenticator]) -> tuple[str, ...]:
    """Sign a roster of them into ``folder``; whose two signatures it bears."""
    people = {name: Ed25519PrivateKey.generate() for name in ("Ratna", "Yusuf")}
    signers = tuple(f"{name}:{public_hex(key)}" for name, key in people.items())
    versions = RosterVersions(folder)
    version = versions.add(tuple(key.officer() for key in keys))
    for person in people.values():
        versions.sign(version, person, now=datetime.now(UTC))
    versions.activate(version, "activate", parse_signers(signers))
    return signers
