"""Examines an installed pack: hashes, declared against real shapes, then its numbers. The receipt says that this was done here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from faceverify.contest import Contest, contest
from faceverify.description import PackError
from faceverify.examiner import Examiner
from faceverify.onnx_reader import Graph, read_graph
from faceverify.onnx_writer import OnnxError
from faceverify.packs import RECEIPT, load_pack, shipped_description
from faceverify.pad import PadNet
from faceverify.scrfd import looks_like_scrfd
from faceverify.self_test import Golden, golden

if TYPE_CHECKING:
    from faceverify.description import NetSpec, Pack

_INPUT_RANK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """A pack that passed, and by what figures.

    The test that a pack brings was made by whoever made the pack: it proves that the pack is whole and that our code computes what
    his did, not that what he declares is right. So every pack that is not described by us stands the contest as well.
    """

    pack: Pack
    golden: Golden | None
    contest: Contest | None


def check_pack(folder: Path) -> CheckReport:
    """Raises PackError with the first thing that is wrong."""
    pack = load_pack(folder)
    _check_detector(pack)
    _check_input(pack, pack.recogniser.net, pack.recogniser.size)
    for pad in pack.pad:
        _check_input(pack, pad.net, pad.size)
    examiner = Examiner(pack)
    _check_pad(pack, examiner)
    found = golden(examiner, pack.self_test) if pack.self_test else None
    ours = found is not None and pack.sha256 == hashlib.sha256(shipped_description("open")).hexdigest()
    return CheckReport(pack=pack, golden=found, contest=None if ours else contest(examiner))


def write_receipt(folder: Path, report: CheckReport) -> None:
    """Note beside the pack that it was examined, by what versions and with what figures."""
    receipt = {
        "pack_sha256": report.pack.sha256,
        "self_test": _plain(report.golden),
        "contest": _plain(report.contest),
        "versions": {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__, "autogate": version("autogate")},
    }
    (folder / RECEIPT).write_text(json.dumps(receipt, indent=1) + "\n")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: _plain(number) for name, number in value.items()}
    return value if value is None else float(f"{value:.6g}")


def graph_of(pack: Pack, net: NetSpec) -> Graph:
    """Raises PackError where the file is no network, or one that may not be used."""
    try:
        return read_graph(pack.read(net))
    except OnnxError as error:
        raise PackError(str(pack.folder / net.file), f"is no network that can be used: {error}", "use another file") from None


def _check_input(pack: Pack, net: NetSpec, size: int | None) -> None:
    """One picture in: [n, 3, size, size], sizes that the file leaves open fit everything."""
    shapes = list(graph_of(pack, net).inputs.values())
    wanted = (None, 3, size, size)
    fits = len(shapes) == 1 and len(shapes[0]) == _INPUT_RANK
    if not fits or any(real is not None and real != said for real, said in zip(shapes[0][1:], wanted[1:], strict=True)):
        raise PackError(str(pack.folder / net.file), f"takes {shapes}, the pack says [n, 3, {size}, {size}]", "correct `size`")


def _check_detector(pack: Pack) -> None:
    spec = pack.detector
    if spec.kind != "centerface":  # its published file declares no shape once freed
        _check_input(pack, spec.net, None)
    if spec.kind == "scrfd" and not looks_like_scrfd(graph_of(pack, spec.net).outputs):
        raise PackError(str(pack.folder / spec.net.file), "is no SCRFD with five points", "use a detector with nine outputs")


def _check_pad(pack: Pack, examiner: Examiner) -> None:
    if not pack.pad:
        return
    picture, faces = examiner.group()
    for spec in pack.pad:
        if PadNet(pack, spec).measure(picture, faces[0]) is None:
            raise PackError(str(pack.folder / spec.net.file), "gives no usable numbers", "correct `pad` in pack.toml")
