"""The comparison of readers: judged alike, counted right, and robust against a reader that dies."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import mrz_table
from benchmarks.mrz_contents import FORMATS, zone
from benchmarks.mrz_scores import NO_ANSWER, group, judge, shown, table, tidy

# The example passport of Doc 9303-4, Appendix B.
UPPER = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
LOWER = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
IMAGE: dict[str, Any] = {"name": "1.png", "size": "large", "format": "TD3", "lines": [UPPER, LOWER]}
TIMES = {"ms": 1.0, "cpu_ms": 1.0}


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_that_are_right_stay_as_they_are(kind: str) -> None:
    for seed in range(30):
        lines = zone(random.Random(seed), kind).lines
        assert tidy(["PASSPORT 12/12", *lines, "  "]) == lines


def test_blanks_go_and_fillers_behind_a_name_are_made_up() -> None:
    assert tidy(["P<UTOERIKSSON<<ANNA<MARIA<< <<", LOWER.lower()]) == (UPPER, LOWER)


def test_a_lower_line_is_never_made_up() -> None:
    assert tidy([UPPER, LOWER[:-1]]) == (UPPER, LOWER[:-1])


def test_a_verdict_of_its_own_counts_and_else_the_check_digits() -> None:
    silent = judge("peer", IMAGE, 0, {"lines": [UPPER, LOWER], **TIMES})
    assert silent["exact"]
    assert silent["accepted"]
    assert not silent["wrong"]
    shy = judge("ours", IMAGE, 0, {"lines": [], "accepted": False, "reason": "blur", **TIMES})
    assert (shy["exact"], shy["accepted"], shy["wrong"]) == (False, False, False)


def test_a_wrong_name_that_no_check_digit_sees_is_wrong() -> None:
    told = judge("peer", IMAGE, 0, {"lines": [UPPER.replace("ERIKSSON", "ERIKSSOM"), LOWER], **TIMES})
    assert (told["exact"], told["accepted"], told["wrong"]) == (False, True, True)


def test_text_with_a_wrong_check_digit_is_not_accepted() -> None:
    told = judge("peer", IMAGE, 0, {"lines": [UPPER, LOWER.replace("L898", "L899")], **TIMES})
    assert (told["accepted"], told["wrong"]) == (False, False)


def test_whatever_is_accepted_of_a_picture_without_a_zone_is_wrong() -> None:
    told = judge("peer", {"name": "2.png"}, 0, {"lines": [UPPER, LOWER], **TIMES})
    assert (told["exact"], told["wrong"]) == (False, True)


@pytest.mark.parametrize(
    ("image", "turn", "expected"),
    [
        (IMAGE, 0, "large"),
        ({**IMAGE, "size": "small"}, 90, "small, turned"),
        ({**IMAGE, "check_digits": "wrong in the document: composite"}, 0, "check digits wrong in the document"),
        ({**IMAGE, "format": "FRA-ID"}, 0, "not ICAO's layout"),
        ({"name": "2.png"}, 180, "no zone"),
    ],
)
def test_each_picture_belongs_to_one_group(image: dict[str, Any], turn: int, expected: str) -> None:
    assert group(image, turn) == expected


def test_figures_count_each_reader_apart() -> None:
    results = [
        judge("a", IMAGE, 0, {"lines": [UPPER, LOWER], "accepted": True, "ms": 5.0, "cpu_ms": 4.0}),
        judge("a", IMAGE, 0, {"lines": [LOWER, LOWER], "accepted": True, "ms": 7.0, "cpu_ms": 4.0}),
        judge("b", IMAGE, 0, {"lines": [], "accepted": False, "reason": NO_ANSWER, "ms": 0.0, "cpu_ms": 0.0}),
    ]
    report = table(results, {"a": 100.0, "b": 0.0})
    assert report["a"]["groups"]["large"] == {"n": 2, "exact": 1, "accepted": 2, "wrong": 1}
    assert (report["a"]["median_ms"], report["a"]["p90_ms"]) == (5.0, 7.0)
    assert report["b"]["groups"]["large"] == {"n": 1, "exact": 0, "accepted": 0, "wrong": 0}
    text = "\n".join(shown(report))
    assert "large (2)" in text
    assert "100 %" in text


def _pretend(program: str) -> mrz_table.Worker:
    pipe = subprocess.PIPE
    return mrz_table.Worker("x", subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True))


def test_a_reader_that_dies_has_no_answer_from_then_on(tmp_path: Path) -> None:
    answer = json.dumps({"lines": ["A"], "accepted": True, **TIMES})
    worker = _pretend(f"input(); print({answer!r}, flush=True)")
    try:
        assert worker.ask(tmp_path)["lines"] == ["A"]
        assert worker.ask(tmp_path)["reason"] == NO_ANSWER
        assert worker.ask(tmp_path)["reason"] == NO_ANSWER
    finally:
        worker.end()
    assert worker.process.returncode is not None


def test_a_reader_that_cannot_be_run_is_absent_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(mrz_table.Absent, match="no environment"):
        mrz_table.start("fastmrz", tmp_path, None)


def test_turned_copies_lose_nothing(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), pixels)
    assert mrz_table.turned(picture, 0, tmp_path) == picture
    back = cv2.rotate(cv2.imread(str(mrz_table.turned(picture, 90, tmp_path))), cv2.ROTATE_90_COUNTERCLOCKWISE)
    assert np.array_equal(back, pixels)


def test_our_own_reader_answers_as_a_worker(tmp_path: Path) -> None:
    """The whole way, by the program that the table runs: a blank page is refused."""
    picture = tmp_path / "blank.png"
    cv2.imwrite(str(picture), np.full((400, 600), 230, np.uint8))
    worker = mrz_table.start("autogate", tmp_path, None)
    try:
        answer = worker.ask(picture)
    finally:
        worker.end()
    assert answer["accepted"] is False
    assert answer["reason"] == "no_mrz"
    assert answer["lines"] == []


def test_a_kind_of_file_that_our_reader_does_not_take_stops_no_drawing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("scan.tif", "photo.png"):
        assert cv2.imwrite(str(tmp_path / name), np.full((90, 160), 200, np.uint8))
    mrz_table.draw([{"name": "scan.tif"}, {"name": "photo.png"}], tmp_path, tmp_path / "seen")
    assert [drawn.name for drawn in (tmp_path / "seen").iterdir()] == ["photo.png.png"]
    assert "scan.tif" in capsys.readouterr().err
