"""SecurityInfos (Doc 9303-11 §9.2), as they stand in DG14, EF.CardAccess and EF.CardSecurity: what the chip offers, and the keys
that bind it. EF.CardAccess is never signed; the others count once their signature is verified.
"""

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

PACE = "0.4.0.127.0.7.2.2.4."
"""id-PACE; the next arc is the mapping with its key agreement, the last the cipher (§9.2.3)."""
PACE_CAM = PACE + "6."
"""id-PACE-ECDH-CAM: chip authentication mapping."""
TERMINAL_AUTHENTICATION = "0.4.0.127.0.7.2.2.2"
"""id-TA (§9.2.9)."""
MAX_INFOS = 64
"""Passports hold about five, identity cards up to twenty."""

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
class PaceInfo:
    """§9.2.1. ``parameter_id`` names the domain parameters; for chip authentication mapping also the key in EF.CardSecurity."""

    oid: str
    version: int
    parameter_id: int | None

    @property
    def maps_chip_authentication(self) -> bool:
        return self.oid.startswith(PACE_CAM)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityInfos:
    """What of a SET OF SecurityInfo is of use here; unknown entries are passed over."""

    chip_authentication: tuple[ChipAuthenticationInfo, ...] = ()
    public_keys: tuple[ChipAuthenticationPublicKeyInfo, ...] = ()
    active_authentication: str | None = None
    """Signature algorithm (OID) of ActiveAuthenticationInfo, None if absent."""
    pace: frozenset[PaceInfo] = frozenset()
    pace_parameters: frozenset[bytes] = field(default=frozenset(), repr=False)
    """PACEDomainParameterInfos as sent (§9.2.2)."""
    terminal_authentication: int = 0
    """How many TerminalAuthenticationInfos there are (§9.2.8)."""

    @property
    def offers_cam(self) -> bool:
        """Whether PACE with chip authentication mapping is among what is offered."""
        return any(info.maps_chip_authentication for info in self.pace)


def parse_security_infos(infos: der.Element) -> SecurityInfos:
    """A SET OF SecurityInfo, at most ``MAX_INFOS``. Raises DerError."""
    protocols: list[ChipAuthenticationInfo] = []
    keys: list[ChipAuthenticationPublicKeyInfo] = []
    pace: set[PaceInfo] = set()
    parameters: set[bytes] = set()
    active, terminals = None, 0
    for element in infos.expect(der.SET).children(MAX_INFOS):
        fields = element.fields()
        oid = fields.take().oid()
        if oid in PUBLIC_KEYS:
            key = fields.take(der.SEQUENCE).encoded
            keys.append(ChipAuthenticationPublicKeyInfo(family=PUBLIC_KEYS[oid], public_key=key, key_id=_number(fields)))
        elif oid.startswith(CHIP_AUTHENTICATION) and oid.count(".", len(CHIP_AUTHENTICATION)):
            # without a cipher's arc it is domain parameters, which German passports repeat from the key (BSI TR-03110-3 A.1.1.2)
            version = fields.take().integer()
            protocols.append(ChipAuthenticationInfo(oid=oid, version=version, key_id=_number(fields)))
        elif oid.startswith(PACE) and oid.count(".", len(PACE)):
            version = fields.take().integer()
            pace.add(PaceInfo(oid=oid, version=version, parameter_id=_number(fields)))
        elif oid.startswith(PACE):
            parameters.add(element.encoded)
        elif oid == ACTIVE_AUTHENTICATION:
            fields.take(der.INTEGER)
            active = fields.take().oid()
        terminals += oid == TERMINAL_AUTHENTICATION
    return SecurityInfos(
        chip_authentication=tuple(protocols),
        public_keys=tuple(keys),
        active_authentication=active,
        pace=frozenset(pace),
        pace_parameters=frozenset(parameters),
        terminal_authentication=terminals,
    )


def parse_data_group_14(encoded: bytes) -> SecurityInfos:
    """Raises DerError."""
    return parse_security_infos(der.read(encoded).expect(DATA_GROUP_14).only_child())


def parse_card_access(encoded: bytes) -> SecurityInfos:
    """EF.CardAccess as read. Raises DerError."""
    return parse_security_infos(der.read(encoded))


def parse_data_group_15(encoded: bytes) -> bytes:
    """The SubjectPublicKeyInfo in DG15. Raises DerError."""
    return der.read(encoded).expect(DATA_GROUP_15).only_child().expect(der.SEQUENCE).encoded


def active_authentication_hash(oid: str) -> hashes.HashAlgorithm:
    """Hash of an ActiveAuthenticationInfo's algorithm; ecdsa-with-SHA* is let pass beside plain. PkiError(UNSUPPORTED_ALGORITHM)."""
    algorithm = ECDSA_PLAIN.get(oid) or ECDSA.get(oid)
    if algorithm is None:
        raise PkiError(ReasonCode.UNSUPPORTED_ALGORITHM, f"active authentication {oid}")
    return algorithm


def _number(fields: der.Fields) -> int | None:
    element = fields.optional(der.INTEGER)
    return element.integer() if element else None
