"""How long a chip's answers take: the link of ISO/IEC 14443-4, the chip's own computing, and a pause that ends when it should."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

FRAME_OVERHEAD = 3
"""Bytes of each block that carry no data: protocol control and two of CRC (no CID, no NAD)."""
BITS_PER_BYTE = 9
"""On the air of ISO/IEC 14443-2 type A: eight and parity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkModel:
    """How long one exchange takes at ``kbit_s`` (106, 212, 424 or 848).

    A block is at most ``fsc`` bytes towards the chip and ``fsd`` towards the reader (FSC and FSD of ISO/IEC 14443-4: 16 to 256), ``turn_around_s``
    passes before each. What does not fit one block is chained, each part of a chain but the last being acknowledged by an empty block.
    ``computing_s`` is what the chip itself needs, in seconds by the instruction it was sent; what is not in it takes no time.
    """

    kbit_s: float
    fsc: int = 256
    fsd: int = 256
    turn_around_s: float = 100e-6
    computing_s: Mapping[int, float] = field(default_factory=dict)

    def seconds(self, command_length: int, response_length: int, ins: int | None = None) -> float:
        """Time for a command and its response of these lengths in bytes, the status bytes included."""
        air = self._direction(command_length, self.fsc) + self._direction(response_length, self.fsd)
        return air + (0.0 if ins is None else self.computing_s.get(ins, 0.0))

    def _direction(self, length: int, frame: int) -> float:
        chained = max(1, -(-length // (frame - FRAME_OVERHEAD)))
        blocks = chained + (chained - 1)  # with their acknowledgements
        octets = length + FRAME_OVERHEAD * blocks
        return octets * BITS_PER_BYTE / (self.kbit_s * 1000) + self.turn_around_s * blocks


@dataclass(slots=True, kw_only=True)
class Pacer:
    """Waits until an exchange has taken its time by ``timer``, all but the last ``spin_s`` seconds in ``sleep``.

    A sleep wakes some 60 to 100 µs late, at each of a hundred exchanges; spinning instead costs a core, so it is for who measures.
    """

    sleep: Callable[[float], None] = time.sleep
    timer: Callable[[], float] = time.perf_counter
    spin_s: float = 0.0

    def until(self, end: float) -> None:
        self.sleep(max(0.0, end - self.timer() - self.spin_s))
        while self.spin_s and self.timer() < end:
            pass
