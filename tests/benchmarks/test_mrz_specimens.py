"""The frozen list of specimen images: sound in itself, and fetched by content."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import mrz
from benchmarks.mrz_fetch import fetch, listed

SHAPES = {"TD1": (3, 30), "TD2": (2, 36), "TD3": (2, 44), "MRV-A": (2, 44), "MRV-B": (2, 36), "FRA-ID": (2, 36)}
IMAGES = listed()
ZONES = [image for image in IMAGES if "lines" in image]


def test_the_list_is_long_enough_and_names_each_picture_once() -> None:
    assert len(ZONES) >= 60
    assert len({image["sha256"] for image in IMAGES}) == len({image["name"] for image in IMAGES}) == len(IMAGES)
    assert sum(image["size"] == "small" for image in ZONES) >= 20
    assert len(IMAGES) - len(ZONES) >= 10


@pytest.mark.parametrize("image", IMAGES, ids=[image["name"] for image in IMAGES])
def test_an_entry_is_complete(image: dict[str, Any]) -> None:
    assert re.fullmatch("[0-9a-f]{40}", image["commit"])
    assert re.fullmatch("[0-9a-f]{64}", image["sha256"])
    assert image["size"] == ("large" if max(image["pixels"]) >= 550 else "small")


@pytest.mark.parametrize("image", ZONES, ids=[image["name"] for image in ZONES])
def test_a_truth_fits_its_format_and_its_check_digits(image: dict[str, Any]) -> None:
    lines, width = SHAPES[image["format"]]
    assert [len(line) for line in image["lines"]] == [width] * lines
    if image["format"] == "FRA-ID":
        return
    try:
        right = mrz.parse(image["lines"]).check_digits_ok
    except mrz.MrzError:
        right = False
    assert right != ("check_digits" in image)


def test_images_come_out_of_clones_by_content_and_only_by_content(tmp_path: Path) -> None:
    clone = tmp_path / "clones" / "owner+name"
    clone.mkdir(parents=True)
    (clone / "picture.png").write_bytes(b"a picture")
    git = ["git", "-C", str(clone), "-c", "user.name=x", "-c", "user.email=x@x.invalid"]
    for command in (["init", "-q"], ["add", "picture.png"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    image = {"name": "001.png", "repository": "owner/name", "commit": commit, "path": "picture.png"}
    right = {**image, "sha256": hashlib.sha256(b"a picture").hexdigest()}
    assert fetch(tmp_path / "clones", tmp_path / "out", [right]) == []
    assert (tmp_path / "out" / "001.png").read_bytes() == b"a picture"
    wrong = [{**right, "name": "2.png", "sha256": "0" * 64}, {**right, "name": "3.png", "path": "other.png"}]
    assert len(fetch(tmp_path / "clones", tmp_path / "out", wrong)) == 2
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["001.png"]
