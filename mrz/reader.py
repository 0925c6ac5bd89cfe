"""Pictures of a document in, a reading of its machine readable zone or the reason for none out.

A line of print is looked for, read in both directions, and if it may be a zone's, the lines beside it are read; the frames' zones
are put together, and :mod:`mrz.accept` decides. Most frames cost one search of a reduced picture and four strips.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from mrz import accept, refusal, vote
from mrz.locate import Grey, TextLine, has_mate, ink, text_lines
from mrz.reading import Accepted, Reading, Refused, Timings
from mrz.recognise import LineModel, line_model
from mrz.search import Search
from mrz.zone import Zone

LONGEST = 30
"""Times its short side that a picture may be long: a zone alone is 9 times as long as it is high."""
MOST_PIXELS = 40_000_000
"""A full page at 600 dpi has 10 million, phone cameras' ordinary pictures have 12 to 40."""
LEAST_SIDE = 16
"""Pixels. Two lines of characters do not fit into less."""
PASSES = ((900, False, 12), (1600, False, 6), (900, True, 6))
"""Long side of the working image, whether for any slant, and lines that are read at most, tried in this order. A zone across 0.3 of
the frame has characters of 6 px in the first; the second is for smaller ones. On development captures 19 of 20 zones began with
the first line tried, and all within the first twelve.
"""
SMALL = 10.0
"""Pixels of pitch in the working image, up to which another document beside the one that was found may be lost: the lines of cards
stand 0.7 pitches apart, which a joint closes there."""
ENOUGH_DETAIL = 1.25
"""A larger working image is worth its time only where the frame has so many times the pixels of a smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one frame shows: zones, or why there are none; and seconds spent. ``frame`` is a grey copy of its pixels."""

    zones: tuple[Zone, ...] = ()
    refused: Refused | None = None
    frame: Grey | None = field(default=None, repr=False)
    locate: float = 0.0
    recognise: float = 0.0

    def forget(self) -> None:
        """Overwrite the copy of the frame, which shows the whole page."""
        if self.frame is not None:
            self.frame.fill(0)


class MrzReader:
    """Reads zones. The model is loaded when first needed; one thread at a time."""

    def __init__(self, model: LineModel | None = None) -> None:
        self._model = model

    def read(self, frames: Sequence[NDArray[np.uint8]], *, second_look: bool) -> Reading:
        """What ``frames`` (each grey (h, w) or BGR (h, w, 3), uint8, all of one document) say.

        ``second_look``: a chip will be opened with the reading and its signed DG1 compared with it, so that smaller margins do.
        Never raises for what a picture is or holds: what is no picture is refused as ``bad_image``.
        """
        sights: list[Sight] = []
        try:
            for frame in frames:
                sights.append(self.look(frame))  # noqa: PERF401  # whatever was made is overwritten, should one fail
            return self.judge(sights, second_look=second_look)
        finally:
            for sight in sights:
                sight.forget()

    def judge(self, sights: Sequence[Sight], *, second_look: bool) -> Reading:
        """What frames that were looked at one by one say together; as :meth:`read`."""
        started = perf_counter()
        reading = judge(sights, accept.CONFIRMED if second_look else accept.ALONE)
        locate, recognise = (sum(getattr(sight, part) for sight in sights) for part in ("locate", "recognise"))
        total = locate + recognise + perf_counter() - started
        return replace(reading, timings=Timings(locate=locate, recognise=recognise, total=total))

    def look(self, pixels: NDArray[np.uint8]) -> Sight:
        """The zones of one frame. Whoever calls this says ``forget`` to the sight when all is judged."""
        if (grey := _grey(pixels)) is None:
            what = f"not a picture of {LEAST_SIDE} pixels or more a side and {MOST_PIXELS} at most, grey or BGR, 8 bits deep, no strip"
            return Sight(refused=Refused(reason="bad_image", detail=what))
        self._model = self._model or line_model()
        started, recognising = perf_counter(), 0.0
        zones: list[Zone] = []
        refused = None
        for side, slanted, most in PASSES:
            if side > PASSES[0][0] and max(grey.shape) < ENOUGH_DETAIL * PASSES[0][0]:
                continue
            with closing(Search(grey, ink(grey, side), self._model)) as search:
                lines = text_lines(search.found, slanted=slanted)[:most]
                zones = _zones(search, lines, zones[0] if zones else None)
                plausible = bool(zones) and zones[0].plausible
                if not plausible and (side, slanted, most) == PASSES[-1]:
                    refused = refusal.unread(search, lines, zones)
            recognising += search.recognising
            if len(zones) > 1 or (plausible and zones[0].pitch > SMALL):
                break
        spent = perf_counter() - started
        return Sight(
            zones=() if refused else tuple(zones),
            refused=refused,
            frame=grey,
            locate=spent - recognising,
            recognise=recognising,
        )


def judge(sights: Sequence[Sight], needed: accept.Margins) -> Reading:
    """The decision over all frames."""
    refused = [sight.refused for sight in sights if sight.refused is not None]
    if not sights or any(each.reason == "bad_image" for each in refused):
        return refused[0] if len(refused) == 1 else Refused(reason="bad_image", detail="a frame is no picture, or there is none")
    if several := next((sight for sight in sights if len(sight.zones) > 1), None):
        return Refused(reason="several_documents", detail="more than one zone in a frame", where=several.zones[1].corners())
    zones = [sight.zones[0] for sight in sights if sight.zones]
    if not zones:
        return max(refused, key=lambda each: refusal.TELLING.index(each.reason))
    blocks, presence = [zone.characters for zone in zones], [zone.presence for zone in zones]
    where = zones[0].corners()
    if vote.contradiction([accept.possible(block) for block in blocks], presence) is not None:
        return Refused(reason="disagreement", detail="frames show different characters", where=where)
    decision = accept.decide(vote.combined(blocks), vote.present(presence), needed)
    if decision.record is None:
        sight = next(sight for sight in sights if sight.zones)
        return refusal.explained(decision, sight.frame, sight.zones[0])
    return Accepted(
        record=decision.record,
        margins=tuple(tuple(float(margin) for margin in line) for line in decision.margins),
        frames_used=len(zones),
        quads=tuple(sight.zones[0].corners() if sight.zones else None for sight in sights),
        timings=Timings(locate=0.0, recognise=0.0, total=0.0),
    )


def _zones(search: Search, lines: list[TextLine], first: Zone | None = None) -> list[Zone]:
    """The zones that ``lines`` belong to: one as a rule, two where another document lies in the picture.

    The first is the first plausible one, or for want of it the best. A second need not be plausible where its line has company of its
    kind; a lone line is another zone's only if it is nearly as long and what it says is plausible.
    """
    zones = [] if first is None else [first.at_scale(search.found.scale)]
    for line in lines:
        plausible = [zone for zone in zones if zone.plausible][:1]
        mated = has_mate(line, lines)
        if plausible and not (plausible[0].is_beside(line) and (mated or plausible[0].may_equal(line))):
            continue
        zone = search.zone(line)
        if zone is None or any(zone.overlaps(other) for other in plausible) or not (mated or zone.plausible or not plausible):
            continue
        if plausible:
            return [*plausible, zone]
        zones.append(zone)
    return sorted(zones, key=lambda zone: (zone.plausible, zone.worth))[-1:]


def _grey(pixels: NDArray[np.uint8]) -> Grey | None:
    """A copy of the picture in grey, None if it is no picture that is read here."""
    import cv2

    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[2:] not in ((), (3,)) or pixels.ndim < 2:
        return None
    short, long = sorted(pixels.shape[:2])
    if short < LEAST_SIDE or long > LONGEST * short or short * long > MOST_PIXELS:
        return None
    return np.array(pixels) if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
