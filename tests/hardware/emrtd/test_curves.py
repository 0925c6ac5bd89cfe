"""Curves: our table against OpenSSL's arithmetic, explicit parameters only where they equal a named curve."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hardware.emrtd import curves, tlv, weierstrass
from hardware.emrtd.curves import CURVES, Curve, EcKey
from hardware.emrtd.domain_parameters import read_key
from hardware.emrtd.elliptic_curve import Point
from hardware.emrtd.errors import ChipError


def explicit_spki(curve: Curve, point: bytes, **changes: int) -> bytes:
    """A SubjectPublicKeyInfo with explicit parameters, some of them changed."""
    values = {"p": curve.p, "a": curve.a, "b": curve.b, "n": curve.n, "h": 1, "gx": curve.g[0]} | changes

    def integer(value: int) -> bytes:
        return tlv.encode(0x02, value.to_bytes(value.bit_length() // 8 + 1))

    def octets(value: int) -> bytes:
        return tlv.encode(0x04, value.to_bytes(curve.size))

    field = tlv.encode(0x30, tlv.encode(0x06, curves.PRIME_FIELD) + integer(values["p"]))
    coefficients = tlv.encode(0x30, octets(values["a"]) + octets(values["b"]))
    base = tlv.encode(0x04, b"\x04" + values["gx"].to_bytes(curve.size) + curve.g[1].to_bytes(curve.size))
    parameters = tlv.encode(0x30, integer(1) + field + coefficients + base + integer(values["n"]) + integer(values["h"]))
    algorithm = tlv.encode(0x30, tlv.encode(0x06, curves.EC_PUBLIC_KEY) + parameters)
    return tlv.encode(0x30, algorithm + tlv.encode(0x03, b"\0" + point))


def times(curve: Curve, scalar: int, point: Point) -> Point | None:
    """Our own arithmetic, whatever OpenSSL knows."""
    return weierstrass.multiply(scalar, point, a=curve.a, p=curve.p)


def by_name(name: str) -> Curve:
    return next(curve for curve in CURVES if curve.name == name)


P256 = by_name("secp256r1")


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_the_generator_is_on_the_curve_and_of_its_order(curve: Curve) -> None:
    assert curve.decode(curve.encode(curve.g)) == curve.g
    assert times(curve, curve.n - 1, curve.g) == (curve.g[0], curve.p - curve.g[1])
    assert times(curve, curve.n, curve.g) is None
    assert times(curve, curve.n + 1, curve.g) == curve.g


@pytest.mark.parametrize("curve", [curve for curve in CURVES if curve.native is not None], ids=lambda curve: curve.name)
def test_our_arithmetic_agrees_with_openssl(curve: Curve) -> None:
    ours, peer = EcKey.generate(curve), ec.generate_private_key(curve.native)
    numbers = peer.public_key().public_numbers()
    point = curve.encode((numbers.x, numbers.y))
    shared = times(curve, ours.scalar, curve.decode(point))
    assert ours.agree(point) == shared[0].to_bytes(curve.size)
    assert ours.multiply(point) == curve.encode(shared)
    assert curve.decode(ours.public) == times(curve, ours.scalar, curve.g)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_both_sides_agree_on_the_whole_point(curve: Curve) -> None:
    ours, theirs = EcKey.generate(curve), EcKey.generate(curve)
    assert ours.agree(theirs.public) == theirs.agree(ours.public)
    assert ours.multiply(theirs.public) == theirs.multiply(ours.public)


@pytest.mark.parametrize("curve", [P256, by_name("brainpoolP192r1")], ids=lambda curve: curve.name)
@pytest.mark.parametrize("scalar", [1, 2, -1, -2])
def test_edges_of_multiplication_are_those_of_the_group(curve: Curve, scalar: int) -> None:
    x, y = curve.g
    minus = (x, curve.p - y)
    key = curve.key(scalar % curve.n)
    for point in (curve.g, minus):
        assert key.multiply(curve.encode(point)) == curve.encode(times(curve, key.scalar, point))
    with pytest.raises(ChipError, match="EC_POINT"):
        curve.combine(curve.encode(curve.g), curve.encode(minus))


@pytest.mark.parametrize("scalar", [0, -1, P256.n, P256.n + 1])
def test_a_scalar_out_of_range_is_no_private_key(scalar: int) -> None:
    with pytest.raises(ValueError):
        P256.key(scalar)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_explicit_parameters_that_equal_a_named_curve_are_that_curve(curve: Curve) -> None:
    point = EcKey.generate(curve).public
    assert read_key(explicit_spki(curve, point)) == (curve, point)


@pytest.mark.parametrize("change", ["p", "a", "b", "n", "h", "gx"])
def test_explicit_parameters_that_differ_in_one_number_are_refused(change: str) -> None:
    curve = P256
    true = {"p": curve.p, "a": curve.a, "b": curve.b, "n": curve.n, "h": 1, "gx": curve.g[0]}[change]
    with pytest.raises(ChipError, match="CURVE_UNSUPPORTED"):
        read_key(explicit_spki(curve, curve.encode(curve.g), **{change: true - 1}))


@pytest.mark.parametrize("spoil", [b"", b"\x04", b"\x04" + bytes(64), b"\x02" + bytes(64), b"\0"])
def test_a_point_off_the_curve_is_refused(spoil: bytes) -> None:
    with pytest.raises(ChipError, match="EC_POINT"):
        P256.check(spoil)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_coordinate_beyond_the_prime_is_refused(axis: int) -> None:
    curve = by_name("secp521r1")
    point = [coordinate + curve.p * (axis == number) for number, coordinate in enumerate(curve.g)]
    with pytest.raises(ChipError, match="EC_POINT"):
        curve.check(b"\x04" + b"".join(coordinate.to_bytes(curve.size) for coordinate in point))


def test_a_negative_point_is_no_way_around(kit) -> None:
    curve = P256
    x, y = curve.g
    with pytest.raises(ChipError, match="EC_POINT"):
        curve.decode(b"\x04" + x.to_bytes(32) + (y + 1).to_bytes(32))
