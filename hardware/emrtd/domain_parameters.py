"""Domain parameters of chips: standardised ones by their number (Doc 9303-11 §9.5.1, table 12), and those of a public key (§9.5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hardware.emrtd import tlv
from hardware.emrtd.curves import CURVES, EC_PUBLIC_KEY, find_curve, first, subject_public_key
from hardware.emrtd.dh_groups import DH_GROUPS, LONG_ORDER, DhGroup
from hardware.emrtd.errors import ChipError
from hardware.emrtd.groups import Element, KeyAgreementGroup
from hardware.emrtd.tlv import INTEGER, SEQUENCE

FIRST_CURVE = 8

STANDARDIZED: Mapping[int, KeyAgreementGroup] = MappingProxyType(
    {
        **dict(enumerate(DH_GROUPS)),
        **dict(enumerate(CURVES, FIRST_CURVE)),
    }
)
"""Group by parameter id: 0 to 2 Diffie-Hellman, 8 to 18 elliptic curves; all others are reserved or the chip's own."""

DH_KEY_AGREEMENT = bytes.fromhex("2A864886F70D010301")
"""PKCS#3 dhKeyAgreement: p, g and perhaps a length; the order is not stated."""
DH_PUBLIC_NUMBER = bytes.fromhex("2A8648CE3E0201")
"""X9.42 dhpublicnumber: p, g, q."""
STANDARDIZED_PARAMETERS = bytes.fromhex("04007F00070102")
"""standardizedDomainParameters (§9.5.1): the number alone."""
MIN_MODULUS, MAX_MODULUS, MIN_ORDER = 1024, 3072, 160
"""Bits. Less is no protection; more is no passport, and work without end."""


def read_key(spki: bytes) -> tuple[KeyAgreementGroup, Element]:
    """Group and element of a SubjectPublicKeyInfo, elliptic curve or Diffie-Hellman, checked as far as the group can.

    Raises ChipError (KEY_MALFORMED, KEY_UNSUPPORTED, CURVE_UNSUPPORTED, EC_POINT, DH_ELEMENT, TLV_…).
    """
    algorithm, parameters, octets = subject_public_key(spki)
    group = _group(algorithm, parameters)
    if isinstance(group, DhGroup):
        octets = tlv.only(octets, INTEGER).lstrip(b"\0")
    return group, group.check(octets)


def _group(algorithm: bytes, parameters: tlv.Tlv) -> KeyAgreementGroup:
    if algorithm == EC_PUBLIC_KEY:
        return find_curve(parameters)
    if algorithm == STANDARDIZED_PARAMETERS and parameters.tag == INTEGER:
        group = STANDARDIZED.get(int.from_bytes(parameters.value))
        if group is not None:
            return group
    if algorithm in {DH_KEY_AGREEMENT, DH_PUBLIC_NUMBER} and parameters.tag == SEQUENCE:
        return _dh_group(first(parameters.value, 3), stated=algorithm == DH_PUBLIC_NUMBER)
    raise ChipError("KEY_UNSUPPORTED", "neither an elliptic curve key nor a Diffie-Hellman key that we know")


def _dh_group(numbers: list[tlv.Tlv], *, stated: bool) -> DhGroup:
    """A known group by its p and g, else the chip's own. Its numbers count once DG14 is proven; till then they must only bound our work."""
    if len(numbers) < 2 + stated or any(item.tag != INTEGER or item.value[:1] >= b"\x80" for item in numbers[: 2 + stated]):
        raise ChipError("KEY_MALFORMED", "malformed Diffie-Hellman parameters")
    p, g = (int.from_bytes(item.value) for item in numbers[:2])
    for known in DH_GROUPS:
        if (known.p, known.g) == (p, g):
            return known
    q = int.from_bytes(numbers[2].value) if stated else None
    if not MIN_MODULUS <= p.bit_length() <= MAX_MODULUS or p % 2 == 0 or (q is not None and q.bit_length() < MIN_ORDER):
        raise ChipError("KEY_UNSUPPORTED", f"a Diffie-Hellman group of {p.bit_length()} bits")
    if not 1 < g < p - 1:  # its order need not concern us: the chip's key is held to the stated one, and so is the secret
        raise ChipError("DH_ELEMENT", "a generator of everybody's secret")
    return DhGroup(name=f"modp{p.bit_length()}", p=p, g=g, q=None if q is None or q >= LONG_ORDER else q)
