"""What an evaluation leaves behind: ``report.json``, ``scores.csv`` (from which a threshold may be set) and ``pictures.csv``.

No pixel and no feature is written. The names of pictures and subjects are the operator's own: he should name no person by them.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from faceverify.description import Pack
from faceverify.evaluation.calibrate import Refused, Setting, Shortage
from faceverify.evaluation.comparisons import Codes, Comparisons, Labels
from faceverify.evaluation.errors import EvaluationError
from faceverify.evaluation.rates import Rate, Values
from faceverify.evaluation.results import Results
from faceverify.evaluation.run import Run, Taken
from faceverify.evaluation.table import read_rows

FORMAT = 1
REPORT, SCORES, PICTURES = "report.json", "scores.csv", "pictures.csv"
_FIXED = ("reference", "probe", "reference_subject", "probe_subject", "pai_species", "score")


def write_record(folder: Path, run: Run, results: Results) -> None:
    """Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = _scores(run).encode()
    (folder / SCORES).write_bytes(scores)
    (folder / PICTURES).write_text(_pictures(run), encoding="utf-8", newline="")
    document = {"format": FORMAT, "scores_sha256": hashlib.sha256(scores).hexdigest(), **plain(results)}
    (folder / REPORT).write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """As JSON has it. What is not a finite number becomes null."""
    match value:
        case Pack():
            return _pack(value)
        case Rate():
            said = {"rate": value.value, "interval": value.interval, "at_most": value.at_most, "resampled": value.resampled}
            return plain({"errors": value.errors, "trials": value.trials, **said})
        case Setting():
            return plain({"supported": True, "fmr": value.fmr, **_fields(value)})
        case Refused():
            return plain({"supported": False, **_fields(value)})
        case Shortage():
            return plain({"why": value.why, **_fields(value)})
        case float():
            return value if math.isfinite(value) else None
        case np.ndarray():
            return plain(value.tolist())
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return plain(_fields(value)) if dataclasses.is_dataclass(value) else value


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _pack(pack: Pack) -> dict[str, Any]:
    nets = {net.file: {"sha256": net.sha256, "licence": net.licence} for net in pack.nets}
    threshold = plain(pack.threshold) if pack.threshold else None
    named = {"id": pack.id, "title": pack.title, "sha256": pack.sha256}
    return {**named, "permitted_use": pack.permitted_use, "licence": pack.licence, "nets": nets, "threshold": threshold}


def _scores(run: Run) -> str:
    listed = run.comparisons
    names = [listed.pictures[code] for code in range(len(listed.pictures))]
    labels = [listed.pai_species, *listed.columns.values()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_FIXED[:5], *listed.columns, "score"])
    codes = (listed.reference, listed.probe, listed.reference_subject, listed.probe_subject)
    for index, row in enumerate(zip(*(array.tolist() for array in codes), strict=True)):
        said = [label.values[label.codes[index]] for label in labels]
        score = run.scores[index]
        sides = (names[row[0]], names[row[1]], listed.subjects[row[2]], listed.subjects[row[3]])
        writer.writerow([*sides, *said, f"{score:.6f}" if math.isfinite(score) else ""])
    return text.getvalue()


def _pictures(run: Run) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["role", "picture", "outcome", "quality", "pad_score"])
    for role, taken in (("reference", run.references), ("probe", run.probes)):
        for picture in taken.outcome:
            writer.writerow([role, run.comparisons.pictures[picture], *_fared(taken, picture)])
    return text.getvalue()


def _fared(taken: Taken, picture: int) -> tuple[str, str, str]:
    quality, pad = taken.quality.get(picture, {}).get("score"), taken.pad_score.get(picture)
    return taken.outcome[picture], "" if quality is None else f"{quality:.0f}", "" if pad is None else f"{pad:.4f}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An evaluation that was kept. ``fused``: how many of its ``probes`` were made of several frames, as a gate makes them."""

    comparisons: Comparisons
    scores: Values
    dataset: str
    data_sha256: str
    pack_sha256: str
    date: str
    probes: int
    fused: int


def read_record(folder: Path) -> Recorded:
    """Raises EvaluationError where a file is missing or malformed, or the scores are not those of the report."""
    path = folder / REPORT
    try:
        scores = (folder / SCORES).read_bytes()
        document = json.loads(path.read_text(encoding="utf-8"))
        said = [document[key] for key in ("dataset", "data_sha256", "scores_sha256")]
        said += [document["pack"]["sha256"], document["conditions"]["date"]]
        counts = (document["fta"]["rate"]["trials"], document["fused"])
        proper = all(isinstance(text, str) for text in said) and all(type(count) is int for count in counts)
        if document["format"] != FORMAT or not proper:
            raise EvaluationError(f"{path}: not a report of format {FORMAT}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise EvaluationError(f"{path}: no report of an evaluation: {error!r}") from None
    dataset, data_sha256, scores_sha256, pack_sha256, date = said
    if hashlib.sha256(scores).hexdigest() != scores_sha256:
        raise EvaluationError(f"{folder / SCORES}: not the scores that {REPORT} speaks of")
    comparisons, values = _read_scores(folder / SCORES)
    return Recorded(
        comparisons=comparisons,
        scores=values,
        dataset=dataset,
        data_sha256=data_sha256,
        pack_sha256=pack_sha256,
        date=date,
        probes=counts[0],
        fused=counts[1],
    )


def _read_scores(path: Path) -> tuple[Comparisons, Values]:
    rows = [row for _, row in read_rows(path, _FIXED)]
    columns = {name: Labels.of([row[name] for row in rows]) for name in (rows[0] if rows else ()) if name not in _FIXED}
    pictures, subjects = (_sides(rows, suffix) for suffix in ("", "_subject"))
    try:
        scores = np.array([float(row["score"]) if row["score"] else math.nan for row in rows])
    except ValueError as error:
        raise EvaluationError(f"{path}: {error}") from None
    if np.isinf(scores).any():
        raise EvaluationError(f"{path}: a score is infinite")
    comparisons = Comparisons(
        root=path.parent,
        pictures=pictures[0],
        subjects=subjects[0],
        reference=pictures[1],
        probe=pictures[2],
        reference_subject=subjects[1],
        probe_subject=subjects[2],
        pai_species=Labels.of([row["pai_species"] for row in rows]),
        columns=columns,
    )
    return comparisons, scores


def _sides(rows: list[dict[str, str]], suffix: str) -> tuple[tuple[str, ...], Codes, Codes]:
    labels = Labels.of([row[f"{side}{suffix}"] for side in ("reference", "probe") for row in rows])
    return labels.values, labels.codes[: len(rows)], labels.codes[len(rows) :]
