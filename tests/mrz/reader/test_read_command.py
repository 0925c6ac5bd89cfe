"""``python -m mrz read``: pictures from files, whatever the files hold."""

from __future__ import annotations

import json
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrz import picture
from mrz.read_command import main
from mrz.reader import MOST_PIXELS


@pytest.fixture
def saved(tmp_path, page, zone):
    lines = zone("TD3", 2)
    path = tmp_path / "page.png"
    cv2.imwrite(str(path), page(lines))
    return path, lines


def test_a_page_is_read_and_shown(saved, capsys):
    path, lines = saved
    assert main([str(path), "--chip"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == list(lines)


def test_json_and_overlay(saved, tmp_path, capsys):
    path, lines = saved
    assert main([str(path), "--chip", "--json", "--overlay", str(tmp_path / "seen.png")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["accepted"], shown["lines"], shown["format"]) == (True, list(lines), "TD3")
    overlay, plain = picture.load(tmp_path / "seen.png"), picture.load(path)
    assert overlay.shape == (plain.shape[0] + 98, plain.shape[1], 3)
    inside = overlay[: plain.shape[0]]
    assert (inside[:, :, 1].astype(int) - inside[:, :, 2] > 60).sum() > 1000, "the zone's outline is green"


def test_a_refusal_is_exit_1_and_says_why(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "blank.jpg"), np.full((300, 400, 3), 200, np.uint8))
    assert main([str(tmp_path / "blank.jpg"), "--overlay", str(tmp_path / "seen.png")]) == 1
    assert "refused: no_mrz" in capsys.readouterr().out
    assert (tmp_path / "seen.png").exists()


def test_pictures_of_one_document_vote_only_when_told(saved, tmp_path, capsys):
    path, _ = saved
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((300, 400), 200, np.uint8))
    assert main([str(path), str(tmp_path / "blank.png"), "--chip"]) == 1
    assert capsys.readouterr().out.count("refused") == 1
    assert main([str(path), str(tmp_path / "blank.png"), "--chip", "--same"]) == 0


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(40), b"\x89PNG\r\n\x1a\n" + bytes(30), b"\xff\xd8\xff\xe0\x00\x10JFIF"])
def test_what_is_no_picture_is_one_line_and_exit_2(tmp_path, capsys, data):
    (tmp_path / "odd").write_bytes(data)
    assert main([str(tmp_path / "odd")]) == 2
    assert main([str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_a_picture_of_declared_enormous_size_is_refused_before_it_is_unpacked():
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 60_000, 60_000) + b"\x08\x00\x00\x00\x00"
    with pytest.raises(picture.PictureError, match=str(MOST_PIXELS)):
        picture.decode(head + bytes(100))
    jpeg = bytearray(cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes())
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    with pytest.raises(picture.PictureError, match=str(MOST_PIXELS)):
        picture.decode(bytes(jpeg))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_the_declared_size_is_the_pictures(suffix):
    data = cv2.imencode(suffix, np.zeros((37, 53, 3), np.uint8))[1].tobytes()
    assert picture.size(data) == (53, 37)
    assert picture.decode(data).shape == (37, 53, 3)


HEADS = st.sampled_from([b"", b"BM", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00\x11\x08", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"])


@given(HEADS, st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_an_error_of_the_rooms_own(head, tail):
    try:
        pixels = picture.decode(head + tail)
    except picture.PictureError:
        return
    assert pixels.dtype == np.uint8


@given(st.sampled_from([".png", ".jpg", ".bmp"]), st.integers(0, 10_000), st.integers(1, 255))
def test_a_picture_with_one_byte_changed_is_a_picture_or_an_error_of_the_rooms_own(suffix, place, change):
    data = bytearray(cv2.imencode(suffix, np.full((24, 24), 90, np.uint8))[1].tobytes())
    data[place % len(data)] ^= change
    try:
        picture.decode(bytes(data))
    except picture.PictureError:
        return
