"""No frame, no portrait and no feature vector is on disk or in shared memory after the demonstration."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceverify.packs import demo_pack
from faceverify.verifier import FaceVerifier, Reference
from gate.demo.cast import DEFAULT_CAST, load_cast
from gate.demo.faces import chip_portrait, cut_faces, probe_picture
from gate.demo.stage import PORTRAIT_SEED, PROBE_SEED

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

NEEDLE = 20
"""Bytes: short enough to lie within a page of a database, long enough not to occur by chance."""
STEP = 401
"""A needle is taken from every so many bytes of a marker."""
MAGIC = {
    "JPEG 2000": b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    "JPEG 2000 codestream": b"\xff\x4f\xff\x51\x00",
    "JPEG": b"\xff\xd8\xff\xe0",
    "PNG": b"\x89PNG\r\n\x1a\n",
}
"""How pictures begin, whoever made them."""


@pytest.fixture(scope="module")
def markers(tmp_path_factory) -> dict[str, bytes]:
    """What must not be found: portraits and probes of everybody in the cast, and the features of the portraits."""
    cast, faces, found = load_cast(DEFAULT_CAST), cut_faces(), {}
    names = {traveller.face for traveller in cast.traveller} | {traveller.document.portrait for traveller in cast.traveller} - {
        ""
    }
    with FaceVerifier(demo_pack(tmp_path_factory.mktemp("packs"))) as verifier:
        for name in sorted(names):
            portrait = chip_portrait(faces[name], seed=PORTRAIT_SEED)
            found[f"portrait {name}"] = portrait
            found[f"probe {name}"] = probe_picture(faces[name], seed=PROBE_SEED).tobytes()
            reference = verifier.reference(portrait)
            assert isinstance(reference, Reference), name
            found[f"features {name}"] = reference.features.tobytes()
    return found


def needles(markers: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for name, content in markers.items():
        step = NEEDLE if name.startswith("features") else STEP
        for offset in range(0, len(content) - NEEDLE, step):
            needle = content[offset : offset + NEEDLE]
            if len(set(needle)) > 8:  # flat background occurs anywhere
                yield name, needle


def search(folders: list[Path], markers: dict[str, bytes]) -> set[tuple[str, str]]:
    """Which marker was found in which file."""
    found: set[tuple[str, str]] = set()
    wanted = list(needles(markers)) + list(MAGIC.items())
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and "packs" not in path.parts:  # weights are no traveller's
                content = path.read_bytes()
                found |= {(path.name, name) for name, needle in wanted if needle in content}
    return found


def test_nothing_of_a_face_is_left_behind(default_run, performances, markers):
    folder = performances["default"].folder
    assert (folder / "state" / "audit.sqlite3").stat().st_size > 50_000, "the search would look at nothing"
    assert search([folder, Path("/dev/shm")], markers) == set()


def test_no_temporary_folder_is_left_behind(default_run, performances):
    left = {path.name for path in performances["default"].folder.iterdir()}
    assert left == {"cast.toml", "out.json", "output", "state"}


@pytest.mark.parametrize("kind", ["portrait", "probe", "features"])
def test_the_search_finds_what_is_planted(default_run, tmp_path, markers, kind):
    name, content = next((name, content) for name, content in markers.items() if name.startswith(kind))
    copy = tmp_path / "state"
    shutil.copytree(default_run.state, copy)
    with sqlite3.connect(copy / "audit.sqlite3") as connection:
        connection.execute("CREATE TABLE planted (content BLOB)")
        connection.execute("INSERT INTO planted VALUES (?)", (content,))
    connection.close()
    assert name in {marker for _, marker in search([copy], markers)}


def test_no_name_and_no_number_is_on_disk_either(default_run, performances):
    cast = load_cast(DEFAULT_CAST)
    words = {word.encode() for traveller in cast.traveller for word in (traveller.document.number, traveller.document.primary)}
    state = performances["default"].folder / "state"
    found = {
        (path.name, word)
        for path in state.rglob("*")
        if path.is_file() and "packs" not in path.parts
        for word in words
        if word in path.read_bytes()
    }
    assert found == set()
