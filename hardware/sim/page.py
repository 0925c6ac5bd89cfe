"""A pretend document's data page, drawn as it looks in white and in near-infrared light.

Sizes and the zone's place are those of Doc 9303-4 §3, -5 §3 and -6 §3; the rest is of our own invention: tint and guilloche, a
silhouette for a face, the zone's own words for the holder's data. In infrared only the zone's ink remains (Doc 9303-3 §4.5).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.ports import Light
from hardware.sim.ocr_b import CELL_HEIGHT, PITCH, SHAPES, draw_line

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
"""Blue, green, red."""

MM_PER_INCH = 25.4
TINT, INK = (226, 232, 222), (38, 34, 34)
WAVES = ((205, 218, 190), (196, 206, 226))
PORTRAIT, SHOULDERS, HEAD = (232, 228, 224), (120, 104, 92), (140, 124, 112)
COVER, GOLD = (58, 34, 22), (70, 150, 175)
INFRARED_PAPER, INFRARED_INK = 196, 30
ZONE_MM, LINE_MM = 23.2, 6.35
"""Height of the zone at the page's foot, and from line to line in it."""
DPI, LOWEST_DPI, HIGHEST_DPI = 300, 100, 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a document, in millimetres. ``left``: where the lines begin; ``first``: the first line's middle below the zone's upper edge."""

    width: float
    height: float
    left: float
    first: float


TD3 = Size(width=125.0, height=88.0, left=6.0, first=7.25)
SIZES: dict[tuple[int, int], Size] = {
    (2, 44): TD3,
    (2, 36): Size(width=105.0, height=74.0, left=4.0, first=7.25),
    (3, 30): Size(width=85.6, height=53.98, left=5.0, first=5.25),
}
"""By the number of lines and the first one's length; whatever else is to be printed gets a page of a TD3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a document is printed. ``infrared_ink`` False: the zone does not show in infrared, as a copied page's may not.

    Raises ValueError for a resolution that no page is drawn in.
    """

    dpi: int = DPI
    seed: int = 0
    infrared_ink: bool = True

    def __post_init__(self) -> None:
        if not LOWEST_DPI <= self.dpi <= HIGHEST_DPI:
            raise ValueError(f"{self.dpi} is no resolution from {LOWEST_DPI} to {HIGHEST_DPI} dpi")


@dataclass(slots=True, kw_only=True)
class DataPage:
    """The page itself, upright and clean. What was drawn is kept and must not be written to. For one thread at a time."""

    mrz_lines: tuple[str, ...] = field(repr=False)
    look: Look = field(default_factory=Look)
    _drawn: dict[tuple[Light, bool], Pixels] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> Size:
        return SIZES.get((len(self.mrz_lines), len(self.mrz_lines[0]) if self.mrz_lines else 0), TD3)

    def px(self, mm: float) -> int:
        """A length in pixels."""
        return round(mm / MM_PER_INCH * self.look.dpi)

    def draw(self, light: Light, *, covered: bool = False) -> Pixels:
        """The page, or the book's cover: BGR in white light, grey in infrared."""
        if (light, covered) not in self._drawn:
            self._drawn[light, covered] = self._cover(light) if covered else self._page(light)
        return self._drawn[light, covered]

    def _page(self, light: Light) -> Pixels:
        if light == "infrared":
            paper = np.full((self.px(self.size.height), self.px(self.size.width)), INFRARED_PAPER, np.uint8)
            if self.look.infrared_ink:
                self._print_zone(paper, INFRARED_INK)
            return paper
        page = self._blank(TINT)
        self._guilloche(page)
        self._silhouette(page)
        for row, text in enumerate(_visual_texts(self.mrz_lines)):
            self._text(page, text, (self.size.width * 0.36, self.size.height * (0.14 + 0.085 * row), 2.4), INK)
        self._print_zone(page, INK)
        return page

    def _cover(self, light: Light) -> Pixels:
        cover = self._blank(COVER)
        height, width = cover.shape[:2]
        for radius in (0.10, 0.14, 0.15):
            centre = (width // 2, height * 2 // 5)
            cv2.circle(cover, centre, int(height * radius), GOLD, max(1, self.px(0.4)), cv2.LINE_AA)
        self._text(cover, "PASSPORT", (self.size.width / 2 - 16, self.size.height * 0.75, 5.0), GOLD)
        return cover if light == "white" else np.asarray(cv2.cvtColor(cover, cv2.COLOR_BGR2GRAY), dtype=np.uint8)

    def _blank(self, colour: Colour) -> Pixels:
        return np.full((self.px(self.size.height), self.px(self.size.width), 3), colour, np.uint8)

    def _guilloche(self, page: Pixels) -> None:
        """Fine waves in two soft colours all over the page, the zone included."""
        dice = np.random.default_rng(self.look.seed)
        height, width = page.shape[:2]
        x, fine = np.linspace(0, width, 160), max(1, self.px(0.12))
        for row in range(28):
            swing, pitch, phase = dice.uniform(0.02, 0.08), dice.uniform(2, 6), dice.uniform(0, 2 * np.pi)
            y = height * (row / 27 + swing * np.sin(2 * np.pi * x / width * pitch + phase))
            points = np.round(np.column_stack([x, y]) * 16).astype(np.int32)
            cv2.polylines(page, [points], isClosed=False, color=WAVES[row % 2], thickness=fine, lineType=cv2.LINE_AA, shift=4)

    def _silhouette(self, page: Pixels) -> None:
        """Head and shoulders of nobody, in the portrait's place."""
        left, top = self.px(6.0), self.px(self.size.height * 0.1)
        wide, tall = self.px(self.size.width * 0.26), self.px(self.size.height * 0.5)
        place = page[top : top + tall, left : left + wide]
        place[:] = PORTRAIT
        cv2.ellipse(place, (wide // 2, tall), (wide * 42 // 100, tall * 34 // 100), 0, 180, 360, SHOULDERS, -1, cv2.LINE_AA)
        centre, axes = (wide // 2, tall * 42 // 100), (wide * 24 // 100, tall * 27 // 100)
        cv2.ellipse(place, centre, axes, 0, 0, 360, HEAD, -1, cv2.LINE_AA)

    def _text(self, page: Pixels, text: str, where: tuple[float, float, float], colour: Colour) -> None:
        """``where``: x, y and the height of a capital, in millimetres."""
        x, y, size = where
        scale = self.px(size) / 21  # a capital of this face is 21 pixels high
        place = (self.px(x), self.px(y))
        cv2.putText(page, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, max(1, self.px(0.2)), cv2.LINE_AA)

    def _print_zone(self, page: Pixels, ink: int | Colour) -> None:
        pitch = self.look.dpi / 10
        first = self.size.height - ZONE_MM + self.size.first
        for row, text in enumerate(self.mrz_lines[:3]):
            line = draw_line(_printable(text), height_px=pitch)
            upper = round(self.px(first + row * LINE_MM) - CELL_HEIGHT / PITCH * pitch / 2)
            left = self.px(self.size.left)
            place = page[upper : upper + line.shape[0], left : left + line.shape[1]]
            paper = line[: place.shape[0], : place.shape[1]].astype(np.uint16)
            for channel, dark in zip(np.atleast_3d(place).transpose(2, 0, 1), np.atleast_1d(ink).tolist(), strict=True):
                channel[:] = (channel * paper + dark * (255 - paper)) // 255


def _printable(text: str) -> str:
    """What a printer of zones makes of ``text``: unknown characters stay blank, and what is too long for any page is left out."""
    return "".join(char if char in SHAPES else " " for char in text[:60]) or " "


def _visual_texts(mrz_lines: tuple[str, ...]) -> tuple[str, ...]:
    """Texts for the visual zone, out of the machine readable one, whatever it says."""
    first, second, third = (*mrz_lines[:3], "", "", "")[:3]
    names, number = (third, first[5:14]) if third else (first[5:], second[:9])
    primary, _, secondary = names.partition("<<")
    texts = ("SPECIMEN", primary, secondary, number)
    return tuple("".join(c for c in text.replace("<", " ") if c.isascii() and c.isprintable())[:26] for text in texts)
