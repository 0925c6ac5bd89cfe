"""How the vision process looks: which frames count, how often it tries, and what it never forgets. The numbers are set by hand."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from faceverify.compare import FaceComparison
from faceverify.pad import PadResult
from faceverify.verifier import NotPerformed, Reference
from gate.processes.messages import FaceChecked, Forget, PrepareReference, StartCapture
from gate.processes.vision import ATTEMPTS, FaceWatcher
from hardware.ports import Frame

PIXELS = np.zeros((8, 8, 3), np.uint8)


def boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Camera:
    """Hands over a frame at once; ``age`` says how long ago it was taken."""

    def __init__(self, age: float = 0.0) -> None:
        self.age = age

    def newest(self, timeout: float) -> Frame:
        time.sleep(0.001)
        return Frame(pixels=PIXELS, boot=boot() - self.age)

    def close(self) -> None: ...


class Verifier:
    """Gives one comparison after the other, the last for ever."""

    def __init__(self, *comparisons: tuple[str, str]) -> None:
        self.comparisons, self.probes, self.wiped = list(comparisons), 0, 0
        self._pad = "bona_fide"

    def reference(self, _: bytes) -> Reference:
        return object.__new__(Reference)

    def probe(self, _: object) -> object:
        self.probes += 1
        word, self._pad = self.comparisons[min(self.probes, len(self.comparisons)) - 1]
        pad = PadResult(score=0.5, threshold=0.5, decision=self._pad)
        return SimpleNamespace(word=word, pad=pad, wipe=self._wipe)

    def _wipe(self) -> None:
        self.wiped += 1

    def compare(self, _: object, probe) -> FaceComparison | NotPerformed:
        if probe.word == "poor":
            return NotPerformed(reason="poor_quality", detail="dark")
        return FaceComparison(score=0.5, threshold=0.5, decision=probe.word, pack="p", demonstration=True)


@pytest.fixture(autouse=True)
def quiet_wiping(monkeypatch):
    monkeypatch.setattr(Reference, "wipe", lambda _: None)


def looked(verifier: Verifier, camera: Camera, deadline_s: float = 0.3) -> tuple[FaceChecked, FaceWatcher]:
    told: list[object] = []
    watcher = FaceWatcher(verifier, camera, told.append)  # type: ignore[arg-type] # set by hand
    watcher._prepare(PrepareReference(transaction="t", portrait=b"x", zero=boot()))
    watcher._capture(StartCapture(transaction="t", deadline_s=deadline_s, zero=boot()))
    return told[-1], watcher  # type: ignore[return-value] # the last thing told


def test_the_first_good_frame_that_matches_decides():
    verifier = Verifier(("match", "bona_fide"))
    checked, _ = looked(verifier, Camera())
    assert (checked.facts["face"].value, verifier.probes) == ("match", 1)


def test_another_try_is_given_but_not_without_end():
    verifier = Verifier(("non_match", "bona_fide"))
    checked, _ = looked(verifier, Camera(), deadline_s=5)
    assert (checked.facts["face"].value, verifier.probes) == ("no_match", ATTEMPTS)


def test_a_poor_frame_costs_no_attempt():
    poor = [("poor", "bona_fide")] * (2 * ATTEMPTS)
    verifier = Verifier(*poor, ("match", "bona_fide"))
    checked, _ = looked(verifier, Camera(), deadline_s=5)
    assert checked.facts["face"].value == "match"


def test_nothing_but_poor_frames_is_poor_quality():
    checked, _ = looked(Verifier(("poor", "bona_fide")), Camera())
    assert checked.facts["face"].value == "poor_quality"


def test_a_presentation_attack_is_not_tried_again():
    verifier = Verifier(("non_match", "attack"), ("match", "bona_fide"))
    checked, _ = looked(verifier, Camera(), deadline_s=5)
    assert (checked.facts["face"].value, checked.facts["pad"].value, verifier.probes) == ("no_match", "attack", 1)


def test_a_stalled_camera_shows_nobody():
    verifier = Verifier(("match", "bona_fide"))
    checked, _ = looked(verifier, Camera(age=60))
    assert (checked.facts["face"].value, checked.chosen_frame_boot, verifier.probes) == ("no_probe", None, 0)


def test_every_probe_is_wiped():
    verifier = Verifier(("poor", "bona_fide"), ("non_match", "bona_fide"))
    looked(verifier, Camera(), deadline_s=5)
    assert verifier.wiped == verifier.probes


def test_a_capture_of_another_transaction_than_prepared_has_no_reference():
    told: list[object] = []
    watcher = FaceWatcher(Verifier(("match", "bona_fide")), Camera(), told.append)  # type: ignore[arg-type] # set by hand
    watcher._prepare(PrepareReference(transaction="one", portrait=b"x", zero=0.0))
    watcher._capture(StartCapture(transaction="other", deadline_s=1, zero=0.0))
    assert told[-1].facts["face"].value == "not_performed"


def test_what_was_to_be_forgotten_is_not_begun():
    told: list[object] = []
    watcher = FaceWatcher(Verifier(("match", "bona_fide")), Camera(), told.append)  # type: ignore[arg-type] # set by hand
    watcher.take(Forget(transaction="t"))
    watcher._prepare(PrepareReference(transaction="t", portrait=b"x", zero=0.0))
    assert told == []
