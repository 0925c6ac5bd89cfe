"""The trial report as a page without any reference to another file, as JSON and as CSV. The same records give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import msgspec

from gate.records import TransactionRecord
from gate.report.conformity import load_conformity, standards
from gate.report.disclosure import K
from gate.report.intervals import Share, at_most
from gate.report.official import SOURCES
from gate.report.page import template
from gate.report.trial import GOAL_MS, TrialReport, trial_report
from gate.report.trial_charts import WIDTH, Chart, curve_chart, det_chart, heat_chart, pareto_chart, split_chart
from gate.report.trial_face import Pack
from gate.report.trial_input import Material, sifted
from gate.report.trial_outcomes import NOT_READ
from gate.report.trial_times import median_transaction, seconds_of
from gate.report.waterfall import waterfall

SCHEMA = 1
"""Of the JSON."""
COLUMNS = ("figure", "value", "hits", "trials", "percent", "low", "high")
IMPOSTOR_TRIES = 3000


def page(report: TrialReport, sample: TransactionRecord | None = None) -> str:
    """HTML. ``sample``: the transaction whose stages are drawn; its id and class are told only where few may be."""
    conformity = load_conformity()
    return template("trial.html").render(
        report=report,
        conformity=conformity,
        standards=standards(conformity),
        charts=_charts(report),
        sample=sample,
        sample_seconds=seconds_of(sample) if sample else 0.0,
        waterfall=waterfall(sample.stages) if sample and sample.stages else None,
        width=WIDTH,
        k=K,
        not_read=NOT_READ,
        goal=[value / 1000 for value in GOAL_MS],
        sources=SOURCES,
        bound=100 * at_most(0, IMPOSTOR_TRIES),
        tries=IMPOSTOR_TRIES,
    )


def _charts(report: TrialReport) -> dict[str, Any]:
    def curves(index: int) -> Chart:
        each = report.durations[index]
        half, most = (quantile.value / 1000 for quantile in (each.whole[0], each.whole[2]))
        says = f"Half of {each.count} were through within {half:.1f} s, 95 % within {most:.1f} s"
        return curve_chart(each.whole_curve, each.machine_curve, published=each.field, says=says)

    return {
        "curves": [curves(index) for index in range(len(report.durations))],
        "splits": [split_chart(each.split) for each in report.durations],
        "pareto": pareto_chart(report.reasons) if report.reasons else None,
        "heat": heat_chart(report.heat, "Transactions by day and hour") if report.heat.days else None,
        "queues": [heat_chart(each.heat, f"Longest queue, {each.bank.name}") for each in report.waiting if each.heat.most],
        "det": [drawn for pack in report.faces.packs if (drawn := _det(pack))],
    }


def _det(pack: Pack) -> Chart | None:
    """None where no threshold has errors of both kinds: log axes have no zero."""
    both = [point for point in pack.det if min(point) > 0]
    told = (
        f"{pack.name}: {pack.shadows[0].missed.trials} mated and {pack.non_mated} non-mated comparisons, where both errors occur"
    )
    return det_chart(both, told) if len(both) > 1 else None


def render_trial(material: Material | Iterable[TransactionRecord], *, few: bool = False, split: datetime | None = None) -> str:
    """The page on ``material``, or on any records in any order, none included."""
    made = material if isinstance(material, Material) else sifted(material)
    report = trial_report(made, few=few, split=split)
    return page(report, sample_of(made.records, report))


def sample_of(records: Iterable[TransactionRecord], report: TrialReport) -> TransactionRecord | None:
    """A transaction of median length, of the field where there is one; None where so few are there that it were somebody's."""
    if not report.durations:
        return None
    in_field = report.durations[0].field
    return median_transaction([record for record in records if record.demonstration is not in_field])


def figures(report: TrialReport) -> dict[str, Any]:
    """Every figure, as JSON has them: shares with counts and 95 % interval in per cent, times in milliseconds."""
    told: dict[str, Any] = _told(report)
    return {"schema": SCHEMA, "k": K, **told}


def _told(value: Any) -> Any:
    if isinstance(value, Share):
        low, high = value.interval
        told = {"name": value.name, "hits": value.hits, "trials": value.trials}
        return told | {"percent": _round(value.percent), "interval": [_round(low), _round(high)]}
    if is_dataclass(value):
        return {each.name: _told(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, msgspec.Struct):
        return {name: _told(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [_told(each) for each in value]
    return _round(value) if isinstance(value, float) else value.isoformat() if isinstance(value, datetime) else value


def _round(value: float) -> float:
    return round(value, 4)


def as_json(report: TrialReport) -> bytes:
    """UTF-8, indented, with a line's end."""
    return msgspec.json.format(msgspec.json.encode(figures(report), order="deterministic"), indent=1) + b"\n"


def as_csv(report: TrialReport) -> str:
    """One line per figure (RFC 4180), named by its place; a share's line has its counts and interval as well."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_rows("", figures(report)))
    return out.getvalue()


def _rows(name: str, value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and "percent" in value and "interval" in value:
        low, high = value["interval"]
        columns = {column: value[column] for column in ("hits", "trials", "percent")}
        yield {"figure": _inert(name), "value": "", **columns, "low": low, "high": high}
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _rows(f"{name}.{key}" if name else key, part)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            label = part.get("name") if isinstance(part, dict) else None
            yield from _rows(f"{name}[{label or index}]", part)
    else:
        yield {"figure": _inert(name), "value": _inert(value) if isinstance(value, str) else value}


def _inert(words: str) -> str:
    """A spreadsheet takes what begins so for a formula, and a record may hold anything."""
    return "'" + words if words[:1] in {"=", "+", "-", "@", "\t", "\r"} else words
