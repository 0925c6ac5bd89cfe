"""What hardened processes do differently, each beside a process that was not hardened."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.biometric_search import Secret, Windows, in_process
from gate.processes import hardening

SURVIVORS = "from gate.processes import hardening as h; print([size for size in h._TRIED if h._survives_free(size)])"
PATTERN = Path("/proc/sys/kernel/core_pattern")


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in hardening.WIPING}
    return subprocess.run(
        [sys.executable, "-c", script], env=clean | environment, capture_output=True, text=True, timeout=30, check=False
    )


def test_what_is_freed_is_overwritten_with_the_settings_and_stays_without_them():
    assert run(SURVIVORS, **hardening.WIPING).stdout == "[]\n"
    assert run(SURVIVORS).stdout == f"{list(hardening._TRIED)}\n"


def test_without_the_second_setting_the_threads_cache_keeps_small_blocks():
    assert run(SURVIVORS, GLIBC_TUNABLES="glibc.malloc.perturb=255").stdout == "[64, 600]\n"


def test_a_process_started_without_the_settings_starts_itself_again_with_them():
    script = "import os; from gate.processes import hardening as h; before = os.getpid(); h.overwrite_what_is_freed(); "
    told = run(script + "print([size for size in h._TRIED if h._survives_free(size)])")
    assert (told.returncode, told.stdout) == (0, "[]\n"), told.stderr


def test_a_memory_that_keeps_what_was_freed_is_an_error_and_no_loop(monkeypatch):
    for name, value in hardening.WIPING.items():
        monkeypatch.setenv(name, value)  # too late for this very process
    with pytest.raises(OSError, match="keep what they held"):
        hardening.overwrite_what_is_freed()


@pytest.mark.parametrize(("first", "goes_on"), [("h.harden(); ", True), ("", False)])
def test_a_word_that_a_full_disk_does_not_take_ends_no_process(tmp_path, first, goes_on):
    script = "import resource, sys; from gate.processes import hardening as h; "
    script += "resource.setrlimit(resource.RLIMIT_FSIZE, (3, resource.RLIM_INFINITY)); "
    script += f"{first}print('all of this', file=sys.stderr, flush=True); print('lives')"
    with (tmp_path / "processes.log").open("wb") as log:
        told = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=log, timeout=30, check=False)
    assert (told.returncode, told.stdout) == ((0, b"lives\n") if goes_on else (1, b""))


PASS = """
import ctypes, random, threading
from gate.processes.hardening import wipe_stack

class Face(ctypes.Structure):
    _fields_ = [("content", ctypes.c_char * 16_000)]

def pass_on():
    face = Face.from_buffer_copy(random.Random(1).randbytes(16_000))
    call = ctypes.CDLL(None).getpid
    call.argtypes = [Face]
    call(face)  # by value: on the stack
    ctypes.memset(ctypes.byref(face), 0, 16_000)
"""
OWN_THREAD = """
def work():
    pass_on()
    input("worked")
    wipe_stack()
    input("wiped")

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
THREAD_OF_THE_PAD = """
from types import SimpleNamespace
from faceverify import pad

class Net:
    def __init__(self, pack, spec): pass
    def measure(self, pixels, face): pass_on()

pad.PadNet = Net
measuring = pad.Pad(SimpleNamespace(id="p", pad=(None,)))
measuring.begin(None, None)()
input("worked")
measuring.in_thread(wipe_stack)
input("wiped")
measuring.close()
"""


@pytest.mark.parametrize("work", [OWN_THREAD, THREAD_OF_THE_PAD], ids=["own thread", "thread of the PAD"])
def test_what_a_call_copied_onto_a_threads_stack_is_there_until_it_is_overwritten(work):
    windows = Windows([Secret(name="face", content=random.Random(1).randbytes(16_000))])
    command, found = [sys.executable, "-c", PASS + work], []
    environment = {**os.environ, **hardening.WIPING}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        for word in (b"worked", b"wiped"):
            assert worker.stdout.read(len(word)) == word
            found.append(bool(in_process(worker.pid, windows)))
            worker.stdin.write(b"\n")
            worker.stdin.flush()
    assert found == [True, False]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_hardened_process_that_crashes_writes_no_core_where_another_would(tmp_path, number):
    if PATTERN.read_text().startswith(("|", "/")) or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("cores do not go into a process's own folder here")

    def crash(folder: str, first: str) -> list[str]:
        (tmp_path / folder).mkdir()
        script = (
            "import os, resource; from gate.processes.hardening import dump_nothing\n"
            "limits = resource.getrlimit(resource.RLIMIT_CORE); resource.setrlimit(resource.RLIMIT_CORE, (limits[1],) * 2)\n"
            f"{first}; os.kill(os.getpid(), {number})"
        )
        ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path / folder, timeout=60, check=False)
        assert ended.returncode == -number
        return [path.name for path in (tmp_path / folder).iterdir()]

    assert crash("plain", "pass") != []
    assert crash("hardened", "dump_nothing()") == []
