"""SubjectPublicKeyInfo of a static key, with named or explicit domain parameters (RFC 5280, RFC 5480, RFC 3279)."""

from __future__ import annotations

from second.groups import Curve, ModularGroup
from second.messages import do

EC_PUBLIC_KEY, PRIME_FIELD = bytes.fromhex("2A8648CE3D0201"), bytes.fromhex("2A8648CE3D0101")
DH_PUBLIC_NUMBER = bytes.fromhex("2A8648CE3E0201")
NAMES = {
    "secp192r1": "2A8648CE3D030101",
    "secp224r1": "2B81040021",
    "secp256r1": "2A8648CE3D030107",
    "secp384r1": "2B81040022",
    "secp521r1": "2B81040023",
    "brainpoolP192r1": "2B2403030208010103",
    "brainpoolP224r1": "2B2403030208010105",
    "brainpoolP256r1": "2B2403030208010107",
    "brainpoolP320r1": "2B2403030208010109",
    "brainpoolP384r1": "2B240303020801010B",
    "brainpoolP512r1": "2B240303020801010D",
}


def subject_public_key_info(group: Curve | ModularGroup, element, *, explicit: bool = False) -> bytes:
    if isinstance(group, ModularGroup):
        parameters = do(0x30, integer(group.p) + integer(group.g) + integer(group.q))
        algorithm, key = do(0x06, DH_PUBLIC_NUMBER) + parameters, integer(element)
    else:
        parameters = written_out(group) if explicit else do(0x06, bytes.fromhex(NAMES[group.name]))
        algorithm, key = do(0x06, EC_PUBLIC_KEY) + parameters, group.encode(element)
    return do(0x30, do(0x30, algorithm) + do(0x03, b"\0" + key))


def written_out(curve: Curve) -> bytes:
    """ECParameters: field, coefficients, base point, order, cofactor."""
    field = do(0x30, do(0x06, PRIME_FIELD) + integer(curve.p))
    coefficients = do(0x30, b"".join(do(0x04, each.to_bytes(curve.size, "big")) for each in (curve.a, curve.b)))
    base = do(0x04, curve.encode(curve.generator))
    return do(0x30, integer(1) + field + coefficients + base + integer(curve.n) + integer(1))


def integer(value: int) -> bytes:
    return do(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
