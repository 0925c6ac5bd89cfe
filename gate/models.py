"""``autogate models``: put face packs in place and examine them. Their weights are published by others and never part of us."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from faceverify.check import CheckReport, check_pack, write_receipt
from faceverify.description import DESCRIPTION, read_description
from faceverify.description_reader import parse_pack
from faceverify.install import InstallReport, NetReport, install_pack
from faceverify.packs import PackError, shipped_description
from faceverify.permission import label
from gate.model_licence import NO_FILE, ModelLicence, read_licence

FILE_LIMIT = 64 << 20
"""Bytes of one weight file; the largest of the pack has 4.5 MB."""
MEMORY_LIMIT = 8 << 30
"""Bytes of address space: the largest recogniser in use takes a tenth while it is rewritten and compared."""
TIMEOUT_S = 60.0
_OPEN_WEIGHTS = ("open", "auraface", "sface")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What to install from where: ``name`` as :func:`faceverify.install.install_pack` takes it, ``target`` below the packs."""

    folder: Path
    name: str
    target: str
    licence: ModelLicence = NO_FILE


def add_arguments(models: argparse.ArgumentParser, packs: Path) -> None:
    """The options of ``autogate models``; ``packs`` is where packs lie unless said otherwise."""
    commands = models.add_subparsers(dest="models", required=True)
    install = commands.add_parser("install", help="put a pack in place, examined")
    install.add_argument("source", help="folder with weight files, or the address of those of the open pack")
    install.add_argument("--pack", default="", help="open, auraface, sface, or the name of an insightface pack (buffalo_l)")
    install.add_argument("--packs", type=Path, default=packs)
    check = commands.add_parser("check", help="examine packs that are in place")
    check.add_argument("pack", nargs="*", help="names; all where none is given")
    check.add_argument("--packs", type=Path, default=packs)


def models_command(options: argparse.Namespace) -> int:
    """Run one command. Returns 0, or 2 with a line on standard error for each pack that cannot be used."""
    with bounded_memory():
        if options.models == "check":
            return check_command(options.packs, options.pack)
        return install_command(options.source, options.packs, options.pack)


@contextmanager
def bounded_memory(limit: int = MEMORY_LIMIT) -> Iterator[None]:
    """Strangers' graphs run here for the first time: one that asks for more than this address space (bytes) gets an error, not all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def install_command(source: str, packs: Path, pack: str = "") -> int:
    """Install below ``packs``. Returns 0, or 2 with one line."""
    try:
        report = _install(source, packs, pack)
    except (PackError, OSError) as error:
        print(f"autogate models install: {error}", file=sys.stderr)
        return 2
    print(f"{report.pack.folder}: {label(report.pack)}")
    for net in report.nets:
        print(f"  {_net_line(net)}")
    print(f"  {_figures(report.check)}")
    return 0


def check_command(packs: Path, names: list[str]) -> int:
    """Examine packs again: hashes, shapes, numbers. Returns 0, or 2 where one of them, or all, cannot be used."""
    folders = [packs / name for name in names] or sorted(path.parent for path in packs.glob(f"*/{DESCRIPTION}"))
    if not folders:
        print(f"autogate models check: no packs in {packs}; autogate models install SOURCE", file=sys.stderr)
    sound = [_check(folder) for folder in folders]
    return 0 if sound and all(sound) else 2


def _check(folder: Path) -> bool:
    try:
        report = check_pack(folder)
        write_receipt(folder, report)
    except (PackError, OSError) as error:
        print(f"autogate models check: {error}", file=sys.stderr)
        return False
    print(f"{folder}: {label(report.pack)}")
    print(f"  pack sha256 {report.pack.sha256}")
    for net in report.pack.nets:
        print(
            f"  {net.file}: {net.licence}; sha256 {net.sha256}"
            + (f", made from {net.source_sha256}" * (net.sha256 != net.source_sha256))
        )
    print(f"  {_figures(report)}")
    return True


def _install(source: str, packs: Path, pack: str) -> InstallReport:
    if not source.startswith(("http://", "https://")):
        return _carry_out(_order(Path(source), pack), packs)
    if pack not in {"", "open"}:
        raise PackError(source, "only the open pack is fetched from an address", "download the weights and name their folder")
    with tempfile.TemporaryDirectory(prefix="autogate-models-") as scratch:
        for net in parse_pack(shipped_description("open"), Path(scratch)).nets:
            (Path(scratch) / net.file).write_bytes(_fetch(f"{source.rstrip('/')}/{net.file}"))
        return _carry_out(_Order(folder=Path(scratch), name="open", target="open"), packs)


def _carry_out(order: _Order, packs: Path) -> InstallReport:
    licence = order.licence
    return install_pack(
        order.folder,
        packs / order.target,
        name=order.name,
        grant=licence.grant,
        licence=licence.text,
        licensed_until=licence.until,
    )


def _order(source: Path, pack: str) -> _Order:
    if not pack and (source / DESCRIPTION).exists():
        return _Order(folder=source, name="", target=parse_pack(read_description(source), source).id)
    if not pack or pack in _OPEN_WEIGHTS:
        return _Order(folder=source, name=pack or "open", target=pack or "open")
    for folder in (source / "models" / pack, source / pack, source):
        if folder.is_dir() and folder.resolve().name == pack:
            return _Order(folder=folder, name="insightface", target=pack, licence=read_licence(folder, pack, datetime.now(UTC)))
    raise PackError(str(source), f"holds no folder {pack}", "name the folder of the pack, or the one that holds models/")


def _net_line(net: NetReport) -> str:
    if net.difference is None:
        return f"{net.file}: sha256 {net.sha256}; {net.note}"
    nodes = f"{net.shared} PRelu nodes with one slope and {net.per_channel} with a slope for each channel"
    done = net.note or f"rewritten to sha256 {net.sha256}"
    return f"{net.file}: sha256 {net.source_sha256}; {nodes}, {done}; largest difference on real faces {net.difference:.2g}"


def _figures(report: CheckReport) -> str:
    threshold = report.pack.threshold
    decides = (
        "no threshold: compares nothing" if threshold is None else f"threshold {threshold.score:.3f} ({threshold.provenance})"
    )
    parts = []
    if (golden := report.golden) is not None:
        scores = f"mated pair {golden.mated:.3f}, non-mated pair {golden.non_mated:.3f}"
        parts.append(f"self-test: vector within {golden.vector_difference:.2g} of the reference, {scores}")
    if (contest := report.contest) is not None:
        rivals = ", ".join(f"{name} {value:.3f}" for name, value in contest.alternatives.items())
        parts.append(f"contest: separation {contest.declared:.3f} as declared, decidability {contest.decidability:.1f}; {rivals}")
    return "; ".join([*parts, decides])


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310 - only http and https get here
            data: bytes = response.read(FILE_LIMIT + 1)
    except (urllib.error.URLError, ValueError) as error:
        raise OSError(f"{url}: {error}; check the address, or give a folder") from error
    if len(data) > FILE_LIMIT:
        raise OSError(f"{url}: more than {FILE_LIMIT} bytes; that is no weight file of this pack")
    return data
