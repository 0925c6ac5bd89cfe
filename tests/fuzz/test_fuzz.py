"""The fuzzers themselves: each target's seeds reach its parser, and a seeded defect is found, with either engine."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.soak_chip import FILES, LANGUAGE, MESSAGES, TARGETS  # noqa: E402 - found by the path above

DEFECT = """
from hardware.emrtd.apdu import CommandApdu

sound = CommandApdu.decode.__func__
CommandApdu.decode = classmethod(lambda cls, raw: (raw and raw[3], sound(cls, raw))[1])  # takes a header that may not be there
"""
ACCEPTED = {
    "atr_info": "read",
    "bac": "read",
    "card_access": "1 offer",
    "card_security": "a key fits",
    "chip_authentication": "agreed",
    "dg14": "agreed",
    "pace": "established",
    "reading": "read by pace",
    "sm_command": "read behind the MAC",
    "sm_response": "read behind the MAC",
}
"""What an honest seed leads to; "read" for all others."""
ENGINES = [
    "blind",
    pytest.param(
        "atheris",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("atheris") is None and os.environ.get("AUTOGATE_REQUIRE_ALL") != "1",
            reason="atheris is absent (make setup-fuzz)",
        ),
    ),
]


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "fuzz.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=50, check=False)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_honest_seeds_are_accepted(name: str) -> None:
    target = TARGETS[name]()
    assert ACCEPTED.get(name, "read") in {target.judge(seed) for seed in target.seeds}


@pytest.mark.parametrize("name", sorted({*LANGUAGE, *MESSAGES, *FILES} - {"public_key"}))
def test_octet_by_octet(name: str) -> None:
    """Every beginning of a seed, and every single octet at its edges: a value or the parser's own error."""
    target = TARGETS[name]()
    for seed in target.seeds[:: max(1, len(target.seeds) // 6)]:
        for at in range(min(len(seed), 120)):
            target.judge(seed[:at])
            for octet in (0x00, 0x7F, 0x80, 0xFF):
                target.judge(seed[:at] + bytes([octet]) + seed[at + 1 :])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seeded_defect_is_found_and_comes_back(engine: str, tmp_path: Path) -> None:
    defect = tmp_path / "defect.py"
    defect.write_text(DEFECT)
    limits = ["--only", "command", "--seconds", "5", "--at-once", "1", "--seed", "1", "--engine", engine]
    told = fuzz(*limits, "--with", str(defect), "--out", str(tmp_path))
    assert told.returncode == 1, told.stdout
    found = re.search(r"^input: ([0-9a-f]+)$", told.stdout, re.MULTILINE)
    assert found, told.stdout
    assert "IndexError" in told.stdout
    assert found[0] in (tmp_path / "command.txt").read_text()
    again = [sys.executable, str(HERE / "target.py"), "command", "--input", found[1]]
    assert (
        subprocess.run([*again, "--with", str(defect)], capture_output=True, cwd=REPOSITORY, timeout=30, check=False).returncode
        == 1
    )
    assert subprocess.run(again, capture_output=True, cwd=REPOSITORY, timeout=30, check=False).returncode == 0


def test_a_sound_target_ends_well_with_the_best_engine_there_is(tmp_path: Path) -> None:
    told = fuzz("--seconds", "2", "--only", "dg16", "--at-once", "1", "--out", str(tmp_path))
    assert told.returncode == 0, told.stdout + told.stderr
    assert re.search(r"dg16: [\d,]{3,} executions", told.stdout), told.stdout
    assert ("branches" in told.stdout) == (importlib.util.find_spec("atheris") is not None)
    assert not list(tmp_path.iterdir())
