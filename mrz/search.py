"""From a line of print to a zone: read the line, and if it stands on a zone's grid, the lines beside it too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np

from mrz import accept
from mrz.decode import FEWEST, cells
from mrz.formats import FORMATS
from mrz.locate import Grey, Ink, TextLine, across, along, fit_line, neighbours
from mrz.recognise import ALPHABET, LineModel
from mrz.strips import CAPITAL, Cut, cut
from mrz.zone import ReadLine, Zone

SHAPES = tuple(sorted({(form.lines, form.length) for form in FORMATS.values()}))
"""Lines, and characters in each, that a zone may have."""
LENGTHS = sorted({length for _, length in SHAPES})
ON_GRID = 0.16
"""Pitches (root mean square) by which characters may miss their places. Printed zones stay below 0.1; ordinary type has 0.2 and more."""
OFF_GRID = 0.22
"""The same, beyond which a line is given up without reading it from its other end."""
PLACED = 1.0
"""Mean log-odds that a line's places are taken and those around it empty."""
LIKELY = -0.9
"""Mean log-probability of a line's likeliest characters."""
PLAUSIBLE = -0.5
"""Mean log-probability of the likeliest characters that may stand in their places: text that is upside down, or that is no zone,
has letters among the dates and is far below.
"""
WEIGHT = 4.0
"""Of the plausibility against the places' log-odds where zones are compared."""
FILLERS = 2
"""Fillers from which a line is read the right way up: nothing upside down looks like one."""
CERTAIN = -0.02
"""Mean log-probability of a line's likeliest characters, above which it is read the right way up: upside down the best have -0.04."""
ALIGNED = 0.6
"""Pitches by which the lines of a zone may begin apart."""
LONGER = 16
"""Characters by which a line is followed where it runs on at the end of its strip."""


class Search:
    """For zones among the lines of one frame. ``recognising`` counts the seconds spent in the model, ``on_grid`` the lines that
    stood on a zone's grid, whatever they said.
    """

    def __init__(self, frame: Grey, found: Ink, model: LineModel) -> None:
        self.frame, self.found, self._model = frame, found, model
        self.recognising, self.on_grid = 0.0, list[TextLine]()

    def close(self) -> None:
        """Overwrite the working image: portraits have dark strokes, too."""
        self.found.strokes.fill(0)

    def zone(self, line: TextLine) -> Zone | None:
        """The zone that ``line`` is one of. A line without fillers is read in both directions, for characters upside down look like
        others; the better is followed first, the other only where that leads to no plausible zone.
        """
        fitted = fit_line(self.found, line)
        if fitted is None:
            return None
        strip = cut(self.frame, fitted, self.found.scale)
        best: Zone | None = None
        if _edges(strip) < 2 * FEWEST:
            return None
        seeds = self._read([strip])
        if not seeds or seeds[0].cells.irregularity > OFF_GRID:
            return None  # characters that stand on no grid do not do so upside down either
        fillers, likely = _fillers(seeds[0]), _likely(seeds[0])
        if fillers < FILLERS and LIKELY < likely < CERTAIN:
            seeds = sorted((*seeds, *self._read([strip.turned()])), key=_upright, reverse=True)
        for seed in seeds:
            whole = self._whole(seed)
            if not _may_belong(whole):
                continue
            self.on_grid.append(line)
            zone = self._around(whole)
            if zone is not None and (best is None or zone.worth > best.worth):
                best = zone
            if best is not None and best.plausible:
                break
        return best

    def mirrored(self) -> Search:
        """A search of the frame as a mirror shows it."""
        frame = np.ascontiguousarray(self.frame[:, ::-1])
        return Search(frame, Ink(strokes=np.ascontiguousarray(self.found.strokes[:, ::-1]), scale=self.found.scale), self._model)

    def _whole(self, seed: ReadLine) -> ReadLine:
        """``seed`` read anew where it runs on at the end of its strip: its joined strokes were broken by glare or a stain."""
        for _ in range(2):
            before, after = (LONGER if (end > 0).any() else 0 for end in (seed.cells.presence[:2], seed.cells.presence[-2:]))
            if (not before and not after) or len(seed.cells.presence) > LENGTHS[-1] + 4 or seed.cells.irregularity > ON_GRID:
                return seed
            line, pitch = seed.strip.line, seed.pitch()
            longer = line.moved(-before * pitch, line.length + after * pitch)
            again = self._read(
                [cut(self.frame, fit_line(self.found, longer) or longer, self.found.scale, capital=_capital(seed))]
            )
            if not again:
                return seed
            seed = again[0]
        return seed

    def _around(self, seed: ReadLine) -> Zone | None:
        """The likeliest zone among ``seed`` and the lines beside it."""
        level, pitch = seed.placed(*_placed(seed)), seed.pitch()
        beside = neighbours(self.found, level, pitch)
        if not beside:
            return None
        others = self._read([cut(self.frame, line, self.found.scale, capital=_capital(seed)) for line in beside])
        stack = sorted((seed, *others), key=lambda line: across(level, line.strip.line))
        zones = (self._zone(run, length) for run, length in _runs(stack, stack.index(seed)) if not _goes_on(stack, run, length))
        return max((zone for zone in zones if zone is not None), key=lambda zone: zone.worth, default=None)

    def _zone(self, run: Sequence[ReadLine], length: int) -> Zone | None:
        windows = [line.cells.window(length) for line in run]
        lines = tuple(line.placed(start, length) for line, (start, _) in zip(run, windows, strict=True))
        pitch = float(np.mean([line.pitch() for line in run]))
        begins = [along(lines[0], line.start) for line in lines]
        placed = float(np.mean([score for _, score in windows]))
        if max(begins) - min(begins) > ALIGNED * pitch or placed < PLACED:
            return None
        if any(line.cells.runs_on(start, length) for line, (start, _) in zip(run, windows, strict=True)):
            return None  # a longer format's line, of which the rest would be lost
        starts = [(line.cells, start) for line, (start, _) in zip(run, windows, strict=True)]
        characters = np.stack([each.cut(start, length) for each, start in starts])
        plausibility = accept.plausibility(characters)
        return Zone(
            characters=characters,
            presence=np.stack([each.seen(start, length) for each, start in starts]),
            lines=lines,
            pitch=pitch,
            scale=self.found.scale,
            worth=placed + WEIGHT * plausibility,
            plausible=plausibility > PLAUSIBLE,
        )

    def _read(self, strips: Sequence[Cut]) -> list[ReadLine]:
        """The strips in which characters stand on a grid."""
        started = perf_counter()
        columns = self._model.read([strip.pixels for strip in strips])
        self.recognising += perf_counter() - started
        grids = [cells(each) for each in columns]
        return [ReadLine(strip=strip, cells=grid) for strip, grid in zip(strips, grids, strict=True) if grid is not None]


def _edges(strip: Cut) -> int:
    """Changes between ink and paper along the row that has most of them: a rule or the edge of a page has few, print two a stroke."""
    return int(np.count_nonzero(np.diff(strip.pixels > 0, axis=1), axis=1).max())


def _capital(line: ReadLine) -> float:
    return line.strip.step * CAPITAL


def _runs(stack: Sequence[ReadLine], seed: int) -> Iterator[tuple[Sequence[ReadLine], int]]:
    """Neighbouring lines, the seed among them, as many as a format has; and the length of that format's lines."""
    for count, length in SHAPES:
        for first in range(max(0, seed - count + 1), min(seed, len(stack) - count) + 1):
            yield stack[first : first + count], length


def _goes_on(stack: Sequence[ReadLine], run: Sequence[ReadLine], length: int) -> bool:
    """Whether a line above or below ``run`` stands on its grid and is as long: no zone has more lines than its format, so which of them
    are one is not for a reader to say.
    """
    first = run[0].placed(run[0].cells.window(length)[0], length)
    for line in stack:
        if any(line is each for each in run):
            continue
        start, placed = line.cells.window(length)
        aside = abs(along(first, line.placed(start, length).start))
        if placed > PLACED and aside < ALIGNED * line.pitch() and line.cells.irregularity < ON_GRID:
            return True
    return False


def _placed(line: ReadLine) -> tuple[int, int]:
    """Where the line begins and how many characters it has, of the lengths that there are."""
    windows = [(*line.cells.window(length), length) for length in LENGTHS]
    start, _, length = max(windows, key=lambda window: window[1])
    return start, length


def _upright(line: ReadLine) -> float:
    """Fillers stand in almost every line, and nothing upside down looks like one; else the surer direction."""
    return _fillers(line) + _likely(line)


def _fillers(line: ReadLine) -> int:
    return int((line.cells.characters[line.cells.presence > 0].argmax(axis=1) == ALPHABET.index("<")).sum())


def _likely(line: ReadLine) -> float:
    """Mean log-probability of the likeliest characters where there are any."""
    likeliest = line.cells.characters[line.cells.presence > 0].max(axis=1)
    return float(likeliest.mean()) if len(likeliest) else -np.inf


def _may_belong(line: ReadLine) -> bool:
    start, length = _placed(line)
    likely = float(line.cells.cut(start, length).max(axis=1).mean())
    return line.cells.irregularity < ON_GRID and line.cells.window(length)[1] > PLACED and likely > LIKELY
