"""Groups for key agreement in plain integers: elliptic curves y² = x³ + ax + b, and prime fields with a subgroup.

Both kinds have the same methods. An element is a point ``(x, y)`` or an integer; ``None`` is the point at infinity.
"""

from __future__ import annotations

from dataclasses import dataclass


class Refused(Exception):
    """The other side sent something that the protocol forbids."""


@dataclass(frozen=True)
class Curve:
    """A curve of prime order n over the field of p elements, with its base point."""

    name: str
    p: int
    a: int
    b: int
    gx: int
    gy: int
    n: int

    public_tag = 0x86

    @property
    def generator(self):
        return self.gx, self.gy

    @property
    def order(self) -> int:
        return self.n

    @property
    def size(self) -> int:
        """Octets of a coordinate."""
        return (self.p.bit_length() + 7) // 8

    def has(self, point) -> bool:
        x, y = point
        return 0 <= x < self.p and 0 <= y < self.p and (y * y - x * x * x - self.a * x - self.b) % self.p == 0

    def add(self, one, other):
        return self._affine(self._add(self._homogeneous(one), self._homogeneous(other)))

    def times(self, scalar: int, point):
        """From the highest digit down: four doublings, then the digit's multiple."""
        multiples, result = [(1, 1, 0)], (1, 1, 0)
        for _ in range(15):
            multiples.append(self._add(multiples[-1], self._homogeneous(point)))
        for digit in f"{scalar:x}":
            for _ in range(4):
                result = self._double(result)
            result = self._add(result, multiples[int(digit, 16)])
        return self._affine(result)

    def encode(self, point) -> bytes:
        """Uncompressed: 04, then x and y in full length."""
        return b"\x04" + b"".join(each.to_bytes(self.size, "big") for each in point)

    def decode(self, octets: bytes):
        if len(octets) != 1 + 2 * self.size or octets[0] != 4:
            raise Refused("not an uncompressed point")
        point = int.from_bytes(octets[1 : 1 + self.size], "big"), int.from_bytes(octets[1 + self.size :], "big")
        if not self.has(point):
            raise Refused("not a point of the curve")
        return point

    def secret(self, element) -> bytes:
        """The shared secret: the x coordinate in full length."""
        return element[0].to_bytes(self.size, "big")

    def generic(self, nonce: int, agreed):
        """The generator of the generic mapping, s·G + H."""
        return self.add(self.times(nonce, self.generator), agreed)

    def integrated(self, t: int):
        """The generator of the integrated mapping: the point encoding for p = 3 mod 4, in affine coordinates."""
        p, a, b = self.p, self.a, self.b
        if p % 4 != 3:
            raise Refused("integrated mapping needs p = 3 mod 4")
        alpha = -t * t % p
        x2 = -b * pow(a, -1, p) * (1 + pow(alpha + alpha * alpha, -1, p)) % p
        x3 = alpha * x2 % p
        h2 = (x2**3 + a * x2 + b) % p
        u = t**3 * h2 % p
        root = pow(h2, p - 1 - (p + 1) // 4, p)
        return (x2, root * h2 % p) if root * root * h2 % p == 1 else (x3, root * u % p)

    # Jacobian coordinates: (X, Y, Z) is the point (X/Z², Y/Z³); Z = 0 is infinity.

    @staticmethod
    def _homogeneous(point):
        return (1, 1, 0) if point is None else (*point, 1)

    def _affine(self, point):
        x, y, z = point
        if z == 0:
            return None
        inverse = pow(z, -1, self.p)
        return x * inverse**2 % self.p, y * inverse**3 % self.p

    def _double(self, point):
        x, y, z = point
        p = self.p
        yy = y * y % p
        s = 4 * x * yy % p
        m = (3 * x * x + self.a * pow(z, 4, p)) % p
        x3 = (m * m - 2 * s) % p
        return x3, (m * (s - x3) - 8 * yy * yy) % p, 2 * y * z % p

    def _add(self, one, other):
        if one[2] == 0:
            return other
        if other[2] == 0:
            return one
        p = self.p
        (x1, y1, z1), (x2, y2, z2) = one, other
        zz1, zz2 = z1 * z1 % p, z2 * z2 % p
        u1, u2 = x1 * zz2 % p, x2 * zz1 % p
        s1, s2 = y1 * zz2 * z2 % p, y2 * zz1 * z1 % p
        if u1 == u2:
            return self._double(one) if s1 == s2 else (1, 1, 0)
        h, r = u2 - u1, s2 - s1
        hh = h * h % p
        hhh, v = hh * h % p, u1 * hh % p
        x3 = (r * r - hhh - 2 * v) % p
        return x3, (r * (v - x3) - s1 * hhh) % p, h * z1 * z2 % p


@dataclass(frozen=True)
class ModularGroup:
    """The subgroup of prime order q in the integers modulo p."""

    p: int
    g: int
    q: int

    public_tag = 0x84

    @property
    def generator(self) -> int:
        return self.g

    @property
    def order(self) -> int:
        return self.q

    @property
    def size(self) -> int:
        return (self.p.bit_length() + 7) // 8

    def times(self, scalar: int, element: int) -> int:
        return pow(element, scalar, self.p)

    def encode(self, element: int) -> bytes:
        """An unsigned integer in its least number of octets."""
        return element.to_bytes((element.bit_length() + 7) // 8, "big")

    def decode(self, octets: bytes) -> int:
        element = int.from_bytes(octets, "big")
        if not 1 < element < self.p - 1 or pow(element, self.q, self.p) != 1:
            raise Refused("not an element of the subgroup")
        return element

    def secret(self, element: int) -> bytes:
        """The shared secret in the length of p (PKCS #3, X9.42)."""
        return element.to_bytes(self.size, "big")

    def generic(self, nonce: int, agreed: int) -> int:
        return pow(self.g, nonce, self.p) * agreed % self.p

    def integrated(self, t: int) -> int:
        """t to the power of the cofactor."""
        generator = pow(t, (self.p - 1) // self.q, self.p)
        if generator == 1:
            raise Refused("the mapping yields 1")
        return generator
