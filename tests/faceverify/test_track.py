"""Following one face: same person same number, another person another; nobody and two are said as such; cheap looks in between."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceverify.detect import DetectedFace
from faceverify.samples import NotPerformed, Probe
from faceverify.track import GAP, LOOK_ROUND, Sighting, Track, guidance, overlap

POINTS = np.zeros((5, 2), np.float32)
FINE = SimpleNamespace(instruction=None)


def at(left, width=100.0):
    return DetectedFace(box=(left, 50.0, width, width), points=POINTS, score=0.9)


class Scene:
    """A finder that sees what the frame holds: the frame is a tuple of faces. Counts how often the whole frame is searched."""

    def __init__(self):
        self.searched = self.near_looks = 0

    def in_frame(self, frame, like=None):
        self.searched += 1
        return tuple(sorted(frame, key=lambda face: -face.area))

    def refine(self, frame, face):
        return face

    def near(self, frame, face):
        self.near_looks += 1
        return next((other for other in frame if overlap(other, face) > 0.1), None)


def numbers(frames):
    """What a track says of each frame: the person's number, or the reason."""
    track = Track(Scene(), lambda *_: FINE)
    seen = [track.see(frame) for frame in frames]
    return [one.track if isinstance(one, Sighting) else one.reason for one in seen]


def test_a_person_who_sways_stays_the_same():
    assert set(numbers([(at(500 + 20 * (-1) ** step),) for step in range(30)])) == {1}


def test_whoever_appears_elsewhere_is_somebody_else():
    assert numbers([(at(100),), (at(100),), (at(600),), (at(600),)]) == [1, 1, 2, 2]


def test_a_blink_of_the_detector_keeps_the_person_and_a_long_absence_does_not():
    short = [(at(100),), *[()] * (GAP - 1), (at(100),)]
    long = [(at(100),), *[()] * GAP, (at(100),)]
    assert numbers(short) == [1, *["no_face"] * (GAP - 1), 1]
    assert numbers(long)[-1] == 2


def test_two_of_like_size_are_nobody_when_the_track_begins_and_soon_after_when_it_runs():
    two = (at(100), at(600, 90.0))
    assert numbers([two] * 2) == ["several_faces"] * 2
    running = numbers([(at(100),), *[two] * LOOK_ROUND])
    assert "several_faces" in running
    assert set(running) <= {1, "several_faces"}


def test_a_small_face_behind_disturbs_nobody():
    assert set(numbers([(at(100), at(600, 50.0))] * 12)) == {1}


def test_only_every_so_many_frames_the_whole_frame_is_searched():
    scene = Scene()
    track = Track(scene, lambda *_: FINE)
    for _ in range(4 * LOOK_ROUND):
        track.see((at(100),))
    assert (scene.searched, scene.near_looks) == (4, 4 * (LOOK_ROUND - 1))


def test_a_face_that_cannot_be_aligned_is_not_sighted():
    track = Track(Scene(), lambda *_: NotPerformed(reason="no_alignment"))
    assert track.see((at(100),)).reason == "no_alignment"


def test_several_people_are_asked_to_be_one_and_nobody_is_asked_nothing():
    assert guidance(NotPerformed(reason="several_faces")) == "one_person"
    assert guidance(NotPerformed(reason="no_face")) is None
    sighting = Sighting(track=1, face=at(1), quality=SimpleNamespace(instruction="hold_still"))
    assert guidance(sighting) == "hold_still"


boxes = st.tuples(*[st.floats(-50, 50)] * 2, *[st.floats(0, 80)] * 2)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_between_0_and_1(a, b):
    one, other = (DetectedFace(box=box, points=POINTS, score=1.0) for box in (a, b))
    assert 0 <= overlap(one, other) <= 1 + 1e-9
    assert overlap(one, other) == pytest.approx(overlap(other, one))
    if one.area > 1e-3:
        assert overlap(one, one) == pytest.approx(1)


def test_on_pictures_a_walking_person_is_followed_and_a_swap_is_noticed(rig, capture):
    track = rig.verifier.track()
    steps = [rig.pictures.frame(0, capture(180, 1.0, 0.8, 2.0), at=(500 + 15 * step, 360)) for step in range(LOOK_ROUND + 2)]
    seen = [track.see(frame) for frame in steps]
    assert {one.track for one in seen} == {1}
    for step, one in enumerate(seen):
        left, _, width, _ = one.face.box
        assert abs(left + width / 2 - (500 + 15 * step)) < 30
        assert one.quality.shortfalls == ()
    track.see(np.full_like(steps[0], 90))
    stranger = track.see(rig.pictures.frame(3, capture(180, 1.0, 0.8, 2.0), at=(1000, 360)))
    assert stranger.track == 2


def test_a_probe_of_a_sighting_is_that_of_the_frame_alone(rig, capture):
    frame = rig.pictures.frame(0, capture(180, 1.0, 0.8, 2.0))
    sighting = rig.verifier.track().see(frame)
    alone, sighted = rig.verifier.probe(frame), rig.verifier.probe(frame, sighting)
    np.testing.assert_allclose(sighted.features, alone.features, atol=1e-5)
    assert dataclasses.asdict(sighted.quality) == dataclasses.asdict(alone.quality)


def test_a_person_far_away_is_found_at_a_second_look(rig, capture):
    frame = np.full((1080, 1920, 3), 90, np.uint8)
    frame[180:900, 320:1600] = rig.pictures.frame(3, capture(90, 1.0, 0.4, 0.0))
    sighting = rig.verifier.track().see(frame)
    assert isinstance(sighting, Sighting)
    assert sighting.quality.instruction == "step_closer"


@pytest.mark.parametrize("person", [0, 3])
def test_a_face_cut_by_the_frames_edge_is_asked_into_it_and_not_compared(rig, capture, person):
    frame = rig.pictures.frame(person, capture(220, 1.0, 0.8, 2.0))
    for cut in (frame[:, 640:], frame[:, :640], frame[:380]):
        probe = rig.verifier.probe(np.ascontiguousarray(cut))
        if not isinstance(probe, NotPerformed):
            assert "visible" in probe.quality.shortfalls
            probe = rig.verifier.compare(rig.reference(person), probe)
        assert probe.reason in {"no_face", "poor_quality"}


def test_half_a_face_behind_something_is_nobody_else(rig, capture):
    for person in (0, 5):
        hidden = rig.pictures.frame(person, capture(220, 1.0, 0.8, 2.0))
        hidden[:, 640:] = 90
        probe = rig.verifier.probe(hidden)
        for other in set(range(7)) - {person} if isinstance(probe, Probe) else ():
            result = rig.verifier.compare(rig.reference(other), probe)
            assert isinstance(result, NotPerformed) or result.decision == "non_match"


def test_a_face_upside_down_is_not_compared(rig, capture):
    """Nor called somebody else: the traveller is asked to face the screen."""
    for person in (0, 3, 5):
        frame = rig.pictures.frame(person, capture(220, 1.0, 0.8, 2.0))
        for turned in (frame[::-1], frame[::-1, ::-1]):
            probe = rig.verifier.probe(np.ascontiguousarray(turned))
            if isinstance(probe, Probe):
                assert "roll" in probe.quality.shortfalls
                assert probe.instruction is not None
                probe = rig.verifier.compare(rig.reference(person), probe)
            assert probe.reason in {"no_face", "poor_quality"}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.sampled_from([(1, 1), (1, 3000), (3000, 1), (2, 33), (7, 7), (100, 90), (240, 321)]),
    seed=st.integers(0, 2**32 - 1),
    contrast=st.sampled_from([0, 1, 255]),
)
def test_any_pixels_are_sighted_or_a_reason_is_given(rig, size, seed, contrast):
    pixels = np.random.default_rng(seed).integers(0, contrast + 1, (*size, 3), np.uint8)
    track = rig.verifier.track()
    for _ in range(2):
        seen = track.see(pixels)
        assert isinstance(seen, Sighting) or seen.reason in {"no_face", "several_faces", "no_alignment"}
    assert isinstance(rig.verifier.probe(pixels), NotPerformed | Probe)


@given(st.floats(1, 4000), st.sampled_from([(1080, 1920), (480, 640), (2160, 3840)]))
def test_the_scale_of_a_search_suits_the_expected_face_and_costs_no_more_than_the_usual_one(rig, width, frame):
    detector = rig.verifier._detector
    usual = detector._spec.frame_side
    side = detector._side_for(at(0, width), max(frame))
    assert usual // 2 <= side <= usual
    scaled = width * side / max(frame)
    assert scaled >= 40 - 1e-6 or side == usual
