"""Elliptic curves of chips: named ones, and explicit parameters that equal a named one (Doc 9303-11 §9.6, §9.5.1).

Arithmetic is OpenSSL's (through ``cryptography``) where it knows the curve. For the brainpool curves that it lacks there is a plain
affine ladder here, not constant in time: fit for keys that live for one session and for simulators, for nothing that lasts.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from hardware.emrtd import tlv
from hardware.emrtd.errors import ChipError

EC_PUBLIC_KEY = bytes.fromhex("2A8648CE3D0201")
PRIME_FIELD = bytes.fromhex("2A8648CE3D0101")
INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER, SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x30

Point = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """y² = x³ + ax + b over GF(p), generator ``g`` of prime order ``n``, cofactor 1. ``native`` is OpenSSL's, if it has it."""

    name: str
    oid: bytes
    native: ec.EllipticCurve | None
    p: int
    a: int
    b: int
    g: Point
    n: int

    @property
    def size(self) -> int:
        """Bytes of a coordinate."""
        return (self.p.bit_length() + 7) // 8

    def decode(self, point: bytes) -> Point:
        """Parse an uncompressed point and check that it is on the curve. Raises ChipError."""
        size = self.size
        x, y = int.from_bytes(point[1 : 1 + size]), int.from_bytes(point[1 + size :])
        if (
            len(point) != 1 + 2 * size
            or point[0] != 4
            or max(x, y) >= self.p
            or (y * y - x * x * x - self.a * x - self.b) % self.p
        ):
            raise ChipError("EC_POINT", f"no uncompressed point of {self.name}")
        return x, y

    def encode(self, point: Point) -> bytes:
        return b"\x04" + point[0].to_bytes(self.size) + point[1].to_bytes(self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class EcKey:
    """A private key for key agreement."""

    curve: Curve
    scalar: int = field(repr=False)

    @classmethod
    def generate(cls, curve: Curve) -> EcKey:
        return cls(curve=curve, scalar=1 + secrets.randbelow(curve.n - 1))

    @property
    def point(self) -> bytes:
        """The public key, uncompressed."""
        if self.curve.native is None:
            return self.curve.encode(_multiply(self.curve, self.scalar, self.curve.g))
        numbers = ec.derive_private_key(self.scalar, self.curve.native).public_key().public_numbers()
        return self.curve.encode((numbers.x, numbers.y))

    def agree(self, peer: bytes) -> bytes:
        """Return the x coordinate of the shared point, as long as a coordinate (§9.5.1). Raises ChipError for a bad ``peer``."""
        curve, point = self.curve, self.curve.decode(peer)
        if curve.native is None:
            return _multiply(curve, self.scalar, point)[0].to_bytes(curve.size)
        public = ec.EllipticCurvePublicNumbers(*point, curve.native).public_key()
        return ec.derive_private_key(self.scalar, curve.native).exchange(ec.ECDH(), public)


def read_public_key(spki: bytes) -> tuple[Curve, bytes]:
    """Return curve and point of a SubjectPublicKeyInfo, named or explicit. Raises ChipError (CURVE_UNSUPPORTED, …)."""
    fields = list(tlv.children(tlv.only(spki, SEQUENCE)))
    if [item.tag for item in fields] != [SEQUENCE, BIT_STRING]:
        raise ChipError("KEY_MALFORMED", "no SubjectPublicKeyInfo")
    algorithm = list(tlv.children(fields[0].value))
    if len(algorithm) != 2 or algorithm[0].value != EC_PUBLIC_KEY:
        raise ChipError("KEY_UNSUPPORTED", "not an elliptic curve key")
    curve = _find_curve(algorithm[1])
    point = fields[1].value[1:]
    curve.decode(point)
    return curve, point


def _find_curve(parameters: tlv.Tlv) -> Curve:
    for curve in CURVES:
        if parameters.tag == OBJECT_IDENTIFIER and parameters.value == curve.oid:
            return curve
        if parameters.tag == SEQUENCE and _equals(curve, parameters.value):
            return curve
    raise ChipError("CURVE_UNSUPPORTED", "curve neither known by name nor equal to a known one")


def _equals(curve: Curve, explicit: bytes) -> bool:
    """Do explicit parameters equal ``curve`` in p, a, b, G, n and, where stated, h? Less would admit forged curves (CVE-2020-0601)."""
    items = list(tlv.children(explicit))
    if [item.tag for item in items[:5]] != [INTEGER, SEQUENCE, SEQUENCE, OCTET_STRING, INTEGER]:
        raise ChipError("KEY_MALFORMED", "malformed curve parameters")
    prime, coefficients = (list(tlv.children(item.value)) for item in items[1:3])
    if len(prime) != 2 or prime[0].value != PRIME_FIELD or len(coefficients) < 2:
        raise ChipError("CURVE_UNSUPPORTED", "not a prime field")
    stated = [int.from_bytes(item.value) for item in (prime[1], *coefficients[:2], items[4], *items[5:6])]
    known = [curve.p, curve.a, curve.b, curve.n, 1]
    return stated == known[: len(stated)] and items[3].value == curve.encode(curve.g)


def _multiply(curve: Curve, scalar: int, point: Point) -> Point:
    """Double and add. A point of prime order times 1…n-1 never meets infinity at the end; on the way it may."""
    result: Point | None = None
    for bit in f"{scalar:b}":
        result = _add(curve, result, result)
        if bit == "1":
            result = _add(curve, result, point)
    if result is None:
        raise ChipError("EC_POINT", "key agreement ends at infinity")
    return result


def _add(curve: Curve, left: Point | None, right: Point | None) -> Point | None:
    if left is None or right is None:
        return left or right
    (x1, y1), (x2, y2), p = left, right, curve.p
    if x1 == x2 and (y1 + y2) % p == 0:
        return None
    slope = (3 * x1 * x1 + curve.a) * pow(2 * y1, -1, p) if left == right else (y2 - y1) * pow(x2 - x1, -1, p)
    x3 = (slope * slope - x1 - x2) % p
    return x3, (slope * (x1 - x3) - y1) % p


def _curve(name: str, oid: str, native: ec.EllipticCurve | None, p: str, a: str, b: str, g: str, n: str) -> Curve:  # noqa: PLR0917 - rows of a table
    half = len(g) // 2
    point = int(g[:half], 16), int(g[half:], 16)
    return Curve(
        name=name, oid=bytes.fromhex(oid), native=native, p=int(p, 16), a=int(a, 16), b=int(b, 16), g=point, n=int(n, 16)
    )


# SEC 2 v2 and RFC 5639; the two 192-bit curves of Doc 9303-11 §9.5.1 are left out.
CURVES = (
    _curve(
        "secp224r1",
        "2B81040021",
        ec.SECP224R1(),
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000000000000000000000001",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFE",
        "B4050A850C04B3ABF54132565044B0B7D7BFD8BA270B39432355FFB4",
        "B70E0CBD6BB4BF7F321390B94A03C1D356C21122343280D6115C1D21BD376388B5F723FB4C22DFE6CD4375A05A07476444D5819985007E34",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D",
    ),
    _curve(
        "secp256r1",
        "2A8648CE3D030107",
        ec.SECP256R1(),
        "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF",
        "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC",
        "5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B",
        "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB640"
        "6837BF51F5",
        "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
    ),
    _curve(
        "secp384r1",
        "2B81040022",
        ec.SECP384R1(),
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFC",
        "B3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF",
        "AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB73617DE4A96262C6F5D9E98"
        "BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
    ),
    _curve(
        "secp521r1",
        "2B81040023",
        ec.SECP521R1(),
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FFFFFFFFFFFF",
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FFFFFFFFFFFC",
        "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF45"
        "1FD46B503F00",
        "00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF9"
        "7E7E31C2E5BD66011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C70"
        "86A272C24088BE94769FD16650",
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6F"
        "B71E91386409",
    ),
    _curve(
        "brainpoolP224r1",
        "2B2403030208010105",
        None,
        "D7C134AA264366862A18302575D1D787B09F075797DA89F57EC8C0FF",
        "68A5E62CA9CE6C1C299803A6C1530B514E182AD8B0042A59CAD29F43",
        "2580F63CCFE44138870713B1A92369E33E2135D266DBB372386C400B",
        "0D9029AD2C7E5CF4340823B2A87DC68C9E4CE3174C1E6EFDEE12C07D58AA56F772C0726F24C6B89E4ECDAC24354B9E99CAA3F6D3761402CD",
        "D7C134AA264366862A18302575D0FB98D116BC4B6DDEBCA3A5A7939F",
    ),
    _curve(
        "brainpoolP256r1",
        "2B2403030208010107",
        ec.BrainpoolP256R1(),
        "A9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377",
        "7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9",
        "26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6",
        "8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54"
        "C72F046997",
        "A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7",
    ),
    _curve(
        "brainpoolP320r1",
        "2B2403030208010109",
        None,
        "D35E472036BC4FB7E13C785ED201E065F98FCFA6F6F40DEF4F92B9EC7893EC28FCD412B1F1B32E27",
        "3EE30B568FBAB0F883CCEBD46D3F3BB8A2A73513F5EB79DA66190EB085FFA9F492F375A97D860EB4",
        "520883949DFDBC42D3AD198640688A6FE13F41349554B49ACC31DCCD884539816F5EB4AC8FB1F1A6",
        "43BD7E9AFB53D8B85289BCC48EE5BFE6F20137D10A087EB6E7871E2A10A599C710AF8D0D39E2061114FDD05545EC1CC8AB4093247F77275E0743FF"
        "ED117182EAA9C77877AAAC6AC7D35245D1692E8EE1",
        "D35E472036BC4FB7E13C785ED201E065F98FCFA5B68F12A32D482EC7EE8658E98691555B44C59311",
    ),
    _curve(
        "brainpoolP384r1",
        "2B240303020801010B",
        ec.BrainpoolP384R1(),
        "8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B412B1DA197FB71123ACD3A729901D1A71874700133107EC53",
        "7BC382C63D8C150C3C72080ACE05AFA0C2BEA28E4FB22787139165EFBA91F90F8AA5814A503AD4EB04A8C7DD22CE2826",
        "04A8C7DD22CE28268B39B55416F0447C2FB77DE107DCD2A62E880EA53EEB62D57CB4390295DBC9943AB78696FA504C11",
        "1D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3DB7FCAFE0CBD10E8E826E03436D646AAEF87B2E247D4AF1E8ABE1D7520F9C2A45CB1EB"
        "8E95CFD55262B70B29FEEC5864E19C054FF99129280E4646217791811142820341263C5315",
        "8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B31F166E6CAC0425A7CF3AB6AF6B7FC3103B883202E9046565",
    ),
    _curve(
        "brainpoolP512r1",
        "2B240303020801010D",
        ec.BrainpoolP512R1(),
        "AADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA703308717D4D9B009BC66842AECDA12AE6A380E62881FF2F2D82C68528AA6056"
        "583A48F3",
        "7830A3318B603B89E2327145AC234CC594CBDD8D3DF91610A83441CAEA9863BC2DED5D5AA8253AA10A2EF1C98B9AC8B57F1117A72BF2C7B9E7C1AC4D"
        "77FC94CA",
        "3DF91610A83441CAEA9863BC2DED5D5AA8253AA10A2EF1C98B9AC8B57F1117A72BF2C7B9E7C1AC4D77FC94CADC083E67984050B75EBAE5DD2809BD63"
        "8016F723",
        "81AEE4BDD82ED9645A21322E9C4C6A9385ED9F70B5D916C1B43B62EEF4D0098EFF3B1F78E2D0D48D50D1687B93B97D5F7C6D5047406A5E688B3522"
        "09BCB9F8227DDE385D566332ECC0EABFA9CF7822FDF209F70024A57B1AA000C55B881F8111B2DCDE494A5F485E5BCA4BD88A2763AED1CA2B2FA8F054"
        "0678CD1E0F3AD80892",
        "AADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA70330870553E5C414CA92619418661197FAC10471DB1D381085DDADDB5879682"
        "9CA90069",
    ),
)
