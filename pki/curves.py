"""Elliptic curves: from the parameters in a certificate to a curve the arithmetic knows, or a refusal.

Doc 9303-12 §4.1.6.3 asks for *explicit* parameters. They are believed only if all six (p, a, b, G, n, h) equal those of a
named curve: computing on a curve that a stranger describes is how CVE-2020-0601 and CVE-2022-0778 happened. Integers are
compared, not octets (``b`` of P-521 is met in 65 and in 66), and the optional seed is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from pki import der
from pki.errors import PkiError, ReasonCode

_PRIME_FIELD = "1.2.840.10045.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCurve:
    """Domain parameters over a prime field, and the arithmetic that goes with them."""

    oid: str
    arithmetic: ec.EllipticCurve
    p: int
    a: int
    b: int
    g: tuple[int, int]
    n: int
    h: int


def curve_of(parameters: der.Element) -> NamedCurve:
    """The named curve of an ECParameters CHOICE (RFC 3279 §2.3.5): an identifier, or explicit parameters equal to a known curve.

    Raises DerError on malformed ones, PkiError(UNSUPPORTED_CURVE) on any other curve.
    """
    if parameters.tag == der.OID:
        oid = parameters.oid()
        found = next((curve for curve in CURVES if curve.oid == oid), None)
    else:
        oid, explicit = "explicit parameters", _explicit(parameters)
        found = next((curve for curve in CURVES if (curve.p, curve.a, curve.b, curve.g, curve.n, curve.h) == explicit), None)
    if found is None:
        raise PkiError(ReasonCode.UNSUPPORTED_CURVE, oid)
    return found


_Explicit = tuple[int, int, int, tuple[int, int], int, int]


def _explicit(parameters: der.Element) -> _Explicit | None:
    """(p, a, b, G, n, h) of SpecifiedECDomain (SEC 1 C.2); None where the field is no prime field or G is compressed."""
    fields = parameters.fields()
    fields.take(der.INTEGER)
    field_id, curve, generator, order = (fields.take(tag) for tag in (der.SEQUENCE, der.SEQUENCE, der.OCTET_STRING, der.INTEGER))
    cofactor = fields.optional(der.INTEGER)
    field = field_id.fields()
    if field.take().oid() != _PRIME_FIELD or cofactor is None:
        return None
    p, coefficients, point = field.take().integer(), curve.fields(), generator.octets()
    a, b = (int.from_bytes(coefficients.take().octets(), "big") for _ in "ab")
    half = len(point) // 2
    if point[:1] != b"\x04" or len(point) != 1 + 2 * half:
        return None
    g = int.from_bytes(point[1 : 1 + half], "big"), int.from_bytes(point[1 + half :], "big")
    return p, a, b, g, order.integer(), cofactor.integer()


CURVES = (
    # FIPS 186-4 D.1.2.3 to D.1.2.5
    NamedCurve(
        oid="1.2.840.10045.3.1.7",
        arithmetic=ec.SECP256R1(),
        p=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        a=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC,
        b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        g=(
            0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
            0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        ),
        n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        h=1,
    ),
    NamedCurve(
        oid="1.3.132.0.34",
        arithmetic=ec.SECP384R1(),
        p=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF,
        a=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFC,
        b=0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        g=(
            0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
            0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        ),
        n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        h=1,
    ),
    NamedCurve(
        oid="1.3.132.0.35",
        arithmetic=ec.SECP521R1(),
        p=int(
            "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            "fffffffffffffffffffffffffffffffffff",
            16,
        ),
        a=int(
            "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            "ffffffffffffffffffffffffffffffffffc",
            16,
        ),
        b=int(
            "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf"
            "073573df883d2c34f1ef451fd46b503f00",
            16,
        ),
        g=(
            int(
                "c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8"
                "de3348b3c1856a429bf97e7e31c2e5bd66",
                16,
            ),
            int(
                "11839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0"
                "761353c7086a272c24088be94769fd16650",
                16,
            ),
        ),
        n=int(
            "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a"
            "5d03bb5c9b8899c47aebb6fb71e91386409",
            16,
        ),
        h=1,
    ),
    # RFC 5639 §3.4, §3.6, §3.7
    NamedCurve(
        oid="1.3.36.3.3.2.8.1.1.7",
        arithmetic=ec.BrainpoolP256R1(),
        p=0xA9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377,
        a=0x7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9,
        b=0x26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6,
        g=(
            0x8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262,
            0x547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997,
        ),
        n=0xA9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7,
        h=1,
    ),
    NamedCurve(
        oid="1.3.36.3.3.2.8.1.1.11",
        arithmetic=ec.BrainpoolP384R1(),
        p=0x8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B412B1DA197FB71123ACD3A729901D1A71874700133107EC53,
        a=0x7BC382C63D8C150C3C72080ACE05AFA0C2BEA28E4FB22787139165EFBA91F90F8AA5814A503AD4EB04A8C7DD22CE2826,
        b=0x4A8C7DD22CE28268B39B55416F0447C2FB77DE107DCD2A62E880EA53EEB62D57CB4390295DBC9943AB78696FA504C11,
        g=(
            0x1D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3DB7FCAFE0CBD10E8E826E03436D646AAEF87B2E247D4AF1E,
            0x8ABE1D7520F9C2A45CB1EB8E95CFD55262B70B29FEEC5864E19C054FF99129280E4646217791811142820341263C5315,
        ),
        n=0x8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B31F166E6CAC0425A7CF3AB6AF6B7FC3103B883202E9046565,
        h=1,
    ),
    NamedCurve(
        oid="1.3.36.3.3.2.8.1.1.13",
        arithmetic=ec.BrainpoolP512R1(),
        p=int(
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e6"
            "2881ff2f2d82c68528aa6056583a48f3",
            16,
        ),
        a=int(
            "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b5"
            "7f1117a72bf2c7b9e7c1ac4d77fc94ca",
            16,
        ),
        b=int(
            "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e67"
            "984050b75ebae5dd2809bd638016f723",
            16,
        ),
        g=(
            int(
                "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f"
                "7c6d5047406a5e688b352209bcb9f822",
                16,
            ),
            int(
                "7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763ae"
                "d1ca2b2fa8f0540678cd1e0f3ad80892",
                16,
            ),
        ),
        n=int(
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac1047"
            "1db1d381085ddaddb58796829ca90069",
            16,
        ),
        h=1,
    ),
)
