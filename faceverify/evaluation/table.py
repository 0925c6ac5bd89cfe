"""Reads a list of comparisons, strictly: what is missing, doubled or contradictory is refused with its line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from faceverify.evaluation.comparisons import MAX_COMPARISONS, Comparisons, Labels, both_sides, bounded, inside
from faceverify.evaluation.errors import EvaluationError

_REQUIRED = ("reference", "probe", "reference_subject", "probe_subject")
_KNOWN = (*_REQUIRED, "mated", "pai_species")
_MATED = {"1": True, "0": False, "true": True, "false": False, "": None}
_MAX_TEXT = 4096
"""Characters of one cell, the longest path that Linux takes."""

Row = dict[str, str]


def read_rows(path: Path, required: tuple[str, ...]) -> list[tuple[int, Row]]:
    """Line number and cells (stripped) of each line of a CSV file whose header has these columns. Raises EvaluationError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(path, header, required)
            return [(reader.line_num, _row(path, reader.line_num, header, cells)) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(f"{path}: {error}") from None


def _check_header(path: Path, header: list[str], required: tuple[str, ...]) -> None:
    if missing := [name for name in required if name not in header]:
        raise EvaluationError(f"{path}: the first line must name the columns; missing: {', '.join(missing)}")
    if len(set(header)) != len(header) or "" in header:
        raise EvaluationError(f"{path}: the first line names a column twice, or not at all")


def _row(path: Path, line: int, header: list[str], cells: list[str]) -> Row:
    if line > MAX_COMPARISONS:
        raise EvaluationError(f"{path}: more than {MAX_COMPARISONS} lines")
    if len(cells) != len(header):
        raise EvaluationError(f"{path}, line {line}: {len(cells)} cells, the first line has {len(header)}")
    if any(len(cell) > _MAX_TEXT or not cell.isprintable() for cell in cells):
        raise EvaluationError(f"{path}, line {line}: a cell is too long or not printable")
    return dict(zip(header, (cell.strip() for cell in cells), strict=True))


def read_table(path: Path) -> Comparisons:
    """Pictures are named relative to the list's folder. Raises EvaluationError."""
    lines = read_rows(path, _REQUIRED)
    pictures, pairs, species = _Pictures(path.parent), dict[tuple[int, int], int](), dict[int, str]()
    for line, row in lines:
        try:
            reference = pictures.add(row["reference"], row["reference_subject"], capture=False)
            pair = (reference, pictures.add(row["probe"], row["probe_subject"], capture=True))
            _check_pair(row, pair)
        except EvaluationError as error:
            raise EvaluationError(f"{path}, line {line}: {error}") from None
        if species.setdefault(pair[1], row.get("pai_species", "")) != row.get("pai_species", ""):
            raise EvaluationError(f"{path}, line {line}: {row['probe']!r} is of another pai_species above")
        if pairs.setdefault(pair, line) != line:
            raise EvaluationError(f"{path}, line {line}: the same comparison as in line {pairs[pair]}")
    both = np.array(list(pairs), np.int32).reshape(-1, 2)
    owner = Labels.of(list(pictures.owners.values()))
    rows = [row for _, row in lines]
    return Comparisons(
        root=path.parent,
        pictures=tuple(pictures.owners),
        subjects=owner.values,
        reference=both[:, 0],
        probe=both[:, 1],
        reference_subject=owner.codes[both[:, 0]],
        probe_subject=owner.codes[both[:, 1]],
        pai_species=bounded("pai_species", Labels.of([row.get("pai_species", "") for row in rows])),
        columns=_columns(rows),
    )


class _Pictures:
    """Numbers pictures in the order in which they come, whatever names they go by; each shows one subject."""

    def __init__(self, root: Path) -> None:
        self.owners: dict[str, str] = {}
        self._root = root
        self._numbers: dict[str, int] = {}
        self._names: dict[tuple[str, bool], str] = {}

    def add(self, name: str, subject: str, *, capture: bool) -> int:
        """Raises EvaluationError."""
        if not subject:
            raise EvaluationError(f"no subject is named for {name!r}")
        if (name, capture) not in self._names:
            self._names[name, capture] = inside(self._root, name, capture=capture)
        picture = self._names[name, capture]
        if self.owners.setdefault(picture, subject) != subject:
            raise EvaluationError(f"{name!r} shows {subject!r} here and {self.owners[picture]!r} before")
        return self._numbers.setdefault(picture, len(self._numbers))


def _check_pair(row: Row, pair: tuple[int, int]) -> None:
    if pair[0] == pair[1]:
        raise EvaluationError("a picture is compared with itself")
    said = row.get("mated", "").lower()
    if said not in _MATED:
        raise EvaluationError(f"mated is {said!r}, must be 1 or 0")
    if _MATED[said] not in {None, row["reference_subject"] == row["probe_subject"]}:
        raise EvaluationError("mated contradicts the subjects")


def _columns(rows: list[Row]) -> dict[str, Labels]:
    names = [name for name in (rows[0] if rows else ()) if name not in _KNOWN]
    columns: dict[str, Labels] = {}
    for name in names:
        _, _, bare = name.partition("_")
        sides = (f"reference_{bare}", f"probe_{bare}")
        if name in sides and set(sides) <= set(names):
            columns[bare] = both_sides(bare, *([row[side] for row in rows] for side in sides))
        else:
            columns[name] = bounded(name, Labels.of([row[name] for row in rows]))
    return columns
