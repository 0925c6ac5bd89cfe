"""Keys of every kind, and signatures whose parameters can be wrong: padding, salt, mask, trailer, curve."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from functools import cache
from math import prod

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pki import der
from pki.curves import CURVES, NamedCurve

HASH_OIDS = {
    "md5": "1.2.840.113549.2.5",
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sha3_256": "2.16.840.1.101.3.4.2.8",
}
RSA, PSS, MGF1 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
PKCS1_OIDS = {hash_: f"1.2.840.113549.1.1.{arc}" for hash_, arc in zip(tuple(HASH_OIDS)[:6], (4, 5, 14, 11, 12, 13), strict=True)}
EC_PUBLIC_KEY, PRIME_FIELD = "1.2.840.10045.2.1", "1.2.840.10045.1.1"
ECDSA_OIDS = {"sha1": "1.2.840.10045.4.1"} | {
    hash_: f"1.2.840.10045.4.3.{arc}" for arc, hash_ in enumerate(("sha224", "sha256", "sha384", "sha512"), 1)
}
CURVE = {curve.name: curve for curve in CURVES}
_HASHES = {
    algorithm.name: algorithm
    for algorithm in (hashes.MD5(), hashes.SHA1(), hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
}


def sequence(*parts: bytes) -> bytes:
    return der.encode(der.SEQUENCE, *parts)


def identifier(oid: str, *parameters: bytes) -> bytes:
    """AlgorithmIdentifier."""
    return sequence(der.encode_oid(oid), *parameters)


NULL = der.encode(der.NULL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """``identifier`` is what the AlgorithmIdentifier says; the rest is how the signature is really made."""

    identifier: bytes
    padding: str
    hash: str
    mask: str = ""
    salt: int = 0
    trailer: int = 0xBC

    def saying(self, identifier: bytes) -> Scheme:
        """The same signature under another identifier."""
        return replace(self, identifier=identifier)


def pkcs1(hash_: str = "sha256") -> Scheme:
    return Scheme(identifier=identifier(PKCS1_OIDS[hash_], NULL), padding="pkcs1", hash=hash_)


def pss(hash_: str = "sha256", *, mask: str = "", salt: int | None = None, trailer: int = 0xBC) -> Scheme:
    """RSASSA-PSS, its parameters stated as they are used."""
    mask, salt = mask or hash_, hashlib.new(hash_).digest_size if salt is None else salt
    said = identifier(PSS, pss_parameters(hash_, mask, salt))
    return Scheme(identifier=said, padding="pss", hash=hash_, mask=mask, salt=salt, trailer=trailer)


def pss_parameters(hash_: str | None, mask: str | None, salt: int | None, trailer: int | None = None) -> bytes:
    """RSASSA-PSS-params; what is None is left to its default."""
    values = (
        hash_ and identifier(HASH_OIDS[hash_]),
        mask and identifier(MGF1, identifier(HASH_OIDS[mask])),
        None if salt is None else der.encode_integer(salt),
        None if trailer is None else der.encode_integer(trailer),
    )
    return sequence(*(der.encode(0xA0 + tag, value) for tag, value in enumerate(values) if value))


def ecdsa(hash_: str = "sha256") -> Scheme:
    return Scheme(identifier=identifier(ECDSA_OIDS[hash_]), padding="ecdsa", hash=hash_)


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaKey:
    """``private`` is None for a modulus that ``cryptography`` does not sign with; it is then done by hand."""

    e: int
    primes: tuple[int, ...]
    scheme: Scheme
    private: rsa.RSAPrivateKey | None = None

    @property
    def n(self) -> int:
        return prod(self.primes)

    @property
    def public(self) -> bytes:
        return rsa_public(self.n, self.e)

    def sign(self, message: bytes, scheme: Scheme) -> bytes:
        if self.private is None or scheme.trailer != 0xBC:
            return self.raw(emsa_pss(message, scheme, self.n.bit_length() - 1))
        if scheme.padding == "pkcs1":
            return self.private.sign(message, padding.PKCS1v15(), _HASHES[scheme.hash])
        return self.private.sign(message, padding.PSS(padding.MGF1(_HASHES[scheme.mask]), scheme.salt), _HASHES[scheme.hash])

    def raw(self, block: bytes) -> bytes:
        """The private key's bare operation, prime by prime (RFC 8017 §5.1.2)."""
        value, n = int.from_bytes(block, "big"), self.n
        parts = ((pow(value, pow(self.e, -1, prime - 1), prime), n // prime, prime) for prime in self.primes)
        return self.number(sum(part * rest * pow(rest, -1, prime) for part, rest, prime in parts) % n)

    def number(self, value: int) -> bytes:
        return value.to_bytes((self.n.bit_length() + 7) // 8, "big")


def rsa_public(n: int, e: int, algorithm: bytes = b"") -> bytes:
    """SubjectPublicKeyInfo."""
    numbers = sequence(der.encode_integer(n), der.encode_integer(e))
    return sequence(algorithm or identifier(RSA, NULL), der.encode(der.BIT_STRING, b"\0", numbers))


def emsa_pss(message: bytes, scheme: Scheme, bits: int) -> bytes:
    """EMSA-PSS (RFC 8017 §9.1.1), the last octet as ``scheme`` has it."""
    size, salt = (bits + 7) // 8, secrets.token_bytes(scheme.salt)
    hashed = hashlib.new(scheme.hash, bytes(8) + hashlib.new(scheme.hash, message).digest() + salt).digest()
    room = size - len(hashed) - 1
    block = bytes(room - len(salt) - 1) + b"\x01" + salt
    counters = range(room // hashlib.new(scheme.mask).digest_size + 1)
    mask = b"".join(hashlib.new(scheme.mask, hashed + count.to_bytes(4, "big")).digest() for count in counters)[:room]
    masked = bytes(one ^ other for one, other in zip(block, mask, strict=True))
    return bytes((masked[0] & 0xFF >> 8 * size - bits,)) + masked[1:] + hashed + bytes((scheme.trailer,))


@dataclass(frozen=True, slots=True, kw_only=True)
class EcKey:
    """``parameters`` is what its SubjectPublicKeyInfo says of the curve."""

    curve: NamedCurve
    d: int
    scheme: Scheme
    parameters: bytes

    @property
    def point(self) -> tuple[int, int]:
        return multiplied(self.curve, self.d, self.curve.g)

    @property
    def public(self) -> bytes:
        return ec_public(self.parameters, uncompressed(self.curve, self.point))

    def sign(self, message: bytes, scheme: Scheme) -> bytes:
        return sequence(*map(der.encode_integer, self.numbers(message, scheme.hash)))

    def numbers(self, message: bytes, hash_: str) -> tuple[int, int]:
        """r and s (FIPS 186-4 §6.4)."""
        n = self.curve.n
        hashed = hashlib.new(hash_, message).digest()
        value = int.from_bytes(hashed, "big") >> max(0, 8 * len(hashed) - n.bit_length())
        k = secrets.randbelow(n - 1) + 1
        r = multiplied(self.curve, k, self.curve.g)[0] % n
        return r, pow(k, -1, n) * (value + r * self.d) % n


def ec_public(parameters: bytes, point: bytes) -> bytes:
    """SubjectPublicKeyInfo."""
    return sequence(identifier(EC_PUBLIC_KEY, parameters), der.encode(der.BIT_STRING, b"\0", point))


def uncompressed(curve: NamedCurve, point: tuple[int, int]) -> bytes:
    return b"\x04" + b"".join(octets(curve, value) for value in point)


def octets(curve: NamedCurve, value: int) -> bytes:
    return value.to_bytes((curve.p.bit_length() + 7) // 8, "big")


def explicit(curve: NamedCurve, *, seed: bytes = b"", **changes: bytes | None) -> bytes:
    """SpecifiedECDomain (SEC 1 C.2); ``changes`` replace version, field, a, b, g, n or h, None leaves it out."""
    parts = {
        "version": der.encode_integer(1),
        "field": identifier(PRIME_FIELD, der.encode_integer(curve.p)),
        "a": der.encode(der.OCTET_STRING, octets(curve, curve.a)),
        "b": der.encode(der.OCTET_STRING, octets(curve, curve.b)),
        "g": der.encode(der.OCTET_STRING, uncompressed(curve, curve.g)),
        "n": der.encode_integer(curve.n),
        "h": der.encode_integer(curve.h),
    } | changes
    shown = {name: part or b"" for name, part in parts.items()}
    coefficients = sequence(shown["a"], shown["b"], der.encode(der.BIT_STRING, b"\0", seed) if seed else b"")
    return sequence(shown["version"], shown["field"], coefficients, shown["g"], shown["n"], shown["h"])


def multiplied(curve: NamedCurve, factor: int, point: tuple[int, int]) -> tuple[int, int]:
    """``factor`` times ``point``: by ``cryptography`` for the generator of a curve it has, else double and add."""
    if curve.arithmetic is not None and point == curve.g and 0 < factor < curve.n:
        numbers = ec.derive_private_key(factor, curve.arithmetic).public_key().public_numbers()
        return numbers.x, numbers.y
    total: tuple[int, int] | None = None
    for bit in f"{factor:b}":
        total = _sum(curve, total, total)
        total = _sum(curve, total, point) if bit == "1" else total
    assert total is not None
    return total


def _sum(curve: NamedCurve, one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2), p = one, other, curve.p
    if x1 == x2 and (y1 + y2) % p == 0:
        return None
    slope = (3 * x1 * x1 + curve.a) * pow(2 * y1, -1, p) if one == other else (y2 - y1) * pow(x2 - x1, -1, p)
    x = (slope * slope - x1 - x2) % p
    return x, (slope * (x1 - x) - y1) % p


Key = RsaKey | EcKey


@cache
def key(kind: str, role: str) -> Key:
    """The one key of a kind for a role: ``rsa:2048``, ``rsa:2048:3`` (exponent 3), ``ec:brainpoolP224r1``. Made once a run."""
    family, _, rest = kind.partition(":")
    if family == "ec":
        curve = CURVE[rest]
        named = der.encode_oid(curve.oid)
        return EcKey(curve=curve, d=secrets.randbelow(curve.n - 1) + 1, scheme=ecdsa(), parameters=named)
    bits, _, exponent = rest.partition(":")
    if int(bits) > 3072:
        return _of_many_primes(int(bits))
    e = int(exponent or 65537)
    private = rsa.generate_private_key(e, int(bits))
    numbers = private.private_numbers()
    return RsaKey(e=e, primes=(numbers.p, numbers.q), private=private, scheme=pss())


def _of_many_primes(bits: int) -> RsaKey:
    """A long modulus out of primes of 1024 bits (RFC 8017 §3.1 allows several): found in a fraction of the time."""
    numbers = [rsa.generate_private_key(65537, 2048).private_numbers() for _ in range(bits // 2048)]
    return RsaKey(e=65537, primes=tuple(prime for each in numbers for prime in (each.p, each.q)), scheme=pss())
