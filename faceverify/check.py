"""Examines an installed pack: hashes, declared against real shapes, then its numbers. The receipt says that this was done here."""

from __future__ import annotations

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
from faceverify.onnx_graph import Graph, read_graph
from faceverify.onnx_writer import OnnxError
from faceverify.packs import RECEIPT, load_pack
from faceverify.pad import PadNet
from faceverify.scrfd import looks_like_scrfd
from faceverify.self_test import Golden, golden

if TYPE_CHECKING:
    from faceverify.description import NetSpec, Pack

_INPUT_RANK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """A pack that passed, and by what figures: those of the test that it brings, or those of the contest."""

    pack: Pack
    examined: Golden | Contest


def check_pack(folder: Path) -> CheckReport:
    """Raises PackError with the first thing that is wrong."""
    pack = load_pack(folder)
    _check_detector(pack)
    _check_input(pack, pack.recogniser.net, pack.recogniser.size)
    for pad in pack.pad:
        _check_input(pack, pad.net, pad.size)
    examiner = Examiner(pack)
    _check_pad(pack, examiner)
    return CheckReport(pack=pack, examined=golden(examiner, pack.self_test) if pack.self_test else contest(examiner))


def write_receipt(folder: Path, report: CheckReport) -> None:
    """Note beside the pack that it was examined, by what versions and with what figures."""
    figures = {name: _plain(getattr(report.examined, name)) for name in type(report.examined).__dataclass_fields__}
    receipt = {
        "pack_sha256": report.pack.sha256,
        "examined": type(report.examined).__name__.lower(),
        "figures": figures,
        "versions": {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__, "autogate": version("autogate")},
    }
    (folder / RECEIPT).write_text(json.dumps(receipt, indent=1) + "\n")


def _plain(value: Any) -> Any:
    return {name: round(number, 6) for name, number in value.items()} if isinstance(value, dict) else float(f"{value:.6g}")


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
