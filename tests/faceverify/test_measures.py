"""The parts between pixels and score, each against something independent of it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceverify.align import align, similarity
from faceverify.compare import comparison_score
from faceverify.decoders import suppress
from faceverify.detect import DetectedFace, Detector
from faceverify.pad import PadResult, crop_square, most_suspicious
from faceverify.quality import _HEAD as HEAD
from faceverify.quality import COMPONENTS, measure
from faceverify.quality import _pose as pose

TEMPLATE = np.array([[47.5, 46.6], [100.5, 46.6], [74.0, 76.6], [50.4, 103.0], [97.6, 103.0]])
finite = st.floats(-500, 500)


def face(points=TEMPLATE, box=(30.0, 20.0, 90.0, 110.0)):
    return DetectedFace(box=box, points=np.asarray(points, np.float32), score=0.9)


# --- alignment -----------------------------------------------------------------------------------------------------------


@given(st.floats(-3.1, 3.1), st.floats(0.05, 20), finite, finite)
def test_a_similarity_is_recovered_exactly(angle, scale, dx, dy):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = similarity(TEMPLATE, TEMPLATE @ turn.T + [dx, dy])
    np.testing.assert_allclose(matrix, np.column_stack([turn, [dx, dy]]), atol=1e-6 * (1 + scale * 100))


@given(st.lists(st.floats(-20, 20), min_size=10, max_size=10), st.lists(st.floats(-0.2, 0.2), min_size=4, max_size=4))
def test_no_other_similarity_fits_noisy_points_better(noise, nudge):
    points = TEMPLATE + np.reshape(noise, (5, 2))
    matrix = similarity(points, TEMPLATE)
    a, b, dx, dy = nudge
    other = matrix + np.array([[a, -b, dx], [b, a, dy]])

    def error(m):
        return np.sum((points @ m[:, :2].T + m[:, 2] - TEMPLATE) ** 2)

    assert error(matrix) <= error(other) + 1e-6


def test_points_land_on_the_template():
    picture = np.zeros((400, 400, 3), np.uint8)
    points = TEMPLATE * 1.7 + [60, 40]
    for x, y in points:
        cv2.circle(picture, (round(x), round(y)), 6, (255, 255, 255), -1)
    crop = align(picture, points, TEMPLATE, 150)
    assert all(crop[round(y), round(x)].min() > 200 for x, y in TEMPLATE)


def test_points_on_one_spot_give_no_crop():
    assert align(np.zeros((50, 50, 3), np.uint8), np.full((5, 2), 7.0), TEMPLATE, 150) is None
    assert align(np.zeros((50, 50, 3), np.uint8), np.full((5, 2), np.nan), TEMPLATE, 150) is None


# --- detection -----------------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_yunet_is_decoded_as_opencv_decodes_it(open_pack, pictures):
    """Oracle: OpenCV's own FaceDetectorYN on the same picture, already at detection scale."""
    scaled = cv2.resize(pictures.group, (320, 221), interpolation=cv2.INTER_LINEAR)
    oracle = cv2.FaceDetectorYN.create(str(open_pack.folder / open_pack.detector.net.file), "", (320, 221), 0.6, 0.3)
    theirs = sorted(oracle.detect(scaled)[1].tolist())
    ours = sorted(Detector(open_pack).in_frame(scaled), key=lambda found: found.box[0])
    assert len(theirs) == len(ours) == 6
    for row, found in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(found.box, row[:4], atol=0.01)
        np.testing.assert_allclose(found.points.ravel(), row[4:14], atol=0.01)
        assert found.score == pytest.approx(row[14], abs=1e-3)


@pytest.mark.parametrize("pack", ["demo", pytest.param("open_pack", marks=pytest.mark.shared)])
def test_points_follow_the_face_through_the_frame_and_its_distance(pack, request, pictures, capture):
    """The same face, moved and enlarged: the points relative to the box must stay where they are."""
    detector = Detector(request.getfixturevalue(pack))
    shapes = []
    for width, at in ((150, (500, 360)), (150, (800, 330)), (250, (640, 360))):
        frame = pictures.frame(5, capture(width, 1.0, 0.8, 0.0), at)
        found = detector.refine(frame, detector.in_frame(frame)[0])
        left, top, box_width, _ = found.box
        assert abs(left + box_width / 2 - at[0]) < 0.15 * width
        assert abs(top + found.box[3] / 2 - at[1]) < 0.15 * width
        shapes.append((found.points - at) / width)
    for shape in shapes[1:]:
        np.testing.assert_allclose(shape, shapes[0], atol=0.06)


def test_the_eyes_are_left_and_right_as_seen_above_nose_and_mouth(rig):
    for found in rig.verifier._detector.in_frame(rig.pictures.group):
        (x0, y0), (x1, y1), (_, nose), (x3, y3), (x4, y4) = rig.verifier._detector.refine(rig.pictures.group, found).points
        assert x0 < x1
        assert x3 < x4
        assert max(y0, y1) < nose < max(y3, y4)


def test_a_second_look_never_takes_a_neighbour(rig):
    """A false detection beside a real face: the real one must not be measured in its name."""
    detector = rig.verifier._detector
    real = detector.in_frame(rig.pictures.group)[0]
    left, top, width, height = real.box
    beside = DetectedFace(box=(left + 0.9 * width, top, width, height), points=real.points, score=0.5)
    again = detector.refine(rig.pictures.group, beside)
    assert abs(again.box[0] + again.box[2] / 2 - (left + 1.4 * width)) < height / 2


boxes = st.lists(st.tuples(*[st.floats(0, 100)] * 2, *[st.floats(1, 60)] * 2, st.floats(0.5, 1)), max_size=12)


@given(boxes)
def test_suppression_keeps_the_best_and_nothing_that_overlaps_it(rows):
    table = np.array(rows, np.float32).reshape(-1, 5)
    corners = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    keep = suppress(table[:, 4], corners, 0.3)
    assert (not rows) == (not keep)
    if keep:
        assert table[keep[0], 4] == table[:, 4].max()
    for i, a in enumerate(keep):
        assert all(iou(corners[a], corners[b]) <= 0.3 + 1e-4 for b in keep[:i])
    for dropped in set(range(len(rows))) - set(keep):
        assert any(iou(corners[dropped], corners[b]) > 0.3 - 1e-4 for b in keep)


def iou(a, b):
    width, height = (max(0.0, float(min(a[i + 2], b[i + 2]) - max(a[i], b[i]))) for i in (0, 1))
    areas = [float((c[2] - c[0]) * (c[3] - c[1])) for c in (a, b)]
    return width * height / (sum(areas) - width * height)


# --- quality -------------------------------------------------------------------------------------------------------------

FRAME = (886, 1280)


@pytest.fixture
def crop(pictures):
    return align(pictures.group, face_points(pictures), TEMPLATE, 150)


def face_points(pictures):
    return TEMPLATE * 0.75 + [1133 - 10, 274 + 5]


def judged(crop, points=TEMPLATE, box=(500.0, 300.0, 200.0, 240.0)):
    return measure(face(points, box), crop, TEMPLATE, FRAME)


def test_darkness_glare_and_flatness_are_told_apart(crop):
    assert judged(crop).shortfalls == ()
    assert "luminance" in judged((crop * 0.1).astype(np.uint8)).shortfalls
    assert {"luminance", "over_exposure"} <= set(judged(np.maximum(crop, 250)).shortfalls)
    assert "under_exposure" in judged(np.where(crop < 230, 0, crop)).shortfalls
    assert "dynamic_range" in judged(np.full_like(crop, 120)).shortfalls


def test_blur_lowers_sharpness(crop):
    values = [judged(cv2.GaussianBlur(crop, (0, 0), sigma))["sharpness"] for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    blurred = judged(cv2.GaussianBlur(crop, (0, 0), 8))
    assert ("sharpness" in blurred.shortfalls, blurred.instruction) == (True, "hold_still")


def seen_from(yaw, pitch, roll, scale):
    """The mean head, turned about its own axes and then in the image plane, as a camera far away sees it."""
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return ((about_z @ about_y @ about_x @ HEAD.T).T[:, :2] * scale + [400, 300]).astype(np.float32)


@given(st.floats(-50, 50), st.floats(-35, 35), st.floats(-179, 179), st.floats(20, 300))
def test_the_pose_of_a_turned_head_is_recovered(yaw, pitch, roll, scale):
    """Turned about both axes at once its eyes are no longer level, which is taken for a little roll."""
    found = pose(seen_from(yaw, pitch, roll, scale))
    assert found["yaw"] == pytest.approx(yaw, abs=1 + abs(yaw * pitch) / 150)
    assert found["pitch"] == pytest.approx(pitch, abs=1 + abs(yaw * pitch) / 150)
    turned = (found["roll"] - roll + 180) % 360 - 180
    assert abs(turned) <= 0.5 + abs(yaw * pitch) / 60


def test_a_turned_head_is_asked_to_face_the_screen_and_an_upside_down_one_is_not_compared(crop):
    turned = judged(crop, seen_from(50, 0, 0, 80))
    assert (turned.shortfalls, turned.instruction) == ((), "face_the_screen")
    assert judged(crop, seen_from(0, 0, 180, 80)).shortfalls == ("roll",)
    assert judged(crop, seen_from(80, 0, 0, 200)).shortfalls == ("yaw",)


def test_distance_and_place_are_said_in_words(crop):
    def said(points, box):
        quality = judged(crop, points, box)
        return quality.shortfalls, quality.instruction

    at_ease = seen_from(0, 0, 0, 80)
    assert said(at_ease, (540, 300, 180, 220)) == ((), None)
    assert said(at_ease * 0.2, (600, 400, 36, 44)) == (("inter_eye_distance",), "step_closer")
    assert said(at_ease * 0.4, (600, 400, 72, 88)) == ((), "step_closer")
    assert said(seen_from(0, 0, 0, 300) + np.array([240, -60]), (300, 20, 680, 840)) == ((), "step_back")
    assert said(at_ease - np.array([400, 0]), (-120, 300, 180, 220)) == (("visible", "off_centre"), "stand_on_the_mark")


def test_sunglasses_and_masks_are_asked_to_go_and_headscarves_are_not(crop):
    def over(*ellipses, colour):
        covered = crop.copy()
        for centre, axes in ellipses:
            cv2.ellipse(covered, centre, axes, 0, 0, 360, colour, -1)
        return judged(covered)

    left, right, _, mouth_left, mouth_right = TEMPLATE.round().astype(int)
    lips = tuple(((mouth_left + mouth_right) // 2).tolist())
    assert (
        over((tuple(left.tolist()), (20, 14)), (tuple(right.tolist()), (20, 14)), colour=(20, 20, 20)).instruction
        == "remove_occlusion"
    )
    for colour in ((200, 160, 110), (228, 225, 225), (25, 25, 25)):
        masked = over((lips, (45, 32)), colour=colour)
        assert masked.instruction == "remove_occlusion", colour
        assert "mouth" not in masked.shortfalls, "a hint never bars anybody"
    scarf = crop.copy()
    face_only = cv2.ellipse(np.zeros_like(crop), (74, 76), (48, 62), 0, 0, 360, (1, 1, 1), -1)
    for colour in ((40, 30, 20), (235, 235, 235), (90, 140, 30)):
        assert np.where(face_only, scarf, np.uint8(colour)).shape == crop.shape
        assert judged(np.where(face_only, scarf, np.uint8(colour))).instruction is None, colour


def test_without_colour_nothing_is_said_about_the_mouth(crop):
    grey = np.repeat(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[..., np.newaxis], 3, axis=2)
    assert judged(grey)["mouth"] == pytest.approx(0, abs=0.01)
    assert judged(grey).instruction is None


@given(st.floats(allow_nan=True), st.sampled_from(COMPONENTS))
def test_a_component_scores_0_to_100_and_only_hints_never_bar(value, component):
    score = component.score(value)
    assert 0 <= score <= 100
    low, high = component.limits
    assert (score == 0) == (not component.hint and not low <= value <= high)
    if component.good[0] <= value <= component.good[1]:
        assert (score, component.instruction(value)) == (100, None)


@given(st.data(), st.sampled_from(COMPONENTS))
def test_nearer_to_good_never_scores_less(data, component):
    low, high = component.limits
    inside = st.floats(max(low, -1e3), min(high, 1e3))
    a, b = sorted((data.draw(inside), data.draw(inside)))
    if b <= component.good[1]:
        assert component.score(a) <= component.score(b)
    if a >= component.good[0]:
        assert component.score(a) >= component.score(b)


# --- PAD -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", [(40.0, 30.0, 50.0, 60.0), (-20.0, 60.0, 60.0, 60.0), (70.0, -10.0, 60.0, 80.0)])
def test_the_square_is_mirrored_past_the_frame(box):
    picture = np.random.default_rng(2).integers(0, 256, (110, 120, 3), np.uint8)
    side = round(1.5 * max(box[2:]))
    border = 200
    wide = cv2.copyMakeBorder(picture[:, :], *[min(border, 109)] * 2, *[min(border, 109)] * 2, cv2.BORDER_REFLECT_101)
    top, left = (round(box[i] + box[i + 2] / 2 - side / 2) + 109 for i in (1, 0))
    np.testing.assert_array_equal(crop_square(picture, box, 1.5, side), wide[top : top + side, left : left + side])


def test_a_box_far_outside_or_without_size_still_gives_a_square():
    picture = np.random.default_rng(2).integers(0, 256, (1, 7, 3), np.uint8)
    for box in ((1e4, -1e4, 30.0, 30.0), (2.0, 0.0, 0.0, 0.0)):
        assert crop_square(picture, box, 1.5, 128).shape == (128, 128, 3)


def test_of_several_pad_results_the_most_suspicious_counts():
    calm, alarmed = (PadResult(score=s, threshold=t, decision=d) for s, t, d in ((0.6, 0.9, "bona_fide"), (0.4, 0.3, "attack")))
    assert most_suspicious([calm, alarmed]) is most_suspicious([alarmed, calm]) is alarmed


@pytest.mark.shared
def test_an_unaltered_photograph_is_bona_fide_to_the_open_packs_pad(open_pack, pictures, capture):
    from faceverify.verifier import FaceVerifier

    with FaceVerifier(open_pack) as verifier:
        scores = [verifier.probe(pictures.frame(n, capture(220, 1.0, 0.6, 1.0))).pad.score for n in (0, 2, 3, 5)]
    assert np.median(scores) < 0.5


# --- comparison ----------------------------------------------------------------------------------------------------------

vectors = st.lists(st.floats(-3, 3, width=32), min_size=8, max_size=8).map(lambda values: np.array(values, np.float32))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(a=vectors, b=vectors)
def test_equal_features_score_one_and_nothing_scores_more(metric, a, b):
    score = comparison_score(a, b, metric)
    if not (a.any() and b.any()):
        assert np.isnan(score)
        return
    assert comparison_score(a, a, metric) == pytest.approx(1.0)
    assert score <= 1.0 + 1e-9
    assert score == pytest.approx(comparison_score(b, a, metric), abs=1e-9)


def test_the_farther_the_lower():
    a = np.ones(8, np.float32)
    near, far = a + np.float32(0.1) * np.eye(8, dtype=np.float32)[0], a + np.float32(2) * np.eye(8, dtype=np.float32)[0]
    for metric in ("cosine", "euclidean"):
        assert comparison_score(a, a, metric) > comparison_score(a, near, metric) > comparison_score(a, far, metric)
    assert comparison_score(a, a + 1, "euclidean") == pytest.approx(1 - np.sqrt(8))


def test_vectors_of_different_length_have_no_score():
    assert np.isnan(comparison_score(np.ones(4, np.float32), np.ones(8, np.float32), "cosine"))
