"""What a detector makes of a network's numbers: impossible ones are no face, and a face upside down is told as such."""

from types import SimpleNamespace

import numpy as np
import pytest

from faceverify.detect import Detector
from faceverify.pad import crop_square
from faceverify.quality import measure

PACK = SimpleNamespace(
    detector=SimpleNamespace(frame_side=320, portrait_side=160, refine_side=160, score_threshold=0.5, overlap_threshold=0.3)
)
BOX, POINTS = (100.0, 40.0, 180.0, 140.0), ((120.0, 70.0), (160.0, 70.0), (140.0, 90.0), (125.0, 115.0), (155.0, 115.0))
TEMPLATE = ((38.0, 52.0), (74.0, 52.0), (56.0, 72.0), (42.0, 92.0), (71.0, 92.0))
FRAME = np.full((180, 320, 3), 90, np.uint8)


def looking(*faces):
    """A detector that sees these (score, box as left, top, right, bottom, points) in every picture."""
    scores, boxes, points = (np.array(part, np.float32) for part in zip(*faces, strict=True))
    return Detector(PACK, lambda _: (scores, boxes, points))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e6])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_face_with_a_number_out_of_place_is_none_and_the_others_stay(number, place):
    numbers = [*BOX, *np.ravel(POINTS)]
    numbers[place] = number
    hostile = (0.99, numbers[:4], np.reshape(numbers[4:], (5, 2)))
    (face,) = looking(hostile, (0.9, BOX, POINTS)).in_frame(FRAME)
    assert face.score == pytest.approx(0.9)
    assert looking(hostile).in_frame(FRAME) == ()


def test_a_box_inside_out_has_sides_that_can_be_cropped():
    left, top, right, bottom = BOX
    (face,) = looking((0.9, (right, bottom, left, top), POINTS)).in_frame(FRAME)
    assert face.box == pytest.approx((left, top, right - left, bottom - top))
    assert crop_square(FRAME, face.box, 1.5, 128).shape == (128, 128, 3)


def test_a_box_of_any_size_is_cropped_in_bounded_memory():
    for box in ((0, 0, 1e6, 1e6), (-1e6, 0, 1e6, 10), (10, 10, 0, 0)):
        assert crop_square(FRAME, box, 5.0, 64).shape == (64, 64, 3)


def test_a_face_that_looks_surer_upside_down_is_upside_down():
    """The network sees one face in the middle of its crop, surer of it where the bright half of the picture is below."""

    def look(pixels):
        rows = pixels.shape[0] // 2
        sure = 0.93 if pixels[rows:].mean() > pixels[:rows].mean() else 0.7
        points = np.array([[[60, 60], [100, 60], [80, 80], [65, 105], [95, 105]]], np.float32)
        return np.array([sure], np.float32), np.array([[45, 35, 115, 125]], np.float32), points

    detector = Detector(PACK, look)
    frame = np.zeros((160, 160, 3), np.uint8)
    frame[:80] = 255
    (found,) = detector.in_portrait(frame)
    for turned, rolls, side in ((frame, 180, -1), (frame[::-1], 0, 1)):
        face = detector.refine(np.ascontiguousarray(turned), found)
        quality = measure(face, np.full((112, 112, 3), 90, np.uint8), TEMPLATE, (160, 160))
        assert abs(quality["roll"]) == pytest.approx(rolls, abs=1)
        assert ("roll" in quality.shortfalls) == (rolls == 180)
        eyes, mouth = face.points[:2].mean(axis=0), face.points[3:].mean(axis=0)
        assert np.sign(mouth[1] - eyes[1]) == side
        assert np.abs(face.points.mean(axis=0) - 80).max() < 25
