"""Why there is no reading, in a word that tells the person at the reader what to do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from mrz.accept import Decision
from mrz.locate import Grey, TextLine, fit_line
from mrz.reading import Corners, Reason, Refused
from mrz.search import Search
from mrz.strips import Cut, cut
from mrz.zone import Zone, corners

TELLING: tuple[Reason, ...] = ("no_mrz", "too_small", "blur", "glare", "cut_off", "mirrored", "several_documents")
"""Of several frames without a zone the refusal is given that comes last here."""
SMALLEST = 7.0
"""Pixels of the frame that a capital needs to be high: below, 8 from B and C from O cannot be told."""
GLARE = (0.02, 0.45)
"""Shares of a zone's pixels that are saturated where light falls on part of it; a page that is white all over has more."""
SHARP = 0.3
"""Steepest steps between neighbouring columns (98th percentile), a strip's ink and paper being 2 apart. Sharp print has 0.5 and more."""
BORDER = 2.0
"""Characters. A line that ends so near to the frame's edge may go on beyond it: pages leave 6 mm or 2.4 characters beside it."""
LIKE_A_ZONE = 20.0
"""Length over height from which a line of print is taken for one of a zone's that could not be read."""
PRINTED = 0.25
"""Standard deviation along a row of a strip, its ink and paper being 2 apart: a rule or the edge of a page has none."""
CLOSE_LOOKS = 3
"""Lines that are looked at for a cause."""


def unread(search: Search, lines: list[TextLine], zones: Sequence[Zone]) -> Refused | None:
    """Why there is no plausible zone among ``lines``; None where ``zones`` were found, to be judged like any other."""
    if search.on_grid and _in_a_mirror(search):
        where = _corners(search, search.on_grid[0])
        return Refused(reason="mirrored", detail="the zone is seen from behind or in a mirror", where=where)
    if zones:
        return None
    likely = [line for line in lines if line.length > LIKE_A_ZONE * line.height][:CLOSE_LOOKS]
    for line in (fit for line in likely if (fit := fit_line(search.found, line)) is not None):
        strip = cut(search.frame, line, search.found.scale)
        reason = _cause(strip, line.height / search.found.scale) if strip.pixels.std(axis=1).max() > PRINTED else None
        if reason is not None:
            return Refused(reason=reason, detail="a line that may be of a zone cannot be read", where=_corners(search, line))
    return Refused(reason="no_mrz", detail="no lines of a machine readable zone")


def _in_a_mirror(search: Search) -> bool:
    mirror, last = search.mirrored(), search.found.strokes.shape[1] - 1
    lines = (
        replace(line, start=(last - line.end[0], line.end[1]), end=(last - line.start[0], line.start[1]))
        for line in search.on_grid[:CLOSE_LOOKS]
    )
    with closing(mirror):
        seen = any(zone is not None and zone.plausible for zone in map(mirror.zone, lines))
    mirror.frame.fill(0)  # a copy, as much as its strokes
    return seen


def _corners(search: Search, line: TextLine) -> Corners:
    return corners(line, line, 0.6 * line.height, search.found.scale)


def explained(decision: Decision, frame: Grey | None, zone: Zone) -> Refused:
    """A zone that was found and not believed: doubtful characters have a cause, as a rule."""
    where, reason = zone.corners(), decision.reason or "margin"
    if frame is not None and reason in ("no_mrz", "margin", "check_digit"):
        if zone.leaves((frame.shape[0], frame.shape[1]), BORDER):
            reason = "cut_off"
        elif reason != "no_mrz" and (cause := _cause_in(frame, zone)) is not None:
            reason = cause
    return Refused(reason=reason, detail=decision.detail, where=where)


def _cause_in(frame: Grey, zone: Zone) -> Reason | None:
    causes = [_cause(cut(frame, line, zone.scale), zone.pitch / zone.scale) for line in zone.lines]
    return next((cause for cause in causes if cause is not None), None)


def _cause(strip: Cut, height: float) -> Reason | None:
    """``height``: of capitals in pixels of the frame."""
    if height < SMALLEST:
        return "too_small"
    if GLARE[0] < strip.saturated < GLARE[1]:
        return "glare"
    steps = np.abs(np.diff(strip.pixels, axis=1))
    return "blur" if float(np.percentile(steps, 98)) < SHARP else None
