"""Several frames become one probe: never of two people, never with an attack among them, and better than any single one."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceverify.compare import comparison_score
from faceverify.detect import DetectedFace
from faceverify.fuse import ATTACKS, FEWEST, MOST, BestFrames, fuse, fused_pad, mean
from faceverify.pad import PadResult
from faceverify.quality import FaceQuality
from faceverify.samples import NotPerformed, Probe

PACK = SimpleNamespace(
    sha256="p" * 64, threshold=SimpleNamespace(score=0.5), recogniser=SimpleNamespace(metric="cosine", agreement=None), id="test"
)
BONA_FIDE = PadResult(score=0.1, threshold=0.5, decision="bona_fide")
ATTACK = PadResult(score=0.8, threshold=0.5, decision="attack")
ABSENT = NotPerformed(reason="pad_not_available")


def quality(score=100, sharpness=0.1, shortfalls=()):
    return FaceQuality(values={"sharpness": sharpness}, score=score, instruction=None, shortfalls=shortfalls)


def probe(features, score=100, pad=BONA_FIDE, short=(), sharpness=0.1):
    return Probe(
        face=DetectedFace(box=(0, 0, 1, 1), points=np.ones((5, 2), np.float32), score=1.0),
        quality=quality(score, sharpness, short),
        features=np.asarray(features, np.float32),
        pack_sha256=PACK.sha256,
        timings={},
        pad=pad,
    )


def person(seed, noise=0.3, **how):
    """A frame of the person ``seed``: their vector with some noise of its own."""
    truth = np.random.default_rng(seed).normal(size=64)
    return probe(truth + noise * np.random.default_rng().normal(size=64), **how)


# --- fusing --------------------------------------------------------------------------------------------------------------

vectors = st.lists(st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6), min_size=1, max_size=5)


@given(vectors, st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_a_mean_for_cosine_has_unit_norm_and_does_not_depend_on_the_frames_own(rows, weights):
    probes = [probe(row, sharpness=weight) for row, weight in zip(rows, weights, strict=False)]
    fused = mean(probes, "cosine")
    scaled = [probe(7 * np.asarray(row), sharpness=weight) for row, weight in zip(rows, weights, strict=False)]
    np.testing.assert_allclose(mean(scaled, "cosine"), fused, atol=1e-4)
    assert np.isfinite(fused).all()
    assert np.linalg.norm(fused) == pytest.approx(1, abs=1e-4) or np.linalg.norm(fused) < 1e-3


def test_a_mean_for_euclidean_is_between_the_frames_and_nearer_to_the_sharper():
    fused = mean([probe([0, 0], sharpness=0.18), probe([10, 0], sharpness=0.02)], "euclidean")
    np.testing.assert_allclose(fused, [1, 0], atol=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_one_frame_fused_is_that_frame(metric):
    pack = SimpleNamespace(**{**vars(PACK), "recogniser": SimpleNamespace(metric=metric, agreement=None)})
    one = person(1)
    fused = fuse([one], pack)
    assert comparison_score(fused.features, one.features, "cosine") == pytest.approx(1)
    assert (fused.frames, fused.quality, fused.pad) == (1, one.quality, one.pad)
    one.wipe()
    assert fused.features.any(), "the fused probe is its own"
    assert fused.face.points.any()


def test_fused_frames_score_higher_with_the_person_and_no_nearer_to_others():
    gains, strangers = [], []
    for seed in range(30):
        frames = [person(seed, 0.7) for _ in range(MOST)]
        reference, other = person(seed, 0.0).features, person(seed + 1000, 0.0).features
        fused = fuse(frames, PACK).features
        gains.append(
            comparison_score(fused, reference, "cosine") - max(comparison_score(f.features, reference, "cosine") for f in frames)
        )
        strangers.append(comparison_score(fused, other, "cosine"))
    assert min(gains) > 0
    assert np.mean(strangers) == pytest.approx(0, abs=0.1)


def test_frames_of_two_people_never_average():
    """Else a face between two would match both: what a morph does."""
    ours, theirs = [person(1, 0.1) for _ in range(2)], [person(2, 0.1) for _ in range(2)]
    assert fuse(ours + theirs, PACK).reason == "disagreement"
    fused = fuse([*ours, person(1, 0.1), theirs[0]], PACK)
    assert fused.frames == 3
    assert comparison_score(fused.features, person(2, 0.0).features, "cosine") < 0.5


def test_a_second_person_among_the_frames_is_not_outvoted():
    """One frame that agrees with nobody may be a blurred one; two that agree with each other are somebody else."""
    ours, theirs = [person(1, 0.1) for _ in range(3)], [person(2, 0.1) for _ in range(2)]
    assert fuse([*ours, theirs[0]], PACK).frames == 3
    assert fuse([*ours, *theirs], PACK).reason == "disagreement"
    assert fuse([*ours, theirs[0], person(3, 0.1)], PACK).frames == 3


def test_frames_of_one_moment_agree_from_the_packs_own_score_on():
    """A threshold for other moments, and years, would throw away most blurred captures of one person."""
    strict = SimpleNamespace(**{**vars(PACK), "threshold": SimpleNamespace(score=0.999)})
    lenient = SimpleNamespace(**{**vars(strict), "recogniser": SimpleNamespace(metric="cosine", agreement=0.5)})
    ours, theirs = [person(1, 0.3) for _ in range(3)], [person(2, 0.3) for _ in range(2)]
    assert fuse(ours, strict).reason == "disagreement"
    assert fuse(ours, lenient).frames == 3
    assert fuse([*ours, *theirs], lenient).reason == "disagreement"


def test_poor_frames_and_frames_of_another_pack_are_not_fused():
    good, poor = person(1), person(1, short=("sharpness",))
    assert fuse([poor, good], PACK).frames == 1
    assert fuse([poor], PACK) == NotPerformed(reason="poor_quality", detail="sharpness")
    assert fuse([good, dataclasses.replace(good, pack_sha256="other")], PACK).reason == "pack_mismatch"
    assert fuse([], PACK).reason == "no_probe"


def test_a_wiped_frame_agrees_with_nobody():
    frames = [person(1) for _ in range(3)]
    frames[0].wipe()
    assert fuse(frames, PACK).frames == 2
    for frame in frames:
        frame.wipe()
    assert fuse(frames, PACK).reason == "disagreement"


def test_of_several_frames_the_most_suspicious_pad_counts_and_an_absent_one_is_absent():
    worse = dataclasses.replace(BONA_FIDE, score=0.4)
    assert fused_pad([BONA_FIDE, worse, BONA_FIDE]) is worse
    assert fused_pad([BONA_FIDE, ABSENT]) is ABSENT


# --- collecting ----------------------------------------------------------------------------------------------------------


def collected(*probes, track=1):
    frames = BestFrames()
    for each in probes:
        frames.add(track, each)
    return frames


def test_the_best_frames_are_kept_and_the_others_wiped():
    probes = [person(1, score=score) for score in (60, 90, 20, 80, 70, 10, 95)]
    frames = collected(*probes)
    assert [each.features.any() for each in probes] == [True, True, False, True, True, False, True]
    assert frames.fused(lambda kept: fuse(kept, PACK)).frames == MOST


def test_the_most_suspicious_of_all_frames_in_the_row_counts_even_of_those_not_kept():
    worse = dataclasses.replace(BONA_FIDE, score=0.45)
    probes = [person(1, score=5, pad=worse), *(person(1) for _ in range(MOST))]
    fused = collected(*probes).fused(lambda kept: fuse(kept, PACK))
    assert (fused.frames, fused.pad) == (MOST, worse)


def test_without_pad_a_single_frame_may_be_compared_and_with_pad_it_leaves_the_presentation_undecided():
    def fused(pad):
        return collected(person(1, pad=pad)).fused(lambda kept: fuse(kept, PACK)).pad

    assert fused(ABSENT) is ABSENT
    assert fused(BONA_FIDE).reason == "pad_undecided"


def test_a_bona_fide_frame_of_somebody_else_does_not_make_up_the_number():
    """Two frames of a picture held up, a living face after them: three in a row are bona fide, but not of whom is compared."""
    fused = collected(person(1, 0.1), person(1, 0.1), person(2, 0.1)).fused(lambda kept: fuse(kept, PACK))
    assert (fused.frames, fused.pad.reason) == (2, "pad_undecided")


def test_after_an_attack_the_row_begins_anew():
    frames = collected(*(person(1) for _ in range(FEWEST - 1)), person(1, pad=ATTACK), person(1))
    assert not frames.enough
    assert frames.fused(lambda kept: fuse(kept, PACK)).frames == 1


@given(st.lists(st.sampled_from(["good", "attack", "other"]), max_size=25))
def test_whatever_the_order_what_is_fused_is_an_unbroken_row_of_one_person(order):
    frames, row, attacks, track = BestFrames(), [], 0, 1
    for what in order:
        if frames.enough:
            break
        track += what == "other"
        row = [] if what == "other" else row
        one = person(track, 0.1, pad=ATTACK if what == "attack" else BONA_FIDE)
        frames.add(track, one)
        attacks += what == "attack"
        row = [] if what == "attack" else [*row, one]
    assert (frames.attack is not None) == (attacks >= ATTACKS)
    fused = frames.fused(lambda kept: fuse(kept, PACK))
    assert (fused.reason == "no_probe") if not row else (fused.frames == len(row))
    if isinstance(fused, Probe) and isinstance(fused.pad, PadResult):
        assert len(row) >= FEWEST


# --- on pictures ---------------------------------------------------------------------------------------------------------


def test_fused_frames_of_a_poor_camera_match_their_own_and_nobody_else(rig, capture):
    for who in (1, 3):
        probes = [rig.verifier.probe(rig.pictures.frame(who, capture(size, 0.8, 1.0, 8.0))) for size in (120, 130, 140)]
        fused = rig.verifier.fuse(probes)
        assert fused.frames == 3
        for other in range(7):
            assert (rig.verifier.compare(rig.reference(other), fused).decision == "match") == (other == who)


def test_two_people_on_real_pictures_disagree(rig, capture):
    one, two = (rig.verifier.probe(rig.pictures.frame(who, capture(180, 1.0, 0.8, 2.0))) for who in (0, 3))
    assert rig.verifier.fuse([one, two]).reason == "disagreement"
