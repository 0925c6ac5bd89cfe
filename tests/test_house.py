"""The house keeps its own rules: what the lane process loads, what the documents say, what the locks hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gate.config import check_command
from gate.lane import TABLES, diagram

REPOSITORY = Path(__file__).resolve().parents[1]
TRACKED = ["*.py", "*.md", "*.toml", "Makefile", ".ci/run", "*.lock", "*.in", "*.txt", "*.html", "*.css", "*.js", "*.svg"]


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", *TRACKED], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return [REPOSITORY / name for name in names.split("\n") if name]


def test_the_lane_process_loads_no_image_inference_or_cipher_library():
    program = "import gate.processes.lane, sys; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    rooms = {name.split(".")[0] for name in loaded.split()}
    assert "gate" in rooms
    assert not rooms & {"numpy", "cv2", "onnxruntime", "cryptography", "faceverify", "pki", "mrz", "starlette"}


def test_no_process_loads_what_belongs_to_tests_or_to_the_peer():
    program = "import gate.processes.lane, gate.processes.reader, gate.processes.vision, sys; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    rooms = {name.split(".")[0] for name in loaded.split()}
    assert not rooms & {"insightface", "scipy", "skimage", "matplotlib", "pytest", "hypothesis", "asn1crypto", "requests"}


def test_the_diagram_in_the_architecture_is_the_lanes_table():
    text = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- lane-diagram -->\n(.*?)\n<!-- /lane-diagram -->", text, re.DOTALL)
    assert shown
    assert shown[1] == diagram()


def test_the_diagrams_of_the_lane_are_its_tables():
    text = (REPOSITORY / "docs/lane.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"<!-- lane-diagram (\w+) -->\n(.*?)\n<!-- /lane-diagram -->", text, re.DOTALL))
    assert shown == {kind: diagram(kind) for kind in TABLES}


def test_locks_hold_hashes_and_no_addresses():
    for lock in (REPOSITORY / "requirements").glob("*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text, lock.name
        pinned = len(re.findall(r"^[A-Za-z0-9._-]+==", text, re.MULTILINE))
        assert pinned > 0
        assert text.count("--hash=sha256:") >= pinned, lock.name


def test_every_link_in_the_documents_leads_somewhere():
    for document in (path for path in tracked() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} → {target}"


def test_no_module_is_longer_than_a_reader_can_hold():
    for path in (path for path in tracked() if path.suffix == ".py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 600, path


def test_every_command_in_the_readme_exists():
    """Each ``autogate`` command that the README names is one that the program knows."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    help_text = subprocess.run(
        [sys.executable, "-m", "gate", "--help"], capture_output=True, text=True, check=True, cwd=REPOSITORY
    ).stdout
    for command in set(re.findall(r"autogate (\w+)", readme)):
        assert command in help_text, command


def test_the_example_configuration_is_good(capsys):
    assert check_command(REPOSITORY / "docs" / "gate.example.toml") == 0
    assert "good for profile trial" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/dpia.md"])
def test_every_test_that_a_page_names_exists(page):
    named = set(re.findall(r"`(test_\w+)::(test_\w+)`", (REPOSITORY / page).read_text(encoding="utf-8")))
    there = {
        (path.stem, name)
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) >= 10
    assert named - there == set()


def test_every_attack_names_what_comes_of_it_and_the_test_that_shows_it_or_is_called_not_defended():
    tables = (
        (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8").split("| attack | comes of it | shown by |\n|---|---|---|\n")[1:]
    )
    rows = [line.split("|")[1:-1] for table in tables for line in table.partition("\n\n")[0].splitlines()]
    assert len(tables) >= 10
    assert len(rows) >= 60
    for attack, outcome, shown in rows:
        assert outcome.strip(), attack
        assert "**not defended**" in outcome or "::test_" in shown, attack
