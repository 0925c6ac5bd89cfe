"""Who is compared with whom: a list of comparisons (CSV), or a folder with one folder a subject.

The list has a header with ``reference, probe, reference_subject, probe_subject``. Optional are ``mated`` (``1`` or ``0``, must agree
with the subjects), ``pai_species`` (the probe is a presentation attack of that species; empty: bona fide), and any further column,
which sorts the comparisons: ``NAME`` says it of the comparison, ``reference_NAME`` and ``probe_NAME`` of each side, and comparisons
of unlike sides are sorted under ``different``.

In a folder the first picture of a subject (by name) is the reference, every other one a probe, and every probe is compared with
every reference, as at a gate, where a book holds one portrait. ``subjects.csv`` beside the folders may say more of the subjects.

A probe may be a folder too: its pictures are the frames of one capture, of which the best are fused as at a gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceverify.evaluation.errors import EvaluationError

Codes = NDArray[np.int32]

SUFFIXES = frozenset({".jpg", ".jpeg", ".jp2", ".j2k", ".png"})
SUBJECTS_FILE = "subjects.csv"
DIFFERENT = "different"
"""Of comparisons whose two sides are not alike in a column."""
MAX_COMPARISONS = 2_000_000
"""They are held in memory, about 200 bytes each."""
MAX_VALUES = 50
"""Values of one column: beyond them it is a measure, and bands are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """One value for each comparison: ``values[codes[i]]``. An empty value means that nothing was said."""

    values: tuple[str, ...]
    codes: Codes

    @classmethod
    def of(cls, texts: Sequence[str]) -> Labels:
        values = tuple(sorted(set(texts)))
        index = {value: code for code, value in enumerate(values)}
        return cls(values=values, codes=np.array([index[text] for text in texts], np.int32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """n comparisons. ``reference`` and ``probe`` index ``pictures`` (paths below ``root``), the subject codes ``subjects``."""

    root: Path
    pictures: tuple[str, ...]
    subjects: tuple[str, ...]
    reference: Codes
    probe: Codes
    reference_subject: Codes
    probe_subject: Codes
    pai_species: Labels
    columns: Mapping[str, Labels]

    def __len__(self) -> int:
        return int(self.reference.size)

    @property
    def mated(self) -> NDArray[np.bool_]:
        return np.equal(self.reference_subject, self.probe_subject)

    @property
    def bona_fide(self) -> NDArray[np.bool_]:
        """Comparisons of no presentation attack: those that FMR and FNMR are made of."""
        named = np.array([value == "" for value in self.pai_species.values], bool)
        return np.asarray(named[self.pai_species.codes], bool)


def read_comparisons(source: Path) -> Comparisons:
    """Read a list or a folder. Every picture exists below it; whether it can be read is found out later. Raises EvaluationError."""
    from faceverify.evaluation.folder import read_folder
    from faceverify.evaluation.table import read_table

    found = read_folder(source) if source.is_dir() else read_table(source)
    if not len(found):
        raise EvaluationError(f"{source}: no comparison; a list has a line for each, a folder two pictures of somebody")
    return found


def inside(root: Path, name: str, *, capture: bool = False) -> str:
    """The one true name of a file (or of a capture's folder) below ``root``, links followed.

    Raises EvaluationError where it lies elsewhere or nowhere.
    """
    try:
        base, path = root.resolve(), (root / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise EvaluationError(f"{name!r} does not exist below {root}") from None
    shown = frames(path) if capture and path.is_dir() else [path]
    if Path(name).is_absolute() or not all(item.resolve().is_relative_to(base) for item in [path, *shown]):
        raise EvaluationError(f"{name!r} lies outside {root}")
    if not shown or not all(item.is_file() for item in shown):
        raise EvaluationError(f"{name!r} is no picture")
    return path.relative_to(base).as_posix()


def frames(capture: Path) -> list[Path]:
    """The pictures in a capture's folder, by name."""
    return sorted(path for path in capture.iterdir() if path.suffix.lower() in SUFFIXES)


def both_sides(column: str, first: Sequence[str], second: Sequence[str]) -> Labels:
    """The value that both sides share, or :data:`DIFFERENT`. Raises EvaluationError where there are too many."""
    shared = [a if a == b else DIFFERENT for a, b in zip(first, second, strict=True)]
    return bounded(column, Labels.of(shared))


def bounded(column: str, labels: Labels) -> Labels:
    if len(labels.values) > MAX_VALUES:
        raise EvaluationError(
            f"column {column!r} has {len(labels.values)} values, at most {MAX_VALUES} are sorted by: make bands"
        )
    return labels
