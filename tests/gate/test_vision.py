"""How the vision process looks: which frames count, that it compares once, and what it never forgets. The numbers are set by hand."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import cv2
import msgspec
import numpy as np
import pytest

from faceverify.compare import FaceComparison
from faceverify.description import PackError
from faceverify.fuse import ATTACKS, FEWEST, MOST, PATIENT, BestFrames
from faceverify.pad import PadResult
from faceverify.quality import Instruction
from faceverify.samples import NotPerformed, Probe, Reference
from faceverify.track import Sighting
from gate.config import Camera as ConfiguredCamera
from gate.config import Waiver, load
from gate.processes import vision
from gate.processes.bounds import bounded_backends
from gate.processes.capture import STEADY_S, Guide, pad_fact
from gate.processes.display import Display
from gate.processes.hardening import wipe_stack
from gate.processes.messages import (
    AnyMessage,
    FaceChecked,
    FaceGuidance,
    Forget,
    Guidance,
    LookLonger,
    PrepareReference,
    StartCapture,
)
from gate.processes.vision import FaceWatcher, first_look
from hardware.ports import DeviceLost, Frame

EXAMPLE = Path(__file__).parents[2] / "docs" / "gate.example.toml"
PIXELS = np.zeros((8, 8, 3), np.uint8)


def boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Camera:
    """Hands over a frame at once; ``age`` says how long ago it was taken."""

    def __init__(self, age: float = 0.0) -> None:
        self.age, self.frames = age, 0

    def newest(self, timeout: float) -> Frame:
        time.sleep(0.001)
        self.frames += 1
        return Frame(pixels=PIXELS, boot=boot() - self.age)

    def close(self) -> None: ...


class Verifier:
    """Sees one frame after the other, the last for ever: ``good``, ``fair`` (not good yet), ``poor``, ``nobody``, ``two``, ``attack``,
    ``other`` (somebody else); all of them compare as ``decision``.
    """

    def __init__(self, *frames: str, decision: str = "match") -> None:
        self.frames, self.decision = list(frames), decision
        self.seen = self.comparisons = 0
        self.probes: list[Probe] = []
        self.fused: list[int] = []
        self.done: list[object] = []
        """What every thread that measures was given to do."""

    def in_each_thread(self, work) -> None:
        self.done.append(work)

    def reference(self, _: bytes) -> Reference:
        return object.__new__(Reference)

    def track(self) -> Verifier:
        return self

    def see(self, _: object) -> Sighting | NotPerformed:
        self.seen += 1
        self.word = self.frames[min(self.seen, len(self.frames)) - 1]
        if self.word in {"nobody", "two"}:
            return NotPerformed(reason="no_face" if self.word == "nobody" else "several_faces")
        score = {"poor": 0, "fair": 20}.get(self.word, 100)
        instruction = "hold_still" if self.word in {"poor", "fair"} else None
        short = ("sharpness",) if self.word == "poor" else ()
        self.quality = SimpleNamespace(score=score, shortfalls=short, instruction=instruction)
        return Sighting(track=2 if self.word == "other" else 1, face=None, quality=self.quality)  # type: ignore[arg-type] # by hand

    def probe(self, _: object, sighting: Sighting) -> Probe:
        assert sighting.quality is self.quality
        suspicious = self.word == "attack"
        pad = PadResult(score=0.9 if suspicious else 0.1, threshold=0.5, decision="attack" if suspicious else "bona_fide")
        face = SimpleNamespace(points=np.ones(2))
        probe = Probe(face=face, quality=self.quality, features=np.ones(2), pack_sha256="", timings={}, pad=pad)  # type: ignore[arg-type] # by hand
        self.probes.append(probe)
        return probe

    def fuse(self, probes) -> Probe | NotPerformed:
        self.fused.append(len(probes))
        if not probes:
            return NotPerformed(reason="no_probe")
        face = SimpleNamespace(points=np.ones(2))
        fused = Probe(
            face=face,  # type: ignore[arg-type] # by hand
            quality=probes[0].quality,
            features=np.ones(2),
            pack_sha256="",
            timings={},
            pad=probes[0].pad,
            frames=len(probes),
        )
        self.probes.append(fused)
        return fused

    def compare(self, _: object, probe: Probe) -> FaceComparison | NotPerformed:
        assert probe.features.any(), "a wiped probe compares with nothing"
        self.comparisons += 1
        return FaceComparison(score=0.5, threshold=0.5, decision=self.decision, pack="p", demonstration=True)  # type: ignore[arg-type] # by hand


@pytest.fixture(autouse=True)
def quiet_wiping(monkeypatch):
    monkeypatch.setattr(Reference, "wipe", lambda _: None)


def looked(verifier: Verifier, camera: Camera | None = None, deadline_s: float = 5) -> tuple[FaceChecked, list[object]]:
    told: list[object] = []
    watcher = FaceWatcher(verifier, camera or Camera(), told.append)  # type: ignore[arg-type] # set by hand
    watcher._prepare(PrepareReference(transaction="t", portrait=b"x", zero=boot()))
    watcher._capture(StartCapture(transaction="t", deadline_s=deadline_s, zero=boot()))
    return told[-1], told  # type: ignore[return-value] # the last thing told


def words(checked: FaceChecked) -> dict[str, str]:
    return {name: fact.value for name, fact in checked.facts.items()}


@pytest.mark.conforms("TR-03121-3 §4.5.1", "positive")
def test_the_fewest_good_frames_are_fused_and_compared_once():
    verifier = Verifier("good")
    checked, _ = looked(verifier)
    assert words(checked) == {"face": "match", "pad": "bona_fide"}
    assert (verifier.fused, verifier.comparisons) == ([FEWEST], 1)
    assert [stage.name for stage in checked.stages] == ["face.capture", "face.features", "face.comparison"]
    assert checked.stages[0].result == f"{FEWEST} frames fused"


def test_nobody_is_compared_twice_however_long_the_time():
    verifier = Verifier("good", decision="non_match")
    checked, _ = looked(verifier)
    assert (checked.facts["face"].value, verifier.comparisons) == ("no_match", 1)


def test_while_the_picture_is_not_good_looking_goes_on_but_not_without_end():
    verifier = Verifier("fair")
    checked, _ = looked(verifier)
    assert (checked.facts["face"].value, verifier.seen, verifier.fused) == ("match", PATIENT, [MOST])
    better = Verifier(*["fair"] * 4, "good")
    looked(better)
    assert better.seen == 4 + FEWEST


def test_a_poor_frame_is_not_measured_and_nothing_but_poor_frames_is_poor_quality():
    verifier = Verifier("poor", "poor", "good")
    assert words(looked(verifier)[0])["face"] == "match"
    assert verifier.seen == 2 + FEWEST
    checked, _ = looked(Verifier("poor"), deadline_s=0.1)
    assert (checked.facts["face"].value, checked.facts["face"].code) == ("poor_quality", "sharpness")


@pytest.mark.parametrize(("frame", "word", "code"), [("nobody", "no_probe", "no_face"), ("two", "poor_quality", "several_faces")])
def test_nobody_and_two_people_are_said_as_what_they_are(frame, word, code):
    checked, _ = looked(Verifier(frame), deadline_s=0.1)
    assert (checked.facts["face"].value, checked.facts["face"].code, checked.stages) == (word, code, ())


@pytest.mark.conforms("TR-03121-3 §4.5.1", "negative")
def test_a_presentation_attack_is_not_tried_again_and_not_compared():
    verifier = Verifier("attack", "attack", "attack", "good")
    checked, _ = looked(verifier)
    assert words(checked) == {"face": "not_performed", "pad": "attack"}
    assert (verifier.seen, verifier.comparisons) == (ATTACKS, 0)


@pytest.mark.conforms("TR-03121-3 §4.5.1", "defect")
def test_without_the_end_at_an_attack_it_is_compared(monkeypatch):
    monkeypatch.setattr(BestFrames, "_suspect", lambda *_: None)
    with pytest.raises(AssertionError):
        test_a_presentation_attack_is_not_tried_again_and_not_compared()


def test_frames_before_one_that_looks_like_an_attack_do_not_count():
    """A picture held up between two looks of the own face, or the other way round: only an unbroken row is compared."""
    verifier = Verifier("good", "good", "attack", "good")
    checked, _ = looked(verifier)
    assert words(checked) == {"face": "match", "pad": "bona_fide"}
    assert (verifier.seen, verifier.fused) == (3 + FEWEST, [FEWEST])
    alternating = Verifier("good", "good", "attack", "good", "good", "attack", "good", "good", "attack", "good")
    assert words(looked(alternating)[0])["pad"] == "attack"


@pytest.mark.conforms("TR-03121-3 §4.5.1", "negative")
def test_too_few_frames_in_a_row_leave_the_presentation_undecided():
    checked, _ = looked(Verifier("good", "good", "nobody"), deadline_s=0.1)
    assert words(checked) == {"face": "match", "pad": "not_performed"}
    assert checked.facts["pad"].code == "pad_undecided"


def test_frames_of_two_people_are_never_fused():
    verifier = Verifier("good", "good", "other")
    looked(verifier)
    assert (verifier.seen, verifier.fused) == (2 + FEWEST, [FEWEST])


class Kept(Camera):
    """Its frames are the receiver's own; the test keeps hold of them, and of how they were when they were handed over."""

    def __init__(self, age: float = 0.0) -> None:
        super().__init__(age)
        self.handed: list[np.ndarray] = []

    def newest(self, timeout: float) -> Frame:
        self.handed.append(np.full((8, 8, 3), 200, np.uint8))
        return Frame(pixels=self.handed[-1], boot=super().newest(timeout).boot)


@pytest.mark.parametrize("age", [0.0, 10.0], ids=["looked at", "too old"])
@pytest.mark.parametrize("sees", ["good", "nobody", "attack"])
def test_no_frame_is_left_behind_in_memory(sees, age):
    camera = Kept(age)
    looked(Verifier(sees), camera, deadline_s=0.1)
    assert camera.handed
    assert not any(pixels.any() for pixels in camera.handed)


def test_a_camera_that_goes_while_somebody_stands_there_leaves_neither_frame_nor_reference(monkeypatch):
    class Going(Kept):
        def newest(self, timeout: float) -> Frame:
            if self.frames == 2:
                raise DeviceLost("camera", "gone")
            return super().newest(timeout)

    wiped: list[object] = []
    monkeypatch.setattr(Reference, "wipe", lambda reference: wiped.append(reference))  # noqa: PLW0108 - a method of a class, which a built-in one is not
    camera = Going()
    watcher = FaceWatcher(Verifier("fair"), camera, lambda _: None)  # type: ignore[arg-type] # set by hand
    watcher.take(PrepareReference(transaction="t", portrait=b"x", zero=boot()))
    watcher.take(StartCapture(transaction="t", deadline_s=5, zero=boot()))
    with pytest.raises(DeviceLost):
        watcher.run()
    assert len(camera.handed) == 2
    assert not any(pixels.any() for pixels in camera.handed)
    assert len(wiped) == 1


def test_when_a_traveller_is_done_every_thread_that_measured_wipes_its_stack():
    verifier = Verifier("good")
    watcher = FaceWatcher(verifier, Camera(), lambda _: None)  # type: ignore[arg-type] # set by hand
    watcher._prepare(PrepareReference(transaction="t", portrait=b"x", zero=0.0))
    assert verifier.done == []
    watcher._forget()
    assert verifier.done == [wipe_stack]


def test_whoever_stands_there_when_the_process_starts_leaves_nothing_behind():
    verifier, camera = Verifier("good"), Kept()
    verifier.see(PIXELS)
    first_look(WithoutSighting(verifier), camera)  # type: ignore[arg-type] # set by hand
    assert [pixels.any() for pixels in camera.handed] == [False]
    assert [probe.features.any() for probe in verifier.probes] == [False]
    assert verifier.done == [wipe_stack]


class WithoutSighting:
    """Looks for the face by itself."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.in_each_thread = verifier.in_each_thread

    def probe(self, pixels: object) -> Probe:
        return self._verifier.probe(pixels, SimpleNamespace(quality=self._verifier.quality))  # type: ignore[arg-type] # by hand


class Frozen(Camera):
    """Hands over the same frame for ever."""

    def newest(self, timeout: float) -> Frame:
        self.frame = getattr(self, "frame", None) or Frame(pixels=PIXELS, boot=boot() + 0.05)
        time.sleep(0.01)
        return self.frame


def test_one_frame_handed_over_thrice_is_one_frame():
    verifier = Verifier("good")
    checked, _ = looked(verifier, Frozen(), deadline_s=0.2)
    assert verifier.seen == 1
    assert checked.facts["pad"].code == "pad_undecided"


def test_a_licence_that_ends_while_the_gate_runs_ends_the_comparisons():
    told: list[object] = []
    ended = PackError("p", "its licence ended on 2026-11-22", "renew it")
    refusals = iter([None, ended])
    watcher = FaceWatcher(Verifier("good"), Camera(), told.append, lambda: next(refusals))  # type: ignore[arg-type] # set by hand
    for day in ("today", "tomorrow"):
        watcher._prepare(PrepareReference(transaction=day, portrait=b"x", zero=0.0))
        watcher._capture(StartCapture(transaction=day, deadline_s=5, zero=0.0))
    checked = [message.facts["face"] for message in told if isinstance(message, FaceChecked)]
    assert [(fact.value, fact.code) for fact in checked] == [("match", "p"), ("no_reference", "pack_not_permitted")]


@pytest.mark.parametrize(("score", "recorded"), [(0.86, 0.86), (0.85999, 0.8599), (-0.00001, -0.0001)])
def test_no_score_below_a_threshold_is_recorded_as_if_it_had_reached_it(monkeypatch, score, recorded):
    verifier = Verifier("good")
    compared = FaceComparison(score=score, threshold=0.86, decision="non_match", pack="p", demonstration=True)
    monkeypatch.setattr(verifier, "compare", lambda *_: compared)
    assert looked(verifier)[0].facts["face"].score == recorded


def test_a_stalled_camera_shows_nobody():
    verifier = Verifier("good")
    checked, _ = looked(verifier, Camera(age=60), deadline_s=0.1)
    assert (checked.facts["face"].value, checked.chosen_frame_boot, verifier.seen) == ("no_probe", None, 0)


@pytest.mark.parametrize("frames", [("fair",), ("good",), ("attack",), ("good", "other", "attack", "nobody")])
def test_every_probe_is_wiped(frames):
    verifier = Verifier(*frames)
    looked(verifier, deadline_s=0.2)
    assert verifier.probes
    assert not any(probe.features.any() for probe in verifier.probes)


def test_a_capture_of_another_transaction_than_prepared_has_no_reference():
    told: list[object] = []
    watcher = FaceWatcher(Verifier("good"), Camera(), told.append)  # type: ignore[arg-type] # set by hand
    watcher._prepare(PrepareReference(transaction="one", portrait=b"x", zero=0.0))
    watcher._capture(StartCapture(transaction="other", deadline_s=1, zero=0.0))
    assert told[-1].facts["face"].value == "not_performed"


def test_a_portrait_that_gives_no_reference_is_not_looked_for_in_the_camera(monkeypatch):
    verifier, camera = Verifier("good"), Camera()
    monkeypatch.setattr(verifier, "reference", lambda _: NotPerformed(reason="no_face"))
    checked, _ = looked(verifier, camera)
    assert (checked.facts["face"].value, checked.facts["face"].code, camera.frames) == ("no_reference", "no_face", 0)


def test_what_was_to_be_forgotten_is_not_begun_and_looking_for_it_ends():
    told: list[object] = []
    watcher = FaceWatcher(Verifier("good"), Camera(), told.append)  # type: ignore[arg-type] # set by hand
    watcher.take(Forget(transaction="t"))
    watcher._prepare(PrepareReference(transaction="t", portrait=b"x", zero=0.0))
    assert told == []
    verifier = Verifier("nobody")
    again = FaceWatcher(verifier, Camera(), told.append)  # type: ignore[arg-type] # set by hand
    again._prepare(PrepareReference(transaction="u", portrait=b"x", zero=0.0))
    again.take(Forget(transaction="u"))
    again._capture(StartCapture(transaction="u", deadline_s=60, zero=0.0))
    assert verifier.seen == 0


@pytest.mark.parametrize(("whose", "seen"), [("t", FEWEST), ("another", 1)])
def test_a_look_that_has_begun_goes_on_for_the_traveller_who_was_granted_more_time(whose, seen):
    class Slow(Verifier):
        def see(self, pixels: object) -> Sighting | NotPerformed:
            if not self.seen:
                watcher.take(LookLonger(transaction=whose, deadline_s=20))
                time.sleep(0.6)
            return super().see(pixels)

    verifier, told = Slow("good"), list[object]()
    watcher = FaceWatcher(verifier, Camera(), told.append)  # type: ignore[arg-type] # set by hand
    watcher._prepare(PrepareReference(transaction="t", portrait=b"x", zero=boot()))
    watcher._capture(StartCapture(transaction="t", deadline_s=0.5, zero=boot()))
    assert verifier.seen == seen
    assert verifier.comparisons == 1, "longer is not again"
    assert words(told[-1])["pad"] == ("bona_fide" if seen == FEWEST else "not_performed")  # type: ignore[arg-type] # the last thing told


def test_the_traveller_is_told_what_stays_wrong_and_when_it_is_mended():
    said: list[str] = []
    guide = Guide(said.append)
    for step in range(20):  # flickers
        guide.want("hold_still" if step % 2 else "", step / 10)
    assert said == []
    for now, want in [(10, "step_closer"), (10 + STEADY_S, "step_closer"), (11, "step_closer"), (12, ""), (12 + STEADY_S, "")]:
        guide.want(want, now)
    assert said == ["step_closer", ""]


def test_guidance_goes_to_the_lane_for_the_transaction_that_is_looked_at():
    _, told = looked(Verifier("poor"), deadline_s=STEADY_S + 0.3)
    assert FaceGuidance(transaction="t", instruction="hold_still") in told


def test_the_lane_knows_every_instruction_and_no_other():
    assert set(get_args(Guidance)) == {"", *get_args(Instruction)}


def test_an_instruction_that_is_none_of_them_is_no_message():
    raw = msgspec.json.encode(FaceGuidance(transaction="t", instruction="hold_still")).replace(b"hold_still", b"take_off_hijab")
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=AnyMessage)


def test_only_a_pack_without_pad_is_called_not_available():
    assert pad_fact(NotPerformed(reason="pad_not_available")).value == "not_available"
    assert pad_fact(NotPerformed(reason="no_score")).value == "not_performed"
    assert pad_fact(PadResult(score=0.7, threshold=0.5, decision="attack")).result == "failed"


# --- which pack may serve


RESEARCH = SimpleNamespace(
    id="buffalo_l",
    title="buffalo_l",
    sha256="a1" * 32,
    permitted_use="trial",
    grant="non_commercial",
    licensed_until=None,
    threshold=None,
    licence="non-commercial research only",
    demonstration=False,
)
WAIVED = Waiver(pack_sha256="a1" * 32, granted_by="Director Siti", reason="comparison of recognisers", until=date(2999, 12, 31))


@pytest.fixture
def research(monkeypatch):
    """A configuration for a trial with weights for research alone; called with the waiver."""
    monkeypatch.setattr(vision, "installed_pack", lambda _folder: RESEARCH)
    config = load(EXAMPLE)
    return lambda waiver: msgspec.structs.replace(config, face=msgspec.structs.replace(config.face, waiver=waiver))


@pytest.mark.parametrize(
    ("waiver", "what"),
    [
        (None, "research alone"),
        (msgspec.structs.replace(WAIVED, pack_sha256="b2" * 32), "another pack"),
        (msgspec.structs.replace(WAIVED, until=date(2020, 1, 1)), "ended"),
        (msgspec.structs.replace(WAIVED, reason=" "), "who granted it and why"),
    ],
    ids=["none", "another pack", "ended", "no reason"],
)
def test_weights_for_research_alone_do_not_serve_without_a_waiver_that_fits(research, waiver, what):
    with pytest.raises(PackError, match=what):
        vision.open_pack(research(waiver))


def test_a_waiver_stands_in_every_record_and_on_the_officers_page(research):
    config = research(WAIVED)
    served = vision.open_pack(config)[1]
    kept = bounded_backends("vision", {"face": served})["face"]
    assert kept.endswith("waived by Director Siti until 2999-12-31: comparison of recognisers")
    assert Display(config, lambda *_: None)._warnings({"face": kept}) == ("face weights for research alone, waived",)


@pytest.mark.parametrize("backend", ["onnxruntime", "insightface"])
def test_a_pack_that_is_not_the_approved_one_does_not_serve(research, backend):
    config = research(WAIVED)
    approved = msgspec.structs.replace(config.face, backend=backend, pack_sha256="a1" * 32)
    assert vision.open_pack(msgspec.structs.replace(config, face=approved))[0].sha256 == "a1" * 32
    other = msgspec.structs.replace(approved, pack_sha256="a2" * 32)
    with pytest.raises(PackError, match=r"not face\.pack_sha256"):
        vision.open_pack(msgspec.structs.replace(config, face=other))


# --- the camera between travellers


def test_a_camera_that_goes_while_nobody_waits_ends_the_work_of_the_process(monkeypatch):
    class Gone(Camera):
        def newest(self, timeout: float) -> Frame:
            raise DeviceLost("camera", "it is gone")

    monkeypatch.setattr(vision, "IDLE_LOOK_S", 0.0)
    monkeypatch.setattr(vision, "POLL_S", 0.01)
    with pytest.raises(DeviceLost):
        FaceWatcher(Verifier("good"), Gone(), lambda _: None).run()  # type: ignore[arg-type] # set by hand


def test_the_configured_recording_is_what_the_process_looks_at(tmp_path):
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((32, 48, 3), 77, np.uint8))
    config = msgspec.structs.replace(load(EXAMPLE), camera=ConfiguredCamera(kind="opencv", address=str(tmp_path / "%d.png")))
    with closing(vision.open_camera(config, "")) as camera:
        frame = camera.newest(5)
    assert frame is not None
    assert (frame.pixels == 77).all()
