"""From the model's columns to characters on a grid: the zone's constant pitch says how many characters there are, and where.

Nothing is known here of layouts or check digits, and no character is likelier than another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrz.recognise import BLANK, LogProbabilities
from mrz.strips import STRIDE

Vector = NDArray[np.float64]

FEWEST = 12
"""Characters that must be seen before a pitch is believed."""
OFF_GRID = 0.3
"""Of the pitch. What stands further from its place is no character of the line: clutter, or half of a broken one."""
PITCH = (2.6, 7.0)
"""Model columns from one character to the next: OCR-B has 5.2 at the height that strips have, set narrowly 3.6."""
CORE = 0.3
"""Of the pitch: a character's columns. The model is trained to name it within 0.25 and to see none beyond 0.33."""
BESIDE = 3
"""Places beside a zone. One that is not the next may seem taken by a rule or the page's edge."""
SURE = 4.0
"""Log-odds. One cell says no more than this for or against a line's place on the grid, so that a spot of glare decides nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """A line on its grid: for each place ``characters`` [n, 37] (log-probabilities, given that there is a character),
    ``presence`` [n] (log-odds that there is one) and ``columns`` [n + 1] (the strip's columns where places begin and end).
    """

    characters: Vector
    presence: Vector
    columns: Vector
    irregularity: float
    """Root mean square of the distances of characters from their places, in pitches."""

    @property
    def pitch(self) -> float:
        """Columns from one character to the next, in the middle of the line."""
        return float((self.columns[-1] - self.columns[0]) / (len(self.columns) - 1))

    def window(self, length: int) -> tuple[int, float]:
        """The place where a line of ``length`` characters most likely begins, and how likely it is: the mean log-odds over all
        places that those inside are taken and those outside empty. The place is negative where the line begins before the strip.
        """
        sure = np.clip(self.presence, -SURE, SURE)
        before = np.concatenate(([0.0], np.cumsum(sure)))
        starts = np.arange(min(0, len(sure) - length), max(0, len(sure) - length) + 1)
        inside = before[np.minimum(starts + length, len(sure))] - before[np.maximum(starts, 0)]
        best = int(inside.argmax())
        return int(starts[best]), float(2 * inside[best] - before[-1]) / max(length, len(sure))

    def runs_on(self, start: int, length: int) -> bool:
        """Whether characters go on beside the window: at the place next to it, or at most of the next :data:`BESIDE`, at either end."""
        sides = self.presence[max(0, start - BESIDE) : max(0, start)][::-1], self.presence[start + length :][:BESIDE]
        return any(bool((side[:1] > 0).any()) or int((side > 0).sum()) > BESIDE / 2 for side in sides)

    def cut(self, start: int, length: int) -> Vector:
        """The characters [length, 37] from ``start`` on; evenly unsure where the line has left the strip."""
        places = np.full((length, BLANK), -np.log(BLANK))
        inside = range(max(start, 0), min(start + length, len(self.characters)))
        places[inside.start - start : inside.stop - start] = self.characters[inside.start : inside.stop]
        return places

    def seen(self, start: int, length: int) -> Vector:
        """The presence [length] from ``start`` on; no character where the line has left the strip."""
        places = np.full(length, -SURE)
        inside = range(max(start, 0), min(start + length, len(self.presence)))
        places[inside.start - start : inside.stop - start] = self.presence[inside.start : inside.stop]
        return places


def cells(columns: LogProbabilities) -> Cells | None:
    """The grid of a line, None where too few characters stand on one."""
    centres, weights = _peaks(columns)
    if len(centres) < FEWEST:
        return None
    fit = _grid(centres, weights)
    if fit is None:
        return None
    curve, irregularity = fit
    first, last = _range(curve, len(columns))
    if last - first < FEWEST:
        return None
    middles = np.asarray(np.polyval(curve, np.arange(first, last + 1)), np.float64)
    edges = np.asarray(np.polyval(curve, np.arange(first, last + 2) - 0.5), np.float64)
    values = _sampled(columns, middles, np.diff(edges))
    inside = np.log(np.exp(values[:, :BLANK]).sum(axis=1))
    return Cells(
        characters=values[:, :BLANK] - inside[:, None],
        presence=inside - values[:, BLANK],
        columns=(edges + 0.5) * STRIDE - 0.5,
        irregularity=irregularity,
    )


def _sampled(columns: LogProbabilities, middles: Vector, pitches: Vector) -> Vector:
    """What the columns around each middle say, the nearest most."""
    around = np.rint(middles).astype(np.intp)[:, None] + np.arange(-2, 3)
    distances = np.abs(around - middles[:, None]) / pitches[:, None]
    weights = np.maximum(1 - distances / CORE, 1e-6 * (np.arange(-2, 3) == 0)) * ((around >= 0) & (around < len(columns)))
    weights /= weights.sum(axis=1, keepdims=True)
    taken = columns[np.clip(around, 0, len(columns) - 1)].astype(np.float64)
    return np.asarray((weights[:, :, None] * taken).sum(axis=1))


def _peaks(columns: LogProbabilities) -> tuple[Vector, Vector]:
    """Centres, in model columns, of runs of one character, and how much of a character each is."""
    best = columns.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    inked = 1 - np.exp(columns[:, BLANK].astype(np.float64))
    weights = np.add.reduceat(inked, starts)
    centres = np.add.reduceat(inked * np.arange(len(inked)), starts) / np.maximum(weights, 1e-9)
    characters = best[starts] != BLANK
    return centres[characters], weights[characters]


def _grid(centres: Vector, weights: Vector) -> tuple[Vector, float] | None:
    """The centre of place n as a polynomial in n, and the irregularity; None where the characters stand on no grid."""
    pitch = float(np.median(centres[1:] - centres[:-1]))
    if not PITCH[0] <= pitch <= PITCH[1]:
        return None
    kept = [0]
    for n in range(1, len(centres)):
        if centres[n] - centres[kept[-1]] >= 0.55 * pitch:
            kept.append(n)
        elif weights[n] > weights[kept[-1]]:
            kept[-1] = n
    centres = centres[kept]
    places = np.concatenate(([0], np.cumsum(np.maximum(1, np.round(np.diff(centres) / pitch)))))
    powers = np.vander(places, 3)
    used = np.ones(len(centres), bool)
    for _ in range(3):
        if used.sum() < FEWEST:
            return None
        rows = powers[used].T
        curve = np.linalg.solve(rows @ rows.T, rows @ centres[used])  # least squares
        off = np.abs(centres - powers @ curve) / pitch
        fitted, used = used, off < OFF_GRID
        if (fitted == used).all():
            break
    return curve, float(np.sqrt(np.mean(off[used] ** 2))) if used.any() else 1.0


def _range(curve: Vector, columns: int) -> tuple[int, int]:
    """The first and the last place whose centre lies in the strip, as far as the curve runs forward."""
    places = np.arange(-60, 120)
    middles = np.polyval(curve, places)
    forward = 2 * curve[0] * places > -0.75 * curve[1]  # a quarter of the pitch at place 0, or more
    inside = places[(middles >= 0) & (middles <= columns - 1) & forward]
    return (int(inside[0]), int(inside[-1])) if len(inside) else (0, 0)
