"""Reports for trial operators and for those who answer for the issuing offices, made from audit logs alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gate.records import TransactionRecord


def add_arguments(parser: argparse.ArgumentParser, state: Path) -> None:
    """The commands below ``autogate report``; ``state`` is where the demo keeps its log."""
    commands = parser.add_subparsers(dest="report", required=True)
    trial = commands.add_parser("trial", help="outcomes, times, queues, faults, why official books did not pass: one HTML page")
    sop = commands.add_parser("sop", help="do all offices issue by one procedure, and do their books work? one HTML page")
    for command, out in ((trial, "trial-report.html"), (sop, "sop-report.html")):
        command.add_argument("--state", type=Path, nargs="+", default=[state], metavar="DIR", help="state folders, one per gate")
        command.add_argument("--out", type=Path, default=Path(out))
        command.add_argument(
            "--sealing-key", type=Path, metavar="FILE", help="what opens personal fields, where it lies elsewhere"
        )
    trial.add_argument("--json", type=Path, metavar="FILE", help="write all figures, too")
    trial.add_argument("--csv", type=Path, metavar="FILE", help="write all figures as a table, too")
    trial.add_argument(
        "--few", action="store_true", help="tell groups of fewer than ten people by themselves: not for publication"
    )
    trial.add_argument("--split", type=_instant, metavar="TIME", help="compare what was before with what came after (ISO 8601)")
    sop.add_argument("--json", action="store_true", help="print the figures too")


def _instant(text: str) -> datetime:
    """With a zone: the machine's, where ``text`` names none."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not a time: {text!r} (for example 2026-03-15 or 2026-03-15T06:00+07:00)") from error


def report_command(options: argparse.Namespace) -> int:
    """Write the report that was asked for. Returns 0, or 2 where a log cannot be read or the file not written."""
    if options.report == "sop":
        return sop_command(options.state, options.out, as_json=options.json, sealing_key=options.sealing_key)
    return trial_command(
        options.state, options.out, options.sealing_key, json=options.json, csv=options.csv, few=options.few, split=options.split
    )


def trial_command(
    states: Sequence[Path],
    out: Path,
    sealing_key: Path | None = None,
    *,
    json: Path | None = None,
    csv: Path | None = None,
    few: bool = False,
    split: datetime | None = None,
) -> int:
    """Write the trial report on the gates of ``states`` to ``out``, and its figures to ``json`` and ``csv``. Returns 0 or 2."""
    from gate.report.trial import trial_report
    from gate.report.trial_input import gathered
    from gate.report.trial_page import as_csv, as_json, page, sample_of

    def write() -> str:
        material = gathered(states, sealing_key)
        report = trial_report(material, few=few, split=split)
        out.write_text(page(report, sample_of(material.records, report)), encoding="utf-8")
        if json:
            json.write_bytes(as_json(report))
        if csv:
            csv.write_text(as_csv(report), encoding="utf-8", newline="")
        return f"trial report: {out}"

    return _done(write, out)


def sop_command(states: Sequence[Path], out: Path, *, as_json: bool = False, sealing_key: Path | None = None) -> int:
    """Write the report on issuing offices, from the gates of ``states``, to ``out``; print its figures or its name. Returns 0 or 2."""
    import msgspec

    from gate.report.sop import figures, page, sop_report

    def write() -> str:
        report = sop_report(_transactions(states, sealing_key))
        out.write_text(page(report), encoding="utf-8")
        return msgspec.json.encode(figures(report)).decode() if as_json else f"SOP report: {out}"

    return _done(write, out)


def _transactions(states: Sequence[Path], sealing_key: Path | None) -> Iterator[TransactionRecord]:
    """Those of whom everything can still be read; how many others there are is said on the standard error."""
    from gate.audit.log import FILE_NAME, decode, open_readonly
    from gate.records import TransactionRecord

    for state in states:
        left_out = 0
        with open_readonly(state / FILE_NAME, sealing_key=sealing_key) as log:
            for record in log.records("transaction"):
                if {"findings", "document"} & set(record.gone):
                    left_out += 1
                else:
                    yield decode(record, TransactionRecord)
        if left_out:
            print(f"{state}: {left_out} transactions are left out: what was found cannot be read any more", file=sys.stderr)


def _done(write: Callable[[], str], out: Path) -> int:
    from gate.audit.log import AuditError

    try:
        told = write()
    except AuditError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename or out}: {error.strerror} (name another file with --out)", file=sys.stderr)
        return 2
    print(told)
    return 0
