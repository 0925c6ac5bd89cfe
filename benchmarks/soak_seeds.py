"""Honest contents of a chip, the same in every run: what the mutations start from. Keys are numbers that everybody knows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import shake_128

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardware.emrtd import tlv
from hardware.emrtd.curves import EC_PUBLIC_KEY
from hardware.emrtd.dh_groups import DhGroup
from hardware.emrtd.domain_parameters import DH_KEY_AGREEMENT, DH_PUBLIC_NUMBER, STANDARDIZED, STANDARDIZED_PARAMETERS
from hardware.emrtd.elliptic_curve import Curve
from hardware.emrtd.groups import PrivateKey
from hardware.emrtd.lds import build_com, build_dg1, build_dg2
from hardware.emrtd.security_infos import ID_AA, ID_CA, ID_PACE, ID_PK, encode_oid

MRZ_LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
"""Doc 9303-4, Appendix A."""
MRZ_INFORMATION = "L898902C3674081221204159"
P256, P320, RFC5114_1024, RFC5114_2048 = 12, 14, 0, 2
"""Standardised domain parameters (Doc 9303-11 §9.5.1)."""
SCALAR = 0x1234567890ABCDEF1234567890ABCDEF
OFFERS = (
    *(("2.1", P256), ("2.4", 13), ("4.3", P256), ("6.2", P256), ("1.2", RFC5114_1024), ("3.2", RFC5114_1024)),
    *(("2.2", P320), ("2.4", 17), ("1.4", RFC5114_2048), ("3.4", RFC5114_2048)),
)
"""PACE protocol under id-PACE, parameter id: every mapping, both kinds of groups, every cipher; the costly ones come last."""
MODULUS_3072 = (1 << 3072) - 1103717
"""As large as is taken. Nobody checks that it is prime."""


def dice_of(who: str) -> Callable[[int], bytes]:
    """A source of octets that gives the same ones in each run, and never the same ones twice in a run."""
    asked = 0

    def random(length: int) -> bytes:
        nonlocal asked
        asked += 1
        return shake_128(f"{who}/{asked}".encode()).digest(length)

    return random


def sequence(*parts: bytes) -> bytes:
    return tlv.encode(0x30, b"".join(parts))


def integer(value: int) -> bytes:
    return tlv.encode(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def info(oid: str, *fields: bytes) -> bytes:
    return sequence(tlv.encode(0x06, encode_oid(oid)), *fields)


def pace_info(protocol: str, parameter_id: int) -> bytes:
    return info(f"{ID_PACE}{protocol}", integer(2), integer(parameter_id))


def card_access() -> bytes:
    return tlv.encode(0x31, b"".join(pace_info(*offer) for offer in OFFERS))


def chip_key(parameter_id: int) -> PrivateKey:
    return STANDARDIZED[parameter_id].key(SCALAR)


def spki_of(algorithm: bytes, parameters: bytes, key: bytes) -> bytes:
    return sequence(sequence(tlv.encode(0x06, algorithm), parameters), tlv.encode(0x03, b"\0" + key))


def spki(key: PrivateKey, *, standardized: int | None = None) -> bytes:
    """SubjectPublicKeyInfo: by the curve's name, the group's number where ``standardized``, or the group's own numbers."""
    group = key.group
    if standardized is not None:
        value = key.public if isinstance(group, Curve) else integer(int.from_bytes(key.public))
        return spki_of(STANDARDIZED_PARAMETERS, integer(standardized), value)
    if isinstance(group, Curve):
        return spki_of(EC_PUBLIC_KEY, tlv.encode(0x06, group.oid), key.public)
    assert isinstance(group, DhGroup)
    return dh_spki(group.p, group.g, int.from_bytes(key.public), group.q)


def dh_spki(p: int, g: int, y: int, q: int | None = None) -> bytes:
    numbers = [p, g] if q is None else [p, g, q]
    algorithm = DH_KEY_AGREEMENT if q is None else DH_PUBLIC_NUMBER
    return spki_of(algorithm, sequence(*map(integer, numbers)), integer(y))


def explicit_spki(curve: Curve) -> bytes:
    """All parameters stated, as most real chips do it."""
    field = sequence(tlv.encode(0x06, bytes.fromhex("2A8648CE3D0101")), integer(curve.p))
    coefficients = sequence(*(tlv.encode(0x04, each.to_bytes(curve.size)) for each in (curve.a, curve.b)))
    generator = tlv.encode(0x04, curve.encode(curve.g))
    parameters = sequence(integer(1), field, coefficients, generator, integer(curve.n), integer(1))
    return spki_of(EC_PUBLIC_KEY, parameters, curve.key(SCALAR).public)


@cache
def public_keys() -> tuple[bytes, ...]:
    curves = [STANDARDIZED[number] for number in (P256, P320, 17)]
    return (
        *(explicit_spki(curve) for curve in curves if isinstance(curve, Curve)),
        *(spki(chip_key(number)) for number in (8, 13, 18, RFC5114_1024, RFC5114_2048)),
        *(spki(chip_key(number), standardized=number) for number in (P256, RFC5114_1024)),
        *hostile_keys(),
    )


def hostile_keys() -> tuple[bytes, ...]:
    """Diffie-Hellman keys as costly as are taken: the largest modulus; with and without an order."""
    return (
        dh_spki(MODULUS_3072, 3, 5),
        dh_spki(MODULUS_3072, 3, 5, (1 << 256) - 1),
        dh_spki(MODULUS_3072, MODULUS_3072 - 3, MODULUS_3072 - 5),
    )


def chip_authentication(public_key: bytes, family: str, cipher: str, number: int, version: int = 1) -> bytes:
    key = info(f"{ID_PK}{family}", public_key, integer(number))
    return key + info(f"{ID_CA}{family}.{cipher}", integer(version), integer(number))


def dg14(*infos: bytes) -> bytes:
    return tlv.encode(0x6E, tlv.encode(0x31, b"".join(infos)))


CHIP_AUTHENTICATIONS = (
    ("2", "2", P256, 1),
    ("2", "1", P256, 1),
    ("2", "4", 13, 2),
    ("1", "2", RFC5114_1024, 1),
    ("1", "3", 0, 2),
)
"""Family (Diffie-Hellman, elliptic curves), cipher, domain parameters, version."""


@cache
def dg14s() -> tuple[bytes, ...]:
    """One for each of :data:`CHIP_AUTHENTICATIONS`, then one with much in it, then four costly keys at once."""
    single = [
        chip_authentication(spki(chip_key(number)), family, cipher, 1, version)
        for family, cipher, number, version in CHIP_AUTHENTICATIONS
    ]
    rest = info(ID_AA, integer(1), tlv.encode(0x06, encode_oid("0.4.0.127.0.7.1.1.4.1.3"))) + pace_info("2.2", P256)
    costly = [chip_authentication(key, "1", "4", number) for number, key in enumerate((*hostile_keys(), hostile_keys()[1]), 1)]
    keyless = info(f"{ID_PK}2", spki(chip_key(13)))
    return (*map(dg14, single), dg14(*single, rest), dg14(keyless, rest), dg14(*costly))


def card_security(public_key: bytes, parameter_id: int = P256) -> bytes:
    """EF.CardSecurity as far as its contents go: nobody looks at a signature here (RFC 5652 §5.1)."""
    infos = tlv.encode(0x31, pace_info("6.2", parameter_id) + info(f"{ID_PK}2", public_key, integer(parameter_id)) * 4)
    content = sequence(tlv.encode(0x06, b"\x04"), tlv.encode(0xA0, tlv.encode(0x04, infos)))
    signed = sequence(integer(3), tlv.encode(0x31, b""), content, tlv.encode(0x31, b""))
    return sequence(tlv.encode(0x06, b"\x2a"), tlv.encode(0xA0, signed))


ACTIVE_KEY = ec.derive_private_key(SCALAR, ec.SECP256R1())


@cache
def passport_files(portrait: int = 600) -> dict[str, bytes]:
    """The files of an honest passport, but for EF.CardAccess and EF.CardSecurity."""
    active = ACTIVE_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "EF.COM": build_com(["DG1", "DG2", "DG14", "DG15"]),
        "EF.SOD": tlv.encode(0x77, bytes(range(250)) * 3),
        "DG1": build_dg1(MRZ_LINES),
        "DG2": build_dg2(b"\xff\xd8\xff" + bytes(index * 7 % 251 for index in range(portrait)), "jpeg"),
        "DG14": dg14(chip_authentication(spki(chip_key(P256)), "2", "2", 1), pace_info("2.2", P256)),
        "DG15": tlv.encode(0x6F, active),
    }
