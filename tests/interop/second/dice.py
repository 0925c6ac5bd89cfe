"""Where random octets and private keys come from: chance, or a worked example."""

from __future__ import annotations

from collections.abc import Callable


class Dice:
    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random

    def octets(self, size: int) -> bytes:
        return self._random(size)

    def scalar(self, order: int) -> int:
        """A private key: 1 … order - 1."""
        return int.from_bytes(self._random((order.bit_length() + 71) // 8), "big") % (order - 1) + 1


class Loaded(Dice):
    """Falls as told. Sizes are not checked: what comes out is compared with the example."""

    def __init__(self, *, octets: tuple[bytes, ...] = (), scalars: tuple[int, ...] = ()) -> None:
        self._octets, self._scalars = list(octets), list(scalars)

    def octets(self, size: int) -> bytes:
        return self._octets.pop(0)

    def scalar(self, order: int) -> int:
        return self._scalars.pop(0)
