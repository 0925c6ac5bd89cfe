"""The cast's faces: real photographs, whose chip portrait and camera picture compare as mated and non-mated pairs must."""

from __future__ import annotations

import importlib.util
import os

import cv2
import numpy as np
import pytest

from faceverify.packs import demo_pack
from faceverify.verifier import FaceVerifier
from gate.demo import faces
from hardware.sim.camera import WALK_UP_S, CameraStage

PEOPLE = ("group-1", "group-2", "group-3", "group-4", "group-5", "group-6", "portrait-1")


@pytest.fixture(scope="module")
def cut():
    if importlib.util.find_spec("insightface") is None:
        reason = "the package insightface is not installed"
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)(reason)
    return faces.cut_faces()


def test_seven_people_are_cut_in_portrait_shape(cut):
    assert tuple(cut) == PEOPLE
    assert all(abs(face.shape[0] / face.shape[1] - 531 / 413) < 0.02 for face in cut.values())


def test_a_chip_portrait_fits_a_chip_and_is_jpeg_2000(cut):
    for face in cut.values():
        portrait = faces.chip_portrait(face, seed=1)
        assert len(portrait) <= 15_000
        assert portrait[4:8] == b"jP  "
        assert cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR).shape == (531, 413, 3)
        assert portrait == faces.chip_portrait(face, seed=1)


def test_a_missing_or_other_picture_is_one_line_with_the_remedy(cut, monkeypatch):
    monkeypatch.setitem(faces.PICTURES, "t1.jpg", "0" * 64)
    with pytest.raises(faces.PictureMissingError, match="make setup"):
        faces.cut_faces()
    monkeypatch.setattr(faces.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(faces.PictureMissingError, match="make setup"):
        faces.find_picture("t1.jpg")


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    with FaceVerifier(demo_pack(tmp_path_factory.mktemp("packs"))) as verifier:
        yield verifier


def test_at_rest_before_the_camera_each_matches_their_own_portrait_only(cut, verifier):
    references = {name: verifier.reference(faces.chip_portrait(face, seed=1)) for name, face in cut.items()}
    stage = CameraStage()
    for name, face in cut.items():
        stage.show(faces.probe_picture(face, seed=2), seed=3)
        probe = verifier.probe(stage._render(stage._person.since + WALK_UP_S))
        assert probe.quality["inter_eye_distance"] >= 60, name
        matched = {other for other, reference in references.items() if verifier.compare(reference, probe).decision == "match"}
        assert matched == {name}
