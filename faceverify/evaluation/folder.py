"""Reads a folder with one folder a subject, each with pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faceverify.evaluation.comparisons import (
    MAX_COMPARISONS,
    SUBJECTS_FILE,
    SUFFIXES,
    Codes,
    Comparisons,
    Labels,
    both_sides,
    frames,
    inside,
)
from faceverify.evaluation.errors import EvaluationError
from faceverify.evaluation.table import read_rows


def read_folder(root: Path) -> Comparisons:
    """Subjects without a picture are left out; other files are no pictures and are passed over. Raises EvaluationError."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir())
    found = {name: pictures for name in folders if (pictures := _pictures(root, name))}
    subjects, counts = tuple(found), [len(pictures) for pictures in found.values()]
    owner = np.repeat(np.arange(len(subjects), dtype=np.int32), counts)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32) if counts else np.empty(0, np.int32)
    probes = np.setdiff1d(np.arange(owner.size, dtype=np.int32), first)
    if first.size * probes.size > MAX_COMPARISONS:
        raise EvaluationError(
            f"{root}: {first.size} references and {probes.size} probes are more than {MAX_COMPARISONS} comparisons"
        )
    reference, probe = np.repeat(first, probes.size), np.tile(probes, first.size)
    return Comparisons(
        root=root,
        pictures=tuple(name for pictures in found.values() for name in pictures),
        subjects=subjects,
        reference=reference,
        probe=probe,
        reference_subject=owner[reference],
        probe_subject=owner[probe],
        pai_species=Labels(values=("",), codes=np.zeros(reference.size, np.int32)),
        columns=_columns(root, subjects, owner[reference], owner[probe]),
    )


def _pictures(root: Path, subject: str) -> list[str]:
    """The first is a picture, the reference; others may be captures. None where there is no picture."""
    items = sorted((root / subject).iterdir())
    pictures = [item.name for item in items if item.suffix.lower() in SUFFIXES and not item.is_dir()]
    captures = [item.name for item in items if item.is_dir() and frames(item)]
    return [inside(root, f"{subject}/{name}", capture=True) for name in (*pictures, *captures)] if pictures else []


def _columns(root: Path, subjects: tuple[str, ...], reference: Codes, probe: Codes) -> dict[str, Labels]:
    path = root / SUBJECTS_FILE
    if not path.exists():
        return {}
    rows = [row for _, row in read_rows(path, ("subject",))]
    said = {row["subject"]: row for row in rows}
    if len(said) != len(rows):
        raise EvaluationError(f"{path}: a subject has two lines")
    if unknown := said.keys() - set(subjects):
        raise EvaluationError(f"{path}: no pictures of {', '.join(sorted(unknown)[:5])}")
    columns = {}
    for name in rows[0].keys() - {"subject"} if rows else ():
        texts = [said.get(subject, {}).get(name, "") for subject in subjects]
        columns[name] = both_sides(name, [texts[code] for code in reference], [texts[code] for code in probe])
    return dict(sorted(columns.items()))
