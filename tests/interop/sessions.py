"""Sessions between one of our sides and the other side of somebody else's, each from a seed of its own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from second.messages import do

STATUSES = (b"\x90\0", b"\x62\x82", b"\x6a\x82")
MOST_OCTETS = 300
"""Of an answer: short and long length fields both occur."""


class Mismatch(AssertionError):
    """Two implementations do not understand each other. Names the session's seed and holds what each side saw."""


class Session:
    """One session: a source of randomness for each side, and what went over the air."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.choice = random.Random(f"{seed}/choice")
        self.views: dict[str, list[str]] = {"terminal": [], "chip": []}

    def random(self, side: str) -> Callable[[int], bytes]:
        return random.Random(f"{self.seed}/{side}").randbytes

    def air(self, answer: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        """The exchange of a terminal with the chip that is ``answer``, written down."""

        def exchange(command: bytes) -> bytes:
            self.views["terminal"].append(f"> {command.hex()}")
            self.views["chip"].append(f"> {command.hex()}")
            response = answer(command)
            self.views["chip"].append(f"< {response.hex()}")
            self.views["terminal"].append(f"< {response.hex()}")
            return response

        return exchange

    def converse(self, terminal, chip, *, exchanges: int = 3) -> None:
        """Commands and responses of all shapes through both channels; what one side protects, the other must find."""
        for _ in range(exchanges):
            command = self._command()
            self._carried("terminal", command, terminal.wrap(command), "chip", chip.open)
            data = self.choice.randbytes(self.choice.choice((0, 1, 15, 16, 17, self.choice.randrange(MOST_OCTETS))))
            response = data + self.choice.choice(STATUSES)
            self._carried("chip", response, chip.seal(response, odd=command[1] % 2 == 1), "terminal", terminal.unwrap)

    def _carried(self, sender: str, plain: bytes, protected: bytes, receiver: str, read: Callable[[bytes], bytes]) -> None:
        self.views[sender].append(f"{plain.hex()} protected {protected.hex()}")
        found = read(protected)
        self.views[receiver].append(f"{protected.hex()} holds {found.hex()}")
        if found != plain:
            raise Mismatch(f"{receiver} found something else than {sender} protected")

    def _command(self) -> bytes:
        """SELECT, READ BINARY short and extended, READ BINARY with odd instruction, or as much data as fits."""
        draw = self.choice
        return draw.choice(
            (
                bytes.fromhex("00A4020C02") + draw.randbytes(2),
                bytes.fromhex("00B0") + draw.randbytes(3),
                bytes.fromhex("00B0") + draw.randbytes(2) + b"\0" + draw.randrange(257, 65536).to_bytes(2, "big"),
                bytes.fromhex("00B1000006") + do(0x54, draw.randbytes(4)) + b"\0",
                bytes.fromhex("00D60000") + (length := bytes([draw.randrange(1, 220)])) + draw.randbytes(length[0]),
            )
        )

    def told(self, error: Exception) -> str:
        views = "\n".join(f"{side}:\n  " + "\n  ".join(lines) for side, lines in self.views.items())
        return f"{type(error).__name__}: {error}\nseed: {self.seed}\n{views}"


def play(name: str, run: Callable[[Session, int], str], *, count: int, seed: str, tally: Counter[str]) -> None:
    """Run ``count`` sessions. ``run(session, number)`` plays one and returns the word it is counted under.

    Raises Mismatch with seed and transcripts, whatever went wrong.
    """
    for number in range(count):
        session = Session(f"{seed}/{name}/{number}")
        try:
            word = run(session, number)
        except Exception as error:
            raise Mismatch(session.told(error)) from error
        tally[f"{name}: {word}"] += 1
