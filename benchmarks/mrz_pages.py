"""Pretend data pages, drawn flat: paper with its patterns, a drawn portrait, the visual zone and the machine readable zone.

Shares no code with what the recogniser is trained on. Characters come from the centre lines of ``hardware.sim.ocr_b`` or from glyph
bitmaps (``python -m mrz.training.glyphs --font FILE OUT.npz``) of a font that was kept out of the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.mrz_contents import Zone
from hardware.sim import ocr_b

Pixels = NDArray[np.uint8]
Dice = np.random.Generator

SIZES = {"TD1": (85.6, 54.0), "TD2": (105.0, 74.0), "TD3": (125.0, 88.0), "MRV-A": (120.0, 80.0), "MRV-B": (105.0, 74.0)}
"""Width and height in millimetres (Doc 9303-4 to -7)."""
PITCH_MM, SPACING_MM, CARD_SPACING_MM = 2.54, 6.35, 4.3
"""From character to character (Doc 9303-3 §4.4); from line to line of two, and of three on a card."""
LEFT_MM, LOWEST_MM = 6.0, 9.6
"""The zone's left edge, and the middle of its lowest line above the lower edge of the page."""
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
TEXTURES, TEXTURE_SIZE = 12, (1200, 1600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """``pixels`` BGR or grey at ``dpi``; ``zone``: the corners of the machine readable zone's box in pixels, [4, 2], or none;
    ``above``: so many rows at the top belong to the page before in the book.
    """

    pixels: Pixels
    dpi: int
    zone: NDArray[np.float32] | None = None
    above: int = 0


class Glyphs:
    """The 37 characters as tiles of ink (255) on nothing, ``pitch`` pixels apart."""

    def __init__(self, pitch: int, *, stroke: int = ocr_b.STROKE, bitmaps: Path | None = None) -> None:
        self.pitch, self.height = pitch, round(pitch * 1.7)
        self._tiles = _from_bitmaps(bitmaps, pitch, self.height) if bitmaps else {}
        self._stroke = stroke

    def tile(self, character: str) -> Pixels:
        if character not in self._tiles:
            drawn = 255 - ocr_b.glyph(character, self._stroke)
            scaled = cv2.resize(
                drawn, (self.pitch, round(ocr_b.CELL_HEIGHT / ocr_b.PITCH * self.pitch)), interpolation=cv2.INTER_AREA
            )
            self._tiles[character] = _centred(scaled.astype(np.uint8), self.height, self.pitch)
        return self._tiles[character]

    def line(self, text: str) -> Pixels:
        """The line's ink, characters in the middle of its height."""
        return np.hstack([self.tile(character) for character in text])


def _from_bitmaps(path: Path, pitch: int, height: int) -> dict[str, Pixels]:
    with np.load(path, allow_pickle=False) as held:
        scale = pitch / int(held["advance"])
        size = (round(held["bitmaps"].shape[2] * scale), round(held["bitmaps"].shape[1] * scale))
        scaled = [np.asarray(cv2.resize(bitmap, size, interpolation=cv2.INTER_AREA), np.uint8) for bitmap in held["bitmaps"]]
        return {character: _centred(tile, height, pitch) for character, tile in zip(str(held["alphabet"]), scaled, strict=True)}


def _centred(tile: Pixels, height: int, width: int) -> Pixels:
    """``tile`` cut or padded about its middle."""
    top, left = (tile.shape[0] - height) // 2, (tile.shape[1] - width) // 2
    if top < 0 or left < 0:
        tile = np.pad(tile, ((max(0, -top), height), (max(0, -left), width)))
        top, left = max(0, top), max(0, left)
    return tile[top : top + height, left : left + width]


@lru_cache(maxsize=16)
def glyphs(pitch: int, stroke: int, bitmaps: Path | None = None) -> Glyphs:
    """Made once for each size, width of stroke and font."""
    return Glyphs(pitch, stroke=stroke, bitmaps=bitmaps)


@lru_cache(maxsize=TEXTURES)
def texture(number: int) -> Pixels:
    """A pattern about 128 ± 127 in three channels, [1200, 1600, 3]: waves that cross (guilloche), rosettes, clouds, a weave."""
    dice = np.random.default_rng([20_260, number])
    y, x = (axis / 50 for axis in np.mgrid[0 : TEXTURE_SIZE[0] // 2, 0 : TEXTURE_SIZE[1] // 2].astype(np.float32))
    planes = []
    for _ in range(3):
        a, b, c, d = dice.uniform(-2, 2, 4)
        match number % 4:
            case 0:
                plane = np.sin(2 * np.pi * dice.uniform(4, 12) * (y + 0.3 * np.sin(a * x + b) + 0.2 * np.sin(c * x * 2)))
            case 1:
                r, angle = np.hypot(x - 8 - a, y - 6 - b), np.arctan2(y - 6 - b, x - 8 - a)
                plane = np.sin(2 * np.pi * dice.uniform(3, 9) * r * (1 + 0.1 * np.sin(dice.integers(3, 13) * angle)))
            case 2:
                coarse = dice.normal(0, 0.6, (*dice.integers(5, 60, 2),)).astype(np.float32)
                plane = cv2.resize(coarse, x.shape[::-1], interpolation=cv2.INTER_CUBIC)
            case _:
                plane = np.sin(2 * np.pi * dice.uniform(5, 14) * (x + a * y)) * np.sin(
                    2 * np.pi * dice.uniform(5, 14) * (y + d * x)
                )
        planes.append(128 + 127 * np.clip(plane, -1, 1))
    drawn = np.stack(planes, axis=-1).astype(np.uint8)
    return np.asarray(cv2.resize(drawn, TEXTURE_SIZE[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def patterned(base: Pixels, amplitude: float, dice: Dice) -> Pixels:
    """``base`` (BGR) with ± ``amplitude`` grey levels of some texture on it."""
    held, (height, width) = texture(int(dice.integers(TEXTURES))), base.shape[:2]
    if held.shape[0] < height or held.shape[1] < width:
        held = np.asarray(cv2.resize(held, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    top, left = (int(dice.integers(room + 1)) for room in (held.shape[0] - height, held.shape[1] - width))
    part = amplitude / 127
    return np.asarray(cv2.addWeighted(base, 1, held[top : top + height, left : left + width], part, -128 * part), np.uint8)


def data_page(zone: Zone, dice: Dice, *, dpi: int, infrared: bool = False, bitmaps: Path | None = None) -> Page:
    """The page of a document with ``zone`` on it. In infrared only what is to be read by machines is dark (Doc 9303-3 §4.11)."""
    mm = dpi / 25.4
    width, height = SIZES[zone.format]
    page = paper(round(width * mm), round(height * mm), dice, infrared=infrared)
    ink = glyphs(round(PITCH_MM * mm), int(dice.choice((27, 31, 35, 35, 39, 43))), bitmaps)
    spacing = (CARD_SPACING_MM if len(zone.lines) == 3 else SPACING_MM) * mm
    lowest = page.shape[0] - LOWEST_MM * mm + (SPACING_MM * mm - spacing) / 2 + dice.normal(0, 0.4) * mm
    left = round((LEFT_MM if zone.format != "TD1" else 4.3) * mm + dice.normal(0, 0.4) * mm)
    top = round(lowest - (len(zone.lines) - 0.5) * spacing)
    visual_zone(page, dice, mm, room=max(1, top), infrared=infrared, ink=ink)
    layer = np.zeros(page.shape[:2], np.uint8)
    for number, line in enumerate(reversed(zone.lines)):
        stamp(layer, ink.line(line), left, round(lowest - number * spacing - ink.height / 2))
    printed(page, layer, dice)
    right, bottom = left + len(zone.lines[0]) * ink.pitch, round(lowest + spacing / 2)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    return Page(pixels=page, dpi=dpi, zone=corners)


def paper(width: int, height: int, dice: Dice, *, infrared: bool = False) -> Pixels:
    """Light paper, tinted from side to side, with one or two patterns on it."""
    light = dice.uniform(205, 245) if infrared else dice.uniform(175, 245)
    tint = 0 if infrared else dice.uniform(-22, 22, (2, 3, 3))
    corners = np.clip(light + tint + np.zeros((2, 3, 3)), 0, 255).astype(np.uint8)
    page = np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    for _ in range(dice.integers(1, 3)):
        page = patterned(page, dice.uniform(0, 3) if infrared else dice.uniform(2, 16), dice)
    return page


def visual_zone(page: Pixels, dice: Dice, mm: float, *, room: int, infrared: bool, ink: Glyphs) -> None:
    """Portrait, headings and fields above the machine readable zone, in ``room`` pixels from the top."""
    width = page.shape[1]
    tone = (150, 205) if infrared else (20, 90)
    portrait(page[round(room * 0.2) : round(room * 0.95), round(4 * mm) : round(width * 0.31)], dice, faint=infrared)
    for _ in range(dice.integers(6, 16)):
        place = (round(dice.uniform(0.33, 0.8) * width), round(dice.uniform(0.08, 0.97) * room))
        text = "".join(dice.choice(list("AaBeEilmMnoOrRsStT <0123456789/"), dice.integers(3, 22)))
        colour = (float(dice.uniform(*tone)),) * 3
        scale = float(dice.uniform(0.02, 0.055) * mm)
        cv2.putText(page, text, place, FONTS[dice.integers(len(FONTS))], scale, colour, max(1, round(0.12 * mm)), cv2.LINE_AA)
    if dice.random() < 0.5:  # the document number, printed in the zone's own font
        layer = np.zeros(page.shape[:2], np.uint8)
        number = "".join(dice.choice(list("ABCDEFGHKLMNPRTXZ0123456789"), 9))
        stamp(layer, ink.line(number), round(width * 0.6), round(room * 0.08))
        printed(page, layer, dice)


def portrait(area: Pixels, dice: Dice, *, faint: bool) -> None:
    """A drawn head with shoulders; nobody's."""
    height, width = area.shape[:2]
    if min(height, width) < 8:
        return
    skin, hair, cloth = (
        [int(v) for v in dice.integers(low, low + 60, 3)] for low in ((150, 30, 60) if not faint else (190, 150, 170))
    )
    cv2.ellipse(area, (width // 2, height), (round(width * 0.45), round(height * 0.28)), 0, 180, 360, cloth, -1, cv2.LINE_AA)
    cv2.ellipse(
        area, (width // 2, round(height * 0.4)), (round(width * 0.29), round(height * 0.33)), 0, 0, 360, hair, -1, cv2.LINE_AA
    )
    cv2.ellipse(
        area, (width // 2, round(height * 0.45)), (round(width * 0.22), round(height * 0.29)), 0, 0, 360, skin, -1, cv2.LINE_AA
    )
    for side in (-1, 1):
        eye = (width // 2 + side * round(width * 0.09), round(height * 0.41))
        cv2.circle(area, eye, max(1, round(width * 0.025)), hair, -1, cv2.LINE_AA)


def stamp(layer: Pixels, ink: Pixels, left: int, top: int) -> None:
    """Lay ``ink`` onto ``layer``; what stands over the edge is lost."""
    top, left = max(0, top), max(0, left)
    place = layer[top : top + ink.shape[0], left : left + ink.shape[1]]
    np.maximum(place, ink[: place.shape[0], : place.shape[1]], out=place)


def printed(page: Pixels, layer: Pixels, dice: Dice) -> None:
    """Print ``layer`` on ``page``: laser, ink jet or thermal transfer, more or less well."""
    rows, columns = np.flatnonzero(layer.any(axis=1)), np.flatnonzero(layer.any(axis=0))
    if not rows.size:
        return
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    ink = cv2.GaussianBlur(layer[box], (0, 0), dice.uniform(0.3, 0.9)).astype(np.float32) / 255
    ink = np.clip((ink - 0.5) * dice.uniform(1.0, 2.2) + 0.5 + dice.uniform(-0.12, 0.12), 0, 1) * (ink > 0.02)
    height, width = ink.shape
    if dice.random() < 0.3:  # patches where it failed
        coarse = dice.uniform(0.55, 1.0, (*dice.integers(3, 12, 2),)).astype(np.float32)
        ink *= cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    if dice.random() < 0.12:  # a row of the print head that is clogged
        ink[:: int(dice.integers(9, 23))] *= np.float32(dice.uniform(0.3, 0.8))
    ink *= np.float32(dice.uniform(0.75, 1.0))
    dark = np.float32(dice.uniform(5, 70))
    page[box] = (page[box] * (1 - ink[..., None]) + dark * ink[..., None]).astype(np.uint8)
