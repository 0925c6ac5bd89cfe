"""The search finds every copy of 23 octets, wherever it lies; and nothing where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import biometric_search as search
from benchmarks.biometric_search import BLOCK, Secret, Windows

SHORTEST = 23
DICE = np.random.default_rng(2382)
FACE, OTHER, NOISE = (DICE.integers(0, 256, size, np.uint8).tobytes() for size in (4096, 1024, 1 << 16))
WINDOWS = Windows([Secret(name="face", content=FACE), Secret(name="other", content=OTHER)])


@given(st.integers(0, len(FACE) - SHORTEST), st.integers(0, len(NOISE) - SHORTEST))
def test_every_copy_of_23_octets_is_found_at_every_place(start, place):
    memory = bytearray(NOISE)
    memory[place : place + SHORTEST] = FACE[start : start + SHORTEST]
    assert set(WINDOWS.found_in(bytes(memory))) == {"face"}


@given(st.binary(max_size=4096))
def test_other_octets_hold_no_window(memory):
    assert not WINDOWS.found_in(memory)
    assert not WINDOWS.found_in(NOISE)


def test_a_copy_over_the_edge_of_two_blocks_is_found(tmp_path):
    for shift in range(SHORTEST + 1):
        at = BLOCK - shift
        (tmp_path / "file").write_bytes(bytes(at) + OTHER[:SHORTEST] + bytes(at))
        assert set(search.in_file(tmp_path / "file", WINDOWS)) == {"other"}


def test_grey_and_zeros_and_what_is_shorter_than_a_window_say_nothing():
    dull = Windows([Secret(name="dull", content=each) for each in (bytes(4096), b"\x76\x77" * 2048, FACE[:15])])
    assert len(dull) == 0
    assert not dull.found_in(FACE + bytes(4096))


def test_files_that_were_there_before_are_left_out(tmp_path):
    (tmp_path / "log").write_bytes(FACE)
    assert search.in_files([tmp_path], WINDOWS) == {str(tmp_path / "log"): WINDOWS.found_in(FACE)}
    assert search.in_files([tmp_path], WINDOWS, frozenset({tmp_path / "log"})) == {}


def test_memory_and_unnamed_files_of_a_process_and_its_children_are_looked_into():
    script = (
        "import os, sys; secret = sys.stdin.buffer.read(1024)\n"
        "if os.fork() == 0:\n"
        "    hidden = os.memfd_create('hidden'); os.pwrite(hidden, secret, 5)\n"
        "os.write(1, b'ready\\n'); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdin.write(OTHER)
        holder.stdin.flush()
        assert [holder.stdout.readline() for _ in range(2)] == [b"ready\n"] * 2
        found = search.in_processes({"holder": holder.pid}, WINDOWS)
        assert {name.split()[0] for name in found} == {"holder", "holder,"}
        assert any(name.endswith("memfd") for name in found)
        assert all(told.keys() == {"other"} for told in found.values())
        assert search.in_processes({"itself": os.getpid()}, Windows([])) == {}
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()
    assert search.in_processes({"holder": holder.pid}, WINDOWS) == {}


def test_windows_are_counted_by_the_name_that_had_them_first():
    both = Windows([Secret(name="first", content=FACE), Secret(name="second", content=FACE[:100] + OTHER)])
    assert (both.of("first"), both.of("second")) == (len(FACE) - 15, len(OTHER))
    assert both.found_in(FACE[:32]) == Counter({"first": 3})
