"""What EF.CardAccess offers for password authenticated connection establishment (Doc 9303-11 §9.2.1 to §9.2.3), strongest first.

Chip authentication mapping stands first: with EF.CardSecurity it proves the chip as well. Then the longer key, then the larger group;
among equals elliptic curves before Diffie-Hellman and generic before integrated mapping, for speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from hardware.emrtd.cipher_suites import SUITES, CipherSuite
from hardware.emrtd.domain_parameters import STANDARDIZED
from hardware.emrtd.elliptic_curve import Curve
from hardware.emrtd.errors import AccessError
from hardware.emrtd.groups import KeyAgreementGroup
from hardware.emrtd.security_infos import ID_PACE, PaceInfo, SecurityInfos, parse_security_infos

CARD_ACCESS = "EF.CardAccess"
VERSION = 2
PROPRIETARY = 32
"""Parameter ids from here on are the chip's own (§9.5.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceProtocol:
    """What an object identifier under id-PACE names (tables 2 and 3)."""

    agreement: Literal["DH", "ECDH"]
    mapping: Literal["GM", "IM", "CAM"]
    suite: CipherSuite


def _protocols() -> Iterator[tuple[str, PaceProtocol]]:
    families: tuple[tuple[str, Literal["DH", "ECDH"], Literal["GM", "IM", "CAM"]], ...] = (
        ("1", "DH", "GM"),
        ("2", "ECDH", "GM"),
        ("3", "DH", "IM"),
        ("4", "ECDH", "IM"),
        ("6", "ECDH", "CAM"),
    )
    for family, agreement, mapping in families:
        for arc, suite in SUITES.items():
            if mapping != "CAM" or suite.cipher == "AES":
                yield f"{ID_PACE}{family}.{arc}", PaceProtocol(agreement=agreement, mapping=mapping, suite=suite)


PROTOCOLS: Mapping[str, PaceProtocol] = MappingProxyType(dict(_protocols()))
"""All nineteen, by object identifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOffer:
    """One way to run PACE. ``ambiguous``: the chip has several sets of domain parameters and must be told which (§4.4.4.1)."""

    oid: str
    parameter_id: int
    ambiguous: bool = False

    @property
    def protocol(self) -> PaceProtocol:
        return PROTOCOLS[self.oid]

    @property
    def group(self) -> KeyAgreementGroup:
        return STANDARDIZED[self.parameter_id]


def choose(card_access: bytes) -> PaceOffer | None:
    """The strongest offer that we can run; None where EF.CardAccess holds no PACEInfo. Raises as :func:`offers`."""
    return next(iter(offers(card_access)), None)


def offers(card_access: bytes) -> tuple[PaceOffer, ...]:
    """All offers that we can run, strongest first; none where EF.CardAccess holds no PACEInfo.

    Raises ChipError: CARD_ACCESS_MALFORMED, or PACE_UNSUPPORTED where there are offers and each is out of reach (says why).
    """
    infos = parse_security_infos(card_access, CARD_ACCESS)
    found = usable(infos)
    if not found and (infos.pace or infos.pace_parameters):
        reasons = sorted({_obstacle(info) for info in infos.pace} or {"domain parameters without a protocol"})
        raise AccessError("PACE_UNSUPPORTED", "; ".join(reasons)[:200], file=CARD_ACCESS)
    return found


def usable(infos: SecurityInfos) -> tuple[PaceOffer, ...]:
    """The offers among ``infos`` that we can run, strongest first."""
    ambiguous = len({info.parameter_id for info in infos.pace} | {own.parameter_id for own in infos.pace_parameters}) > 1
    found = {
        PaceOffer(oid=info.oid, parameter_id=info.parameter_id, ambiguous=ambiguous)
        for info in infos.pace
        if info.parameter_id is not None and not _obstacle(info)
    }
    return tuple(sorted(found, key=_strength, reverse=True))


def _strength(offer: PaceOffer) -> tuple[bool, int, int, bool, bool, str, int]:
    protocol, group = offer.protocol, offer.group
    cipher = protocol.suite.key_length * protocol.suite.block  # 3DES below AES-128
    elliptic, generic = protocol.agreement == "ECDH", protocol.mapping == "GM"
    return protocol.mapping == "CAM", cipher, group.order.bit_length(), elliptic, generic, offer.oid, offer.parameter_id


def _obstacle(info: PaceInfo) -> str:
    """Why we cannot run this; empty if we can."""
    protocol = PROTOCOLS.get(info.oid)
    if protocol is None:
        return f"unknown protocol {info.oid}"
    if info.version != VERSION:
        return f"version {info.version}"
    if info.parameter_id is None or info.parameter_id >= PROPRIETARY:
        return "proprietary domain parameters"
    group = STANDARDIZED.get(info.parameter_id)
    if group is None:
        return f"reserved domain parameters {info.parameter_id}"
    if isinstance(group, Curve) != (protocol.agreement == "ECDH"):
        return f"{protocol.agreement} over {group.name}"
    if protocol.mapping == "IM" and isinstance(group, Curve) and group.p % 4 != 3:
        return f"integrated mapping to {group.name}"  # table 12
    return ""
