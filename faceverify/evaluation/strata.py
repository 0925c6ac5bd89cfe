"""Sorts comparisons by what was said of them: by the values of a column, or of several crossed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceverify.evaluation.comparisons import DIFFERENT, Comparisons, Labels
from faceverify.evaluation.errors import EvaluationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """``members``: a flag for each comparison. ``alike``: both sides share the value, so that it can be a hard stratum."""

    column: str
    value: str
    alike: bool
    members: NDArray[np.bool_] = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.column} = {self.value or 'not stated'}" if self.column else self.value


def pool(comparisons: Comparisons) -> Stratum:
    return Stratum(column="", value="all", alike=True, members=np.ones(len(comparisons), bool))


def strata(comparisons: Comparisons, cross: Sequence[str] = ()) -> tuple[Stratum, ...]:
    """The values of every column, then those of the columns in ``cross`` taken together. Raises EvaluationError."""
    if unknown := set(cross) - set(comparisons.columns):
        raise EvaluationError(f"no column {', '.join(sorted(unknown))}; there are: {', '.join(comparisons.columns) or 'none'}")
    found = [stratum for name, labels in comparisons.columns.items() for stratum in _values(name, labels)]
    if len(set(cross)) > 1:
        found += _values(" × ".join(cross), _crossed([comparisons.columns[name] for name in cross]))
    return tuple(found)


def _values(column: str, labels: Labels) -> Iterable[Stratum]:
    codes = sorted(range(len(labels.values)), key=lambda code: labels.values[code] == DIFFERENT)  # these last
    for code in codes:
        value = labels.values[code]
        yield Stratum(column=column, value=value, alike=value != DIFFERENT, members=np.equal(labels.codes, code))


def _crossed(columns: Sequence[Labels]) -> Labels:
    """Comparisons that differ in any of the columns are different."""
    rows = zip(*(labels.codes.tolist() for labels in columns), strict=True)
    names: dict[tuple[int, ...], str] = {}

    def name(row: tuple[int, ...]) -> str:
        if row not in names:
            values = [labels.values[code] for labels, code in zip(columns, row, strict=True)]
            names[row] = DIFFERENT if DIFFERENT in values else ", ".join(value or "not stated" for value in values)
        return names[row]

    return Labels.of([name(row) for row in rows])
