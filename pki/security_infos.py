"""DG14, SecurityInfos (Doc 9303-11 §9.2): which proofs that it is no copy the chip offers, and the keys that bind them."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes

from pki import der
from pki.errors import PkiError, ReasonCode
from pki.signatures import ECDSA, HASHES

DATA_GROUP_14, DATA_GROUP_15 = 0x6E, 0x6F

CHIP_AUTHENTICATION = "0.4.0.127.0.7.2.2.3."
"""id-CA; the next arc is 1 for DH, 2 for ECDH, the last the cipher (§9.2.5)."""
PUBLIC_KEYS = {"0.4.0.127.0.7.2.2.1.1": "1", "0.4.0.127.0.7.2.2.1.2": "2"}
"""id-PK-DH and id-PK-ECDH, with the arc of the protocols they serve (§9.2.6)."""
ACTIVE_AUTHENTICATION = "2.23.136.1.1.5"
"""id-icao-mrtd-security-aaProtocolObject (§9.2.4)."""

ECDSA_PLAIN = {f"0.4.0.127.0.7.1.1.4.1.{arc}": algorithm for arc, algorithm in enumerate(HASHES.values(), 1)}
"""BSI TR-03111 §5.2.1: r and s side by side. The arcs follow SHA-1, 224, 256, 384, 512."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationInfo:
    oid: str
    version: int
    key_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationPublicKeyInfo:
    """``public_key`` is the SubjectPublicKeyInfo as the chip holds it; ``family`` the protocol arc it serves."""

    family: str
    public_key: bytes = field(repr=False)
    key_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityInfos:
    """What of DG14 is of use here; unknown entries (PACE, terminal authentication, …) are passed over."""

    chip_authentication: tuple[ChipAuthenticationInfo, ...]
    public_keys: tuple[ChipAuthenticationPublicKeyInfo, ...]
    active_authentication: str | None
    """Signature algorithm (OID) of ActiveAuthenticationInfo, None if absent."""


def parse_data_group_14(encoded: bytes) -> SecurityInfos:
    """Raises DerError."""
    protocols: list[ChipAuthenticationInfo] = []
    keys: list[ChipAuthenticationPublicKeyInfo] = []
    active = None
    for element in der.read(encoded).expect(DATA_GROUP_14).only_child().expect(der.SET).children():
        fields = element.fields()
        oid = fields.take().oid()
        if oid in PUBLIC_KEYS:
            key = fields.take(der.SEQUENCE).encoded
            keys.append(ChipAuthenticationPublicKeyInfo(family=PUBLIC_KEYS[oid], public_key=key, key_id=_key_id(fields)))
        elif oid.startswith(CHIP_AUTHENTICATION):
            version = fields.take().integer()
            protocols.append(ChipAuthenticationInfo(oid=oid, version=version, key_id=_key_id(fields)))
        elif oid == ACTIVE_AUTHENTICATION:
            fields.take(der.INTEGER)
            active = fields.take().oid()
    return SecurityInfos(chip_authentication=tuple(protocols), public_keys=tuple(keys), active_authentication=active)


def parse_data_group_15(encoded: bytes) -> bytes:
    """The SubjectPublicKeyInfo in DG15. Raises DerError."""
    return der.read(encoded).expect(DATA_GROUP_15).only_child().expect(der.SEQUENCE).encoded


def active_authentication_hash(oid: str) -> hashes.HashAlgorithm:
    """Hash of an ActiveAuthenticationInfo's algorithm; ecdsa-with-SHA* is let pass beside plain. PkiError(UNSUPPORTED_ALGORITHM)."""
    algorithm = ECDSA_PLAIN.get(oid) or ECDSA.get(oid)
    if algorithm is None:
        raise PkiError(ReasonCode.UNSUPPORTED_ALGORITHM, f"active authentication {oid}")
    return algorithm


def _key_id(fields: der.Fields) -> int | None:
    element = fields.optional(der.INTEGER)
    return element.integer() if element else None
