"""insightface's FaceAnalysis behind the same class as our own backend, for packs with SCRFD and ArcFace.

It runs a pack that was installed and examined like any other; threshold, licence and quality are the pack's and ours. It gets the
bytes that the pack pins, in a folder that exists only while it reads them, with a manifest that declares what it would otherwise
guess from the names of nodes. So it downloads nothing, and nothing that lies elsewhere can take the place of a network.
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceverify.description import PackError
from faceverify.detect import Detector
from faceverify.nets import session_options
from faceverify.verifier import FaceVerifier

if TYPE_CHECKING:
    from faceverify.confined import ConfinedDecoder
    from faceverify.decoders import Candidates
    from faceverify.description import NetSpec, Pack
    from faceverify.detect import Pixels
    from faceverify.extract import Features
    from faceverify.ports import Verifier

MANIFEST = "manifest.json"
_FILES = {"detection": "detection.onnx", "recognition": "recognition.onnx"}
_CPU = ["CPUExecutionProvider"]
_AS_LOADED = 0
"""Asked to prepare with this, FaceAnalysis keeps the sessions as they were made."""


class InsightfaceVerifier(FaceVerifier):
    """Detects and extracts with insightface; everything else is as in the class that it extends.

    Raises PackError where the package or what it needs is not installed, or where it cannot run what the pack declares.
    """

    def __init__(self, pack: Pack, *, decoder: ConfinedDecoder | None = None) -> None:
        analysis = open_analysis(pack)
        look, extractor = _Look(analysis.models["detection"]), _Extractor(analysis.models["recognition"])
        super().__init__(pack, decoder=decoder, detector=Detector(pack, look), extractor=extractor)


def open_analysis(pack: Pack) -> Any:
    """A FaceAnalysis of the pack's two networks, one thread each, ready to use. Raises PackError."""
    contents = {_FILES["detection"]: pack.read(pack.detector.net), _FILES["recognition"]: pack.read(pack.recogniser.net)}
    contents[MANIFEST] = json.dumps(manifest(pack)).encode()
    face_analysis = _imported()
    try:
        with tempfile.TemporaryDirectory(prefix="autogate-insightface-") as folder:
            for name, content in contents.items():
                (Path(folder) / name).write_bytes(content)
            analysis = face_analysis(folder, providers=_CPU, sess_options=session_options(), static_shape_sessions=False)
        analysis.prepare(_AS_LOADED, det_thresh=pack.detector.score_threshold)
        analysis.det_model.prepare(_AS_LOADED, nms_thresh=pack.detector.overlap_threshold)
    except Exception as error:  # noqa: BLE001 - its errors and ONNX Runtime's share no base class
        what = str(error) or type(error).__name__  # an AssertionError says nothing
        raise PackError(pack.id, f"insightface refuses it: {what}", 'use backend = "onnxruntime", or another pack') from None
    return analysis


def manifest(pack: Pack) -> dict[str, Any]:
    """What insightface 2 reads from a ``manifest.json`` of version 2. Raises PackError for what it cannot be told."""
    if pack.detector.kind != "scrfd":
        raise PackError(pack.id, f"insightface does not know detectors of kind {pack.detector.kind}", "use a pack with SCRFD")
    detection: dict[str, Any] = {"preprocessing": _preprocessing(pack, pack.detector.net)}
    size, width = pack.recogniser.size, pack.recogniser.features
    recognition = {
        "preprocessing": _preprocessing(pack, pack.recogniser.net),
        "input_size": [size, size],
        "embedding_dimension": width,
    }
    tasks = {"detection": detection, "recognition": recognition}
    return {
        "manifest_version": 2,
        "model_id": pack.id,
        "license": "MODEL.LICENSE",  # named because it has to be; what the pack may be used for was settled when it was installed
        "tasks": {task: {"file": _FILES[task], **told} for task, told in tasks.items()},
    }


def _preprocessing(pack: Pack, net: NetSpec) -> dict[str, float]:
    if net.colour_order != "RGB" or len({*net.mean}) != 1 or len({*net.std}) != 1:
        what = f"{net.file}: insightface takes RGB with one mean and one deviation for all channels"
        raise PackError(pack.id, what, 'use backend = "onnxruntime"')
    return {"mean": net.mean[0], "std": net.std[0]}


def _imported() -> Any:
    """The class FaceAnalysis. Its package takes 0.7 s to import, so nobody does who does not use it."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # an optional helper of insightface would ask the network for news
    try:
        return importlib.import_module("insightface.app").FaceAnalysis
    except ImportError as error:
        what = f"cannot be imported: {error}"
        raise PackError("insightface", what, "run `make setup-insightface` and start autogate from that environment") from None


class _Look:
    """Its SCRFD as a :data:`faceverify.detect.Look`."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, pixels: Pixels) -> Candidates:
        found, points = self._model.detect(pixels, input_size=pixels.shape[1::-1])
        return found[:, 4], found[:, :4], points


class _Extractor:
    """Its ArcFaceONNX as a :class:`faceverify.extract.Extracts`."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def features(self, crop: Pixels) -> Features:
        return np.array(self._model.get_feat(crop), np.float32).reshape(-1)


if TYPE_CHECKING:
    _: type[Verifier] = InsightfaceVerifier
