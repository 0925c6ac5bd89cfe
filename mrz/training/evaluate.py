"""How well a model reads whole lines of a held-out cut of the font: ``python -m mrz.training.evaluate MODEL.onnx``.

Plain reading, without check digits, grammar or several frames: what the model alone is worth. Other seeds than in training; the
surroundings too are new. Figures are per height of a capital in the captured picture.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from mrz.training import degrade, fonts, glyphs, lines, render

FONT = Path("/usr/share/fonts/opentype/ocr-b/OCRBS.otf")
"""The sharp cut of Debian's fonts-ocr-b."""
SEED = 990_001
"""Training seeds are small numbers."""
HEIGHTS = ((6, 8), (8, 10), (10, 14), (14, 26))
"""Pixels of a capital."""

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``error`` is edits per character, ``exact`` the share of lines without any, ``confusions`` what was most often taken for what."""

    lines: int
    characters: int
    error: float
    exact: float
    confusions: dict[str, int]


def samples(font: Path, heights: tuple[float, float], count: int, *, warp: float = 0.5, seed: int = SEED) -> list[render.Sample]:
    """Whole lines; ``text`` of each is the line."""
    base, around = fonts.distances(glyphs.load(font)), degrade.surroundings(seed)
    random, letters = np.random.default_rng([seed, int(heights[0])]), Random(f"{seed}/{heights}")
    recipe = render.Recipe(smallest=heights[0], largest=heights[1])
    made = []
    for number in range(count):
        if number % 8 == 0:
            relative = fonts.relative(base, random, warp=warp)
        made.append(render.sample(lines.line(letters), relative, around, recipe, random, whole=True))
    return made


def read(logits: NDArray[np.float32]) -> str:
    """Best path: runs of one class are one character, blanks part them."""
    best = logits.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=render.BLANK))
    return "".join(glyphs.ALPHABET[best[start]] for start in starts if best[start] != render.BLANK)


def score(predict: Predict, made: list[render.Sample]) -> Score:
    edits, exact, confusions = 0, 0, Counter[str]()
    for one in made:
        text = read(predict(one.image[np.newaxis, np.newaxis])[0])
        edits += distance(one.text, text)
        exact += text == one.text
        if len(text) == len(one.text):
            confusions.update(a + b for a, b in zip(one.text, text, strict=True) if a != b)
    characters = sum(len(one.text) for one in made)
    return Score(
        lines=len(made),
        characters=characters,
        error=edits / characters,
        exact=exact / len(made),
        confusions=dict(confusions.most_common(8)),
    )


def by_height(predict: Predict, font: Path, count: int) -> dict[str, Score]:
    """Scores for ``count`` lines of each height, printed as they come."""
    scores = {}
    for low, high in HEIGHTS:
        scores[f"{low}-{high} px"] = got = score(predict, samples(font, (low, high), count))
        print(f"{low:>2}-{high:<2} px  CER {got.error:7.3%}  exact {got.exact:6.1%}  {got.confusions}", flush=True)
    return scores


def distance(a: str, b: str) -> int:
    """Levenshtein's edit distance."""
    row = np.arange(len(b) + 1)
    steps = np.arange(len(b) + 1)
    there = np.frombuffer(b.encode(), np.uint8)
    for character in a.encode():
        changed = np.minimum(row[1:] + 1, row[:-1] + (there != character))
        row = np.minimum.accumulate(np.concatenate(([row[0] + 1], changed)) - steps) + steps
    return int(row[-1])


def main(arguments: list[str] | None = None) -> None:
    from mrz.training.export import predictor

    parser = argparse.ArgumentParser(prog="python -m mrz.training.evaluate", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--font", type=Path, default=FONT, help="a font, or the .npz of mrz.training.glyphs")
    parser.add_argument("--lines", type=int, default=400, help="lines for each height")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args(arguments)
    scores = by_height(predictor(options.model.read_bytes()), options.font, options.lines)
    if options.json:
        options.json.write_text(json.dumps({height: asdict(score) for height, score in scores.items()}, indent=1))


if __name__ == "__main__":
    main()
