"""Puts a pack in place: its files are found and checked, its graphs rewritten for speed, its numbers examined. All or nothing.

The installed folder is the cache of what was rewritten: ``sha256`` in its ``pack.toml`` pins the graph that runs,
``source_sha256`` the publisher's file that it was made from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from faceverify import sample_pictures
from faceverify.check import CheckReport, check_pack, write_receipt
from faceverify.description import DESCRIPTION, Grant, NetSpec, Pack, PackError, read_description, read_file
from faceverify.description_reader import parse_pack
from faceverify.onnx_graph import Rewritten, rewrite_prelu
from faceverify.onnx_padding import pad_channels
from faceverify.onnx_writer import OnnxError
from faceverify.packs import load_pack, move_into_place, shipped_description
from faceverify.rewriting import REWRITE_TOLERANCE, largest_difference
from faceverify.templates import TEMPLATES, Terms, fill

_MAX_CANDIDATES = 32
"""Weight files in a source folder that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetReport:
    """What became of one weight file. ``shared`` and ``per_channel``: PRelu nodes rewritten; ``difference``: largest one of any
    output on real faces, None where the file came rewritten or needed nothing.
    """

    file: str
    source_sha256: str
    sha256: str
    shared: int = 0
    per_channel: int = 0
    difference: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallReport:
    """``nets`` is empty where the pack was in place already and was only checked again."""

    pack: Pack
    nets: tuple[NetReport, ...]
    check: CheckReport


@dataclass(slots=True)
class _Building:
    """A pack on its way: the text of its description and its weight files, by the name that the description gives them."""

    text: str
    files: dict[str, bytes] = field(default_factory=dict)

    def replace(self, net: NetSpec, data: bytes) -> None:
        """Take ``data`` for this file and pin it."""
        self.files[net.file] = data
        digest = hashlib.sha256(data).hexdigest()
        self.text = re.sub(rf'(?m)^sha256 = "{net.sha256}"', f'sha256 = "{digest}"', self.text)


def install_pack(
    source: Path,
    target: Path,
    *,
    name: str = "",
    grant: Grant = "non_commercial",
    licence: str = "",
    licensed_until: date | None = None,
) -> InstallReport:
    """Install from the folder ``source`` as the folder ``target``; one that is there already is only checked. Raises PackError.

    ``name``: ``open``, or one of :data:`~faceverify.templates.TEMPLATES` for weights that come without a description. Without it
    the source brings its own ``pack.toml``. ``grant``, ``licence`` and ``licensed_until`` say what an operator may do with weights of
    his own, and to which day.
    """
    if not source.is_dir():
        raise PackError(str(source), "is no folder", "unpack the archive and name the folder")
    text = _description(source, name, Terms(grant=grant, licence=licence, until=licensed_until))
    if target.is_dir():
        _same_origin(text, target)
        return InstallReport(pack=load_pack(target), nets=(), check=check_pack(target))
    with _scratch(target) as folder:
        reports = _build(text, source, folder)
        check = check_pack(folder)
        write_receipt(folder, check)
        move_into_place(folder, target)
    return InstallReport(pack=load_pack(target), nets=reports, check=check)


def _description(source: Path, name: str, terms: Terms) -> str:
    if name in TEMPLATES:
        return fill(name, source, terms)
    if name == "open":
        return shipped_description("open").decode()
    if name:
        raise PackError(name, "is no pack that this version knows", f"open, {', '.join(TEMPLATES)}, or none")
    try:
        return read_description(source).decode()
    except UnicodeDecodeError:
        raise PackError(str(source / DESCRIPTION), "is not UTF-8", "correct the file") from None


def _build(text: str, source: Path, folder: Path) -> tuple[NetReport, ...]:
    """First the pack with the files as found, so that real faces can be aligned; then with those that could be rewritten."""
    declared = parse_pack(text.encode(), source)
    building = _Building(text)
    found = [_found(declared, net, source) for net in declared.nets]
    for net, data in zip(declared.nets, found, strict=True):
        building.replace(net, data)
    for name, sha256 in (declared.self_test.pictures if declared.self_test else {}).items():
        (folder / name).write_bytes(sample_pictures.picture_file(name, sha256, source))
    pack = _written(building, folder)
    reports = tuple(_rewrite(pack, net, before, building) for net, before in zip(pack.nets, declared.nets, strict=True))
    installed = _written(building, folder)
    for net, before in zip(installed.nets, declared.nets, strict=True):
        if before.sha256 not in {net.sha256, before.source_sha256}:
            raise PackError(net.file, "rewritten it is not the file that the pack pins", "report this as a defect")
    return reports


def _written(building: _Building, folder: Path) -> Pack:
    for name, data in {DESCRIPTION: building.text.encode(), **building.files}.items():
        (folder / name).write_bytes(data)
    return load_pack(folder)


def _found(pack: Pack, net: NetSpec, source: Path) -> bytes:
    """The file under its own name; where there is none, the one with its publisher's hash under another. Raises PackError."""
    path = source / net.file
    if path.exists() or path.is_symlink():
        candidates: Iterator[Path] = iter([path])
    else:
        candidates = iter(sorted(source.glob("*.onnx"))[:_MAX_CANDIDATES])
    for candidate in candidates:
        data = read_file(candidate)
        if hashlib.sha256(data).hexdigest() in {net.sha256, net.source_sha256}:
            return data
        if candidate == path:
            raise PackError(str(path), "sha256 differs from the pinned one", "restore the original file")
    raise PackError(str(path), "is missing", f"put the weights of pack {pack.id} into the folder")


def _rewrite(pack: Pack, net: NetSpec, declared: NetSpec, building: _Building) -> NetReport:
    """Rewrite a publisher's graph, unless its outputs on real faces would change."""
    report = NetReport(file=net.file, source_sha256=net.source_sha256, sha256=net.sha256)
    if net.sha256 != net.source_sha256:
        return dataclasses.replace(report, note="came rewritten")
    rewritten = _rewritten(net, building.files[net.file])
    if not rewritten.shared + rewritten.per_channel:
        return dataclasses.replace(report, note="nothing to rewrite")
    difference = largest_difference(pack, net, rewritten.model)
    if not difference <= REWRITE_TOLERANCE:
        if declared.sha256 != declared.source_sha256:
            raise PackError(net.file, f"rewritten it differs by {difference:.2g}", "install the rewritten file")
        return dataclasses.replace(report, difference=difference, note="left as it came: rewritten it differs too much")
    building.replace(net, rewritten.model)
    return dataclasses.replace(
        report,
        sha256=hashlib.sha256(rewritten.model).hexdigest(),
        shared=rewritten.shared,
        per_channel=rewritten.per_channel,
        difference=difference,
    )


def _rewritten(net: NetSpec, data: bytes) -> Rewritten:
    try:
        rewritten = rewrite_prelu(data)
        return dataclasses.replace(rewritten, model=pad_channels(rewritten.model))
    except OnnxError as error:
        raise PackError(net.file, f"is no network that can be used: {error}", "use another file") from None


def _same_origin(text: str, target: Path) -> None:
    """Raises PackError where the folder holds a pack of another origin than the one asked for."""
    wanted, installed = parse_pack(text.encode(), target), load_pack(target)
    if wanted.id != installed.id or [net.source_sha256 for net in wanted.nets] != [net.source_sha256 for net in installed.nets]:
        raise PackError(str(target), f"holds another pack ({installed.id})", "remove the folder, or choose another")


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """A new folder beside ``target``; an error of the file system is a PackError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=target.parent, ignore_cleanup_errors=True) as scratch:
            folder = Path(scratch) / target.name
            folder.mkdir()
            yield folder
    except OSError as error:
        raise PackError(str(target), f"cannot write: {error.strerror}", "choose a writable folder") from None
    except shutil.Error as error:
        raise PackError(str(target), f"cannot write: {error}", "choose a writable folder") from None
