"""From pictures to the report: what is counted, and what is left behind. The verifier here reads its answers from the files."""

import hashlib
import json
import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from faceverify.description import Threshold
from faceverify.detect import DetectedFace
from faceverify.evaluation.comparisons import read_comparisons
from faceverify.evaluation.errors import EvaluationError
from faceverify.evaluation.rates import Rate
from faceverify.evaluation.record import read_record, write_record
from faceverify.evaluation.report import html, write_page
from faceverify.evaluation.run import OFIQ, evaluate
from faceverify.evaluation.summary import summarise
from faceverify.image import ImageError, ImageFault
from faceverify.ofiq import OfiqQuality
from faceverify.pad import PadResult
from faceverify.quality import COMPONENTS, FaceQuality
from faceverify.samples import NotPerformed, Probe, Reference


@dataclass
class Answering:
    """Decoder and verifier: a picture is a JSON text with the features' angle, quality and PAD score."""

    pack: object

    def decode(self, data: bytes):
        if data.startswith(b"unreadable"):
            raise ImageError(ImageFault.UNDECODABLE)
        return json.loads(data)

    def reference(self, data: bytes):
        try:
            return self._sample(Reference, self.decode(data))
        except ImageError as error:
            return NotPerformed(reason="bad_image", detail=error.code)

    def probe(self, said):
        return self._sample(Probe, said)

    def fuse(self, probes):
        return Probe(
            face=probes[0].face,
            quality=probes[0].quality,
            features=sum(probe.features for probe in probes),
            pack_sha256="0" * 64,
            timings={},
            pad=probes[0].pad,
            frames=len(probes),
        )

    def _sample(self, kind, said):
        if "failed" in said:
            return NotPerformed(reason=said["failed"])
        score = said.get("quality", 100)
        values = {component.name: float(score) for component in COMPONENTS}
        quality = FaceQuality(values=values, score=score, instruction=None, shortfalls=() if score else ("sharpness",))
        angle = said["angle"]
        features = np.array([math.cos(angle), math.sin(angle)], np.float32) if angle is not None else np.zeros(2, np.float32)
        face = DetectedFace(box=(0.0, 0.0, 1.0, 1.0), points=np.zeros((5, 2), np.float32), score=1.0)
        pad = said.get("pad")
        presented = (
            NotPerformed(reason="pad_not_available")
            if pad is None
            else PadResult(score=pad, threshold=0.5, decision="attack" if pad >= 0.5 else "bona_fide")
        )
        extra = {"pad": presented} if kind is Probe else {}
        return kind(face=face, quality=quality, features=features, pack_sha256="0" * 64, timings={}, **extra)


@pytest.fixture
def verifier(demo):
    """The demonstration pack's description, with a threshold that angles below 60° reach."""
    import dataclasses

    recogniser = dataclasses.replace(demo.recogniser, metric="cosine")
    return Answering(dataclasses.replace(demo, recogniser=recogniser, threshold=Threshold(score=0.5, provenance="of the test")))


def put(folder, name: str, angle=0.0, **said):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps({"angle": angle, "name": name, **said}))
    return name


def measured(source, verifier, **options):
    run = evaluate(read_comparisons(source), verifier, verifier, lambda *_: None)
    return run, summarise(run, verifier.pack, "a data set", replicates=20, **options)


@pytest.fixture
def people(tmp_path):
    """Three people, 90° apart from each other; the third resembles the first."""
    for subject, angle in (("anna", 0.0), ("budi", 1.57), ("citra", 0.5)):
        put(tmp_path, f"{subject}/0.jpg", angle)
        put(tmp_path, f"{subject}/1.jpg", angle + 0.05)
    put(tmp_path, "budi/2.jpg", 3.0)
    (tmp_path / "subjects.csv").write_text("subject,sex\nanna,F\nbudi,M\ncitra,F\n")
    return tmp_path


@pytest.mark.conforms("2019/329, measuring", "positive")
def test_errors_are_counted_at_the_packs_threshold(people, verifier):
    _, found = measured(people, verifier)
    assert (found.fmr.errors, found.fmr.trials) == (3, 8)  # anna and citra each way; citra's probe is 58° from budi's reference
    assert (found.fnmr.errors, found.fnmr.trials) == (1, 4)
    strata = {stratum.name: (stratum.fmr.errors, stratum.fmr.trials) for stratum in found.strata}
    assert strata == {"sex = F": (2, 2), "sex = M": (0, 0), "sex = different": (1, 6)}


def test_a_picture_that_cannot_be_read_is_a_failure_to_enrol_or_to_acquire(people, verifier):
    (people / "anna" / "0.jpg").write_text("unreadable")
    (people / "budi" / "1.jpg").write_text("unreadable, too")
    put(people, "citra/1.jpg", quality=0)
    put(people, "citra/2.jpg", failed="no_face")
    run, found = measured(people, verifier)
    assert (found.fte.rate.errors, found.fte.rate.trials) == (1, 3)
    assert dict(found.fte.reasons) == {"bad_image (undecodable)": 1}
    assert (found.fta.rate.errors, found.fta.rate.trials) == (3, 5)
    assert dict(found.fta.reasons) == {"bad_image (undecodable)": 1, "poor_quality": 1, "no_face": 1}
    assert np.count_nonzero(np.isfinite(run.scores)) == 4
    assert (found.fnmr.trials, found.frr.trials) == (1, 5)
    assert found.frr.errors == found.fnmr.errors + 4
    assert found.far.trials == 10


class External:
    """A scorer as OFIQ is one, that has an answer for everybody but the third person."""

    def score(self, said):
        if said["name"].startswith("citra"):
            return NotPerformed(reason="ofiq_failed")
        return OfiqQuality(scores={"UnifiedQualityScore": 61})


def test_an_external_scorers_quality_stands_beside_ours(people, verifier):
    run = evaluate(read_comparisons(people), verifier, verifier, lambda *_: None, External())
    scored = {run.comparisons.pictures[number]: quality[OFIQ] for number, quality in run.probes.quality.items()}
    assert scored == {"anna/1.jpg": 61.0, "budi/1.jpg": 61.0, "budi/2.jpg": 61.0, "citra/1.jpg": -1.0}


def test_a_file_that_vanished_is_a_failure_too(people, verifier):
    listed = read_comparisons(people)
    (people / "anna" / "1.jpg").unlink()
    run = evaluate(listed, verifier, verifier, lambda *_: None)
    assert "bad_image (undecodable)" in run.probes.outcome.values()


def test_features_without_a_direction_give_no_score_instead_of_nan(people, verifier):
    put(people, "anna/1.jpg", None)
    run, found = measured(people, verifier)
    assert np.count_nonzero(np.isnan(run.scores)) == 3
    assert found.fnmr.trials == 3
    assert found.frr.trials == 4


def test_no_feature_survives_the_run(people, verifier):
    kept = []
    original = verifier._sample
    verifier._sample = lambda *args: kept.append(original(*args)) or kept[-1]
    measured(people, verifier)
    assert kept
    assert not any(sample.features.any() for sample in kept)


def test_copies_of_one_picture_are_refused(people, verifier):
    (people / "citra" / "3.jpg").write_bytes((people / "anna" / "0.jpg").read_bytes())
    with pytest.raises(EvaluationError, match=r"'anna/0\.jpg' and 'citra/3\.jpg' are copies of one picture"):
        measured(people, verifier)


def test_the_frames_of_a_capture_become_one_probe(people, verifier):
    for frame, angle in enumerate((0.1, 0.2, 0.3)):
        put(people, f"anna/capture/{frame}.jpg", angle)
    put(people, "anna/capture/3.jpg", failed="no_face")
    run, found = measured(people, verifier)
    assert found.fused == 1
    number = run.comparisons.pictures.index("anna/capture")
    assert run.probes.frames[number] == 3
    mated = run.comparisons.mated & (run.comparisons.probe == number)
    assert run.scores[mated] == pytest.approx(math.cos(0.2))


ATTACKS = """reference,probe,reference_subject,probe_subject,pai_species
r.jpg,b1.jpg,a,a,
r.jpg,b2.jpg,a,a,
r.jpg,b3.jpg,a,a,
r.jpg,p1.jpg,a,a,print
r.jpg,p2.jpg,a,a,print
r.jpg,s1.jpg,a,a,screen
r.jpg,s2.jpg,a,a,screen
"""


def test_attacks_are_counted_by_species_and_never_among_comparisons(tmp_path, verifier):
    for name, said in {
        "r.jpg": {},
        "b1.jpg": {"pad": 0.1},
        "b2.jpg": {"pad": 0.5},
        "b3.jpg": {"pad": 0.2},
        "p1.jpg": {"pad": 0.9},
        "p2.jpg": {"pad": 0.49},
        "s1.jpg": {"pad": 0.7},
        "s2.jpg": {"failed": "no_face"},
    }.items():
        put(tmp_path, name, **said)
    (tmp_path / "pairs.csv").write_text(ATTACKS)
    _, found = measured(tmp_path / "pairs.csv", verifier)
    assert {species: (rate.errors, rate.trials) for species, rate in found.pad.apcer.items()} == {
        "print": (1, 2),
        "screen": (0, 1),
    }
    assert (found.pad.bpcer.errors, found.pad.bpcer.trials) == (1, 3)
    assert (found.pad.no_response["screen"].errors, found.pad.no_response["screen"].trials) == (1, 2)
    assert found.fnmr.trials == 3
    assert found.fta.rate.trials == 3
    page = html(found)
    assert "APCER, print" in page
    assert "Assistive, not tested to ISO/IEC 30107-3" in page


@pytest.mark.conforms("2019/329, measuring", "negative")
def test_mated_comparisons_alone_give_no_false_match_rate_and_no_curve(tmp_path, verifier):
    put(tmp_path, "a/0.jpg")
    put(tmp_path, "a/1.jpg", 0.1)
    _, found = measured(tmp_path, verifier)
    assert found.fmr.value is None
    assert found.det is None
    assert not any(hasattr(point.hardest, "score") for point in found.points)
    page = html(found)
    assert "not tried" in page
    assert "need both mated and non-mated" in page


@pytest.mark.conforms("2019/329, measuring", "defect")
def test_a_rate_of_nothing_that_is_called_zero_is_noticed(tmp_path, verifier, monkeypatch):
    monkeypatch.setattr(Rate, "value", property(lambda rate: rate.errors / max(rate.trials, 1)))
    with pytest.raises(AssertionError):
        test_mated_comparisons_alone_give_no_false_match_rate_and_no_curve(tmp_path, verifier)


def test_a_run_of_failures_alone_is_still_a_report(tmp_path, verifier):
    put(tmp_path, "a/0.jpg", failed="no_face")
    put(tmp_path, "a/1.jpg", failed="no_face")
    run, found = measured(tmp_path, verifier)
    write_record(tmp_path / "out", run, found)
    assert "no_face" in write_page(tmp_path / "out", found).read_text()


@pytest.mark.conforms("2019/329, measuring", "negative")
def test_without_a_threshold_no_error_rate_is_claimed(people, verifier):
    verifier.pack = SimpleNamespace(**{name: getattr(verifier.pack, name) for name in PACK} | {"threshold": None})
    _, found = measured(people, verifier)
    assert (found.threshold, found.fmr, found.fnmr) == (None, None, None)
    assert "the pack declares none, and these data support none" in html(found)


PACK = ("id", "title", "sha256", "permitted_use", "licence", "nets", "demonstration", "recogniser")


def test_the_record_gives_the_same_scores_back_and_is_bound_to_them(people, verifier):
    run, found = measured(people, verifier)
    write_record(people / "out", run, found)
    recorded = read_record(people / "out")
    np.testing.assert_allclose(recorded.scores, run.scores, atol=1e-6)
    assert recorded.comparisons.mated.tolist() == run.comparisons.mated.tolist()
    sexes = recorded.comparisons.columns["sex"]
    assert [sexes.values[code] for code in sexes.codes] == [
        run.comparisons.columns["sex"].values[code] for code in run.comparisons.columns["sex"].codes
    ]
    document = json.loads((people / "out" / "report.json").read_text())
    assert document["fmr"]["errors"] == 3
    assert document["pack"]["sha256"] == verifier.pack.sha256
    assert document["conditions"]["threads of a network"] == "1"
    scores = people / "out" / "scores.csv"
    scores.write_text(scores.read_text().replace("0.", "0.1", 1))
    with pytest.raises(EvaluationError, match="not the scores"):
        read_record(people / "out")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "\0", "[" * 100_000])
def test_a_report_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "scores.csv").write_text("")
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(EvaluationError, match="no report of an evaluation"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ("score", "refused"), [("nan", False), ("", False), ("inf", True), ("-inf", True), ("0,5", True), ("x", True)]
)
def test_a_recorded_score_is_a_finite_number_or_none(tmp_path, score, refused):
    header = "reference,probe,reference_subject,probe_subject,pai_species,score"
    (tmp_path / "scores.csv").write_text(f"{header}\nr,p,a,b,,{score}\n")
    sha256 = hashlib.sha256((tmp_path / "scores.csv").read_bytes()).hexdigest()
    said = {"format": 1, "dataset": "d", "data_sha256": "0", "scores_sha256": sha256, "fused": 0, "fta": {"rate": {"trials": 1}}}
    (tmp_path / "report.json").write_text(json.dumps({**said, "pack": {"sha256": "0"}, "conditions": {"date": "today"}}))
    if refused:
        with pytest.raises(EvaluationError, match=r"scores\.csv"):
            read_record(tmp_path)
    else:
        assert np.isnan(read_record(tmp_path).scores).all()


def test_other_pictures_are_another_data_set(people, verifier):
    first, _ = measured(people, verifier)
    again, _ = measured(people, verifier)
    put(people, "budi/2.jpg", 2.9)
    changed, _ = measured(people, verifier)
    assert first.data_sha256 == again.data_sha256 != changed.data_sha256


def test_the_page_needs_nothing_else_and_believes_no_name(people, verifier):
    (people / "subjects.csv").write_text('subject,"<script>alert(1)</script>"\nanna,"<img src=x>"\ncitra,"<img src=x>"\n')
    _, found = measured(people, verifier, about="<b>bold</b>")
    page = html(found)
    for stranger in ("<script", "<img", "<b>bold", "http:", "https:", "url(", "@import"):
        assert stranger not in page
    assert "&lt;img src=x&gt;" in page
    assert page.count("<svg") == page.count("</svg>") >= 4
