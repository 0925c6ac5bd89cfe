"""The report as one self-contained page (HTML with inline SVG), after ISO/IEC 19795-1."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from faceverify.evaluation.charts import det_chart, discard_chart, discard_legend, histogram_chart
from faceverify.evaluation.page import STYLE, figure, heading, legend, number, page, table
from faceverify.evaluation.results import Outcome, Results
from faceverify.evaluation.tables import attacks, headline, strata, thresholds

PAGE = "report.html"
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
        headline(results),
        thresholds(results.points),
        _curves(results),
        strata(results),
        _quality(results),
        attacks(results.pad),
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
        ("sha256 of the data", f"<code>{results.data_sha256}</code>"),
        ("subjects", number(results.subjects)),
        ("references", number(results.fte.rate.trials)),
        ("bona fide probes", f"{number(results.fta.rate.trials)}; of several frames: {number(results.fused)}"),
        ("pack", f"{escape(pack.id)}: {escape(pack.title)}"),
        ("sha256 of the pack", f"<code>{pack.sha256}</code>"),
        *((f"network {escape(net.file)}", f"<code>{net.sha256}</code>") for net in pack.nets),
        ("permitted use", escape(pack.permitted_use)),
        ("threshold", "none" if results.threshold is None else f"{results.threshold:.4f}"),
        ("where that is from", escape(results.threshold_source)),
    ]
    return f"<h1>Face evaluation: {escape(results.dataset)}</h1>{warning}{table((), rows, kind='facts')}"


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


def _quality(results: Results) -> str:
    name = heading("Quality: error versus discard")
    if not results.discard:
        return name + "<p>Too few mated comparisons fail at the threshold for a curve to say anything.</p>"
    names = [(f"c{index}", text) for index, text in enumerate(discard_legend(results.discard))]
    text = "What remains of the FNMR when the probes of lowest quality are not compared. Components not certified to ISO/IEC 29794-5."
    return name + figure(discard_chart(results.discard) + legend(names), text)


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
