"""kill -9 at a call: the trace is read right, the process is killed before the call, and the judge sees each way of losing something."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from benchmarks import traced
from benchmarks.kill_judge import Line
from benchmarks.kill_results import Result, Trial
from benchmarks.kill_syscalls import LINE, SCENES, blows, in_words, share, summary, too_many_void
from benchmarks.kill_syscalls_lane import SCENES as LANE_SCENES
from benchmarks.kill_syscalls_lane import judge_doors, judge_log
from benchmarks.traced import Blow, Calls
from gate.evidence import Evidence, Stage
from gate.outcome import Outcome, PolicyDecision
from gate.records import DecisionRecord, TransactionRecord

AT = datetime(2026, 9, 1, tzinfo=UTC)
TRACE = """\
101 write(3</run/x/state/runtime>, "…", 12) = 12
102 pwrite64(9</run/x/state/audit.sqlite3-wal>, "…"..., 24, 32 <unfinished ...>
101 write(3</dev/pts/4<char 136:4>>, "…", 9) = 9
102 <... pwrite64 resumed>) = 24
102 fdatasync(9</run/x/state/audit.sqlite3-wal>) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
103 write(7</run/x/state/highest-wall-time.new>, "…", 33) = 33
103 rename("/run/x/state/highest-wall-time.new", "/run/x/state/highest-wall-time") = 0
103 fdatasync(9</run/x/state/audit.sqlite3-wal>) = 0
104 unlink(0x7ffd0000) = 0
102 +++ killed by SIGKILL +++
"""


@pytest.fixture(scope="module")
def strace():
    if not traced.available():
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)(
            "strace is not installed, or may not trace"
        )


PLACES = traced.Places(Path("/run/x"), Path("/dev/pts/4"))


def read(folder: Path) -> Calls:
    (folder / "trace").write_text(TRACE)
    return traced.calls(folder / "trace", PLACES)


def test_a_trace_gives_each_call_its_file_and_its_number(tmp_path):
    found = read(tmp_path)
    assert found.made == {
        ("write", "state/runtime", 1),
        ("pwrite64", "state/audit.sqlite3-wal", 1),
        ("write", "terminal", 1),
        ("fdatasync", "state/audit.sqlite3-wal", 1),
        ("write", "state/highest-wall-time.new", 1),
        ("rename", "state/highest-wall-time.new", 1),
    }
    assert found.hidden == {"fdatasync state/audit.sqlite3-wal": 1}, (
        "another thread's first: whoever is killed there never comes to it"
    )
    assert found.elsewhere == {"unlink ": 1}
    assert all(PLACES.name(str(PLACES.path(file))) == file for _, file, _ in found.made)


def test_every_call_is_killed_once_and_full_disks_stay_full(tmp_path):
    found = read(tmp_path)
    assert len(list(blows(found, "kill"))) == len(found.made)
    rules = [blow.rule for blow in blows(found, "refuse")]
    assert rules == [
        "inject=fdatasync:error=EIO:when=1",
        "inject=pwrite64:error=ENOSPC:when=1+",
        "inject=rename:error=ENOSPC:when=1+",
        "inject=write:error=ENOSPC:when=1+",
        "inject=write:error=ENOSPC:when=1+",
    ]


def test_whoever_is_killed_at_a_write_has_not_written(tmp_path, strace):
    program = """if True:
        import os, sys
        files = [os.open(name, os.O_WRONLY | os.O_CREAT) for name in sys.argv[1:]]
        for each in b'abc':
            for file in files:
                os.write(file, bytes([each]))
    """
    places = traced.Places(tmp_path)
    command = traced.prefix(tmp_path / "trace", places, Blow(call="write", file="two", number=2))
    ended = subprocess.run([*command, sys.executable, "-c", program, tmp_path / "one", tmp_path / "two"], check=False)
    assert ended.returncode == -9
    assert (tmp_path / "one").read_bytes() == b"ab"
    assert (tmp_path / "two").read_bytes() == b"a"
    assert traced.calls(tmp_path / "trace", places).counts() == {"write two": 2}


def test_processes_with_lasting_state_are_all_among_the_scenes():
    assert {scene.partition(":")[0] for scene in SCENES} == {"lane", "registries", "audit", "verifier"}
    assert set(LANE_SCENES) < set(SCENES)


# --- the judge ---------------------------------------------------------------------------------------------------------------


def decision(stage: str) -> DecisionRecord:
    evidence = Evidence(transaction="t1", lane="x", checkpoint="CGK", direction="departure", civil_date=AT.date(), facts={})
    ruled = PolicyDecision(
        stage=Stage(stage), outcome=Outcome.OPEN, reasons=(), grant="g", rules=(), tolerances=(), unmet=(), rules_version="v"
    )
    return DecisionRecord(at=AT, evidence=evidence, decision=ruled)


def ended(**changes: object) -> TransactionRecord:
    whole = TransactionRecord(
        transaction="t1",
        lane="x",
        checkpoint="CGK",
        direction="departure",
        started=AT,
        ended=AT,
        document_class="ordinary",
        document_key="",
        outcome=Outcome.OPEN,
        reasons=(),
        stages=(),
        decisions=(),
        backends={},
        demonstration=True,
    )
    return msgspec.structs.replace(whole, **changes)


def record(seq: int, kind: str, body: msgspec.Struct, transaction: str = "t1"):
    return SimpleNamespace(seq=seq, kind=kind, transaction=transaction, body=msgspec.json.encode(body))


def lines(*words: str) -> list[Line]:
    return [Line(boot=float(number), what=word) for number, word in enumerate(words)]


PERMITS = [record(1, "permit", decision("entry")), record(2, "permit", decision("exit"))]
WHOLE = [*PERMITS, record(3, "transaction", ended())]
WALKED = lines("entry opening", "passage entry in", "exit opening", "passage exit out")
OWED = {"t1": "passed"}


def test_an_honest_log_is_accused_of_nothing():
    assert list(judge_log(WHOLE, 0, [ended()])) == []
    assert list(judge_doors(WHOLE, WALKED, OWED)) == []


@pytest.mark.parametrize(
    ("records", "told", "what"),
    [
        (PERMITS, [], "closed 0 times"),
        ([*WHOLE, record(4, "transaction", ended())], [], "closed 2 times"),
        ([], [ended()], "was told of"),
        ([record(1, "transaction", ended(outcome=Outcome.COUNTER))], [ended()], "says otherwise"),
    ],
)
def test_a_record_that_is_lost_doubled_or_another_is_found(records, told, what):
    (found,) = judge_log(records, 0, told)
    assert what in found


@pytest.mark.parametrize(
    ("records", "walked", "owed", "what"),
    [
        (PERMITS[1:], WALKED, OWED, "the entry opened, and no permit"),
        (PERMITS[:1], WALKED, OWED, "the exit opened, and no permit"),
        (PERMITS, WALKED, {}, "no crossing is written down"),
        (PERMITS, WALKED, OWED | {"t2": "uncertain"}, "2 crossings of one traveller"),
        (PERMITS, WALKED[:3], OWED, "that nobody made"),
    ],
)
def test_a_door_without_its_permit_and_a_crossing_that_is_lost_or_invented_are_found(records, walked, owed, what):
    assert any(what in found for found in judge_doors(records, walked, owed))


def test_who_was_let_in_and_never_let_out_owes_no_crossing():
    assert list(judge_doors(PERMITS[:1], WALKED[:2], {})) == []


NONE = Calls(made=frozenset(), hidden={}, elsewhere={})


def test_a_blow_that_was_never_struck_is_told_and_counts_as_nothing():
    blow = Blow(call="fdatasync", file="f", number=1)
    missed = Result(trial=Trial(scene="s", blow=blow), calls=NONE, findings=(), void=1.0)
    told = summary("s", NONE, [missed.trial], [missed])
    assert (told["struck"], told["planned"], len(told["void"])) == (0, 1, 1)
    assert "VOID" in in_words(told | {"seconds": 0})


def test_a_report_in_which_too_much_was_never_struck_is_none():
    def report(*files: str) -> dict[str, object]:
        return {"planned": 50, "void": [{"file": file} for file in files]}

    assert not too_many_void(report("state/audit.sqlite3-wal"))
    assert too_many_void(report("state/audit.sqlite3-wal", "state"))
    assert not too_many_void(report(LINE, LINE, "state")), "how many words go over the line is a matter of time"


@pytest.mark.parametrize(("text", "parts"), [("1/1", (1, 1)), ("3/5", (3, 5))])
def test_parts_make_up_the_whole(text, parts):
    assert share(text) == parts
    struck = [number for part in range(1, parts[1] + 1) for number in range(13)[part - 1 :: parts[1]]]
    assert sorted(struck) == list(range(13))


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/2/3"])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(ValueError):
        share(text)
