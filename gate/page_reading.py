"""From a document on the glass to its machine readable zone: the scanner's own words, or our reader on several of its frames.

The zone must show in infrared light as well: its ink absorbs there (Doc 9303-3 §4.11), what an ordinary printer puts on paper does not.
Every frame is overwritten before this is left: each of them shows the portrait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

from gate.chip_facts import Places
from gate.evidence import CheckResult, Fact, found
from gate.inspection import FORMAT, inspect_mrz, mrz_facts
from hardware.ports import Clock, Light, Page, PageFrame, ScannedDocument
from mrz.accept import ALONE
from mrz.reading import Accepted, Reading, Refused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mrz import MrzRecord
    from mrz.reader import Sight

ROUNDS = 4
"""Frames of each light that may vote. A glare or a hand that is still there after four is no accident of one frame."""
FRAME_S = 1.0
"""Longest wait for one frame: full-page readers take 0.1 to 0.3 s."""


class ImageReader(Protocol):
    """What reads a zone out of pictures; :class:`mrz.reader.MrzReader` does. Each is looked at once, and all seen are judged together."""

    def look(self, pixels: NDArray[np.uint8]) -> Sight: ...

    def judge(self, sights: Sequence[Sight], *, second_look: bool) -> Reading: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticalReading:
    """``record`` is None unless the zone was well formed and believed. ``doubtful``: its places (line, column, from 1) where another
    character in the chip would rather be our misreading than a forgery.
    """

    record: MrzRecord | None = field(repr=False)
    facts: dict[str, Fact]
    doubtful: Places = frozenset()


class PageReader:
    """Reads the zones of documents. ``infrared``: whether the scanner has that light."""

    def __init__(self, reader: ImageReader, clock: Clock, *, infrared: bool) -> None:
        self._reader, self._clock = reader, clock
        self._lights: tuple[Light, ...] = ("white", "infrared") if infrared else ("white",)

    def read(self, document: ScannedDocument, today: date, deadline: float) -> OpticalReading:
        """The zone of ``document``, by ``deadline`` (boot seconds). Raises DeviceError where the scanner broke."""
        if document.page is None:
            record, facts = inspect_mrz(document.mrz_lines, today)
            return OpticalReading(record=record, facts=facts | _infrared("not_offered"))
        frames: list[PageFrame] = []
        sights: list[Sight] = []
        try:
            reading = self._look(document.page, frames, sights, deadline, second_look=document.chip is not None)
            return self._told(reading, frames, today)
        finally:
            for frame in frames:
                frame.pixels.fill(0)
            for sight in sights:
                sight.forget()

    def _look(
        self, page: Page, frames: list[PageFrame], sights: list[Sight], deadline: float, *, second_look: bool
    ) -> Reading | None:
        """Take frames until all of them together are believed and the zone showed in every light, or patience or time end."""
        reading: Reading | None = None
        for _ in range(ROUNDS):
            taken = [self._capture(page, light, deadline) for light in self._lights]
            fresh = [frame for frame in taken if frame is not None]
            frames += fresh
            if not frames:
                break
            for frame in fresh:
                sights.append(self._reader.look(frame.pixels))  # noqa: PERF401  # all are overwritten, should one fail
            reading = self._reader.judge(sights, second_look=second_look)
            everywhere = isinstance(reading, Accepted) and all(_shows(reading, frames, light) for light in self._lights)
            if everywhere or None in taken or self._clock.boot() >= deadline:
                break
        return reading

    def _told(self, reading: Reading | None, frames: Sequence[PageFrame], today: date) -> OpticalReading:
        match reading:
            case Accepted() if not _shows(reading, frames, "white"):
                return _unreadable("MRZ_INFRARED_ALONE")
            case Accepted() if reading.record.format != FORMAT:
                fact = found("malformed", CheckResult.FAILED, code=f"FORMAT_{reading.record.format}", source="mrz")
                return OpticalReading(record=None, facts={"mrz": fact})
            case Accepted():
                return OpticalReading(
                    record=reading.record,
                    facts=_accepted(reading, today) | _infrared(self._infrared_word(reading, frames)),
                    doubtful=_doubtful(reading),
                )
            case Refused():
                word = "check_digit_failed" if reading.reason == "check_digit" else "unreadable"
                return _unreadable(f"MRZ_{reading.reason.upper()}", word)
            case None:
                return _unreadable("DOCUMENT_GONE", result=CheckResult.ABORTED)

    def _capture(self, page: Page, light: Light, deadline: float) -> PageFrame | None:
        return page.capture(light, max(0.0, min(FRAME_S, deadline - self._clock.boot())))

    def _infrared_word(self, reading: Accepted, frames: Sequence[PageFrame]) -> str:
        if "infrared" not in self._lights:
            return "not_offered"
        taken = any(frame.light == "infrared" for frame in frames)
        return "present" if _shows(reading, frames, "infrared") else "missing" if taken else "unread"


def _shows(reading: Accepted, frames: Sequence[PageFrame], light: Light) -> bool:
    """Whether the zone was seen in a frame of that light."""
    return any(quad is not None and frame.light == light for quad, frame in zip(reading.quads, frames, strict=True))


def _accepted(reading: Accepted, today: date) -> dict[str, Fact]:
    facts = mrz_facts(reading.record, today)
    corrected = [f"CORRECTED_{each.line}_{each.column}" for each in reading.corrections]
    code = ",".join(part for part in (facts["mrz"].code, *corrected) if part)
    return facts | {"mrz": found(facts["mrz"].value, facts["mrz"].result, code=code, source="mrz")}


def _doubtful(reading: Accepted) -> Places:
    """What would not have been believed if no chip came after."""
    places = {
        (line, column)
        for line, margins in enumerate(reading.margins, 1)
        for column, margin in enumerate(margins, 1)
        if margin < ALONE.rival
    }
    return frozenset(places | {(each.line, each.column) for each in reading.corrections})


def _unreadable(code: str, word: str = "unreadable", result: CheckResult = CheckResult.FAILED) -> OpticalReading:
    return OpticalReading(record=None, facts={"mrz": found(word, result, code=code, source="mrz")})


def _infrared(word: str) -> dict[str, Fact]:
    result = {"present": CheckResult.SUCCESSFUL, "missing": CheckResult.FAILED, "not_offered": CheckResult.SUCCESSFUL}
    return {"infrared": found(word, result.get(word, CheckResult.ABORTED), source="mrz")}
