"""Portrait against frame, with both packs: who matches, who does not, and what is not measured at all."""

import dataclasses
import hashlib
import inspect
import threading

import numpy as np
import pytest

from faceverify.compare import FaceComparison
from faceverify.image import FaceImage
from faceverify.packs import PackError
from faceverify.ports import Verifier
from faceverify.verifier import FaceVerifier, NotPerformed, Probe, Reference

CAPTURES = [(110, 0.7, 1.0, 6.0), (180, 1.1, 1.2, 4.0), (260, 0.5, 0.7, 8.0)]


def test_six_people_are_found_in_the_group_picture(rig):
    faces = rig.verifier._detector.in_frame(rig.pictures.group)
    assert len(faces) == 6
    assert [face.area for face in faces] == sorted((face.area for face in faces), reverse=True)


@pytest.mark.parametrize("values", CAPTURES, ids=str)
@pytest.mark.conforms("TR-03121-3 §3.11.1", "positive")
def test_mated_pairs_match_and_non_mated_pairs_do_not(rig, capture, values):
    """A threshold that few strangers pass turns away a poor single frame of the right person now and then, never lets a wrong one in."""
    wrong = []
    for person in range(6):
        probe = rig.verifier.probe(rig.pictures.frame(person, capture(*values)))
        assert isinstance(probe, Probe), (person, probe)
        for other in range(7):
            result = rig.verifier.compare(rig.reference(other), probe)
            assert isinstance(result, FaceComparison), (person, other, result)
            assert (result.decision == "match") == (result.score >= result.threshold)
            if (result.decision == "match") != (person == other):
                wrong.append((person, other, result.score))
    assert [person == other for person, other, _ in wrong] in ([], [True]), wrong


def test_a_comparison_says_whose_pack_it_used(rig, capture):
    probe = rig.verifier.probe(rig.pictures.frame(0, capture(180, 1.0, 0.8, 2.0)))
    result = rig.verifier.compare(rig.reference(0), probe)
    assert (result.pack, result.demonstration) in {("demo", True), ("open", False)}
    assert probe.timings.keys() == {"detect", "refine", "align", "extract", "pad"}
    assert rig.reference(0).timings.keys() == {"decode", "detect", "refine", "align", "extract"}


def test_encoded_and_decoded_portraits_give_the_same_features(rig, capture):
    decoded = FaceImage(pixels=rig.verifier._decoder.decode(rig.pictures.chip(2)))
    again = rig.verifier.reference(decoded)
    np.testing.assert_array_equal(again.features, rig.reference(2).features)
    assert decoded.pixels.any(), "a caller's own pixels stay his"


def test_a_picture_without_a_face_gives_no_reference_and_no_probe(rig):
    noise = np.random.default_rng(1).integers(0, 256, (531, 413, 3), np.uint8)
    for empty in (noise, np.zeros_like(noise), np.full((1, 1, 3), 7, np.uint8)):
        assert rig.verifier.reference(FaceImage(pixels=empty)).reason == "no_face"
        assert rig.verifier.probe(empty).reason == "no_face"


def test_a_portrait_of_several_people_is_no_reference(rig):
    assert rig.verifier.reference(FaceImage(pixels=rig.pictures.group)).reason == "several_faces"


def test_two_faces_of_like_size_in_a_frame_are_nobodys_probe(rig, capture):
    one = rig.pictures.frame(0, capture(150, 1.0, 0.8, 2.0), at=(350, 360))
    two = rig.pictures.frame(3, capture(150, 1.0, 0.8, 2.0), at=(950, 360))
    both = np.concatenate([one[:, :640], two[:, 640:]], axis=1)
    assert rig.verifier.probe(both).reason == "several_faces"


def test_a_small_face_in_the_background_does_not_disturb(rig, capture):
    near = rig.pictures.frame(0, capture(220, 1.0, 0.8, 2.0), at=(350, 360))
    far = rig.pictures.frame(3, capture(90, 1.0, 0.8, 2.0), at=(950, 360))
    probe = rig.verifier.probe(np.concatenate([near[:, :640], far[:, 640:]], axis=1))
    assert rig.verifier.compare(rig.reference(0), probe).decision == "match"


def test_a_face_too_dark_to_compare_is_poor_quality(rig, capture):
    probe = rig.verifier.probe(rig.pictures.frame(0, capture(220, 0.15, 0.8, 0.5)))
    if isinstance(probe, Probe):
        assert "luminance" in probe.quality.shortfalls
        probe = rig.verifier.compare(rig.reference(0), probe)
    assert probe.reason in {"poor_quality", "no_face"}


def test_a_wiped_sample_compares_with_nothing(rig, capture):
    probe = rig.verifier.probe(rig.pictures.frame(0, capture(180, 1.0, 0.8, 2.0)))
    reference = rig.verifier.reference(rig.pictures.chip(0))
    probe.wipe()
    assert not probe.features.any()
    assert not probe.face.points.any()
    assert rig.verifier.compare(reference, probe) == NotPerformed(reason="no_score", detail="features are wiped or not finite")
    reference.wipe()
    assert rig.verifier.compare(reference, probe).reason == "no_score", "two empty vectors are not alike"


def test_features_that_are_not_finite_give_no_score(rig, capture):
    probe = rig.verifier.probe(rig.pictures.frame(0, capture(180, 1.0, 0.8, 2.0)))
    for value in (np.nan, np.inf):
        probe.features[0] = value
        assert rig.verifier.compare(rig.reference(0), probe).reason == "no_score"


def test_features_of_another_pack_are_not_compared(rig, capture):
    probe = rig.verifier.probe(rig.pictures.frame(0, capture(180, 1.0, 0.8, 2.0)))
    stranger = dataclasses.replace(rig.reference(0), pack_sha256="0" * 64)
    assert rig.verifier.compare(stranger, probe).reason == "pack_mismatch"


@pytest.mark.conforms("TR-03121-3 §3.11.1", "negative")
def test_a_pack_without_threshold_measures_but_does_not_compare(rig, capture, monkeypatch):
    probe = rig.verifier.probe(rig.pictures.frame(0, capture(180, 1.0, 0.8, 2.0)))
    monkeypatch.setattr(rig.verifier, "pack", dataclasses.replace(rig.verifier.pack, threshold=None))
    assert rig.verifier.compare(rig.reference(0), probe).reason == "no_threshold"


def test_a_hostile_portrait_is_a_finding_not_an_exception(rig):
    for image in (b"", b"\xff\xd8\xff", rig.pictures.chip(0)[:500], bytes(100)):
        assert rig.verifier.reference(image).reason == "bad_image"


def test_pad_is_measured_where_the_pack_has_it_and_said_to_be_missing_where_not(rig, capture):
    pad = rig.verifier.probe(rig.pictures.frame(5, capture(220, 1.0, 0.6, 1.0))).pad
    if rig.verifier.pack.pad:
        assert 0 <= pad.score <= 1
        assert (pad.decision == "attack") == (pad.score >= pad.threshold)
    else:
        assert pad.reason == "pad_not_available"


def test_work_reaches_every_thread_that_measures(rig):
    threads: list[str] = []
    rig.verifier.in_each_thread(lambda: threads.append(threading.current_thread().name))
    assert len(set(threads)) == len(threads) == (2 if rig.verifier.pack.pad else 1)
    assert threads[0] == threading.current_thread().name


def test_no_feature_shows_in_a_log_line(rig, capture):
    reference = rig.reference(0)
    assert isinstance(reference, Reference)
    assert "features" not in repr(reference)
    assert "points" not in repr(reference)


def test_a_recogniser_of_another_width_than_declared_is_refused_at_warm_up(demo):
    spec = dataclasses.replace(demo.recogniser, features=256)
    with FaceVerifier(dataclasses.replace(demo, recogniser=spec)) as verifier, pytest.raises(PackError, match="128 values"):
        verifier.warm_up()


@pytest.mark.parametrize(
    ("part", "change", "why"),
    [
        ("recogniser", {"size": 128}, r"dlib_resnet\.onnx: wants an input of \[150, 150\], the pack says 128"),
        ("detector", {"kind": "yunet"}, r"centerface\.onnx: has no outputs \['bbox_16'"),
    ],
)
def test_a_pack_that_contradicts_its_own_network_is_refused(demo, part, change, why):
    changed = dataclasses.replace(getattr(demo, part), **change)
    with pytest.raises(PackError, match=why):
        FaceVerifier(dataclasses.replace(demo, **{part: changed}))


def test_a_weight_file_that_is_no_network_is_refused(demo, tmp_path):
    (tmp_path / "w.onnx").write_bytes(b"no network")
    digest = hashlib.sha256(b"no network").hexdigest()
    net = dataclasses.replace(demo.detector.net, file="w.onnx", sha256=digest)
    detector = dataclasses.replace(demo.detector, net=net)
    with pytest.raises(PackError, match=r"w\.onnx: ONNX Runtime refuses it"):
        FaceVerifier(dataclasses.replace(demo, folder=tmp_path, detector=detector))


@pytest.mark.shared
def test_presentation_is_measured_in_a_thread_that_ends_with_the_verifier(open_pack, pictures, capture):
    frame, before = pictures.frame(5, capture(220, 1.0, 0.6, 1.0)), set(threading.enumerate())
    with FaceVerifier(open_pack) as verifier:
        probe = verifier.probe(frame)
        assert probe.pad == verifier._pad.measure(frame, probe.face), "beside the features or alone: the same number"
        (thread,) = set(threading.enumerate()) - before
    assert not thread.is_alive()


def test_the_front_door_is_what_the_gate_asks_of_a_backend():
    asked = {name for name, what in vars(Verifier).items() if callable(what) and not name.startswith("_")}
    assert {"reference", "track", "probe", "fuse", "compare", "warm_up", "close"} <= asked
    for name in asked:
        theirs, ours = (list(inspect.signature(getattr(each, name)).parameters) for each in (Verifier, FaceVerifier))
        assert theirs == ours, name
