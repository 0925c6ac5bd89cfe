"""The report's tables of rates: at the threshold, by threshold, by stratum, by kind of attack."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from faceverify.evaluation.calibrate import Refused, Setting
from faceverify.evaluation.charts import strata_chart
from faceverify.evaluation.page import figure, heading, interval, number, percent, table
from faceverify.evaluation.rates import Rate
from faceverify.evaluation.results import OperatingPoint, Pad, Results, StratumResult
from faceverify.pad import LABEL

_RATES = ("rate", "errors", "of", "measured", "95 % interval", "with subjects drawn anew", "at most (95 %)")
_SHOWN = 2
"""Strata named where a threshold is not supported; the JSON names them all."""


def headline(results: Results) -> str:
    rows = [_rate_row("FTE: references that gave no features", results.fte.rate)]
    rows.append(_rate_row("FTA: probes that gave none, or too poor ones", results.fta.rate))
    named = (
        ("FMR: non-mated comparisons that match", results.fmr),
        ("FNMR: mated comparisons that do not", results.fnmr),
        ("FAR: FMR with FTE and FTA", results.far),
        ("FRR: FNMR with FTE and FTA", results.frr),
    )
    rows += [_rate_row(name, rate) for name, rate in named if rate is not None]
    missing = "" if results.fmr is not None else "<p>No threshold, hence no error rates of comparisons.</p>"
    return heading("Error rates at the threshold") + table(_RATES, rows) + missing


def _rate_row(name: str, rate: Rate) -> tuple[str, ...]:
    measured = "–" if rate.value is None else percent(rate.value)
    if rate.value is None:
        return (escape(name), "–", "0", "not tried", "–", "–", "–")
    again = interval(rate.resampled) if rate.resampled and rate.errors else "–"
    return (
        escape(name),
        number(rate.errors),
        number(rate.trials),
        measured,
        interval(rate.interval),
        again,
        percent(rate.at_most),
    )


def thresholds(points: Sequence[OperatingPoint]) -> str:
    rows = [_threshold_row(point) for point in points]
    columns = ("FMR wanted", "threshold", "set by", "false matches", "FMR at most (95 %)", "FNMR there", "the pool alone")
    note = (
        "<p>A threshold is given only where the upper 95 % bound of the FMR keeps it, in every stratum: the hardest one sets it. "
        "Bounds count comparisons that share subjects for less than they are.</p>"
    )
    return heading("Thresholds that these data support") + note + table(columns, rows)


def _threshold_row(point: OperatingPoint) -> tuple[str, ...]:
    alone = f"{point.pooled.score:.4f}" if isinstance(point.pooled, Setting) else "not supported"
    match point.hardest:
        case Setting() as setting:
            fnmr = percent(point.fnmr.value) if point.fnmr is not None and point.fnmr.value is not None else "–"
            found = (number(setting.false_matches), percent(setting.fmr_upper), fnmr)
            return (f"{point.target:g}", f"<b>{setting.score:.4f}</b>", escape(setting.stratum), *found, alone)
        case Refused(shortages=shortages):
            why = "<br>".join(escape(shortage.why) for shortage in shortages[:_SHOWN])
            more = f"<br>and {len(shortages) - _SHOWN} more strata" if len(shortages) > _SHOWN else ""
            return (f"{point.target:g}", "not supported", f"<small>{why}{more}</small>", "–", "–", "–", alone)


def strata(results: Results) -> str:
    if not results.strata:
        return heading("Strata") + "<p>Nothing was said of the subjects by which to sort, or there is no threshold.</p>"
    columns = ("stratum", "FMR", "false matches", "95 % interval", "FNMR", "false non-matches", "95 % interval")
    rows = [(escape(item.name), *_cells(item.fmr), *_cells(item.fnmr)) for item in results.strata]
    alike = [item for item in results.strata if item.alike]
    fmr, fnmr = strata_chart(alike, "fmr"), strata_chart(alike, "fnmr")
    note = (
        "<p>At the threshold above. Comparisons of people who differ in a column stand under “different”; they are the easy ones. "
        "Hollow dots: no errors seen.</p>"
    )
    drawn = (figure(chart, f"{name} by stratum, 95 %.") for chart, name in ((fmr, "FMR"), (fnmr, "FNMR")) if chart)
    return heading("Strata") + note + _hardest(alike, results.fmr) + table(columns, rows) + "".join(drawn)


def _hardest(strata: Sequence[StratumResult], pooled: Rate | None) -> str:
    worst = max(strata, key=lambda item: item.fmr.value or 0.0, default=None)
    if worst is None or not worst.fmr.value or pooled is None or not pooled.value:
        return ""
    times = worst.fmr.value / pooled.value
    return f"<p>Hardest: <b>{escape(worst.name)}</b>, FMR {percent(worst.fmr.value)}, {times:.1f} times that of the pool.</p>"


def _cells(rate: Rate) -> tuple[str, str, str]:
    if rate.value is None:
        return "–", "none tried", "–"
    low, high = rate.interval
    again = rate.resampled or (low, high)
    return (
        percent(rate.value),
        f"{number(rate.errors)} of {number(rate.trials)}",
        interval((min(low, again[0]), max(high, again[1]))),
    )


def attacks(pad: Pad | None) -> str:
    name = heading("Presentation attack detection")
    if pad is None:
        return name + "<p>Not measured: the pack carries no network for it.</p>"
    rows = [_rate_row(f"APCER, {species}", rate) for species, rate in pad.apcer.items()]
    rows.append(_rate_row("BPCER (bona fide taken for attacks)", pad.bpcer))
    rows += [_rate_row(f"no PAD score, {who}", rate) for who, rate in pad.no_response.items() if rate.errors]
    none = "" if pad.apcer else "<p>APCER: not measured, the data hold no presentation attack.</p>"
    return name + f"<p>{LABEL[0].upper()}{LABEL[1:]}. Counted by probe.</p>" + table(_RATES, rows) + none
