"""What a bad serial line does to bytes, whatever protocol they are: rates in, pieces with their times out. No I/O, no clock.

Damage to bytes is drawn by distance, so that a seed damages the same bytes however the stream is cut; what happens to a *burst* (what
came at once: a frame, as a rule) is drawn for each.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from dataclasses import dataclass

SWAP_HELD_S = 0.05
"""A burst that is to be overtaken waits no longer than this for the next one."""
NOISE_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Habits of one direction. All but ``flood``, the seconds and ``silent`` are probabilities, 0 … 1."""

    flip: float = 0.0
    """Of a byte: one of its bits is turned."""
    lose: float = 0.0
    """Of a byte: it does not arrive."""
    drop: float = 0.0
    """Of a burst: nothing of it arrives."""
    double: float = 0.0
    """Of a burst: it arrives twice."""
    delay: float = 0.0
    """Of a burst: it, and all behind it, arrives up to ``delay_s`` later."""
    delay_s: float = 0.05
    split: float = 0.0
    """Of a burst: it arrives in two parts, up to ``split_s`` apart."""
    split_s: float = 0.02
    swap: float = 0.0
    """Of a burst: the next one overtakes it."""
    echo: float = 0.0
    """Of a burst: its sender hears it, too."""
    flood: float = 0.0
    """Bytes of noise a second that nobody sent."""
    silent: bool = False
    """Nothing arrives."""

    def __post_init__(self) -> None:
        rates = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "silent"}
        for name, rate in rates.items():
            limit = math.inf if name in {"flood", "delay_s", "split_s"} else 1.0
            if not 0.0 <= rate <= limit:
                raise ValueError(f"{name} of {rate} is not within 0 … {limit:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes that arrive at ``due``; ``back``: at the end that sent them."""

    due: float
    data: bytes
    back: bool = False


class BadLine:
    """One direction. ``now`` is any monotonic time in seconds; pieces of one direction never arrive before earlier ones but by ``swap``."""

    def __init__(self, faults: Faults, dice: random.Random) -> None:
        self._dice = dice
        self._held: list[Piece] = []
        self._last = -math.inf
        self._noisy_since: float | None = None
        self.seen: Counter[str] = Counter()
        """How often each thing was done, and how many bursts and bytes came."""
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """Change the line's habits from now on."""
        self.faults = faults
        self._to_flip, self._to_lose = self._gap(faults.flip), self._gap(faults.lose)

    def carry(self, data: bytes, now: float) -> list[Piece]:
        """What becomes of a burst that was sent ``now``."""
        faults = self.faults
        self.seen.update(bursts=1, bytes=len(data))
        echo = [Piece(due=now, data=data, back=True)] if self._happens("echo") else []
        if faults.silent or self._happens("drop"):
            return echo
        data = self._damage(data)
        due = max(now, self._last)
        if self._happens("delay"):
            due += self._dice.uniform(0.0, faults.delay_s)
        pieces = self._cut(data * 2 if self._happens("double") else data, due)
        self._last = max(due, *(piece.due for piece in pieces))
        overtaken, self._held = self._held, []
        if not overtaken and self._happens("swap"):
            self._held = [dataclasses.replace(piece, due=piece.due + SWAP_HELD_S) for piece in pieces]
            return echo
        return [*echo, *pieces, *(dataclasses.replace(piece, due=self._last) for piece in overtaken)]

    def poll(self, now: float) -> list[Piece]:
        """What comes by itself by ``now``: noise, and a held burst that no other overtook."""
        pieces = [piece for piece in self._held if piece.due <= now]
        self._held = [piece for piece in self._held if piece.due > now]
        since, self._noisy_since = self._noisy_since, now if self.faults.flood else None
        if since is not None:
            whole, part = divmod((now - since) * self.faults.flood / NOISE_BYTES, 1)
            bursts = int(whole) + (self._dice.random() < part)
            self.seen["noise"] += bursts
            pieces += [Piece(due=now, data=self._dice.randbytes(NOISE_BYTES)) for _ in range(bursts)]
        return pieces

    def _happens(self, what: str) -> bool:
        rate: float = getattr(self.faults, what)
        happens = rate > 0 and self._dice.random() < rate
        self.seen[what] += happens
        return happens

    def _cut(self, data: bytes, due: float) -> list[Piece]:
        if len(data) < 2 or not self._happens("split"):
            return [Piece(due=due, data=data)]
        place = self._dice.randrange(1, len(data))
        later = due + self._dice.uniform(0.0, self.faults.split_s)
        return [Piece(due=due, data=data[:place]), Piece(due=later, data=data[place:])]

    def _damage(self, data: bytes) -> bytes:
        """Flip bits and lose bytes of ``data``."""
        if self._to_flip >= len(data) and self._to_lose >= len(data):
            self._to_flip, self._to_lose = self._to_flip - len(data), self._to_lose - len(data)
            return data
        arrived = bytearray()
        for byte in data:
            self._to_flip, self._to_lose = self._to_flip - 1, self._to_lose - 1
            flipped, lost = self._to_flip < 0, self._to_lose < 0
            if flipped:
                self._to_flip = self._gap(self.faults.flip)
            if lost:
                self._to_lose = self._gap(self.faults.lose)
            else:
                arrived.append(byte ^ 1 << self._dice.randrange(8) if flipped else byte)
            self.seen.update(flip=flipped and not lost, lose=lost)
        return bytes(arrived)

    def _gap(self, rate: float) -> float:
        """How many bytes pass before the next one that is hit."""
        if rate <= 0:
            return math.inf
        return 0.0 if rate >= 1 else math.log(1.0 - self._dice.random()) / math.log1p(-rate)
