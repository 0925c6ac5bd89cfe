"""Runs of the benchmarks beside one another: what counts as slower, what does not, and that nothing drops out of sight."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import history, history_page, history_ratios
from benchmarks.history_ratios import Declared, Ratio
from benchmarks.history_runs import RunError, read_run, read_runs

REPOSITORY = Path(__file__).resolve().parents[2]
OURS, FLOOR, PEERS = "test_a.py::test_ours", "test_a.py::test_floor", "test_p.py::test_peers[x]"
KNOWN = Declared(
    ratios=(
        Ratio(name="ours, beside the floor", kind="floor", ours=OURS, base=FLOOR, peer="", allowed=1.5),
        Ratio(
            name="ours, beside a peer",
            kind="peer",
            ours=f"{PEERS} > us > p50",
            base=f"{PEERS} > them > p50",
            peer="them",
            allowed=1.5,
        ),
    ),
    peers={"them": "make setup-them", "others": "make setup-others"},
)
KEPT = {"ratios": {"ours, beside the floor": 2.0, "ours, beside a peer": 0.5}, "machine": {"cpu": "C"}}


def saved(folder: Path, name: str, *, ours: float = 2.0, floor: float = 1.0, them: Any = None, drop: str = "") -> Path:
    """A run as pytest-benchmark writes it, in milliseconds."""
    benchmarks = [
        {
            "fullname": f"benchmarks/{test}",
            "group": "g",
            "stats": {"min": ms / 1000, "median": 2 * ms / 1000, "rounds": 5},
            "extra_info": told,
        }
        for test, ms, told in (
            (OURS, ours, {}),
            (FLOOR, floor, {}),
            (PEERS, 9.0, {"us": {"p50": 1.0}, "them": {"p50": 2.0} if them is None else them}),
        )
        if test != drop
    ]
    machine = {"cpu": "C", "cores": 2, "load": [0.5, 0.4, 0.3], "commit": "0123456789abcdef", "changed": False}
    told = {
        "datetime": f"2026-03-0{name}T00:00:00+00:00",
        "autogate": {"machine": machine, "arguments": []},
        "benchmarks": benchmarks,
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(history_ratios, "declared", lambda: KNOWN)
    monkeypatch.setattr(history_ratios, "baseline", lambda: KEPT)


def check(folder: Path) -> int:
    return history.main(["check", "--out", str(folder)])


def test_a_run_like_the_recorded_one_passes(tmp_path: Path):
    saved(tmp_path, "1")
    assert check(tmp_path) == 0


def test_a_seeded_slow_down_fails_and_is_named_with_both_figures(tmp_path: Path, capsys):
    saved(tmp_path, "1", ours=6.2)
    assert check(tmp_path) == 1
    assert (
        "REGRESSION ours, beside the floor: 6.2 × the floor, recorded 2: 3.10 times as much, 1.5 allowed"
        in capsys.readouterr().out
    )


def test_a_slow_down_beside_a_peer_alone_fails(tmp_path: Path, capsys):
    saved(tmp_path, "1", them={"p50": 0.5})
    assert check(tmp_path) == 1
    assert "REGRESSION ours, beside a peer" in capsys.readouterr().out


@pytest.mark.parametrize("times", [0.1, 3.0, 50.0])
def test_a_machine_on_which_everything_is_slower_or_faster_alike_is_no_regression(tmp_path: Path, times: float):
    saved(tmp_path, "1", ours=2.0 * times, floor=times)
    assert check(tmp_path) == 0


def test_what_is_within_the_allowed_factor_passes_and_what_is_just_beyond_does_not(tmp_path: Path):
    saved(tmp_path, "1", ours=2.99)
    assert check(tmp_path) == 0
    saved(tmp_path, "2", ours=3.01)
    assert check(tmp_path) == 1


def test_the_newest_run_counts_whatever_the_file_is_called(tmp_path: Path):
    saved(tmp_path, "2", ours=9.0).rename(tmp_path / "0.json")
    saved(tmp_path, "1")
    assert check(tmp_path) == 1


def test_a_ratio_that_was_not_measured_is_counted_as_such(tmp_path: Path, capsys):
    saved(tmp_path, "1", drop=FLOOR)
    assert check(tmp_path) == 0
    assert "1 of 2 ratios compared, 0 beyond what is allowed; not measured in this run: 1" in capsys.readouterr().out


def test_where_a_whole_run_is_asked_for_a_floor_that_is_gone_is_a_finding_and_an_absent_peer_is_not(tmp_path: Path, capsys):
    saved(tmp_path, "1", drop=FLOOR)
    assert history.main(["check", "--complete", "--out", str(tmp_path)]) == 1
    assert "NOT MEASURED ours, beside the floor\n" in capsys.readouterr().out
    saved(tmp_path, "2", them="absent (x)")
    assert history.main(["check", "--complete", "--out", str(tmp_path)]) == 0


def test_nothing_to_compare_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert check(tmp_path) == 2
    saved(tmp_path, "1")
    monkeypatch.setattr(history_ratios, "baseline", lambda: {"ratios": {}})
    assert check(tmp_path) == 2


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"datetime": 1}', '{"datetime": "2026-01-01", "autogate": [], "benchmarks": []}', "ÿ"]
)
def test_a_file_that_is_no_run_is_left_out_by_name(tmp_path: Path, content: str):
    (tmp_path / "bad.json").write_text(content, encoding="latin-1")
    saved(tmp_path, "1")
    runs, left_out = read_runs(tmp_path)
    assert [run.name for run in runs] == ["1"]
    assert len(left_out) == 1
    assert left_out[0].startswith("bad.json: ")
    with pytest.raises(RunError):
        read_run(tmp_path / "bad.json")


def test_peers_that_were_not_run_are_listed_with_their_install_command(tmp_path: Path):
    run = read_run(saved(tmp_path, "1", them="absent (no compiler)"))
    expected = {
        "them": ("absent (no compiler)", "make setup-them"),
        "others": (history_ratios.NOT_IN_THIS_RUN, "make setup-others"),
    }
    assert history_ratios.not_run(run, KNOWN) == expected
    assert list(history_ratios.not_run(read_run(saved(tmp_path, "2")), KNOWN)) == ["others"]


def test_a_baseline_takes_the_median_of_runs_and_keeps_what_they_do_not_have(tmp_path: Path):
    runs = [read_run(saved(tmp_path, str(number), ours=ms, drop=PEERS)) for number, ms in ((1, 9.0), (2, 2.5), (3, 3.0))]
    kept = history_ratios.record(runs, KNOWN.ratios, {"ours, beside a peer": 0.4, "gone": 1.0})
    assert kept["ratios"] == {"ours, beside the floor": 3.0, "ours, beside a peer": 0.4}


def test_the_page_stands_alone_and_shows_every_run_ratio_and_absent_peer(tmp_path: Path, capsys):
    saved(tmp_path, "1")
    saved(tmp_path, "2", ours=9.0, them="absent (<b>)")
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    assert history.main(["report", "--out", str(tmp_path)]) == 0
    page, text = (tmp_path / "history.html").read_text(encoding="utf-8"), capsys.readouterr().out
    assert not re.search(r"(?:src|href)=|<script|url\(|<b>", page)
    for words in (
        "ours, beside the floor",
        "ours, beside a peer",
        "make setup-them",
        "make setup-others",
        "absent (&lt;b&gt;)",
        "regression",
    ):
        assert words in page
    assert "2 runs in all" in page
    assert "bad.json" in page
    assert "not run: them: absent (<b>) (make setup-them)" in text
    assert "left out: bad.json" in text


def test_a_line_over_the_runs_leaves_gaps_where_a_run_has_no_figure(tmp_path: Path):
    runs = [read_run(saved(tmp_path, str(number), drop=drop)) for number, drop in ((1, ""), (2, FLOOR), (3, ""))]
    [verdict] = history_ratios.judge(runs[-1], KNOWN.ratios[:1], KEPT["ratios"])
    drawn = history_page.line(verdict, runs)
    assert [x for x, _ in drawn.points] == [history_page.MARGIN, history_page.WIDTH - history_page.MARGIN]
    assert drawn.limit_y < drawn.points[0][1]


def test_a_real_run_is_saved_with_machine_and_commit_and_read_again(tmp_path: Path):
    """By pytest-benchmark itself, on a suite of one line."""
    suite = tmp_path / "test_one.py"
    suite.write_text("def test_floor(benchmark):\n    benchmark.pedantic(sum, args=([1],), rounds=3)\n", encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.history", "run", "--quick", "--out", str(tmp_path / "runs")]
    command += [str(suite), f"--rootdir={REPOSITORY}", "-p", "benchmarks.conftest", "-c", str(REPOSITORY / "pyproject.toml")]
    # pytest-benchmark refuses to save anything in what it takes for a worker of the run that this test is part of
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=60, env=environment)
    [run] = read_runs(tmp_path / "runs")[0]
    [figure] = run.figures.values()
    assert figure.rounds == 3
    assert run.machine["cores"] >= 1
    assert "--benchmark-max-time=0.2" in run.arguments


def test_every_ratio_names_benchmarks_and_peers_that_exist(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    known, kept = history_ratios.declared(), history_ratios.baseline()
    for ratio in known.ratios:
        for where in (ratio.ours, ratio.base):
            file, test = re.fullmatch(r"(test_\w+\.py)::(test_\w+)(?:\[.+?\])?(?: > .+)?", where).groups()
            assert f"def {test}(" in (REPOSITORY / "benchmarks" / file).read_text(encoding="utf-8"), where
    assert {ratio.peer for ratio in known.ratios if ratio.peer} == known.peers.keys()
    assert kept["ratios"].keys() <= {ratio.name for ratio in known.ratios}
