"""What key agreement needs of a group, elliptic curve or integers modulo a prime (Doc 9303-11 §9.6).

Elements are octets in the form in which they travel (§9.4.5): uncompressed points, or unsigned integers without leading zeros.
Only :meth:`KeyAgreementGroup.check` and the groups themselves make an :data:`Element`, so that the type checker sees to it that nothing
off the curve or out of the subgroup is ever computed with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NewType, Protocol

Element = NewType("Element", bytes)
"""Octets that are known to be an element of their group, and not the neutral one."""
Random = Callable[[int], bytes]
"""As many random octets as asked for; ``secrets.token_bytes`` outside of tests."""
MAX_DRAWS = 128
"""At least half of all draws fit, so a good source fails this often with probability 2⁻¹²⁸."""


class PrivateKey(Protocol):
    """A scalar of a group. Terminals use one for a single session."""

    @property
    def scalar(self) -> int: ...

    @property
    def group(self) -> KeyAgreementGroup: ...

    @property
    def public(self) -> Element:
        """The group's generator times this key."""
        ...

    def multiply(self, element: Element) -> Element:
        """``element`` times this key, the whole element."""
        ...

    def agree(self, element: Element) -> bytes:
        """The shared secret with ``element``, as long as a field element (§9.7.1). Raises ChipError where it is one that everybody knows,
        which a group of known prime order does not have.
        """
        ...


class KeyAgreementGroup(Protocol):
    """A cyclic group of domain parameters."""

    @property
    def name(self) -> str: ...

    @property
    def p(self) -> int:
        """The prime of the field below."""
        ...

    @property
    def order(self) -> int:
        """The generator's order; for groups that do not state theirs, the bound of private keys."""
        ...

    @property
    def public_key_tag(self) -> int:
        """Tag of an element in a public key data object (§9.4.3, §9.4.4)."""
        ...

    def key(self, scalar: int) -> PrivateKey:
        """The private key ``scalar``, 0 < scalar < order; ValueError for others."""
        ...

    def random_key(self, random: Random) -> PrivateKey:
        """A fresh private key. How many octets it asks ``random`` for is each group's to say."""
        ...

    def check(self, octets: bytes) -> Element:
        """The element in its canonical form. Raises ChipError where it is none of the group, or trivial."""
        ...

    def combine(self, left: Element, right: Element) -> Element:
        """Sum of points, product of integers. Raises ChipError where the result is the neutral element."""
        ...

    def element_of(self, number: int) -> Element:
        """The group element for a field element (integrated mapping, §4.4.3.3.2, Appendix B). Raises ChipError where there is none."""
        ...


def draw(random: Random, order: int) -> int:
    """A scalar 0 < scalar < ``order``: as many octets as ``order`` has, cut to its bits, drawn again until they fit.

    RuntimeError from a broken source.
    """
    bits = order.bit_length()
    for _ in range(MAX_DRAWS):
        scalar = int.from_bytes(random((bits + 7) // 8)) & (1 << bits) - 1
        if 0 < scalar < order:
            return scalar
    raise RuntimeError("the source of random numbers gives none that fit")
