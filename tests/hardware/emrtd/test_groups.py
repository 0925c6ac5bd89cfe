"""Key agreement groups: what both families promise, and elements that no honest chip sends."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd.curves import CURVES
from hardware.emrtd.dh_groups import DH_GROUPS, LONG_ORDER, DhGroup
from hardware.emrtd.domain_parameters import STANDARDIZED
from hardware.emrtd.elliptic_curve import Curve
from hardware.emrtd.errors import ChipError
from hardware.emrtd.groups import KeyAgreementGroup, draw

GROUPS = list(STANDARDIZED.values())
QUICK = [group for group in GROUPS if group.name in {"modp1024_160", "secp256r1", "brainpoolP192r1", "brainpoolP256r1"}]


def is_prime(number: int) -> bool:
    """Miller and Rabin, to eight bases."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        power = pow(base, odd, number)
        if power not in {1, number - 1} and all((power := power * power % number) != number - 1 for _ in range(twos - 1)):
            return False
    return True


def test_the_standardised_groups_are_those_of_table_12() -> None:
    sizes = {number: (group.p.bit_length(), group.order.bit_length()) for number, group in STANDARDIZED.items()}
    assert list(sizes) == [0, 1, 2, *range(8, 19)]
    assert [sizes[number] for number in range(3)] == [(1024, 160), (2048, 224), (2048, 256)]
    assert [sizes[number][0] for number in range(8, 19)] == [192, 192, 224, 224, 256, 256, 320, 384, 384, 512, 521]
    assert {number for number, group in STANDARDIZED.items() if group.name.startswith("sec")} == {8, 10, 12, 15, 18}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_orders_and_moduli_are_prime(group: KeyAgreementGroup) -> None:
    assert is_prime(group.p)
    assert is_prime(group.order)


@pytest.mark.parametrize("group", DH_GROUPS, ids=lambda group: group.name)
def test_generators_have_the_order_that_is_stated(group: DhGroup) -> None:
    assert pow(group.g, group.order, group.p) == 1 != group.g


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_both_sides_agree_and_multiplication_is_that_of_the_group(group: KeyAgreementGroup) -> None:
    one, two = (group.random_key(secrets.token_bytes) for _ in range(2))
    assert one.agree(two.public) == two.agree(one.public)
    assert one.multiply(two.public) == two.multiply(one.public) == group.key(one.scalar * two.scalar % group.order).public
    assert group.combine(one.public, two.public) == group.key((one.scalar + two.scalar) % group.order).public


@pytest.mark.parametrize("group", [group for group in GROUPS if group.name != "secp224r1"], ids=lambda group: group.name)
def test_integrated_mapping_meets_the_group(group: KeyAgreementGroup) -> None:
    element = group.element_of(secrets.randbelow(group.p))
    assert group.check(element) == element
    assert group.key(group.order - 1).multiply(element) != element


@pytest.mark.parametrize("number", [0, 1, -1])
@pytest.mark.parametrize("group", QUICK, ids=lambda group: group.name)
def test_integrated_mapping_refuses_numbers_without_an_element(group: KeyAgreementGroup, number: int) -> None:
    with pytest.raises(ChipError):
        group.element_of(number % group.p)


def test_integrated_mapping_knows_no_way_to_p224() -> None:
    with pytest.raises(ChipError, match="secp224r1"):
        STANDARDIZED[10].element_of(5)


@pytest.mark.parametrize("group", DH_GROUPS, ids=lambda group: group.name)
def test_trivial_and_small_order_elements_are_refused(group: DhGroup) -> None:
    cofactor = (group.p - 1) // group.order
    outside = next(value for value in range(2, 100) if pow(value, group.order, group.p) != 1)
    small = next(value for base in range(2, 100) if (value := pow(base, group.order, group.p)) not in {1, group.p - 1})
    assert pow(small, cofactor, group.p) == 1
    for value in (0, 1, group.p - 1, group.p, group.p + 1, outside, small):
        with pytest.raises(ChipError, match="DH_ELEMENT"):
            group.check(group.encode(value))
    with pytest.raises(ChipError, match="DH_ELEMENT"):
        group.check(bytes(group.size) + group.key(2).public)


def test_two_elements_that_cancel_are_refused() -> None:
    group = DH_GROUPS[0]
    key = group.random_key(secrets.token_bytes)
    with pytest.raises(ChipError, match="DH_ELEMENT"):
        group.combine(key.public, group.key(group.order - key.scalar).public)


def test_a_secret_keeps_its_leading_zeros_and_a_public_value_loses_them() -> None:
    group = DH_GROUPS[0]
    short = next(key for scalar in range(1, 5000) if len((key := group.key(scalar)).public) < group.size)
    assert group.check(bytes(group.size - len(short.public)) + short.public) == short.public
    assert len(group.key(1).agree(short.public)) == group.size


def test_a_group_that_hides_its_order_still_refuses_what_everybody_knows() -> None:
    known = DH_GROUPS[0]
    group = DhGroup(name="own", p=known.p, g=known.g, q=None)
    assert group.order == LONG_ORDER
    low = next(value for base in range(2, 100) if (value := pow(base, (known.p - 1) // 2, known.p)) != 1)
    for value in (1, low):
        with pytest.raises(ChipError, match="DH_ELEMENT"):
            group.key(2).agree(group.encode(value))
    low = next(value for base in range(2, 100) if (value := pow(base, (known.p - 1) // 7, known.p)) != 1)
    with pytest.raises(ChipError, match="everybody"):
        group.key(7).agree(group.check(group.encode(low)))
    with pytest.raises(ChipError, match="order"):
        group.element_of(5)


@pytest.mark.parametrize("group", QUICK, ids=lambda group: group.name)
@given(octets=st.one_of(st.binary(max_size=140), st.binary(min_size=64, max_size=64).map(lambda octets: b"\x04" + octets)))
def test_any_octets_are_an_element_or_a_chip_error(group: KeyAgreementGroup, octets: bytes) -> None:
    try:
        canonical = group.check(octets)
    except ChipError as error:
        refused = error.code
    else:
        assert group.check(canonical) == canonical
        refused = ""
    assert refused in {"", "EC_POINT", "DH_ELEMENT"}


def test_scalars_are_drawn_bit_for_bit_and_never_out_of_range() -> None:
    curve = next(curve for curve in CURVES if curve.name == "brainpoolP256r1")
    given_octets = [bytes(32), b"\xff" * 32, curve.n.to_bytes(32), (curve.n - 1).to_bytes(32)]
    assert draw(lambda count: given_octets.pop(0) if count == 32 else b"", curve.n) == curve.n - 1
    with pytest.raises(RuntimeError):
        draw(bytes, curve.n)


def test_a_scalar_of_521_bits_asks_for_66_octets() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return b"\x01" * count

    key = STANDARDIZED[18].random_key(random)
    assert (asked, key.scalar) == ([66], int.from_bytes(b"\x01" * 66))


def test_diffie_hellman_keys_take_as_many_octets_as_the_modulus() -> None:
    group = DH_GROUPS[1]
    assert group.random_key(lambda count: b"\xab" * count).scalar == int.from_bytes(b"\xab" * 256) % group.order
    assert group.random_key(bytes).scalar == 1


@pytest.mark.parametrize("group", QUICK, ids=lambda group: group.name)
def test_private_keys_stay_out_of_logs(group: KeyAgreementGroup) -> None:
    key = group.random_key(secrets.token_bytes)
    assert str(key.scalar) not in repr(key)
    assert isinstance(group, Curve) or str(group.p) not in repr(group)
