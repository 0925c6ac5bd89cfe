"""The machine readable zone's characters, drawn from centre lines of our own after the shapes of OCR-B (ISO 1073-2, size I): no font file.

The centre lines are given in hundredths of a millimetre: x from 0 to 140 rightwards, y upwards from the foot of the stems; letters end
at 219, figures at 240. A stroke is 0.35 mm wide with round ends, the pitch 2.54 mm (Doc 9303-3 §4.4), and a capital's
height, ends included, is 2.54 mm, too: at 300 dpi both are 30 pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Point = tuple[float, float]
Stroke = tuple[Point, ...]

PITCH = 254
"""Hundredths of a millimetre from character to character, and the height of a capital with its stroke's ends."""
CELL_HEIGHT = 410
"""Of the drawn line, the capitals in its middle: they are 0.62 of it, as a line recogniser likes its lines."""
STROKE = 35
LEFT, FOOT = 57, 314
"""Where x = 0 and y = 0 lie in a cell, from its left and its upper edge."""
PAPER, INK = 255, 0
SOFT_EDGE = 2
"""By so much OpenCV draws a smoothed line wider than it is told to (measured)."""
STEPS = 8
"""Chords between two points of a curve."""
LONGEST = 200
"""Characters that a line may have; the longest of a document has 44."""


def _curve(*points: Point) -> Stroke:
    """A smooth line through ``points`` (Catmull-Rom), closed where it ends as it began."""
    ends = (points[-2], points[1]) if points[0] == points[-1] else (points[0], points[-1])
    p = np.array([ends[0], *points, ends[1]])
    t = np.linspace(0, 1, STEPS, endpoint=False)[:, None]
    drawn: list[Point] = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        part = b + t * (c - a) / 2 + t**2 * (a - 2.5 * b + 2 * c - d / 2) + t**3 * (1.5 * (b - c) + (d - a) / 2)
        drawn += [(x, y) for x, y in part.tolist()]
    return (*drawn, points[-1])


def _oval(x: float, y: float, rx: float, ry: float) -> Stroke:
    turn = np.linspace(0, 2 * np.pi, 49)
    return tuple(zip((x + rx * np.cos(turn)).tolist(), (y + ry * np.sin(turn)).tolist(), strict=True))


def _line(*points: Point) -> Stroke:
    return points


SHAPES: dict[str, tuple[Stroke, ...]] = {
    "0": (
        _curve(
            *((70, 240), (45, 238), (19, 220), (4, 180), (0, 120), (4, 60), (19, 20), (45, 2), (70, 0)),
            *((95, 2), (121, 20), (136, 60), (140, 120), (136, 180), (121, 220), (95, 238), (70, 240)),
        ),
    ),
    "1": (_line((11, 185), (74, 239), (86, 239), (86, 0)),),
    "2": (
        _curve(
            *((6, 222), (32, 236), (67, 240), (104, 231), (126, 210), (131, 182), (123, 152), (103, 129)),
            *((67, 107), (38, 88), (20, 66), (12, 40), (10, 21)),
        ),
        _line((10, 21), (10, 4), (134, 4)),
    ),
    "3": (
        _line((1, 235), (129, 235), (129, 222), (49, 138)),
        _curve((49, 138), (75, 135), (107, 121), (130, 97), (137, 69), (131, 38), (111, 13), (85, 2), (54, -1), (25, 2), (0, 11)),
    ),
    "4": (_line((76, 239), (1, 78), (1, 61), (140, 61)), _line((105, 119), (105, 0))),
    "5": (
        _line((125, 235), (21, 235), (17, 148)),
        _curve(
            (17, 148), (45, 148), (80, 142), (106, 127), (123, 101), (126, 76), (119, 45), (100, 22), (70, 8), (40, 2), (9, 0)
        ),
    ),
    "6": (_oval(70, 70, 70, 70), _curve((96, 239), (58, 195), (31, 160), (13, 128), (2, 98), (0, 66))),
    "7": (
        _line((0, 235), (140, 235)),
        _curve((140, 235), (136, 208), (121, 184), (92, 147), (65, 105), (51, 58), (44, 0)),
    ),
    "8": (
        _curve(
            *((70, 240), (109, 229), (129, 198), (118, 166), (70, 136), (20, 99), (0, 55), (18, 17), (70, -1)),
            *((122, 17), (140, 55), (120, 99), (70, 136), (23, 166), (12, 198), (32, 229), (70, 240)),
        ),
    ),
    "9": (_oval(70, 170, 70, 70), _curve((140, 166), (138, 141), (127, 108), (105, 71), (81, 38), (44, 0))),
    "A": (_line((2, 0), (58, 217), (82, 217), (139, 0)), _line((22, 74), (119, 74))),
    "B": (
        _line((75, 115), (0, 115), (0, 4), (70, 4)),
        _line((0, 115), (0, 215), (70, 215)),
        _curve((70, 215), (104, 208), (128, 189), (135, 163), (126, 136), (104, 120), (75, 115)),
        _curve((75, 115), (107, 108), (132, 87), (140, 59), (130, 30), (106, 11), (70, 4)),
    ),
    "C": (
        _curve(
            *((125, 189), (117, 206), (104, 216), (82, 221), (52, 212), (29, 185), (19, 147), (18, 110)),
            *((19, 73), (29, 35), (52, 8), (82, -1), (104, 4), (118, 15), (125, 30)),
        ),
    ),
    "D": (
        _line((30, 215), (18, 215), (18, 4), (30, 4)),
        _curve((30, 215), (65, 205), (95, 181), (121, 148), (131, 103), (124, 62), (104, 31), (72, 11), (30, 4)),
    ),
    "E": (_line((137, 215), (17, 215), (17, 4), (137, 4)), _line((17, 115), (120, 115))),
    "F": (_line((131, 215), (34, 215), (34, 0)), _line((34, 115), (115, 115))),
    "G": (
        _curve(
            *((132, 195), (108, 213), (78, 220), (45, 211), (18, 181), (5, 145), (3, 108)),
            *((9, 68), (22, 35), (44, 9), (82, -2), (110, 3), (135, 13)),
        ),
        _line((135, 13), (135, 101), (77, 101)),
    ),
    "H": (_line((10, 0), (10, 219)), _line((130, 0), (130, 219)), _line((10, 113), (130, 113))),
    "I": (_line((27, 215), (114, 215)), _line((70, 215), (70, 4)), _line((20, 4), (121, 4))),
    "J": (
        _line((97, 219), (97, 42)),
        _curve((97, 42), (93, 20), (77, 3), (53, -2), (29, 4), (11, 22), (6, 40), (7, 53)),
    ),
    "K": (_line((5, 0), (5, 219)), _line((5, 114), (31, 114)), _line((132, 219), (31, 114), (140, 0))),
    "L": (_line((10, 219), (10, 4), (140, 4)),),
    "M": (_line((0, 0), (0, 219), (27, 219), (70, 76), (114, 219), (140, 219), (140, 0)),),
    "N": (_line((5, 0), (5, 219), (18, 219), (123, 0), (136, 0), (136, 219)),),
    "O": (_oval(70, 110, 69, 111),),
    "P": (
        _line((72, 105), (10, 105), (10, 215), (72, 215)),
        _line((10, 105), (10, 0)),
        _curve((72, 215), (108, 207), (132, 187), (140, 160), (132, 132), (110, 112), (72, 105)),
    ),
    "Q": (
        _curve(
            *((66, 220), (35, 210), (12, 180), (2, 122), (8, 72), (25, 37), (45, 21), (66, 16)),
            *((90, 22), (110, 42), (125, 78), (131, 120), (122, 180), (98, 210), (66, 220)),
        ),
        _line((68, 95), (141, 0)),
    ),
    "R": (
        _line((75, 105), (14, 105), (14, 215), (70, 215)),
        _line((14, 105), (14, 0)),
        _curve((70, 215), (97, 210), (120, 198), (130, 184), (130, 170), (127, 147), (117, 122), (101, 108), (75, 105)),
        _line((73, 105), (133, 0)),
    ),
    "S": (
        _curve(
            *((126, 185), (118, 203), (100, 216), (73, 220), (42, 213), (20, 195), (14, 174), (22, 150), (41, 131), (71, 116)),
            *((101, 101), (121, 84), (129, 54), (121, 24), (101, 5), (68, -2), (40, 3), (21, 19), (12, 42)),
        ),
    ),
    "T": (_line((0, 215), (140, 215)), _line((70, 215), (70, 0))),
    "U": (
        _line((5, 219), (5, 60)),
        _curve((5, 60), (12, 28), (31, 7), (70, -1), (110, 7), (129, 28), (136, 60)),
        _line((136, 60), (136, 219)),
    ),
    "V": (_line((0, 219), (58, 0), (81, 0), (140, 219)),),
    "W": (
        _curve((0, 219), (3, 163), (7, 109), (14, 56), (22, 0)),
        _line((22, 0), (32, 0), (65, 122), (76, 122), (109, 0), (119, 0)),
        _curve((119, 0), (127, 56), (134, 109), (138, 163), (140, 219)),
    ),
    "X": (_line((9, 219), (134, 0)), _line((131, 219), (7, 0))),
    "Y": (_line((8, 219), (70, 106), (133, 219)), _line((70, 106), (70, 0))),
    "Z": (_line((11, 215), (118, 215), (10, 4), (131, 4)),),
    "<": (_line((141, 213), (1, 120), (141, 26)),),
}
"""The centre lines of the 37 characters; `` `` is an empty cell."""


@lru_cache(maxsize=128)
def glyph(char: str, stroke: int = STROKE) -> Pixels:
    """One cell of ``CELL_HEIGHT`` × ``PITCH`` pixels, one pixel being a hundredth of a millimetre; read-only. ``stroke``: its width,
    an odd number. Raises ValueError where no zone has this character.
    """
    cell: Pixels = np.full((CELL_HEIGHT, PITCH), PAPER, np.uint8)
    for points in _strokes(char):
        dots = np.round((np.array(points) * (1, -1) + (LEFT, FOOT)) * 16).astype(np.int32)
        cv2.polylines(cell, [dots], isClosed=False, color=INK, thickness=stroke - SOFT_EDGE, lineType=cv2.LINE_AA, shift=4)
    cell.flags.writeable = False
    return cell


def _strokes(char: str) -> Iterable[Stroke]:
    if char == " ":
        return ()
    if char not in SHAPES:
        raise ValueError(f"{char!r} is no character of a machine readable zone")
    return SHAPES[char]


def draw_line(text: str, *, height_px: float, stroke: int = STROKE) -> Pixels:
    """A line of the zone, grey: paper 255, ink 0. ``height_px`` is the height of a capital and the pitch, dpi/10 in true size.

    The picture has the shape (round(1.614 × ``height_px``), round(len × ``height_px``)), the capitals in the middle of its height.
    Raises ValueError for a character that no zone has, no text or more than ``LONGEST`` characters, and less than a pixel a character.
    """
    if not 0 < len(text) <= LONGEST or not 1 <= height_px <= PITCH:
        raise ValueError(f"a line has 1 to {LONGEST} characters of 1 to {PITCH} pixels")
    master = np.hstack([glyph(char, stroke) for char in text])
    scale = height_px / PITCH
    size = (max(1, round(master.shape[1] * scale)), max(1, round(CELL_HEIGHT * scale)))
    return np.asarray(cv2.resize(master, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
