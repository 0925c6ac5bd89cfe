"""The packages' own files, and what goes into which."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import build_deb
import debian_package
import parts
import pytest

from gate.release.statement import PACKAGES

NAMES = sorted(path.name for path in debian_package.TEMPLATES.iterdir())
WORDS = {"VERSION": "1.2", "ARCHITECTURE": "amd64", "PYTHON": "3.11", "NEXT_PYTHON": "3.12"}


def fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z][A-Za-z-]+): (.*)$", text, re.MULTILINE))


def test_releases_packages_templates_and_parts_are_the_same():
    assert tuple(NAMES) == PACKAGES == tuple(parts.PARTS)


@pytest.mark.parametrize("name", NAMES)
def test_every_word_of_a_control_file_is_filled(name):
    template = (debian_package.TEMPLATES / name / "control").read_text(encoding="utf-8")
    told = fields(debian_package.filled(template, WORDS | {"SIZE": "7"}))
    assert {"Package", "Version", "Architecture", "Maintainer", "Installed-Size", "Depends", "Description"} <= told.keys()
    assert (told["Package"], told["Version"]) == (name, "1.2")
    assert name == "autogate" or told["Depends"] == "autogate (= 1.2)", "parts of two releases would go together"


@pytest.mark.parametrize("name", NAMES)
def test_every_file_about_a_package_can_be_written(tmp_path, name):
    debian_package.control_files(tmp_path, name, WORDS)
    assert {"control", "md5sums"} <= {path.name for path in (tmp_path / "DEBIAN").iterdir()}


def test_a_word_that_nobody_knows_stops_the_build():
    with pytest.raises(ValueError, match="no word for '@WHAT@'"):
        debian_package.filled("Version: @WHAT@", WORDS)


@pytest.mark.parametrize(
    "script", sorted(debian_package.TEMPLATES.glob("*/p*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_every_script_is_one_and_ends_at_the_first_failure(script):
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -e\n" in text
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name in NAMES if (debian_package.TEMPLATES / name / "conffiles").exists()])
def test_every_file_of_settings_is_declared_as_the_operators(name):
    folder = debian_package.TEMPLATES / name
    declared = (folder / "conffiles").read_text(encoding="ascii").split()
    assert declared == [f"/etc/autogate/{path.name}" for path in sorted(folder.glob("*.conf"))]


@pytest.mark.usefixtures("dpkg_deb")
def test_a_package_is_the_same_octets_whoever_builds_it_and_when(tmp_path):
    made = []
    for number in (1, 2):
        root = tmp_path / str(number) / "root"
        files = {"usr/bin/tool": 0o700, "usr/share/b": 0o600, "usr/share/a": 0o664}
        for where, mode in sorted(files.items(), reverse=number == 2):
            (root / where).parent.mkdir(parents=True, exist_ok=True)
            (root / where).write_text(where, encoding="ascii")
            (root / where).chmod(mode)
            os.utime(root / where, (2_000_000_000 + number, 2_000_000_000 + number))
        (tmp_path / str(number) / "out").mkdir()
        made.append(debian_package.build(root, tmp_path / str(number) / "out", "autogate-demo", WORDS, 1_700_000_000))
    assert made[0].read_bytes() == made[1].read_bytes()
    listed = subprocess.run(["dpkg-deb", "--contents", made[0]], capture_output=True, text=True, check=True).stdout.splitlines()
    assert all(" root/root " in line for line in listed)
    assert [line.split()[0] for line in listed if line.endswith("usr/bin/tool")] == ["-rwxr-xr-x"]
    assert [line.split()[0] for line in listed if line.endswith("usr/share/a")] == ["-rw-r--r--"]


def test_bytecode_goes_where_its_source_goes_and_a_file_to_the_first_part_that_brought_it():
    first, second = frozenset({"a/x.py", "bin/python"}), frozenset({"a/x.py", "bin/python", "a/y.py", "a/y.so"})
    now = frozenset(
        {"a/x.py", "a/__pycache__/x.cpython-311.pyc", "a/y.py", "a/__pycache__/y.cpython-311.pyc", "a/y.so", "pyvenv.cfg"}
    )
    assert parts.split([("gate", first), ("centre", second)], now) == {
        "gate": ["a/__pycache__/x.cpython-311.pyc", "a/x.py", "pyvenv.cfg"],
        "centre": ["a/__pycache__/y.cpython-311.pyc", "a/y.py", "a/y.so"],
    }


def test_the_installer_in_one_file_holds_all_that_it_imports_of_ours(tmp_path):
    build_deb.installer(build_deb.REPOSITORY, tmp_path / "one.pyz", 1_700_000_000)
    with zipfile.ZipFile(tmp_path / "one.pyz") as archive:
        inside = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    reached, waiting = set(), ["gate/release/install.py", "gate/release/state.py"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for node in ast.walk(ast.parse(inside[name])):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in {"gate", "pki"}:
                place = f"{node.module.replace('.', '/')}.py"
                waiting += {place} - reached
    assert {"pki/signed_statement.py", "pki/durable.py"} <= reached
    said = subprocess.run([sys.executable, "-I", tmp_path / "one.pyz", "--help"], capture_output=True, text=True, check=False)
    assert "--roll-back" in said.stdout, said.stderr


def test_the_installer_in_one_file_is_the_same_octets_twice(tmp_path):
    for name in ("one", "two"):
        build_deb.installer(build_deb.REPOSITORY, tmp_path / name, 1_700_000_000)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_locks_of_every_part_are_there_and_hold_no_development_tools():
    for lock in (lock for locks in parts.PARTS.values() for lock in locks):
        text = (build_deb.REPOSITORY / "requirements" / lock).read_text(encoding="utf-8")
        assert not re.search(r"^(pytest|mypy|ruff|hypothesis|playwright)==", text, re.MULTILINE), lock


def test_units_named_for_packages_are_there():
    units = {path.name for path in (build_deb.REPOSITORY / "packaging/systemd").iterdir()}
    assert {unit for names in build_deb.UNITS.values() for unit in names} == units


def test_the_container_runs_as_nobody_special_and_fetches_nothing():
    text = (build_deb.REPOSITORY / "packaging/Containerfile").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    assert ["USER", "autogate"] in lines
    assert {words[0] for words in lines} == {"ARG", "FROM", "COPY", "RUN", "USER", "WORKDIR", "VOLUME", "ENTRYPOINT", "CMD"}
    (entry,) = (json.loads(" ".join(words[1:])) for words in lines if words[0] == "ENTRYPOINT")
    assert entry == ["/usr/bin/autogate"]
    assert not re.search(r"apt|pip|curl|wget|http", "".join(" ".join(words) for words in lines if words[0] == "RUN"))


def test_the_commands_of_the_package_import_nothing_from_the_folder_they_start_in():
    for command in Path(build_deb.REPOSITORY, "packaging/bin").iterdir():
        assert command.read_text(encoding="utf-8").startswith("#!/usr/lib/autogate/bin/python -I\n"), command
