"""ECDSA on the curves that ``cryptography`` lacks (brainpoolP160r1, P192r1, P224r1, P320r1), verification alone.

Everything here is public (keys, signatures, messages), so nothing needs to be constant in time. Never use it with a secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from pki import der
from pki.curves import NamedCurve
from pki.errors import DerError

_Jacobian = tuple[int, int, int]
"""(X, Y, Z) for the affine point (X/Z², Y/Z³); Z = 0 is the point at infinity."""
_INFINITY: _Jacobian = (1, 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveKey:
    """A public key on ``curve``; ``x`` and ``y`` satisfy its equation."""

    curve: NamedCurve
    x: int
    y: int

    @property
    def key_size(self) -> int:
        """Bits of the field, as ``cryptography`` counts them."""
        return self.curve.p.bit_length()

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """Whether ``signature`` (DER of r and s) over a message with this ``digest`` is good (FIPS 186-4 §6.4)."""
        numbers = _numbers(signature)
        n = self.curve.n
        if numbers is None or not (0 < numbers[0] < n and 0 < numbers[1] < n):
            return False
        r, s = numbers
        hashed = int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - n.bit_length())
        inverse = pow(s, -1, n)
        x, _, z = _sum_of_multiples(self.curve, hashed * inverse % n, r * inverse % n, (self.x, self.y, 1))
        return z != 0 and x * pow(z, -2, self.curve.p) % self.curve.p % n == r


def curve_key(curve: NamedCurve, point: bytes) -> CurveKey:
    """From an uncompressed point (TR-03111 §3.2.1). ValueError unless it lies on the curve, infinity excluded."""
    size = (curve.p.bit_length() + 7) // 8
    if len(point) != 1 + 2 * size or point[0] != 0x04:
        raise ValueError("not an uncompressed point")
    x, y = int.from_bytes(point[1 : 1 + size], "big"), int.from_bytes(point[1 + size :], "big")
    if x >= curve.p or y >= curve.p or (x**3 + curve.a * x + curve.b - y * y) % curve.p:
        raise ValueError("point is not on the curve")
    return CurveKey(curve=curve, x=x, y=y)


def _numbers(signature: bytes) -> tuple[int, int] | None:
    try:
        fields = der.read(signature).fields()
        r, s = fields.take().integer(), fields.take().integer()
        fields.end()
    except DerError:
        return None
    return r, s


def _sum_of_multiples(curve: NamedCurve, u: int, v: int, point: _Jacobian) -> _Jacobian:
    """u·G + v·point, both scalars walked through at once (Shamir's trick)."""
    generator = (*curve.g, 1)
    terms = (None, generator, point, _add(curve, generator, point))
    total = _INFINITY
    for bit in range(max(u.bit_length(), v.bit_length()) - 1, -1, -1):
        total = _double(curve, total)
        term = terms[(u >> bit & 1) | (v >> bit & 1) << 1]
        if term:
            total = _add(curve, total, term)
    return total


def _double(curve: NamedCurve, point: _Jacobian) -> _Jacobian:
    """Tangent in Jacobian coordinates, any a. Doubling infinity, or a point of order two, gives Z = 0."""
    x, y, z = point
    p = curve.p
    squared = y * y % p
    shared = 4 * x * squared % p
    z2 = z * z % p
    slope = (3 * x * x + curve.a * z2 * z2) % p
    x3 = (slope * slope - 2 * shared) % p
    return x3, (slope * (shared - x3) - 8 * squared * squared) % p, 2 * y * z % p


def _add(curve: NamedCurve, one: _Jacobian, other: _Jacobian) -> _Jacobian:
    """Chord in Jacobian coordinates, with the cases it does not cover: infinity, equal points, opposite points."""
    if one[2] == 0:
        return other
    if other[2] == 0:
        return one
    p = curve.p
    (x1, y1, z1), (x2, y2, z2) = one, other
    z1z1, z2z2 = z1 * z1 % p, z2 * z2 % p
    u1, s1 = x1 * z2z2 % p, y1 * z2 * z2z2 % p
    run, rise = (x2 * z1z1 - u1) % p, (y2 * z1 * z1z1 - s1) % p
    if run == 0:
        return _double(curve, one) if rise == 0 else _INFINITY
    run2 = run * run % p
    run3, shared = run2 * run % p, u1 * run2 % p
    x3 = (rise * rise - run3 - 2 * shared) % p
    return x3, (rise * (shared - x3) - s1 * run3) % p, z1 * z2 * run % p
