"""What key agreement needs of a group, elliptic curve or integers modulo a prime (Doc 9303-11 §9.6).

Elements are octets in the form in which they travel (§9.4.5): uncompressed points, or unsigned integers without leading zeros.
Each method checks the elements it is given, so that nothing off the curve or out of the subgroup is ever computed with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

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
    def public(self) -> bytes:
        """The group's generator times this key."""
        ...

    def multiply(self, element: bytes) -> bytes:
        """``element`` times this key, the whole element. Raises ChipError for an ``element`` outside of the group."""
        ...

    def agree(self, element: bytes) -> bytes:
        """The shared secret with ``element``, as long as a field element (§9.7.1). Raises ChipError as above."""
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

    def check(self, element: bytes) -> bytes:
        """``element`` in its canonical form. Raises ChipError where it is none of the group, or trivial."""
        ...

    def combine(self, left: bytes, right: bytes) -> bytes:
        """Sum of points, product of integers. Raises ChipError where the result is the neutral element."""
        ...

    def element_of(self, number: int) -> bytes:
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
