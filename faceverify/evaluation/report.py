"""The report as one self-contained page (HTML with inline SVG), after ISO/IEC 19795-1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from faceverify.evaluation.calibrate import Refused, Setting
from faceverify.evaluation.charts import det_chart, discard_chart, discard_legend, histogram_chart, strata_chart
from faceverify.evaluation.page import STYLE, figure, heading, interval, legend, number, page, percent, table
from faceverify.evaluation.rates import Rate
from faceverify.evaluation.results import OperatingPoint, Outcome, Pad, Results, StratumResult

PAGE = "report.html"
_SHOWN = 2
"""Strata named where a threshold is not supported; the JSON names them all."""
_MANY = 30
"""Errors from which a rate is known to about a third of itself ("rule of 30")."""


def write_page(folder: Path, results: Results) -> Path:
    """Write ``report.html``; returns its path. Raises OSError."""
    path = folder / PAGE
    path.write_text(html(results), encoding="utf-8")
    return path


def html(results: Results) -> str:
    parts = [
        _what(results),
        _headline(results),
        _thresholds(results.points),
        _curves(results),
        _strata(results),
        _quality(results),
        _pad(results.pad),
        _failures(results),
        _conditions(results),
        _reading(results),
    ]
    return page(f"Face evaluation: {results.dataset}", STYLE, "".join(parts))


def _what(results: Results) -> str:
    pack = results.pack
    warning = '<p class="warning">Demonstration recogniser, not for operation.</p>' if pack.demonstration else ""
    rows = [
        ("data set", escape(results.dataset)),
        *([("about it", escape(results.about))] if results.about else []),
        ("its sha256", f"<code>{results.data_sha256}</code>"),
        ("subjects", number(results.subjects)),
        ("references", number(results.fte.rate.trials)),
        ("bona fide probes", f"{number(results.fta.rate.trials)}; of several frames: {number(results.fused)}"),
        ("pack", f"{escape(pack.id)}: {escape(pack.title)}"),
        ("its sha256", f"<code>{pack.sha256}</code>"),
        *((f"network {escape(net.file)}", f"<code>{net.sha256}</code>") for net in pack.nets),
        ("permitted use", escape(pack.permitted_use)),
        ("threshold", "none" if results.threshold is None else f"{results.threshold:.4f}"),
        ("where it is from", escape(results.threshold_source)),
    ]
    return f"<h1>Face evaluation: {escape(results.dataset)}</h1>{warning}{table((), rows, kind='facts')}"


def _headline(results: Results) -> str:
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
    columns = ("rate", "errors", "of", "measured", "95 % interval", "with subjects drawn anew", "at most (95 %)")
    return heading("Error rates at the threshold") + table(columns, rows) + missing


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


def _thresholds(points: Sequence[OperatingPoint]) -> str:
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


def _curves(results: Results) -> str:
    if results.det is None:
        return heading("Curves") + "<p>Curves need both mated and non-mated comparisons that gave a score.</p>"
    counts = (int(results.histogram.mated.sum()), int(results.histogram.non_mated.sum()))
    det = figure(
        det_chart(results.det, results.band, results.threshold, counts),
        "Detection error trade-off. Band: 95 % of the FNMR with subjects drawn anew. Shaded: fewer than three errors could be expected, "
        "so that nothing can be claimed. Dot: the threshold.",
    )
    scores = figure(
        histogram_chart(results.histogram, results.threshold)
        + legend([("mated", f"mated ({number(counts[0])})"), ("other", f"non-mated ({number(counts[1])})")]),
        "Scores. Dashed: the threshold; at or above it is a match.",
    )
    return heading("Curves") + det + scores


def _strata(results: Results) -> str:
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


def _quality(results: Results) -> str:
    name = heading("Quality: error versus discard")
    if not results.discard:
        return name + "<p>Too few mated comparisons fail at the threshold for a curve to say anything.</p>"
    names = [(f"c{index}", text) for index, text in enumerate(discard_legend(results.discard))]
    text = "What remains of the FNMR when the probes of lowest quality are not compared. Components not certified to ISO/IEC 29794-5."
    return name + figure(discard_chart(results.discard) + legend(names), text)


def _pad(pad: Pad | None) -> str:
    name = heading("Presentation attack detection")
    if pad is None:
        return name + "<p>Not measured: the pack carries no network for it.</p>"
    rows = [_rate_row(f"APCER, {species}", rate) for species, rate in pad.apcer.items()]
    rows.append(_rate_row("BPCER (bona fide taken for attacks)", pad.bpcer))
    rows += [_rate_row(f"no PAD score, {who}", rate) for who, rate in pad.no_response.items() if rate.errors]
    columns = ("rate", "errors", "of", "measured", "95 % interval", "with subjects drawn anew", "at most (95 %)")
    none = "" if pad.apcer else "<p>APCER: not measured, the data hold no presentation attack.</p>"
    return name + "<p>Assistive, not tested to ISO/IEC 30107-3. Counted by probe.</p>" + table(columns, rows) + none


def _failures(results: Results) -> str:
    both = (("reference", results.fte), ("probe", results.fta))
    rows = [row for role, outcome in both for row in _reasons(role, outcome)]
    if not rows:
        return heading("Pictures that gave nothing") + "<p>None.</p>"
    return heading("Pictures that gave nothing") + table(("role", "reason", "pictures"), rows)


def _reasons(role: str, outcome: Outcome) -> Iterable[tuple[str, ...]]:
    return ((role, escape(reason), number(count)) for reason, count in outcome.reasons.items())


def _conditions(results: Results) -> str:
    rows = [(escape(name), escape(value)) for name, value in results.conditions.items()]
    return heading("Conditions") + table((), rows, kind="facts")


def _reading(results: Results) -> str:
    text = (
        "<p>A technology evaluation after ISO/IEC 19795-1: stored pictures, no traveller. It says what this pack does on these "
        "pictures, not what a gate will do; a gate that fuses several frames is measured with captures of several frames.</p>"
        "<p>95 % intervals are Clopper and Pearson's, which take comparisons for independent. Those “with subjects drawn anew” are "
        f"percentiles of {number(results.replicates)} draws of the subjects with replacement (seed {results.seed}); between two "
        "subjects they err on the wide side. Where one interval is shown, it reaches as far as either.</p>"
        "<p>“At most” is the one-sided 95 % bound; for no errors in N it is 3/N (rule of three). A rate is known to about a third of "
        f"itself from {_MANY} errors on (rule of 30).</p>"
        "<p>Thresholds weigh comparisons by the variance of those that share subjects, and count any two people once at most.</p>"
    )
    return heading("How to read this") + text
