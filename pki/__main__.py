"""``python -m pki SOD --dg 1=FILE … --trust FOLDER``: judge the electronic proof of a document, print the verdict as JSON.

Exit status: 0 authentic, 1 rejected, 3 undetermined, 2 unusable input.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_never

from pki.errors import PkiError
from pki.passive_authentication import passive_authentication
from pki.results import Authentic, PassiveAuthResult, Rejected, Undetermined
from pki.trust import load_trust_store


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        trust = load_trust_store(options.trust)
        groups = {number: path.read_bytes() for number, path in options.dg}
        sod = options.sod.read_bytes()
    except (PkiError, OSError) as error:
        print(f"pki: {error.detail if isinstance(error, PkiError) else error}", file=sys.stderr)
        return 2
    result = passive_authentication(sod, groups, trust, options.at or datetime.now(UTC), mrz_issuing_state=options.state)
    verdict, status = _report(result)
    print(json.dumps(verdict | {"trust_store": trust.version, "demonstration": trust.demo}, indent=2, default=str))
    return status


def _report(result: PassiveAuthResult) -> tuple[dict[str, Any], int]:
    steps = {"steps": [asdict(step) for step in result.steps]}
    match result:
        case Authentic():
            facts = ("issuing_country", "signer", "csca", "signed_at", "revocation", "lists_dg14", "lists_dg15")
            return {"verdict": "authentic"} | {name: getattr(result, name) for name in facts} | steps, 0
        case Rejected():
            return {"verdict": "rejected", "code": result.code, "step": result.step, "detail": result.detail} | steps, 1
        case Undetermined():
            return {"verdict": "undetermined", "code": result.code, "step": result.step, "detail": result.detail} | steps, 3
        case _:
            assert_never(result)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pki", description="Passive authentication of an electronic travel document.")
    parser.add_argument("sod", type=Path, metavar="SOD", help="file with EF.SOD as read from the chip")
    parser.add_argument("--dg", type=_data_group, action="append", default=[], metavar="N=FILE", help="a data group; repeatable")
    parser.add_argument("--trust", type=Path, required=True, metavar="FOLDER", help="trust store: CSCA certificates and CRLs")
    parser.add_argument("--at", type=_time, metavar="ISO", help="moment to judge at; without an offset UTC (default: now)")
    parser.add_argument("--state", metavar="XXX", help="issuing State in the printed MRZ (default: from DG1)")
    return parser


def _data_group(text: str) -> tuple[int, Path]:
    number, separator, path = text.partition("=")
    if not separator or not number.isdecimal() or not 1 <= int(number) <= 16:
        raise argparse.ArgumentTypeError(f"{text!r} is not N=FILE with N from 1 to 16")
    return int(number), Path(path)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


if __name__ == "__main__":
    raise SystemExit(main())
