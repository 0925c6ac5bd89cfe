"""Weights that an operator brings: told by shape, pinned as found, tested, rewritten. Never run with the real files, which cannot
be had here: stand-ins have their inputs, outputs and conventions.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from datetime import date

import numpy as np
import pytest

from faceverify.contest import Contest
from faceverify.description import PackError, Threshold
from faceverify.description_reader import parse_pack
from faceverify.detect import Detector
from faceverify.install import install_pack
from faceverify.onnx_writer import GraphBuilder
from faceverify.packs import installed_pack
from faceverify.templates import Terms, fill
from faceverify.verifier import FaceVerifier, NotPerformed, Probe

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def buffalo(stand_ins, tmp_path_factory):
    """A folder as insightface's archives unpack: flat, with nets that we have no use for."""
    folder = tmp_path_factory.mktemp("root") / "models" / "buffalo_x"
    folder.mkdir(parents=True)
    (folder / "w600k_x.onnx").write_bytes(stand_ins["arcface"])
    (folder / "det_x.onnx").write_bytes(stand_ins["scrfd"])
    for name, side, width in (("genderage", 96, 3), ("2d106det", 192, 212)):
        builder = GraphBuilder()
        builder.node("ReduceMean", "data", output="fc1", axes=(2, 3))
        model = builder.model(inputs={"data": (0, 3, side, side)}, outputs={"fc1": (1, width)})
        (folder / f"{name}.onnx").write_bytes(model)
    return folder


@pytest.fixture(scope="module")
def installed(buffalo, tmp_path_factory):
    return install_pack(buffalo, tmp_path_factory.mktemp("packs") / "buffalo_x", name="insightface")


def test_an_insightface_folder_installs_by_the_shapes_of_its_networks(installed):
    pack = installed.pack
    assert (pack.id, pack.detector.net.file, pack.recogniser.net.file) == ("buffalo_x", "det_x.onnx", "w600k_x.onnx")
    assert sorted(path.name for path in pack.folder.iterdir()) == ["det_x.onnx", "pack.toml", "receipt.json", "w600k_x.onnx"]
    assert installed.check.golden is None
    assert installed.check.contest.decidability > 3
    recogniser = installed.nets[1]
    assert recogniser.shared == 48
    assert recogniser.difference <= 1e-5


def test_weights_without_a_licence_are_for_research_alone_and_without_a_threshold_compare_nothing(installed, pictures, capture):
    pack = installed.pack
    assert (pack.grant, pack.permitted_use, pack.threshold) == ("non_commercial", "trial", None)
    with FaceVerifier(pack) as verifier:
        verifier.warm_up()
        reference = verifier.reference(pictures.chip(0))
        probe = verifier.probe(pictures.frame(0, capture(200, 1.0, 0.8, 2.0)))
        assert isinstance(probe, Probe)
        assert verifier.compare(reference, probe).reason == "no_threshold"


def test_with_a_threshold_they_tell_people_apart(installed, pictures, capture):
    pack = dataclasses.replace(installed.pack, threshold=Threshold(score=0.5, provenance="test"))
    with FaceVerifier(pack) as verifier:
        probe = verifier.probe(pictures.frame(0, capture(200, 1.0, 0.8, 2.0)))
        decisions = [verifier.compare(verifier.reference(pictures.chip(person)), probe) for person in (0, 3, 5)]
    assert not any(isinstance(decision, NotPerformed) for decision in decisions)
    assert [decision.decision for decision in decisions] == ["match", "non_match", "non_match"]


def test_scrfd_finds_what_the_network_inside_it_finds(installed, open_pack, pictures):
    """The same network read through SCRFD's tensors and through its own: boxes, points and scores agree."""
    own, wrapped = (
        dataclasses.replace(pack, detector=dataclasses.replace(pack.detector, score_threshold=0.6, overlap_threshold=0.3))
        for pack in (open_pack, installed.pack)
    )
    expected, found = (Detector(pack).in_frame(pictures.group) for pack in (own, wrapped))
    assert len(found) == len(expected) == 6
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b.points, a.points, atol=0.05)
        np.testing.assert_allclose((*b.box, b.score), (*a.box, a.score), atol=0.05)


def test_batched_anchors_are_read_like_unbatched_ones(installed, stand_ins, tmp_path, pictures):
    data = stand_ins["scrfd_batched"]
    (tmp_path / "det.onnx").write_bytes(data)
    net = dataclasses.replace(installed.pack.detector.net, file="det.onnx", sha256=hashlib.sha256(data).hexdigest())
    batched = dataclasses.replace(installed.pack, folder=tmp_path, detector=dataclasses.replace(installed.pack.detector, net=net))
    for a, b in zip(Detector(installed.pack).in_frame(pictures.group), Detector(batched).in_frame(pictures.group), strict=True):
        np.testing.assert_array_equal(a.points, b.points)


def test_a_detector_without_points_is_refused(stand_ins, tmp_path):
    folder = tmp_path / "buffalo_y"
    folder.mkdir()
    (folder / "rec.onnx").write_bytes(stand_ins["arcface"])
    (folder / "det.onnx").write_bytes(stand_ins["scrfd_boxes"])
    with pytest.raises(PackError, match=r"det\.onnx: finds boxes without the five points"):
        install_pack(folder, tmp_path / "target", name="insightface")


def test_two_recognisers_are_a_question_for_the_operator(buffalo, stand_ins, tmp_path):
    folder = tmp_path / "buffalo_y"
    shutil.copytree(buffalo, folder)
    (folder / "another.onnx").write_bytes(stand_ins["arcface"])
    with pytest.raises(PackError, match="2 files that look like a recogniser.*another.onnx, w600k_x.onnx"):  # noqa: RUF043
        install_pack(folder, tmp_path / "target", name="insightface")


def test_a_recogniser_that_normalises_by_itself_is_refused_under_the_usual_description(stand_ins, buffalo, tmp_path):
    """The silent failure of a guessed preprocessing: same shapes, the normalisation inside, no error, useless scores."""
    folder = tmp_path / "buffalo_y"
    shutil.copytree(buffalo, folder)
    (folder / "w600k_x.onnx").write_bytes(stand_ins["arcface_normalising"])
    with pytest.raises(PackError, match="as declared it separates faces by -?0.0.*, with .* by"):  # noqa: RUF043
        install_pack(folder, tmp_path / "target", name="insightface")


@pytest.fixture
def open_recogniser(stand_ins, tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "yunet_n_dynamic.onnx").write_bytes(stand_ins["yunet"])
    return folder


def test_sface_installs_with_yunet(stand_ins, open_recogniser, tmp_path, monkeypatch):
    (open_recogniser / "face_recognition_sface.onnx").write_bytes(stand_ins["sface"])
    won = Contest(declared=1.0, alternatives={}, decidability=9.0)
    monkeypatch.setattr("faceverify.check.contest", lambda _: won)  # it takes seconds, and ArcFace's stand-in went through it
    pack = install_pack(open_recogniser, tmp_path / "sface", name="sface").pack
    assert (pack.id, pack.grant, pack.recogniser.features, pack.detector.kind) == ("sface", "open", 128, "yunet")
    assert installed_pack(tmp_path / "sface").threshold is None


def test_auraface_is_its_recogniser_alone_with_yunet(stand_ins, open_recogniser):
    (open_recogniser / "glintr100.onnx").write_bytes(stand_ins["arcface"])
    (open_recogniser / "scrfd_10g_bnkps.onnx").write_bytes(stand_ins["scrfd"])  # in its repository, not under its licence
    text = fill("auraface", open_recogniser, Terms(grant="non_commercial", licence="ignored", until=None))
    pack = parse_pack(text.encode(), open_recogniser)
    assert [net.file for net in pack.nets] == ["yunet_n_dynamic.onnx", "glintr100.onnx"]
    assert (pack.grant, pack.recogniser.features) == ("open", 512)


def test_a_licence_that_was_paid_for_stands_in_the_pack(buffalo):
    terms = Terms(grant="commercial", licence='licence "7" \n for\x7f "ä"\ud800', until=date(2027, 1, 31))
    pack = parse_pack(fill("insightface", buffalo, terms).encode(), buffalo)
    assert (pack.grant, pack.permitted_use, pack.licensed_until) == ("commercial", "operation", date(2027, 1, 31))
    assert pack.licence == terms.licence.replace("\ud800", "?")


def test_a_picture_of_nobody_gives_scrfd_nothing(installed):
    assert Detector(installed.pack).in_frame(np.zeros((480, 640, 3), np.uint8)) == ()
