"""The test that a pack brings: its networks have to give what others' code gave, and its threshold has to part two pairs of faces.

It is as honest as whoever wrote it into the pack: alone it proves consistency (:class:`faceverify.check.CheckReport`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from faceverify import sample_pictures
from faceverify.chips import Pixels, changed, cut
from faceverify.description import PackError
from faceverify.detect import DetectedFace
from faceverify.pad import PadNet

if TYPE_CHECKING:
    from faceverify.description import Pack, PictureSpec, ReferenceRun, SelfTest
    from faceverify.examiner import Examiner

VECTOR_TOLERANCE = 1e-4
"""Largest difference of one value, relative to the length of the reference vector."""
POINT_TOLERANCE = 0.01
"""Of the distance between the eyes."""
SCORE_TOLERANCE = 2e-3
"""Detector's and PAD networks' scores: builds of OpenCV differ in the last bit of a scaled picture."""
_OTHER_LIGHT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """``vector_difference``: largest, relative to the vector's length; then the scores of the mated and the non-mated pair."""

    vector_difference: float
    mated: float
    non_mated: float


def golden(examiner: Examiner, test: SelfTest) -> Golden:
    """Run it. Raises PackError where it fails."""
    pack = examiner.pack
    picture = sample_pictures.load(pack.folder / test.run.file)
    _check_detector(examiner, picture, test.run)
    _check_pad(pack, picture, test.run)
    difference = _check_vector(examiner, picture, test.run)
    chips = [_chip(pack, spec) for spec in (test.reference, test.mated, test.non_mated)]
    if test.mated == test.reference:
        chips[1] = changed(chips[1], _OTHER_LIGHT)
    reference, mated, non_mated = (examiner.features(examiner.crop(chip, examiner.face(chip).points)) for chip in chips)
    same, other = examiner.score(reference, mated), examiner.score(reference, non_mated)
    threshold = pack.threshold.score if pack.threshold else (same + other) / 2
    if not other < threshold <= same:
        what = f"mated pair {same:.3f}, non-mated pair {other:.3f}, threshold {threshold:.3f}"
        raise _failure(pack, what, "its threshold or its preprocessing is wrong")
    return Golden(vector_difference=difference, mated=same, non_mated=other)


def _check_vector(examiner: Examiner, picture: Pixels, run: ReferenceRun) -> float:
    vector = examiner.features(examiner.crop(picture, np.array(run.points, np.float32)))
    examiner.check_norm(vector)
    wanted = np.array(run.features)
    difference = float(np.abs(vector - wanted).max() / max(np.linalg.norm(wanted), 1e-9))
    if not difference <= VECTOR_TOLERANCE:
        what = f"the features differ from the reference vector by {difference:.2g}"
        raise _failure(examiner.pack, what, "its preprocessing, its weights or its vector are not what they should be")
    return difference


def _check_detector(examiner: Examiner, picture: Pixels, run: ReferenceRun) -> None:
    faces = examiner.detector.in_portrait(picture)
    if len(faces) != 1:
        raise _failure(examiner.pack, f"the detector finds {len(faces)} faces instead of one", "correct `detector`")
    wanted = np.array(run.detected)
    distance = float(np.abs(faces[0].points - wanted).max() / max(np.linalg.norm(wanted[1] - wanted[0]), 1e-9))
    off = abs(faces[0].score - run.score)
    if not (distance <= POINT_TOLERANCE and off <= SCORE_TOLERANCE):
        what = f"the detector's points are off by {distance:.2g} eye distances, its score by {off:.2g}"
        raise _failure(examiner.pack, what, "correct `detector`")


def _check_pad(pack: Pack, picture: Pixels, run: ReferenceRun) -> None:
    left, top, width, height = run.box
    face = DetectedFace(box=(left, top, width, height), points=np.zeros((5, 2), np.float32), score=1.0)
    for spec, wanted in zip(pack.pad, run.pad, strict=True):
        result = PadNet(pack, spec).measure(picture, face)
        if result is None or not abs(result.score - wanted) <= SCORE_TOLERANCE:
            given = "nothing" if result is None else f"{result.score:.4f}"
            raise _failure(pack, f"{spec.net.file} gives {given} instead of {wanted:.4f}", "correct `pad`")


def _failure(pack: Pack, what: str, remedy: str) -> PackError:
    return PackError(pack.id, f"self-test: {what}", remedy)


def _chip(pack: Pack, spec: PictureSpec) -> Pixels:
    left, top, width, height = spec.face
    return cut(sample_pictures.load(pack.folder / spec.file), (left, top, width, height))
