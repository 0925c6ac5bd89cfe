"""``python -m faceverify``: what it prints and how it exits."""

import cv2
import pytest

from faceverify.__main__ import main


@pytest.fixture
def files(pictures, capture, tmp_path):
    (tmp_path / "chip.jp2").write_bytes(pictures.chip(5))
    for person in (3, 5):
        cv2.imwrite(str(tmp_path / f"{person}.jpg"), pictures.frame(person, capture(200, 1.0, 0.8, 2.0)))
    (tmp_path / "empty.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path


@pytest.mark.parametrize(
    ("probe", "code", "word"),
    [("5.jpg", 0, "match: score"), ("3.jpg", 1, "non_match: score"), ("empty.jpg", 2, "probe: not performed, bad_image")],
)
def test_two_pictures_are_compared(files, demo, capsys, probe, code, word):
    assert main(["compare", str(files / "chip.jp2"), str(files / probe), "--cache", str(demo.folder.parent)]) == code
    shown = capsys.readouterr()
    assert shown.out.startswith(word)
    assert "demonstration recogniser, not for operation" in shown.err


def test_a_pack_is_described_or_refused_in_one_line(demo, tmp_path, capsys):
    assert main(["pack", str(demo.folder)]) == 0
    assert "permitted use: demonstration" in capsys.readouterr().out
    assert main(["pack", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
