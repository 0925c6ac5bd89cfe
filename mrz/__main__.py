"""``python -m mrz FILE|-``: fields, check digits and findings of a machine readable zone as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from mrz import MrzError, MrzRecord, parse


def as_dict(record: MrzRecord) -> dict[str, object]:
    """Everything the record holds, ready for JSON: here the personal fields are shown, for that is what was asked."""
    values = dataclasses.asdict(record)
    values["date_of_birth"] = record.date_of_birth.raw
    values["date_of_expiry"] = record.date_of_expiry.raw
    return {**values, "check_digits_ok": record.check_digits_ok}


def main(arguments: list[str]) -> int:
    """Exit 0 with the JSON on stdout, 2 with one line on stderr."""
    if len(arguments) != 1:
        print("usage: python -m mrz FILE|-", file=sys.stderr)
        return 2
    try:
        data = sys.stdin.buffer.read() if arguments[0] == "-" else Path(arguments[0]).read_bytes()
        # latin-1 gives every byte a character of its own, so that a foreign byte is found by column like any other.
        record = parse(data.decode("latin-1"))
    except (MrzError, OSError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(as_dict(record), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
