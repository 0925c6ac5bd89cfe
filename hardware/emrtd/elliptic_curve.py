"""Key agreement on elliptic curves of prime order (Doc 9303-11 §9.6; BSI TR-03111 §4.3.1).

Arithmetic is OpenSSL's (through ``cryptography``) where it knows the curve, else :mod:`hardware.emrtd.weierstrass`, which is fit
for ephemeral keys and simulators alone. All curves here have cofactor 1: a point on the curve is in the group.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from hardware.emrtd import weierstrass
from hardware.emrtd.errors import ChipError
from hardware.emrtd.groups import Element, Random, draw

Point = tuple[int, int]
PUBLIC_POINT = 0x86


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """y² = x³ + ax + b over GF(p), generator ``g`` of prime order ``n``, cofactor 1. ``native`` is OpenSSL's, if it has it.

    A :class:`~hardware.emrtd.groups.KeyAgreementGroup`.
    """

    name: str
    oid: bytes
    native: ec.EllipticCurve | None
    p: int
    a: int
    b: int
    g: Point
    n: int

    @property
    def order(self) -> int:
        return self.n

    @property
    def public_key_tag(self) -> int:
        return PUBLIC_POINT

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

    def encode(self, point: Point | None) -> Element:
        """The uncompressed form. Raises ChipError for infinity (None), which has none."""
        if point is None:
            raise ChipError("EC_POINT", f"the point at infinity of {self.name}")
        return Element(b"\x04" + point[0].to_bytes(self.size) + point[1].to_bytes(self.size))

    def key(self, scalar: int) -> EcKey:
        return EcKey(curve=self, scalar=scalar)

    def random_key(self, random: Random) -> EcKey:
        """Asks for as many octets as the order has, again until they are below it."""
        return self.key(draw(random, self.n))

    def check(self, octets: bytes) -> Element:
        self.decode(octets)
        return Element(octets)

    def combine(self, left: Element, right: Element) -> Element:
        return self.encode(weierstrass.add(self.decode(left), self.decode(right), a=self.a, p=self.p))

    def element_of(self, number: int) -> Element:
        """Point encoding in affine coordinates (Appendix B.2). Only where p ≡ 3 mod 4: not on secp224r1."""
        p, a, b = self.p, self.a, self.b
        alpha = -number * number % p
        spread = (alpha + alpha * alpha) % p
        if p % 4 != 3 or spread == 0:
            raise ChipError("EC_POINT", f"integrated mapping meets no point of {self.name}")
        x = -b * pow(a, -1, p) * (1 + pow(spread, -1, p)) % p
        h = (x * x * x + a * x + b) % p
        root = pow(h, p - 1 - (p + 1) // 4, p)  # one over the square root of h, if there is one
        if root * root * h % p == 1:
            return self.encode((x, root * h % p))
        return self.encode((alpha * x % p, root * pow(number, 3, p) * h % p))


@dataclass(frozen=True, slots=True, kw_only=True)
class EcKey:
    """A private key for key agreement, 0 < ``scalar`` < n (ValueError). A :class:`~hardware.emrtd.groups.PrivateKey`."""

    curve: Curve
    scalar: int = field(repr=False)
    _native: ec.EllipticCurvePrivateKey | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.scalar < self.curve.n:
            raise ValueError(f"no private key of {self.curve.name}")
        native = self.curve.native
        object.__setattr__(self, "_native", native and ec.derive_private_key(self.scalar, native))

    @classmethod
    def generate(cls, curve: Curve) -> EcKey:
        """A fresh key."""
        return curve.random_key(secrets.token_bytes)

    @property
    def group(self) -> Curve:
        return self.curve

    @property
    def public(self) -> Element:
        return self.curve.encode(self._public())

    def multiply(self, element: Element) -> Element:
        """OpenSSL gives x coordinates only. Ours and that of (element + G) times the key, whose distance is the public key, fix y."""
        curve, point = self.curve, self.curve.decode(element)
        if self._native is None:
            return curve.encode(self._times(point))
        public, shifted = self._public(), weierstrass.add(point, curve.g, a=curve.a, p=curve.p)
        if shifted is None:
            return curve.encode((public[0], curve.p - public[1]))
        return curve.encode(_complete(curve, public, self._exchange(self._native, point), self._exchange(self._native, shifted)))

    def agree(self, element: Element) -> bytes:
        point = self.curve.decode(element)
        x = self._times(point)[0] if self._native is None else self._exchange(self._native, point)
        return x.to_bytes(self.curve.size)

    def _public(self) -> Point:
        if self._native is None:
            return self._times(self.curve.g)
        numbers = self._native.public_key().public_numbers()
        return numbers.x, numbers.y

    def _times(self, point: Point) -> Point:
        result = weierstrass.multiply(self.scalar, point, a=self.curve.a, p=self.curve.p)
        if result is None:  # cannot be while the order is prime and the scalar below it
            raise ChipError("EC_POINT", "key agreement ends at infinity")
        return result

    @staticmethod
    def _exchange(key: ec.EllipticCurvePrivateKey, point: Point) -> int:
        return int.from_bytes(key.exchange(ec.ECDH(), ec.EllipticCurvePublicNumbers(*point, key.curve).public_key()))


def _complete(curve: Curve, known: Point, x: int, x_sum: int) -> Point:
    """The point with this ``x`` whose sum with ``known`` has the abscissa ``x_sum``: both facts together are linear in y."""
    p, (x0, y0) = curve.p, known
    doubled = 2 * curve.b + (curve.a + x0 * x) * (x0 + x) - x_sum * (x0 - x) ** 2
    return x, doubled * pow(2 * y0, -1, p) % p
