"""``python -m mrz parse FILE|- | render … | read IMAGE…``: a zone's fields and findings; fields to a zone; images to a zone.

``python -m mrz FILE|-`` is short for ``parse FILE|- --json``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from mrz import FORMATS, MrzError, MrzRecord, compose, parse
from mrz.transliteration import transliterate

_COMMANDS = ("parse", "render", "read", "-h", "--help")


def as_dict(record: MrzRecord) -> dict[str, object]:
    """Everything the record holds, ready for JSON: here the personal fields are shown, for that is what was asked."""
    values = dataclasses.asdict(record)
    values["date_of_birth"] = record.date_of_birth.raw
    values["date_of_expiry"] = record.date_of_expiry.raw
    return {**values, "check_digits_ok": record.check_digits_ok}


def main(arguments: list[str]) -> int:
    """Exit 0 with the answer on stdout, 2 with one line on stderr."""
    if arguments[:1] == ["read"]:
        from mrz import read_command  # it alone loads numpy, cv2 and ONNX Runtime

        return read_command.main(arguments[1:])
    if not arguments:
        print("usage: python -m mrz parse|render|read … (-h for more)", file=sys.stderr)
        return 2
    if len(arguments) == 1 and arguments[0] not in _COMMANDS:
        arguments = ["parse", arguments[0], "--json"]
    options = _options(arguments)
    source = getattr(options, "file", "render")
    try:
        return int(options.run(options))
    except (MrzError, ValueError, OSError) as error:
        print(f"{source}: {error}", file=sys.stderr)
        if options.json and isinstance(error, MrzError):
            print(json.dumps({"findings": [dataclasses.asdict(error.finding)]}, indent=2))
        return 2


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mrz", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="parse|render|read")
    parsing = commands.add_parser("parse", help="fields, check digits and findings of a zone")
    parsing.add_argument("file", metavar="FILE|-")
    parsing.set_defaults(run=_parse)
    rendering = commands.add_parser("render", help="the lines of a zone made from fields; names may be as printed")
    rendering.add_argument("--format", choices=FORMATS, default="TD3")
    for name in ("document-code", "issuing-state", "primary", "number", "nationality", "birth", "sex", "expiry"):
        rendering.add_argument(f"--{name}", required=True)
    for name in ("secondary", "optional", "optional-2"):
        rendering.add_argument(f"--{name}", default="")
    rendering.set_defaults(run=_render)
    for command in (parsing, rendering):
        command.add_argument("--json", action="store_true")
    commands.add_parser("read", help="the zone of a document in images", add_help=False)
    return parser.parse_args(arguments)


def _parse(options: argparse.Namespace) -> int:
    record = parse(sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes())
    if options.json:
        print(json.dumps(as_dict(record), indent=2))
        return 0
    shown = as_dict(record)
    for name in ("lines", "check_digits", "findings", "corrections"):
        del shown[name]
    for name, value in shown.items():
        print(f"{name:22}{value}")
    for digit in record.check_digits:
        print(f"{'check digit':22}{digit.field}: {digit.found}, {'right' if digit.ok else f'wrong, expected {digit.expected}'}")
    for each in record.findings:
        print(f"{each.layer:22}line {each.line}, column {each.column}: {each.what} (expected {each.expected})")
    return 0


def _render(options: argparse.Namespace) -> int:
    lines = compose(
        options.format,
        document_code=options.document_code,
        issuing_state=options.issuing_state,
        primary_identifier=transliterate(options.primary, options.issuing_state),
        secondary_identifier=transliterate(options.secondary, options.issuing_state),
        document_number=options.number,
        nationality=options.nationality,
        date_of_birth=options.birth,
        sex=options.sex,
        date_of_expiry=options.expiry,
        optional_data=options.optional,
        optional_data_2=options.optional_2,
    )
    print(json.dumps({"format": options.format, "lines": lines}, indent=2) if options.json else "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
