"""A bar on the terminal for what takes long. Where nobody looks (a file, CI, a test) nothing is written, and it never costs a measurement
more than a look at the clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterator
from typing import TypeVar

T = TypeVar("T")
EVERY_S = 0.2
WIDTH = 30


class Bar:
    """``step`` after each of ``total``; ``end`` leaves an empty line behind. ``what``: a word or two."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done = total, what, 0
        self._begun = time.monotonic()
        self._shown = self._begun
        self._seen = sys.stderr.isatty()

    def step(self) -> None:
        self._done += 1
        now = time.monotonic()
        if self._seen and now - self._shown >= EVERY_S:
            self._shown = now
            print(f"\r{line(self._done, self._total, self._what, now - self._begun)}\x1b[K", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._seen:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def line(done: int, total: int, what: str, elapsed_s: float) -> str:
    """What is done, and how long the rest takes if it goes on like this. More than ``total`` may be done: what was void is repeated."""
    full = min(WIDTH, WIDTH * done // max(total, 1))
    left = max(total - done, 0) * elapsed_s / max(done, 1)
    return f"{what} [{'#' * full}{'.' * (WIDTH - full)}] {done} of {total}, about {left:.0f} s left"


def bar(things: Collection[T], what: str) -> Iterator[T]:
    """``things`` themselves, one step for each that was worked off."""
    shown = Bar(len(things), what)
    try:
        for thing in things:
            yield thing
            shown.step()
    finally:
        shown.end()
