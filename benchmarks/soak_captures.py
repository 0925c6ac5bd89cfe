"""Long suites of the image reader: whatever the picture, what it accepts is what stands there.

Half of the captures are printed in the font of ``AUTOGATE_MRZ_GLYPHS`` where that names one (``python -m mrz.training.glyphs``, of a cut
that the training never saw), the others, and all without it, from centre lines of our own.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import cv2

from benchmarks.mrz_camera import Tier
from benchmarks.mrz_captures import Capture, document, negative
from benchmarks.soak_cases import Case
from mrz.reader import MrzReader
from mrz.reading import Accepted

GLYPHS = Path(os.environ["AUTOGATE_MRZ_GLYPHS"]) if "AUTOGATE_MRZ_GLYPHS" in os.environ else None
EXACT = "exact"


def captures(tier: Tier, frames: int = 1) -> Callable[[], AbstractContextManager[Case]]:
    """Documents of one tier in one picture or several: exact, refused for a reason, or the suite fails."""
    return _suite(lambda dice: document(dice, tier=tier, frames=frames, bitmaps=GLYPHS), kinds=False)


def negatives() -> AbstractContextManager[Case]:
    """Pictures without a zone, with two, or with one that is mirrored, covered, cut off or misprinted."""
    return _suite(negative, kinds=True)()


def _suite(take: Callable[[random.Random], Capture], *, kinds: bool) -> Callable[[], AbstractContextManager[Case]]:
    @contextmanager
    def prepare() -> Iterator[Case]:
        reader, threads = MrzReader(), cv2.getNumThreads()
        cv2.setNumThreads(1)  # several processes share the processors

        def case(dice: random.Random) -> str:
            second_look = dice.random() < 0.5
            taken = take(dice)
            outcome = read(reader, taken, second_look=second_look)
            return f"{taken.kind}: {outcome}" if kinds else outcome

        try:
            yield case
        finally:
            cv2.setNumThreads(threads)

    return prepare


def read(reader: MrzReader, taken: Capture, *, second_look: bool) -> str:
    """``EXACT`` or why it was refused. Raises AssertionError where something else was accepted than what stands there."""
    reading = reader.read(taken.frames, second_look=second_look)
    if isinstance(reading, Accepted):
        wrong = differences(reading.lines, taken.lines)
        assert not wrong, f"accepted wrong ({taken.kind}, {taken.format}): {wrong}"
        return EXACT
    return reading.reason


def differences(found: tuple[str, ...], true: tuple[str, ...]) -> str:
    """Line, column, what was found and what stands there, of each character that differs; empty where none does."""
    if [len(line) for line in found] != [len(line) for line in true]:
        return f"{len(found)} lines where {len(true)} may be read"
    pairs = (
        (n, m, a, b)
        for n, both in enumerate(zip(found, true, strict=True), 1)
        for m, (a, b) in enumerate(zip(*both, strict=True), 1)
    )
    return ", ".join(f"{n}/{m} {a} for {b}" for n, m, a, b in pairs if a != b)
