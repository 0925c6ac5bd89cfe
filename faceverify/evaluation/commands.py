"""``python -m faceverify evaluate | calibrate``.

Exit codes: 0 done, 1 the data support no such threshold, 2 the input cannot be used, or nothing could be measured.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faceverify.ofiq import OfiqScorer

_EVERY_S = 5.0
"""Between two lines of progress."""


def add_commands(commands: argparse._SubParsersAction[Any]) -> None:
    evaluate = commands.add_parser("evaluate", help="measure how often a pack errs on pictures of your own")
    evaluate.add_argument("source", type=Path, help="list of comparisons (CSV), or a folder with one folder a subject")
    evaluate.add_argument("--pack", type=Path, required=True, help="folder of the pack")
    evaluate.add_argument("--out", type=Path, required=True, help="folder for the report (HTML, JSON) and the scores (CSV)")
    evaluate.add_argument("--dataset", help="name of the data set in the report; without it the name of the source")
    evaluate.add_argument("--about", default="", help="where the data are from, their licence, what they are good for; printed")
    evaluate.add_argument("--cross", type=_names, default=[], help="columns to cross into strata, as sex,ethnicity")
    evaluate.add_argument("--replicates", type=_count, default=1000, help="draws of the subjects for the intervals")
    evaluate.add_argument("--seed", type=int, default=0, help="of these draws")
    evaluate.add_argument(
        "--ofiq", type=_scorer, help='OFIQ\'s program with its configuration, as "OFIQSampleApp -c DATA"; takes seconds a probe'
    )
    calibrate = commands.add_parser("calibrate", help="set a pack's threshold from an evaluation, on its hardest stratum")
    calibrate.add_argument("evaluation", type=Path, help="folder that evaluate wrote")
    calibrate.add_argument("--pack", type=Path, required=True, help="folder of the pack that was evaluated")
    calibrate.add_argument("--fmr", type=_rate, required=True, help="false match rate that is not to be exceeded, as 1e-3")
    calibrate.add_argument("--cross", type=_names, default=[], help="columns to cross into strata, as sex,ethnicity")
    calibrate.add_argument("--out", type=Path, required=True, help="new folder for the pack with its threshold")


def run(options: argparse.Namespace) -> int:
    """Do what was asked. Raises PackError, EvaluationError, OSError."""
    return _evaluate(options) if options.command == "evaluate" else _calibrate(options)


def _evaluate(options: argparse.Namespace) -> int:
    from faceverify.confined import ConfinedDecoder
    from faceverify.evaluation.comparisons import read_comparisons
    from faceverify.evaluation.record import write_record
    from faceverify.evaluation.report import write_page
    from faceverify.evaluation.run import evaluate
    from faceverify.evaluation.strata import strata
    from faceverify.evaluation.summary import summarise
    from faceverify.packs import load_pack
    from faceverify.verifier import FaceVerifier

    comparisons = read_comparisons(options.source)
    strata(comparisons, options.cross)  # a misspelt column is found before an hour of work
    pack = load_pack(options.pack)
    with ConfinedDecoder() as decoder, FaceVerifier(pack, decoder=decoder) as verifier:
        verifier.warm_up()
        measured = evaluate(comparisons, verifier, decoder, progress(), options.ofiq)
    name = options.dataset or options.source.resolve().name
    how = {"replicates": options.replicates, "seed": options.seed}
    found = summarise(measured, pack, name, about=options.about, cross=options.cross, **how)
    write_record(options.out, measured, found)
    print(write_page(options.out, found))
    for name, rate in (("FTE", found.fte.rate), ("FTA", found.fta.rate), ("FMR", found.fmr), ("FNMR", found.fnmr)):
        if rate is not None and rate.trials:
            print(
                f"{name} {100 * rate.errors / rate.trials:.3g} % ({rate.errors} of {rate.trials}), at most {100 * rate.at_most:.3g} %"
            )
    if not found.histogram.mated.any() and not found.histogram.non_mated.any():
        print("no comparison gave a score", file=sys.stderr)
        return 2
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from faceverify.evaluation.calibrate import Refused, choose
    from faceverify.evaluation.record import read_record
    from faceverify.evaluation.strata import strata
    from faceverify.evaluation.threshold import calibrated_copy
    from faceverify.packs import load_pack

    recorded, pack = read_record(options.evaluation), load_pack(options.pack)
    setting = choose(recorded.comparisons, recorded.scores, strata(recorded.comparisons, options.cross), options.fmr)
    if isinstance(setting, Refused):
        print(f"these data support no threshold for an FMR of {setting.target:g}:", file=sys.stderr)
        print("\n".join(shortage.why for shortage in setting.shortages), file=sys.stderr)
        return 1
    made = calibrated_copy(pack, setting, recorded, options.cross, options.out)
    print(f"{options.out}: threshold {setting.score:.4f}, set by {setting.stratum}, FMR at most {setting.fmr_upper:.3g} (95 %)")
    print(f"sha256 of the pack: {made.sha256}")
    if recorded.fused < recorded.probes:
        print(
            f"only {recorded.fused} of {recorded.probes} probes were fused of several frames: a gate fuses all, and fused ones match "
            "falsely more often at the same threshold; evaluate captures of several frames",
            file=sys.stderr,
        )
    return 0


def progress() -> Callable[[str, int, int], None]:
    """Tells on standard error how far it is, every few seconds."""
    last = [time.monotonic()]

    def tell(name: str, done: int, count: int) -> None:
        now = time.monotonic()
        if done == count or now - last[0] >= _EVERY_S:
            print(f"{name}: {done} of {count}", file=sys.stderr)
            last[0] = now

    return tell


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100_000:
        raise argparse.ArgumentTypeError("must be 1 to 100000")
    return value


def _scorer(text: str) -> OfiqScorer:
    from faceverify.ofiq import OfiqScorer

    scorer = OfiqScorer(command=tuple(shlex.split(text)))
    if not scorer.present:
        raise argparse.ArgumentTypeError(f"{text!r} is no program that is there")
    return scorer


def _rate(text: str) -> float:
    from faceverify.evaluation.calibrate import MAX_TARGET

    value = float(text)
    if not 0 < value <= MAX_TARGET:
        raise argparse.ArgumentTypeError(f"must be above 0, {MAX_TARGET} at most")
    return value
