"""The long suites on portraits hold in short, and turn red where somebody else is matched or a picture is spoilt on its way."""

from __future__ import annotations

import random

import pytest

from benchmarks import soak_faces
from benchmarks.soak_faces import Memory, dg2, tiny_images
from faceverify.compare import FaceComparison
from faceverify.confined import ConfinedDecoder
from faceverify.verifier import FaceVerifier


@pytest.fixture(scope="module")
def case():
    with dg2() as case:
        yield case


def run(case, cases, name="faces_dg2"):
    return {case(random.Random(f"7/{name}/{number}")) for number in range(cases)}


def test_a_short_run_on_dg2_holds(case):
    seen = run(case, 40)
    assert {"nobody else", "undecodable"} & seen
    assert {word for word in seen if word.startswith(("DG2_", "TLV_"))}


@pytest.mark.conforms("TR-03121-3 §3.11.1", "defect")
def test_a_comparison_that_matches_everybody_turns_it_red(case, monkeypatch):
    everybody = FaceComparison(score=1.0, threshold=0.5, decision="match", pack="defect", demonstration=True)
    monkeypatch.setattr(FaceVerifier, "compare", lambda *_: everybody)
    with pytest.raises(AssertionError, match="somebody else"):
        run(case, 40)


def test_a_short_run_on_tiny_pictures_holds():
    with tiny_images() as case:
        assert len(run(case, 100, "images_tiny") & soak_faces.TINY_MUST_SEE) >= 3


def test_pixels_that_are_not_the_pictures_turn_it_red(monkeypatch):
    honest = ConfinedDecoder.decode
    monkeypatch.setattr(ConfinedDecoder, "decode", lambda self, image: honest(self, image) ^ 1)
    monkeypatch.setattr(soak_faces, "UNCHANGED", 1.0)
    with tiny_images() as case, pytest.raises(AssertionError):
        case(random.Random(1))


def test_memory_that_is_kept_turns_them_red(monkeypatch):
    memory, grown = Memory(), iter([100.0, 300.0])
    monkeypatch.setattr(soak_faces, "_resident_mib", lambda: next(grown))
    for _ in range(2 * soak_faces.SETTLED - 1):
        memory.check()
    with pytest.raises(AssertionError, match="200 MiB"):
        memory.check()
