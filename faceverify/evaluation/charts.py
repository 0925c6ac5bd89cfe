"""The report's charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faceverify.evaluation.rates import Det, Rate, Values
from faceverify.evaluation.results import DISCARDED, Band, Histogram, StratumResult
from faceverify.evaluation.svg import Chart, across, decade_below, upwards

_ROW = 22
"""Pixels of one stratum in its chart."""
_NAMES = 240
"""Pixels left of it for the names of strata."""
_CURVES = 4
"""Components drawn in the error-versus-discard chart besides the quality score."""


def det_chart(det: Det, band: Band | None, threshold: float | None, counts: tuple[int, int]) -> str:
    """DET on two logarithmic axes. ``counts``: mated and non-mated comparisons; what lies below three in so many is shaded."""
    mated, non_mated = counts
    low_x, low_y = (decade_below(min(0.1, 1 / count)) for count in (non_mated, mated))
    chart = Chart(
        "Detection error trade-off", across(low_x, 1, log=True), upwards(low_y, 1, log=True), ("FMR (false match rate)", "FNMR")
    )
    least_x, least_y = min(1, 3 / non_mated), min(1, 3 / mated)
    chart.area([(low_x, low_y), (least_x, low_y), (least_x, 1), (low_x, 1)], "unsupported")
    chart.area([(least_x, low_y), (1, low_y), (1, least_y), (least_x, least_y)], "unsupported")
    if band is not None:
        lower, upper = band.fnmr.tolist()
        at = band.at_fmr.tolist()
        chart.area([*zip(at, lower, strict=True), *reversed(list(zip(at, upper, strict=True)))], "band")
    chart.line(_stairs(det), "curve")
    if threshold is not None:
        index = min(int((det.thresholds < threshold).sum()), det.thresholds.size - 1)
        chart.dot((det.fmr[index], det.fnmr[index]), "point")
    return chart.text()


def _stairs(det: Det) -> list[tuple[float, float]]:
    """Between two thresholds nothing is known to be better than the next."""
    points = list(zip(det.fmr.tolist(), det.fnmr.tolist(), strict=True))
    return [point for (x, y), (after, _) in zip(points, [*points[1:], points[-1]], strict=True) for point in ((x, y), (after, y))]


def histogram_chart(histogram: Histogram, threshold: float | None) -> str:
    """Scores of mated and non-mated comparisons, each as a share of its own kind."""
    edges = histogram.edges.tolist()
    shares = {
        name: (bins / max(1, bins.sum())).tolist() for name, bins in (("mated", histogram.mated), ("other", histogram.non_mated))
    }
    most = max(max(share) for share in shares.values()) or 1.0
    chart = Chart(
        "Scores", across(edges[0], edges[-1]), upwards(0, most * 1.05), ("comparison score", "share of comparisons, by kind")
    )
    for name, share in shares.items():
        steps = [
            point
            for left, right, value in zip(edges, edges[1:], share, strict=False)
            for point in ((left, value), (right, value))
        ]
        chart.area([(edges[0], 0), *steps, (edges[-1], 0)], name)
    if threshold is not None:
        chart.upright(threshold, "threshold")
    return chart.text()


def discard_chart(discard: Mapping[str, Values]) -> str:
    """FNMR left over when the worst probes are discarded: by the quality score, and the components that help most."""
    best = sorted((name for name in discard if name != "score"), key=lambda name: float(discard[name].sum()))[:_CURVES]
    most = max(float(discard[name].max()) for name in ("score", *best)) or 1.0
    chart = Chart(
        "Error versus discard",
        across(0, max(DISCARDED)),
        upwards(0, most * 1.1),
        ("share of mated comparisons discarded, worst quality first", "FNMR"),
    )
    for number, name in enumerate(("score", *best)):
        chart.line(zip(DISCARDED, discard[name].tolist(), strict=True), f"curve c{number}")
    return chart.text()


def discard_legend(discard: Mapping[str, Values]) -> Sequence[str]:
    """Names of the curves, in the order of their classes c0, c1, ….."""
    best = sorted((name for name in discard if name != "score"), key=lambda name: float(discard[name].sum()))[:_CURVES]
    return ["quality score", *(name.replace("_", " ") for name in best)]


def strata_chart(strata: Sequence[StratumResult], name: str) -> str:
    """One row for each stratum: the rate as a dot, the interval that reaches further as a line, on a logarithmic axis."""
    rows = [(stratum.name, getattr(stratum, name)) for stratum in strata if getattr(stratum, name).trials]
    if not rows:
        return ""
    lowest = min(_extent(rate)[1] for _, rate in rows)
    height = 60 + _ROW * len(rows)
    x = across(decade_below(min(0.1, lowest / 3)), 1, log=True, left=_NAMES)
    chart = Chart(f"{name.upper()} by stratum", x, upwards(0, len(rows), height=height), (name.upper(), ""), height)
    for number, (label, rate) in enumerate(rows):
        at = len(rows) - number - 0.5
        low, high = _extent(rate)
        chart.line([(low, at), (high, at)], "whisker")
        chart.dot((rate.value or 0.0, at), "point" if rate.errors else "point none")
        chart.words((_NAMES - 8, chart.y.at(at) + 4), _cut(label), anchor="end")
    return chart.text()


def _extent(rate: Rate) -> tuple[float, float]:
    low, high = rate.interval
    again = rate.resampled or (low, high)
    return min(low, again[0]), max(high, again[1])


def _cut(label: str, length: int = 33) -> str:
    return label if len(label) <= length else f"{label[: length - 1]}…"
