"""``python -m pki``: judge the electronic proof of a document, or look into lists and certificates.

``python -m pki verify SOD DG… --trust FOLDER [--json]`` prints each step and the verdict (:mod:`pki.verify_command`). Exit status:
0 authentic, 1 rejected, 3 undetermined, 2 unusable input. The word ``verify`` may be left out.

``python -m pki inspect FILE … [--anchor FILE …]`` counts what master lists (``.ml``, each verified to an anchor), directory files
(``.ldif``), certificates and folders of them hold. Exit status: 0, or 2 for unusable input. Nothing is changed by either.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pki.errors import PkiError
from pki.inventory import Inventory, outlook, take_inventory
from pki.sources import Found, read_sources
from pki.trust import Csca, TrustStore, read_anchors
from pki.union import Union, union
from pki.verify_command import verify

SOON = 12
"""States that ``inspect`` shows: those whose keys end soonest."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    command, rest = (given[0], given[1:]) if given[:1] in (["verify"], ["inspect"]) else ("verify", given)
    try:
        return _inspect(rest) if command == "inspect" else verify(rest, _time)
    except (PkiError, OSError) as error:
        print(f"pki: {error.detail if isinstance(error, PkiError) else error}", file=sys.stderr)
        return 2


# --- inspect


def _inspect(arguments: list[str]) -> int:
    options = _inspect_parser().parse_args(arguments)
    now = options.at or datetime.now(UTC)
    list_anchors = TrustStore(anchors=tuple(anchor for file in options.anchor for anchor in read_anchors(file)))
    found = read_sources(options.files, list_anchors, now)
    merged = union((*found.anchors, *found.bare))
    inventory = take_inventory(merged.anchors)
    if options.json:
        report = asdict(inventory) | {"refused": _labels(merged.refused), "unreadable": found.unreadable}
        states = [asdict(state) for state in outlook(merged.anchors)]
        print(json.dumps(report | {"states": states}, indent=2, default=str))
    else:
        print("\n".join([*_table(inventory), *_remarks(merged, found), *_soonest(merged)]))
    return 0


def _table(inventory: Inventory) -> Iterator[str]:
    yield f"{inventory.certificates} certificates of {inventory.countries} countries"
    yield f"{inventory.self_signed} self-signed, {inventory.chained} under another, {len(inventory.orphans)} whose issuer is not at hand"
    for title, counts in (("keys", inventory.keys), ("signatures", inventory.signatures), ("oddities", inventory.oddities)):
        yield f"{title}:"
        yield from (f"  {count:5}  {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
    for title, names in (("without their issuer", inventory.orphans), ("unusable", inventory.unusable)):
        yield from [f"{title}:", *(f"  {name}" for name in names)] if names else []


def _remarks(merged: Union, found: Found) -> Iterator[str]:
    if merged.refused:
        yield "refused, as their State is pinned and they are not:"
        yield from (f"  {name}" for name in _labels(merged.refused))
    if found.unreadable:
        yield "left out:"
        yield from (f"  {line}" for line in found.unreadable)


def _soonest(merged: Union) -> Iterator[str]:
    yield "first to be without a key that signs:"
    for state in outlook(merged.anchors)[:SOON]:
        until = (
            f"{state.signs_until:%Y-%m-%d}, valid until {state.valid_until:%Y-%m-%d}" if state.signs_until else "no usable anchor"
        )
        yield f"  {state.country or '(no country)'}  {until}"


def _labels(anchors: tuple[Csca, ...]) -> list[str]:
    return [f"{anchor.parsed.label} ({anchor.provenance})" for anchor in anchors]


def _inspect_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pki inspect", description="What lists and certificates hold.")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".ml, .ldif, .cer, .der, .pem, or a folder of them")
    parser.add_argument(
        "--anchor", type=Path, action="append", default=[], metavar="FILE", help="whom a master list must come from"
    )
    parser.add_argument("--at", type=_time, metavar="ISO", help="moment to judge at; without an offset UTC (default: now)")
    parser.add_argument("--json", action="store_true", help="everything, for machines")
    return parser


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


if __name__ == "__main__":
    raise SystemExit(main())
