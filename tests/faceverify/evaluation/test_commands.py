"""``python -m faceverify evaluate | calibrate``: real pictures and a real pack in, a report out; then a threshold, or a refusal."""

import csv
import hashlib
import json

import cv2
import numpy as np
import pytest

from faceverify.__main__ import main
from faceverify.description import DESCRIPTION
from faceverify.evaluation.threshold import with_threshold
from faceverify.packs import load_pack


@pytest.fixture(scope="module")
def folder(pictures, capture, tmp_path_factory):
    """Three people: a chip portrait, a good frame, and a third picture that is no use or a PNG."""
    folder = tmp_path_factory.mktemp("people")
    for person in (0, 3, 5):
        subject = folder / f"subject{person}"
        subject.mkdir()
        (subject / "0.jp2").write_bytes(pictures.chip(person))
        frame = pictures.frame(person, capture(200, 1.0, 0.8, 2.0))
        cv2.imwrite(str(subject / "1.jpg"), frame)
    cv2.imwrite(str(folder / "subject0" / "2.png"), pictures.frame(0, capture(180, 1.0, 0.8, 2.0)))
    (folder / "subject3" / "2.jpg").write_bytes(b"\xff\xd8\xff")
    cv2.imwrite(str(folder / "subject5" / "2.png"), np.zeros((100, 100, 3), np.uint8))
    (folder / "subjects.csv").write_text("subject,sex\nsubject0,F\nsubject3,M\nsubject5,M\n")
    return folder


@pytest.fixture(scope="module")
def evaluated(folder, demo, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    options = ["--pack", str(demo.folder), "--out", str(out), "--replicates", "20", "--dataset", "three people"]
    assert main(["evaluate", str(folder), *options]) == 0
    return out


def test_real_pictures_are_measured_and_the_useless_ones_counted(evaluated, demo):
    said = json.loads((evaluated / "report.json").read_text())
    assert (said["dataset"], said["pack"]["sha256"]) == ("three people", demo.sha256)
    assert (said["fte"]["rate"]["errors"], said["fta"]["rate"]["errors"]) == (0, 2)
    assert set(said["fta"]["reasons"]) == {"bad_image (bad_header)", "no_face"}
    assert (said["fnmr"]["errors"], said["fnmr"]["trials"]) == (0, 4)
    assert (said["fmr"]["errors"], said["fmr"]["trials"]) == (0, 8)
    assert not any(point["hardest"]["supported"] for point in said["points"])
    page = (evaluated / "report.html").read_text()
    assert "Demonstration recogniser, not for operation" in page
    assert "needs about" in page


def test_too_few_comparisons_set_no_threshold(evaluated, demo, tmp_path, capsys):
    asked = ["calibrate", str(evaluated), "--pack", str(demo.folder), "--fmr", "1e-3", "--out", str(tmp_path / "pack")]
    assert main(asked) == 1
    assert not (tmp_path / "pack").exists()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "these data support no threshold for an FMR of 0.001:"
    assert any(line.startswith("all: 8 non-mated comparisons") for line in lines)


@pytest.fixture
def plenty(evaluated, tmp_path):
    """The same report as if it had spoken of 700 couples of strangers; those of stratum M are more alike."""
    folder = tmp_path / "plenty"
    folder.mkdir()
    random = np.random.default_rng(6)
    with (folder / "scores.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["reference", "probe", "reference_subject", "probe_subject", "pai_species", "sex", "score"])
        for number in range(1400):
            sex = "FM"[number % 2]
            score = random.normal(0.1 if sex == "F" else 0.3, 0.08)
            writer.writerow([f"r{number}", f"p{number}", f"a{number}", f"b{number}", "", sex, f"{score:.6f}"])
    said = json.loads((evaluated / "report.json").read_text())
    said["scores_sha256"] = hashlib.sha256((folder / "scores.csv").read_bytes()).hexdigest()
    (folder / "report.json").write_text(json.dumps(said))
    return folder


def test_a_threshold_and_what_it_rests_on_go_into_a_copy_of_the_pack(plenty, demo, tmp_path, capsys):
    out = tmp_path / "pack"
    assert main(["calibrate", str(plenty), "--pack", str(demo.folder), "--fmr", "0.01", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "set by sex = M" in said.out
    assert "were fused of several frames: a gate fuses all" in said.err
    pack = load_pack(out)
    assert pack.sha256 != demo.sha256
    assert [net.sha256 for net in pack.nets] == [net.sha256 for net in demo.nets]
    assert pack.threshold.score > 0.4
    rests_on = pack.threshold.calibration
    said = json.loads((plenty / "report.json").read_text())
    assert (rests_on.dataset, rests_on.dataset_sha256) == ("three people", said["data_sha256"])
    assert (rests_on.comparisons, rests_on.stratum) == (700, "sex = M")
    assert rests_on.fmr <= rests_on.fmr_upper <= 0.01
    assert demo.sha256 in pack.threshold.provenance
    assert "; 0 of " in pack.threshold.provenance


def test_a_pack_that_was_not_evaluated_gets_no_threshold(plenty, demo, tmp_path, capsys):
    first = tmp_path / "first"
    assert main(["calibrate", str(plenty), "--pack", str(demo.folder), "--fmr", "0.01", "--out", str(first)]) == 0
    assert main(["calibrate", str(plenty), "--pack", str(first), "--fmr", "0.01", "--out", str(tmp_path / "second")]) == 2
    assert "is not the pack that was evaluated" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()


def test_a_pack_is_never_changed_in_place(plenty, demo, capsys):
    before = (demo.folder / DESCRIPTION).read_bytes()
    asked = ["calibrate", str(plenty), "--pack", str(demo.folder), "--fmr", "0.01", "--out", str(demo.folder)]
    assert main(asked) == 2
    assert "never changed in place" in capsys.readouterr().err
    assert (demo.folder / DESCRIPTION).read_bytes() == before


@pytest.mark.parametrize("wrong", ["0", "-1", "0.5", "nan", "much"])
def test_an_fmr_that_protects_nothing_is_refused(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["calibrate", "x", "--pack", "x", "--fmr", wrong, "--out", "x"])
    assert stopped.value.code == 2
    assert "--fmr" in capsys.readouterr().err


def test_pictures_without_a_single_face_are_an_error_with_a_report(demo, tmp_path, capsys):
    for number in (0, 1):
        (tmp_path / "in" / "somebody").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "in" / "somebody" / f"{number}.png"), np.full((80 + number, 80, 3), 90, np.uint8))
    assert main(["evaluate", str(tmp_path / "in"), "--pack", str(demo.folder), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.endswith("no comparison gave a score\n")
    assert (tmp_path / "out" / "report.html").exists()


def test_a_misspelt_column_is_found_before_the_work(folder, demo, tmp_path, capsys):
    asked = ["evaluate", str(folder), "--pack", str(demo.folder), "--out", str(tmp_path / "out"), "--cross", "sex,etnicity"]
    assert main(asked) == 2
    assert capsys.readouterr().err == "no column etnicity; there are: sex\n"


def test_the_threshold_table_is_replaced_wherever_it_stands(evaluated):
    from faceverify.evaluation.calibrate import Setting
    from faceverify.evaluation.record import read_record

    setting = Setting(
        target=1e-2, score=0.5, stratum="all", false_matches=0, comparisons=1000, effective=500.0, fmr_upper=5.97e-3
    )
    text = 'id = "x"\n[threshold]  # old\nscore = 0.1\nprovenance = "[not a table]"\n\n[detector]\nkind = "yunet"\n'
    found = with_threshold(text, setting, read_record(evaluated), ["sex"])
    assert found.startswith('id = "x"\n[detector]\nkind = "yunet"\n\n[threshold]\nscore = 0.5\nfmr = 0.0\n')
    assert "0.1" not in found
    assert with_threshold(found, setting, read_record(evaluated), ["sex"]) == found
