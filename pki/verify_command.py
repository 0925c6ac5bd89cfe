"""``python -m pki verify``: judge the files of one document, and show each step; where no anchor is known, name the one that is missing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_never

from pki.errors import PkiError, ReasonCode
from pki.lds import COMMON_DATA, DATA_GROUPS
from pki.passive_authentication import passive_authentication
from pki.results import Authentic, PassiveAuthResult, Rejected, Undetermined
from pki.sources import read_sources
from pki.trust import TrustStore, load_trust_store, read_anchors
from pki.union import union

MARKS = {"successful": "✓", "failed": "✕", "undetermined": "?", "not_supported": "–", "aborted": "–"}


def verify(arguments: list[str], time: Callable[[str], datetime]) -> int:
    """Run the command. Returns 0 authentic, 1 rejected, 3 undetermined. Raises PkiError, OSError for unusable input."""
    options = _parser(time).parse_args(arguments)
    now = options.at or datetime.now(UTC)
    trust = _trust(options, now)
    files = dict(_numbered(path) for path in options.files) | dict(options.dg)
    common_data = files.pop(0, None)
    contents = {number: path.read_bytes() for number, path in files.items()}
    result = passive_authentication(
        options.sod.read_bytes(),
        contents,
        trust,
        now,
        mrz_issuing_state=options.state,
        mrz=options.mrz,
        common_data=common_data.read_bytes() if common_data else None,
    )
    report, status = _report(result)
    report |= {"trust_store": trust.version, "demonstration": trust.demo}
    print(json.dumps(report, indent=2, default=str) if options.json else "\n".join(_lines(report)))
    return status


def _trust(options: argparse.Namespace, now: datetime) -> TrustStore:
    """The store, and beside it the lists, each verified to an anchor. Without either, nobody is believed."""
    store = load_trust_store(options.trust) if options.trust else TrustStore(anchors=())
    if not options.list:
        return store
    given = TrustStore(anchors=tuple(anchor for file in options.anchor for anchor in read_anchors(file)))
    found = read_sources(options.list, given, now)
    if found.unreadable:
        raise PkiError(ReasonCode.MALFORMED, found.unreadable[0])
    return replace(store, anchors=union((*store.anchors, *found.anchors)).anchors)


def _numbered(path: Path) -> tuple[int, Path]:
    """A file as read tells by its tag which it is; 0 is EF.COM."""
    with path.open("rb") as file:
        tag = file.read(1)
    if tag and tag[0] == COMMON_DATA:
        return 0, path
    if not tag or tag[0] not in DATA_GROUPS:
        raise PkiError(ReasonCode.MALFORMED, f"{path}: neither a data group nor EF.COM; say which with --dg N=FILE")
    return DATA_GROUPS[tag[0]], path


def _report(result: PassiveAuthResult) -> tuple[dict[str, Any], int]:
    record = {"steps": [asdict(step) | {"name": step.name} for step in result.steps], "record": result.record.as_dict()}
    match result:
        case Authentic():
            facts = ("issuing_country", "signer", "csca", "signed_at", "revocation", "lists_dg14", "lists_dg15")
            return {"verdict": "authentic"} | {name: getattr(result, name) for name in facts} | record, 0
        case Rejected() | Undetermined():
            word, status = ("rejected", 1) if isinstance(result, Rejected) else ("undetermined", 3)
            found = {"verdict": word, "code": result.code, "step": result.step, "detail": result.detail}
            return found | _missing_anchor(result) | record, status
    assert_never(result)


def _missing_anchor(result: Rejected | Undetermined) -> dict[str, str]:
    """By whom the signer says that it was issued: the certificate to ask that State for."""
    if result.code is not ReasonCode.NO_TRUST_ANCHOR or result.certificate is None:
        return {}
    key = result.certificate.extensions.authority_key_identifier
    return {"missing_anchor": f"{result.certificate.issuer}" + (f", key {key.hex()}" if key else "")}


def _lines(report: dict[str, Any]) -> Iterator[str]:
    for check in report["record"]["checks"]:
        met = " ".join(part for part in (check["code"], check["detail"]) if part)
        yield f"{check['number']:2} {MARKS[check['result']]} {check['name']:18} {check['result']:13} {met}".rstrip()
    code = f" {report['code']} at step {report['step']}" if "code" in report else ""
    yield f"verdict: {report['verdict']}{code}; all checks together: {report['record']['result']}"
    if "missing_anchor" in report:
        yield f"missing anchor: {report['missing_anchor']}"


def _parser(time: Callable[[str], datetime]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pki verify", description="Passive authentication of an electronic travel document."
    )
    parser.add_argument("sod", type=Path, metavar="SOD", help="file with EF.SOD as read from the chip")
    parser.add_argument("files", type=Path, nargs="*", metavar="DG", help="data groups and EF.COM as read, told by their tags")
    parser.add_argument("--dg", type=_data_group, action="append", default=[], metavar="N=FILE", help="a data group by number")
    parser.add_argument("--trust", type=Path, metavar="FOLDER", help="trust store: CSCA certificates and CRLs (default: nobody)")
    parser.add_argument("--list", type=Path, action="append", default=[], metavar="FILE", help="master list to believe besides")
    parser.add_argument("--anchor", type=Path, action="append", default=[], metavar="FILE", help="whom a list must come from")
    parser.add_argument("--at", type=time, metavar="ISO", help="moment to judge at; without an offset UTC (default: now)")
    parser.add_argument("--state", metavar="XXX", help="issuing State in the printed MRZ (default: from DG1)")
    parser.add_argument("--mrz", metavar="TEXT", help="the printed MRZ, its lines one after another")
    parser.add_argument("--json", action="store_true", help="everything, for machines")
    return parser


def _data_group(text: str) -> tuple[int, Path]:
    number, separator, path = text.partition("=")
    if not separator or not number.isdecimal() or not 1 <= int(number) <= 16:
        raise argparse.ArgumentTypeError(f"{text!r} is not N=FILE with N from 1 to 16")
    return int(number), Path(path)
