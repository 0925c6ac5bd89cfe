"""What a power cut leaves: a disk that promises no more than was synced, played from what a process really called."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import fleet_disk
from benchmarks.fleet_disk import Call, Disk

FOLDER = Path("/state")
MADE = Call(name="openat", path="/state/a")
WRITTEN = Call(name="pwrite64", path="/state/a", data=b"one", offset=0)
SYNCED = Call(name="fdatasync", path="/state/a")
FOLDER_SYNCED = Call(name="fsync", path="/state")


def played(*calls: Call) -> Disk:
    disk = Disk(FOLDER)
    for call in calls:
        disk.play(call)
    return disk


def test_what_was_not_synced_is_gone():
    more = Call(name="write", path="/state/a", data=b" and two")
    assert played(MADE, WRITTEN, FOLDER_SYNCED).left() == {"a": b""}
    assert played(MADE, WRITTEN, SYNCED, FOLDER_SYNCED, more).left() == {"a": b"one"}
    assert played(MADE, WRITTEN, SYNCED, FOLDER_SYNCED, more, SYNCED).left() == {"a": b"one and two"}


def test_a_name_lasts_once_its_folder_was_synced():
    renamed = Call(name="rename", path="/state/a", other="/state/b")
    assert played(MADE, WRITTEN, SYNCED).left() == {}
    assert played(MADE, WRITTEN, SYNCED, FOLDER_SYNCED, renamed).left() == {"a": b"one"}
    assert played(MADE, WRITTEN, SYNCED, FOLDER_SYNCED, renamed, FOLDER_SYNCED).left() == {"b": b"one"}
    assert played(MADE, WRITTEN, FOLDER_SYNCED, renamed, FOLDER_SYNCED).left() == {"b": b""}, "a name, and nothing in it"


def test_a_file_that_was_removed_may_come_back():
    gone = Call(name="unlink", path="/state/a")
    assert played(MADE, WRITTEN, SYNCED, FOLDER_SYNCED, gone).left() == {"a": b"one"}
    assert played(MADE, WRITTEN, SYNCED, FOLDER_SYNCED, gone, FOLDER_SYNCED).left() == {}


def test_a_cut_to_a_length_counts_when_it_is_synced():
    cut = Call(name="ftruncate", path="/state/a", offset=1)
    assert played(MADE, WRITTEN, SYNCED, FOLDER_SYNCED, cut).left() == {"a": b"one"}
    assert played(MADE, WRITTEN, SYNCED, FOLDER_SYNCED, cut, SYNCED).left() == {"a": b"o"}


@given(st.integers(), st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=2000)), max_size=6))
def test_of_what_was_not_synced_any_part_may_be_there_and_nothing_that_was_never_written(seed, writes):
    disk = played(MADE, Call(name="pwrite64", path="/state/a", data=b"\1" * 4000, offset=0), SYNCED, FOLDER_SYNCED)
    for offset, data in writes:
        disk.play(Call(name="pwrite64", path="/state/a", data=data, offset=offset))
    content = disk.left(random.Random(seed))["a"]
    for place, octet in enumerate(content):
        may_be = {data[place - offset] for offset, data in writes if offset <= place < offset + len(data)}
        assert octet in may_be | ({1} if place < 4000 else {0})


def test_a_call_that_is_not_understood_is_not_passed_over():
    with pytest.raises(ValueError, match="fallocate"):
        played(MADE, Call(name="fallocate", path="/state/a"))


PROGRAM = """if True:
    import os, sys
    folder = sys.argv[1]
    file = os.open(folder + "/a", os.O_RDWR | os.O_CREAT)
    os.write(file, b'one "two" \\xff\\n')
    os.pwrite(file, b"ONE", 0)
    os.write(1, b"said\\n")
    os.fsync(file)
    os.rename(folder + "/a", folder + "/b")
    where = os.open(folder, os.O_RDONLY)
    os.fsync(where)
    os.ftruncate(file, 3)
"""


def test_a_trace_is_played_as_it_was_called(tmp_path):
    if shutil.which("strace") is None:
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)("strace is not installed")
    state, trace, said = tmp_path / "state", tmp_path / "trace", b""
    state.mkdir()
    command = [*fleet_disk.prefix(trace), sys.executable, "-S", "-c", PROGRAM, str(state)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    disk = Disk(state)
    for call in fleet_disk.calls(trace):
        disk.play(call)
        said += call.said
    assert said == b"said\n"
    assert disk.left() == {"b": b'ONE "two" \xff\n'}, "the cut to a length was not synced"
    assert {disk.left(random.Random(seed))["b"] for seed in range(20)} == {b'ONE "two" \xff\n', b"ONE"}
