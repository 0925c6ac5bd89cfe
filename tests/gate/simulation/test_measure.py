from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gate.__main__ import main
from gate.demo.cast import load_cast
from gate.simulation import measure
from gate.simulation.compute import STAGES, load_compute

STANDS_IN = """\
import json, sys
out = sys.argv[sys.argv.index("--json") + 1]
stages = [{"name": name, "duration_ms": 2.0} for name in json.loads(sys.argv[1])]
print("no camera", file=sys.stderr)
json.dump({"transactions": [{"outcome": "OPEN", "stages": stages}] * 3}, open(out, "w"))
sys.exit(int(sys.argv[2]))
"""


def stand_in(monkeypatch: pytest.MonkeyPatch, stages: tuple[str, ...], status: int) -> None:
    """In the place of the demonstration, a program that claims ``stages``."""
    real = subprocess.run

    def run(command, **more):
        return real([sys.executable, "-c", STANDS_IN, json.dumps(stages), str(status), *command[4:]], **more)

    monkeypatch.setattr(measure.subprocess, "run", run)


def test_the_cast_that_is_measured_is_one(tmp_path: Path):
    (tmp_path / "cast.toml").write_text(measure.cast(7), encoding="utf-8")
    people = load_cast(tmp_path / "cast.toml").traveller
    assert len({person.document.number for person in people}) == 7


def test_what_the_demonstration_took_is_what_is_written(monkeypatch, tmp_path: Path, capsys):
    stand_in(monkeypatch, STAGES, 0)
    file = tmp_path / "compute.toml"
    assert main(["simulate", "--measure", "3", "--compute", str(file)]) == 0
    compute = load_compute(file)
    assert compute.travellers == 3
    assert all(set(values) == {2.0} for values in compute.quantiles.values())
    assert "3 travellers" in capsys.readouterr().out


@pytest.mark.parametrize(("stages", "status", "said"), [(STAGES, 1, "no camera"), (STAGES[1:], 0, STAGES[0])])
def test_a_demonstration_that_fails_or_shows_too_little_changes_nothing(
    monkeypatch, tmp_path: Path, capsys, stages, status, said
):
    stand_in(monkeypatch, stages, status)
    file = tmp_path / "compute.toml"
    assert main(["simulate", "--measure", "3", "--compute", str(file)]) == 2
    assert said in capsys.readouterr().err
    assert not file.exists()
