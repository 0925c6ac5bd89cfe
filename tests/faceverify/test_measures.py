"""The parts between pixels and score, each against something independent of it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceverify.align import align, similarity
from faceverify.compare import comparison_score
from faceverify.detect import DetectedFace, Detector, suppress
from faceverify.pad import PadResult, crop_square, most_suspicious
from faceverify.quality import measure

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


@pytest.fixture
def crop(pictures):
    return align(pictures.group, face_points(pictures), TEMPLATE, 150)


def face_points(pictures):
    return TEMPLATE * 0.75 + [1133 - 10, 274 + 5]


def test_darkness_glare_and_flatness_are_told_apart(crop):
    assert measure(face(), crop).shortfalls == ()
    assert "luminance" in measure(face(), (crop * 0.1).astype(np.uint8)).shortfalls
    assert "luminance" in measure(face(), np.maximum(crop, 245)).shortfalls
    assert "contrast" in measure(face(), np.full_like(crop, 120)).shortfalls


def test_blur_lowers_sharpness(crop):
    values = [measure(face(), cv2.GaussianBlur(crop, (0, 0), sigma)).sharpness for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert "sharpness" in measure(face(), cv2.GaussianBlur(crop, (0, 0), 8)).shortfalls


def test_pose_is_read_from_the_points(crop):
    assert measure(face(), crop).yaw == pytest.approx(0, abs=0.01)
    turned = TEMPLATE.copy()
    turned[2, 0] = TEMPLATE[1, 0]
    assert measure(face(turned), crop).yaw == pytest.approx(1.0, abs=0.01)
    angle = np.radians(40)
    spun = TEMPLATE @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    quality = measure(face(spun), crop)
    assert quality.roll == pytest.approx(40, abs=0.1)
    assert quality.shortfalls == ("roll",)
    assert "inter_eye_px" in measure(face(TEMPLATE * 0.2), crop).shortfalls


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
