"""Point arithmetic on y² = x³ + ax + b over GF(p), in Jacobian coordinates: (X, Y, Z) stands for (X/Z², Y/Z³), Z = 0 for infinity.

Not constant in time: fit for public data, for keys that live for one session and for simulators; for no key that lasts.
"""

from __future__ import annotations

Affine = tuple[int, int]
Jacobian = tuple[int, int, int]

INFINITY: Jacobian = (1, 1, 0)
WINDOW = 4
"""Bits of the scalar taken at a time: 14 additions for the table save half of the rest."""


def multiply(scalar: int, point: Affine, *, a: int, p: int) -> Affine | None:
    """``scalar`` times ``point``; None at infinity. ``scalar`` is not negative."""
    table = [INFINITY, (*point, 1)]
    while len(table) < 1 << WINDOW:
        table.append(_add(table[-1], table[1], a, p))
    result = INFINITY
    for shift in reversed(range(0, scalar.bit_length(), WINDOW)):
        for _ in range(WINDOW):
            result = _double(result, a, p)
        result = _add(result, table[scalar >> shift & (1 << WINDOW) - 1], a, p)
    return _affine(result, p)


def add(left: Affine, right: Affine, *, a: int, p: int) -> Affine | None:
    """The sum of two points; None at infinity."""
    return _affine(_add((*left, 1), (*right, 1), a, p), p)


def _affine(point: Jacobian, p: int) -> Affine | None:
    x, y, z = point
    if z == 0:
        return None
    inverse = pow(z, -1, p)
    square = inverse * inverse % p
    return x * square % p, y * square * inverse % p


def _double(point: Jacobian, a: int, p: int) -> Jacobian:
    x, y, z = point
    if y == 0 or z == 0:
        return INFINITY
    yy, zz = y * y % p, z * z % p
    s = 4 * x * yy % p
    m = (3 * x * x + a * zz * zz) % p
    x3 = (m * m - 2 * s) % p
    return x3, (m * (s - x3) - 8 * yy * yy) % p, 2 * y * z % p


def _add(left: Jacobian, right: Jacobian, a: int, p: int) -> Jacobian:
    (x1, y1, z1), (x2, y2, z2) = left, right
    if z1 == 0 or z2 == 0:
        return right if z1 == 0 else left
    zz1, zz2 = z1 * z1 % p, z2 * z2 % p
    u1, s1 = x1 * zz2 % p, y1 * z2 * zz2 % p
    h, r = (x2 * zz1 - u1) % p, (y2 * z1 * zz1 - s1) % p
    if h == 0:
        return _double(left, a, p) if r == 0 else INFINITY
    hh = h * h % p
    hhh, v = h * hh % p, u1 * hh % p
    x3 = (r * r - hhh - 2 * v) % p
    return x3, (r * (v - x3) - s1 * hhh) % p, h * z1 * z2 % p
