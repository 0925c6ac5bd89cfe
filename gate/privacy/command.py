"""``autogate privacy``: the notice that a breach demands, and the inventory of what the gate holds of people."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from gate.audit.chain import AuditError
from gate.privacy.breach import EXPOSABLE, Breach, Question, breach
from gate.privacy.inventory import table
from gate.privacy.plain import plain

EXIT_OK, EXIT_USAGE = 0, 2


def add_arguments(parser: argparse.ArgumentParser, state: Path) -> None:
    """The options of ``autogate privacy``; ``state``: the folder of logs where none is named."""
    commands = parser.add_subparsers(dest="privacy", required=True, metavar="COMMAND")
    notice = commands.add_parser("breach-notice", help="the notice that UU 27/2022 art. 46 wants within 3 × 24 hours, from logs")
    notice.add_argument("--state", type=Path, nargs="+", default=[state], metavar="DIR", help="state folders, or copies of them")
    notice.add_argument("--sealing-key", type=Path, metavar="FILE", help="what opens personal fields, where it lies elsewhere")
    when = "as 2026-03-02T10:00+07:00"
    notice.add_argument("--from", required=True, dest="begin", type=_instant, metavar="TIME", help=f"when it began, {when}")
    notice.add_argument("--to", required=True, dest="end", type=_instant, metavar="TIME", help="when it was over")
    notice.add_argument("--known", type=_instant, metavar="TIME", help="when it became known: the 3 × 24 hours count from then")
    notice.add_argument(
        "--exposed", action="append", choices=EXPOSABLE, help="what was exposed; repeatable (default: log)", metavar="STORE"
    )
    notice.add_argument("--out", type=Path, default=Path("breach-notice.html"), help="the page; its text goes beside it (.txt)")
    notice.add_argument(
        "--crossings",
        type=Path,
        metavar="FILE",
        help="also the ids of the crossings concerned, for the registry that knows whose",
    )
    commands.add_parser("inventory", help="what is held of whom, where, until when, behind what, as a table")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def privacy_command(options: argparse.Namespace) -> int:
    """Returns the exit status: 2 where a log cannot be read, a file not written, or the times make no sense."""
    if options.privacy == "inventory":
        print(table())
        return EXIT_OK
    try:
        asked = Question(begin=options.begin, end=options.end, known=options.known, exposed=tuple(options.exposed or ("log",)))
        found = breach(asked, options.state, options.sealing_key)
        _write(found, options.out, options.crossings)
    except (AuditError, OSError, ValueError) as error:
        print(f"autogate privacy breach-notice: {error}", file=sys.stderr)
        return EXIT_USAGE
    people = found.concerned.people
    print(
        f"{options.out}, {options.out.with_suffix('.txt')}: {people} people at most, {len(found.concerned.crossings)} crossings"
    )
    return EXIT_OK


def _write(found: Breach, out: Path, crossings: Path | None) -> None:
    from gate.privacy.notice import render  # jinja2, which the gate itself does without

    page = render(found)
    out.write_text(page, encoding="utf-8")
    out.with_suffix(".txt").write_text(plain(page), encoding="utf-8")
    if crossings:
        with os.fdopen(
            os.open(crossings, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.writelines(f"{lane} {transaction}\n" for lane, transaction in found.concerned.crossings)
