"""What every long suite is made of: dice in, a word out; and how bytes are spoilt."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)

Case = Callable[[random.Random], str]


def spoil(data: bytes, dice: random.Random) -> bytes:
    """One to three changes: octets overwritten (half of the time nothing else, which leaves all lengths right), cut out or put in."""
    spoilt = bytearray(data)
    kinds = dice.choice((3, 6))
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(spoilt) + 1)
        match dice.randrange(kinds) + 6 - kinds:
            case 0:
                del spoilt[at : at + dice.randint(1, 8)]
            case 1:
                spoilt[at:at] = dice.randbytes(dice.randint(1, 8))
            case 2:
                del spoilt[at:]
            case _:
                spoilt[at : at + 1] = dice.randbytes(1)
    return bytes(spoilt)
