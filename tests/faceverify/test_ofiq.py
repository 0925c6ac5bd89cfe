"""The adapter for OFIQ's sample program, with a program of our own in its place: what it is asked, what of its answer counts."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceverify.ofiq import OfiqQuality, OfiqScorer, parse_table
from faceverify.samples import NotPerformed

PICTURE = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)
ANSWER = (
    "Filename;UnifiedQualityScore;Sharpness;UnifiedQualityScore.scalar;Sharpness.scalar;EyesOpen.scalar;\nx;25.1;-0.3;61;88;-1\n"
)


@pytest.fixture
def program(tmp_path):
    """A program that takes OFIQ's arguments and runs ``body`` with ``image`` and ``out``, its two file names."""

    def write(body, timeout_s=20.0):
        file = tmp_path / "sample_app.py"
        file.write_text(
            "import sys\nnamed = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n"
            "assert named['-c'] == 'models'\nimage, out = named['-i'], named['-o']\n" + body
        )
        return OfiqScorer(command=(sys.executable, str(file), "-c", "models"), timeout_s=timeout_s)

    return write


def test_the_program_gets_the_picture_and_its_scores_come_back(program, tmp_path):
    seen = tmp_path / "seen.bmp"
    scorer = program(f"open({str(seen)!r}, 'wb').write(open(image, 'rb').read())\nopen(out, 'w').write({ANSWER!r})")
    assert scorer.score(PICTURE) == OfiqQuality(scores={"UnifiedQualityScore": 61, "Sharpness": 88})
    assert scorer.score(PICTURE).unified == 61
    np.testing.assert_array_equal(cv2.imread(str(seen)), PICTURE)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit(1)", "ofiq_failed"),
        ("", "ofiq_failed"),
        ("open(out, 'w').write('Filename;\\nx;\\n')", "ofiq_failed"),
        ("import os; os.abort()", "ofiq_failed"),
    ],
    ids=["error", "silence", "no face", "crash"],
)
def test_a_program_that_fails_is_a_finding(program, body, reason):
    assert program(body).score(PICTURE).reason == reason


def test_a_program_that_hangs_is_ended(program):
    assert program("import time; time.sleep(600)", timeout_s=0.5).score(PICTURE).reason == "ofiq_timeout"


def test_a_program_that_is_not_there_is_not_available():
    scorer = OfiqScorer(command=("no-such-program-of-ofiq",))
    assert not scorer.present
    assert scorer.score(PICTURE).reason == "ofiq_not_available"
    assert OfiqScorer(command=()).score(PICTURE).reason == "ofiq_not_available"


def test_no_file_of_a_face_stays_open(program):
    before = len(list(Path("/proc/self/fd").iterdir()))
    program("sys.exit(1)").score(PICTURE)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@given(st.one_of(st.binary(max_size=300), st.text(alphabet="UnifiedQalitySco.;-0123456789\n", max_size=200).map(str.encode)))
def test_any_bytes_are_scores_or_none(text):
    found = parse_table(text)
    if isinstance(found, OfiqQuality):
        assert all(0 <= score <= 100 for score in found.scores.values())
    else:
        assert found == NotPerformed(reason="ofiq_failed", detail="no unified quality score in its answer")
