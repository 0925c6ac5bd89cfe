"""A picture of what the reader found: the zone's outline, each line's characters over it, doubtful ones in red."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mrz.reading import Accepted, Corners, Reading

GREEN, RED, WHITE, DARK = (60, 170, 40), (40, 40, 230), (255, 255, 255), (40, 40, 40)
DOUBTFUL = 5.0
"""Log-odds below which a character is shown in red."""
WIDEST = 1600
"""Pixels of the picture that is drawn: larger frames are reduced."""
ROW, HEADING = 34, 30
"""Pixels that a line of text takes under the picture, and the heading above it."""


def overlay(frame: NDArray[np.uint8], reading: Reading, *, index: int = 0) -> NDArray[np.uint8]:
    """``frame`` (grey or BGR) in colour with what ``reading`` says of it; ``index`` is the frame's place among those read."""
    import cv2

    scale = min(1.0, WIDEST / frame.shape[1])
    size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    picture = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8) if picture.ndim == 2 else picture
    if isinstance(reading, Accepted):
        outline, colour, heading = reading.quads[index], GREEN, f"accepted: {reading.record.format}"
    else:
        outline, colour, heading = reading.where, RED, f"refused: {reading.reason}; {reading.detail}"
    if outline is not None:
        _outline(picture, outline, scale, colour)
    return np.vstack((picture, _caption(picture.shape[1], heading, reading, colour)))


def _outline(picture: NDArray[np.uint8], corners: Corners, scale: float, colour: tuple[int, int, int]) -> None:
    import cv2

    points = np.round(np.clip(np.array(corners) * scale, -32000, 32000)).astype(np.int32)
    cv2.polylines(picture, [points], isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
    cv2.circle(picture, (int(points[0][0]), int(points[0][1])), 6, colour, -1)  # where reading begins


def _caption(width: int, heading: str, reading: Reading, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    import cv2

    lines = reading.lines if isinstance(reading, Accepted) else ()
    caption = np.full((HEADING + ROW * len(lines), width, 3), 255, np.uint8)
    cv2.putText(caption, heading, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    if isinstance(reading, Accepted):
        advance = min(18.0, (width - 12) / len(lines[0]))
        for row, (line, margins) in enumerate(zip(lines, reading.margins, strict=True)):
            for column, (character, margin) in enumerate(zip(line, margins, strict=True)):
                at = round(6 + column * advance), HEADING + ROW * row + 20
                ink = RED if margin < DOUBTFUL else DARK
                cv2.putText(caption, character, at, cv2.FONT_HERSHEY_SIMPLEX, advance / 30, ink, 1, cv2.LINE_AA)
    return caption
