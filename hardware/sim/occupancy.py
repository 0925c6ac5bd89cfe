"""A simulated sensor over the lane that counts heads by their height, and who it is wrong about.

It looks down, measures the highest points it sees, and takes one for a person if it is tall enough and far enough from a taller one.
So it does what such sensors do: a child close behind a parent is one person with them, a suitcase with its handle out is a second.
Every figure in here is an assumption of this simulator and no manufacturer's; where one has a source, it stands there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal

from hardware.ports import Occupancy

Company = Literal["", "infant", "child", "wheelchair", "suitcase"]
"""Whom or what a traveller brings along: a carried infant, a child behind them, a wheelchair to sit in, a suitcase to pull."""

PERSONS: dict[Company, int] = {"": 1, "infant": 2, "child": 2, "wheelchair": 1, "suitcase": 1}
"""How many really are there, the traveller among them."""
LEAST_HEIGHT_M = 1.00
"""Less tall is no person to the sensor."""
APART_M = 0.30
"""Nearer to a taller head is part of it."""
HEIGHT_BLUR_M, PLACE_BLUR_M = 0.03, 0.02
"""How softly the two bounds are drawn: at three such lengths from one the sensor is 95 % sure of it."""
NOISE_M = 0.02
"""Standard deviation of each measured length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A highest point, in metres: over the floor, and from the traveller's head on the floor plan."""

    height: float
    away: float


def look(peaks: Iterable[Peak]) -> Occupancy:
    """What the sensor says of a traveller and these further ``peaks``."""
    count, confidence = 1, 1.0
    for peak in peaks:
        chance = _above(peak.height - LEAST_HEIGHT_M, HEIGHT_BLUR_M) * _above(peak.away - APART_M, PLACE_BLUR_M)
        count += chance >= 0.5
        confidence *= max(chance, 1 - chance)
    return Occupancy(count=count, confidence=confidence)


def seen(company: Company, dice: Random) -> Occupancy:
    """What the sensor says of one traveller with ``company``, who stand as they happen to, for as long as they are inside."""
    return look(
        Peak(height=dice.gauss(each.height, NOISE_M), away=dice.gauss(each.away, NOISE_M)) for each in _peaks(company, dice)
    )


def together(parties: Iterable[Occupancy]) -> Occupancy:
    """Of several travellers who keep a distance from one another: none is taken for another's."""
    told = list(parties)
    return Occupancy(count=sum(each.count for each in told), confidence=math.prod(each.confidence for each in told))


def _peaks(company: Company, dice: Random) -> tuple[Peak, ...]:
    """The further peaks that ``company`` makes."""
    match company:
        case "":
            return ()
        case "infant":  # on the arm or before the chest: its head is below and beside the parent's
            return (Peak(height=dice.uniform(1.20, 1.50), away=dice.uniform(0.10, 0.28)),)
        case "child":  # six to ten years: medians 1.16 and 1.38 m (WHO growth reference 2007, boys); as near as they walk
            return (Peak(height=dice.uniform(1.10, 1.40), away=dice.uniform(0.20, 0.60)),)
        case "wheelchair":  # its push handles
            return (Peak(height=dice.uniform(0.88, 0.98), away=dice.uniform(0.35, 0.50)),)
        case "suitcase":  # its handle is out in one of two cases
            height = dice.uniform(0.95, 1.08) if dice.random() < 0.5 else dice.uniform(0.55, 0.75)
            return (Peak(height=height, away=dice.uniform(0.35, 0.70)),)


def _above(by: float, blur: float) -> float:
    """The chance that a length that seems ``by`` above a bound is above it."""
    return 1 / (1 + math.exp(-by / blur))
