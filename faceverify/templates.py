"""Descriptions for weights that come without one: which file of an operator's folder does what is told from the graphs' shapes.

The weights are pinned as found: nobody here knows the publisher's hashes, so the report shows them for comparison.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import Template

from faceverify.description import DESCRIPTION, Grant, PackError, read_file
from faceverify.onnx_reader import Graph, read_graph
from faceverify.onnx_writer import OnnxError
from faceverify.packs import shipped_description
from faceverify.scrfd import OUTPUTS, looks_like_scrfd

TEMPLATES = ("insightface", "auraface", "sface")
"""Packs of insightface (``buffalo_*``, ``antelopev2``); AuraFace's recogniser with YuNet-n; OpenCV's SFace with YuNet-n."""
_MAX_FILES = 32
_RECOGNISER_INPUT = (3, 112, 112)
_WIDTHS = {"insightface": 512, "auraface": 512, "sface": 128}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_OPEN_LICENCES = {"auraface": "Apache-2.0, as its publisher states", "sface": "Apache-2.0, as its publisher states"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an operator may do with weights of his own: by which licence, to which day (None: no end)."""

    grant: Grant
    licence: str
    until: date | None


def fill(name: str, source: Path, terms: Terms) -> str:
    """The text of ``pack.toml`` for the weights in the folder ``source``. Raises PackError.

    AuraFace and SFace are open; for insightface's own weights ``terms`` are what the operator holds.
    """
    needs_detector = name == "insightface"
    found = {"recogniser": _one(source, f"recogniser with {_WIDTHS[name]} features", _recognisers(source, _WIDTHS[name]))}
    if needs_detector:
        found["detector"] = _one(source, "SCRFD detector with five points", _detectors(source))
    if name in _OPEN_LICENCES:
        terms = Terms(grant="open", licence=_OPEN_LICENCES[name], until=None)
    identity = source.resolve().name if needs_detector else name
    if not _NAME.fullmatch(identity):
        raise PackError(str(source), "is no name for a pack", "call the folder as the pack is called, e.g. buffalo_l")
    values = {
        "id": identity,
        "grant": terms.grant,
        "permitted_use": "operation" if terms.grant == "commercial" else "trial",
        "licence": _text(terms.licence or "non-commercial research only, as the publisher states"),
        "licensed_until": f"licensed_until = {terms.until}" if terms.until else "# licensed_until: the licence names no last day",
    }
    for part, (file, sha256) in found.items():
        values |= {f"{part}_file": file, f"{part}_sha256": sha256}
    return Template(shipped_description(name).decode()).substitute(values)


def _text(value: str) -> str:
    """A string of TOML."""
    return json.dumps(value.encode(errors="replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


Found = tuple[str, str]
"""File name and sha256."""


def _one(source: Path, what: str, found: list[Found]) -> Found:
    """Never the first of several: which of them serves is the operator's to say."""
    if len(found) != 1:
        names = ", ".join(file for file, _ in found)
        raise PackError(str(source), f"holds {len(found)} files that look like a {what}: {names or 'none'}", "leave exactly one")
    return found[0]


def _recognisers(source: Path, width: int) -> list[Found]:
    return [file for file, graph in _graphs(source) if _is_recogniser(graph, width)]


def _detectors(source: Path) -> list[Found]:
    graphs = list(_graphs(source))
    found = [file for file, graph in graphs if looks_like_scrfd(graph.outputs)]
    boxes_only = [file[0] for file, graph in graphs if len(graph.outputs) == OUTPUTS - 3 and len(graph.inputs) == 1]
    if not found and boxes_only:
        raise PackError(str(source / boxes_only[0]), "finds boxes without the five points", "use a detector with nine outputs")
    return found


def _is_recogniser(graph: Graph, width: int) -> bool:
    shapes, outputs = list(graph.inputs.values()), list(graph.outputs.values())
    if len(shapes) != 1 or len(outputs) != 1 or len(shapes[0]) != 4:
        return False
    last = outputs[0][-1] if outputs[0] else None
    return shapes[0][1:] == _RECOGNISER_INPUT and last in {None, width}


def _graphs(source: Path) -> Iterator[tuple[Found, Graph]]:
    """Each network of the folder, one after the other: together they may not fit into memory."""
    paths = sorted(source.glob("*.onnx"))
    if len(paths) > _MAX_FILES:
        raise PackError(str(source), f"holds {len(paths)} networks", "leave those of one pack")
    for path in paths:
        data = read_file(path)
        if not _NAME.fullmatch(path.name) or path.name == DESCRIPTION:
            raise PackError(str(path), "is no name for a weight file", "rename it")
        try:
            yield (path.name, hashlib.sha256(data).hexdigest()), read_graph(data)
        except OnnxError as error:
            raise PackError(str(path), f"is no network that can be used: {error}", "remove or replace it") from None
