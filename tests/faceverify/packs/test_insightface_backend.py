"""insightface behind our class: what it is given, what it refuses, and that it finds what our own backend finds.

Run on stand-ins of the same signature; insightface's published weights cannot be had here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from faceverify import insightface_backend
from faceverify.description import PackError
from faceverify.insightface_backend import InsightfaceVerifier, manifest, open_analysis
from faceverify.packs import load_pack
from faceverify.templates import Terms, fill
from faceverify.verifier import FaceVerifier

pytestmark = [pytest.mark.shared, pytest.mark.timeout(150)]  # an environment's first import of insightface takes its time
ROOT = Path(__file__).resolve().parents[3]
PEER = ROOT / ".venv" / "peer-insightface" / "bin" / "python"


@pytest.fixture(scope="module")
def pack(stand_ins, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs") / "buffalo_x"
    folder.mkdir()
    (folder / "det_x.onnx").write_bytes(stand_ins["scrfd"])
    (folder / "w600k_x.onnx").write_bytes(stand_ins["arcface"])
    text = fill("insightface", folder, Terms(grant="commercial", licence="of the test", until=None))
    (folder / "pack.toml").write_text(text)
    return load_pack(folder)


def fake(monkeypatch, make):
    """Put ``make`` in the place of FaceAnalysis."""
    monkeypatch.setitem(sys.modules, "insightface.app", SimpleNamespace(FaceAnalysis=make))


def test_without_the_package_it_says_what_to_install(pack, monkeypatch):
    monkeypatch.setitem(sys.modules, "insightface.app", None)
    with pytest.raises(PackError, match="insightface: cannot be imported: .* setup-insightface"):  # noqa: RUF043
        InsightfaceVerifier(pack)


def test_whatever_insightface_raises_is_an_error_of_the_pack(pack, monkeypatch):
    def fails(*_, **__):
        raise AssertionError

    fake(monkeypatch, fails)
    with pytest.raises(PackError, match="insightface refuses it: AssertionError"):
        open_analysis(pack)


def test_it_reads_the_pinned_bytes_from_a_folder_that_is_there(pack, monkeypatch):
    """An existing folder is never downloaded; a manifest leaves nothing to be guessed."""
    seen = {}

    def analysis(folder, **options):
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
        seen.update(folder=Path(folder), files=files, options=options)
        return SimpleNamespace(prepare=lambda *_, **__: None, det_model=SimpleNamespace(prepare=lambda *_, **__: None))

    fake(monkeypatch, analysis)
    open_analysis(pack)
    pinned = {net.sha256 for net in pack.nets}
    assert pinned == {hashlib.sha256(data).hexdigest() for name, data in seen["files"].items() if name.endswith(".onnx")}
    assert json.loads(seen["files"]["manifest.json"])["tasks"]["recognition"]["preprocessing"] == {"mean": 127.5, "std": 127.5}
    assert seen["options"]["providers"] == ["CPUExecutionProvider"]
    assert seen["options"]["sess_options"].intra_op_num_threads == 1
    assert not seen["folder"].exists()


def test_weights_that_changed_since_are_not_handed_over(pack, tmp_path):
    moved = dataclasses.replace(pack, folder=tmp_path)
    for net in pack.nets:
        (tmp_path / net.file).write_bytes(pack.read(net)[:-1] + b"\0")
    with pytest.raises(PackError, match="sha256 differs"):
        open_analysis(moved)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"colour_order": "BGR"}, "insightface takes RGB"),
        ({"mean": (1.0, 2.0, 3.0)}, "one mean and one deviation"),
        ({"std": (1.0, 2.0, 3.0)}, "one mean and one deviation"),
    ],
)
def test_what_it_cannot_be_told_is_refused(pack, change, reason):
    recogniser = dataclasses.replace(pack.recogniser, net=dataclasses.replace(pack.recogniser.net, **change))
    with pytest.raises(PackError, match=reason):
        manifest(dataclasses.replace(pack, recogniser=recogniser))


def test_a_detector_that_it_would_mistake_for_its_own_is_refused(pack):
    with pytest.raises(PackError, match="detectors of kind yunet"):
        manifest(dataclasses.replace(pack, detector=dataclasses.replace(pack.detector, kind="yunet")))


@pytest.fixture(scope="module")
def told(pack, pictures, capture, tmp_path_factory):
    """What the other environment measures of one person, and the pictures it was given."""
    if not PEER.exists():
        reason = "insightface has no environment here (make setup-insightface)"
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("pictures")
    portrait, frame = folder / "portrait.jp2", folder / "frame.png"
    portrait.write_bytes(pictures.chip(0))
    cv2.imwrite(str(frame), pictures.frame(0, capture(200, 1.0, 0.8, 2.0)))
    command = [str(PEER), str(Path(__file__).with_name("insightface_peer.py")), *map(str, (pack.folder, portrait, frame))]
    home = folder / "home"
    home.mkdir()
    environment = {"HOME": str(home), "ORT_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1]) | {"frame": cv2.imread(str(frame))}


def cosine(a, b):
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


def test_both_backends_measure_the_same(told, pack, pictures):
    with FaceVerifier(pack) as own:
        probe, reference = own.probe(told["frame"]), own.reference(pictures.chip(0))
        followed = own.track().see(told["frame"])
    np.testing.assert_allclose(told["points"], probe.face.points, atol=0.05)
    np.testing.assert_allclose(told["followed"], followed.face.points, atol=0.05)
    assert cosine(told["features"], probe.features) > 0.9999
    assert cosine(told["reference"], reference.features) > 0.9999


def test_the_backend_gives_what_insightface_gives_alone(told):
    """Its own alignment and its own call, on the same five points."""
    assert cosine(told["features"], told["insightface alone"]) > 0.9999


def test_a_pack_without_a_threshold_compares_nothing_here_either(told):
    assert told["comparison"] == "NotPerformed"


def test_nothing_is_written_at_home(told):
    assert told["home"] is False


def test_importing_the_backend_imports_no_insightface():
    code = f"import sys, {insightface_backend.__name__}; sys.exit('insightface' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120, cwd=ROOT).returncode == 0
