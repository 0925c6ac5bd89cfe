"""Messages that were pulled and wait to be taken: gates take turns, and of each gate what ranks first goes first.

A gate that sends without end, because it was away for weeks or because somebody has its key, is behind every other gate's next message, whatever
kind its own are of.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from nats.aio.msg import Msg

from gate.fleet.messages import gate_of


class Turns:
    """``kinds``: of messages, by their rank."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self._kinds = tuple(kinds)
        self._gates: dict[str, dict[str, deque[Msg]]] = {}
        """Those of which something waits, whose turn is next first."""
        self._counts, self._bytes = Counter[str](), Counter[str]()

    def __bool__(self) -> bool:
        return bool(self._gates)

    def waiting(self, kind: str) -> tuple[int, int]:
        """Messages, and their bytes."""
        return self._counts[kind], self._bytes[kind]

    def add(self, kind: str, message: Msg) -> None:
        own = self._gates.setdefault(gate_of(message.subject), {each: deque() for each in self._kinds})
        own[kind].append(message)
        self._count(kind, 1, message)

    def take(self, most: int, most_bytes: int) -> list[Msg]:
        """So many, or so many bytes, and the one that makes it more; never nothing where something waits."""
        taken, size = list[Msg](), 0
        while self._gates and len(taken) < most and size < most_bytes:
            taken.append(self._next())
            size += len(taken[-1].data)
        return taken

    def _next(self) -> Msg:
        gate = next(iter(self._gates))
        own = self._gates.pop(gate)
        kind = next(each for each in self._kinds if own[each])
        message = own[kind].popleft()
        self._count(kind, -1, message)
        if any(own.values()):
            self._gates[gate] = own  # behind all others
        return message

    def _count(self, kind: str, sign: int, message: Msg) -> None:
        self._counts[kind] += sign
        self._bytes[kind] += sign * len(message.data)
