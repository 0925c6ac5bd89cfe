"""``python -m faceverify``: compare two pictures, check a pack, measure how often it errs, set its threshold.

Exit codes: 0 match (or sound pack, or done), 1 non-match (or no threshold that the data support), 2 nothing could be measured
(or the pack, or the input, is refused).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from faceverify.evaluation import commands as evaluation
from faceverify.evaluation.errors import EvaluationError
from faceverify.packs import Pack, PackError, demo_pack, load_pack


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.command in {"evaluate", "calibrate"}:
            return evaluation.run(options)
        if options.command == "pack":
            return _describe(load_pack(options.folder))
        return _compare(load_pack(options.pack) if options.pack else demo_pack(options.cache), options.reference, options.probe)
    except (PackError, EvaluationError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faceverify", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="compare a portrait (JPEG, JPEG 2000) with a picture of a traveller")
    compare.add_argument("reference", type=Path)
    compare.add_argument("probe", type=Path)
    compare.add_argument("--pack", type=Path, help="folder of a pack; without it the demonstration pack")
    compare.add_argument("--cache", type=Path, default=Path(".state/packs"), help="where the demonstration pack is built")
    pack = commands.add_parser("pack", help="check a pack")
    pack.add_argument("folder", type=Path)
    evaluation.add_commands(commands)
    return parser


def _describe(pack: Pack) -> int:
    print(f"{pack.id}: {pack.title}\nlicence: {pack.licence}\npermitted use: {pack.permitted_use}\nsha256: {pack.sha256}")
    for net in pack.nets:
        print(f"{net.file}: {net.licence}, sha256 {net.sha256}")
    return 0


def _compare(pack: Pack, reference: Path, probe: Path) -> int:
    from faceverify.confined import ConfinedDecoder
    from faceverify.image import ImageError
    from faceverify.verifier import FaceVerifier, NotPerformed

    if pack.demonstration:
        print("demonstration recogniser, not for operation", file=sys.stderr)
    with ConfinedDecoder() as decoder, FaceVerifier(pack, decoder=decoder) as verifier:
        first = verifier.reference(reference.read_bytes())
        try:
            second = verifier.probe(decoder.decode(probe.read_bytes()))
        except ImageError as error:
            second = NotPerformed(reason="bad_image", detail=error.code)
        for name, sample in (("reference", first), ("probe", second)):
            if isinstance(sample, NotPerformed):
                print(f"{name}: not performed, {sample.reason} ({sample.detail})")
        if isinstance(first, NotPerformed) or isinstance(second, NotPerformed):
            return 2
        result = verifier.compare(first, second)
    if isinstance(result, NotPerformed):
        print(f"comparison: not performed, {result.reason} ({result.detail})")
        return 2
    print(f"{result.decision}: score {result.score:.3f}, threshold {result.threshold:.3f}, pack {result.pack}")
    return 0 if result.decision == "match" else 1


if __name__ == "__main__":
    sys.exit(main())
