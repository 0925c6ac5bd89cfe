"""``autogate serve`` and ``autogate demo``: what cannot be used is said in one line, and nothing outlives its command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from gate.demo.cast import DEFAULT_CAST
from pki.sim import PretendState
from pki.trust import Csca, TrustStore, save_trust_store

pytestmark = pytest.mark.processes

LIMIT_S = 15.0
CONFIG = """\
profile = "demo"
state_dir = "state"
[lane]
id = "test-1"
checkpoint = "CGK"
direction = "departure"
[scanner]
kind = "simulator"
address = "world"
[camera]
kind = "simulator"
address = "world"
[controller]
device = "{device}"
key_file = "gate.key"
[face]
pack = "demo"
packs_dir = "{packs}"
[trust]
store = "trust"
[screens]
traveller_port = {traveller}
officer_port = {officer}
"""


def processes_of(folder: Path) -> dict[int, str]:
    """Every process whose command or temporary folder names ``folder``."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and entry.name != str(os.getpid()):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (entry / "environ").read_bytes().decode(errors="replace")
                if str(folder) in command + environment and "<defunct>" not in command:
                    found[int(entry.name)] = command
        except OSError:  # ended meanwhile, or hardened against peeking: its command named the folder
            continue
    return found


def children_of(pid: int) -> list[int]:
    """Child processes, by /proc: hardened ones too."""
    children = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                children.append(int(entry.name))
        except OSError:
            continue
    return children


def family_of(pid: int) -> list[int]:
    direct = children_of(pid)
    return [*direct, *(each for child in direct for each in family_of(child))]


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def none_alive(pids: list[int]) -> bool:
    return not any(map(alive, pids))


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start(folder: Path, *arguments: str, **further: str) -> subprocess.Popen[str]:
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONPATH": "", **further}
    command = [sys.executable, "-m", "gate", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def nothing_left(folder: Path) -> None:
    until(lambda: not processes_of(folder), f"left behind: {processes_of(folder)}")
    assert list((folder / "tmp").iterdir()) == []


@pytest.fixture
def folder(tmp_path_factory):
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ag-") as path:
        yield Path(path)


def config(folder: Path, packs: str = "packs", **ports: int) -> Path:
    (folder / "gate.key").write_text("0" * 64)
    state = PretendState.create(country="ID", name="Republic of Demonstration", now=datetime.now(UTC))
    save_trust_store(TrustStore(anchors=(Csca.of(state.csca, provenance="a test"),), demo=True), folder / "trust")
    (folder / "tty").touch()
    path = folder / "gate.toml"
    chosen = {"traveller": free_port(), "officer": free_port()} | ports
    path.write_text(CONFIG.format(packs=packs, device=folder / "tty", **chosen))
    return path


def refused(folder: Path, *arguments: str) -> str:
    """The one line with which the command gave up, status 2, nothing left behind."""
    process = start(folder, *arguments)
    try:
        _, said = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        _, said = process.communicate(timeout=LIMIT_S)
        pytest.fail(f"still running; said: {said}")
    assert process.returncode == 2, said
    assert said.count("\n") == 1, said
    nothing_left(folder)
    return said


def test_a_taken_port_is_one_line_with_its_remedy(folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(folder, "serve", str(config(folder, officer=port)))
    assert f"port {port}" in said
    assert "free it, or name another one" in said


def test_absent_weights_are_one_line_with_their_remedy(folder):
    (folder / "file").touch()
    said = refused(folder, "serve", str(config(folder, packs="file/packs")))
    assert "choose a writable folder" in said


def test_a_broken_configuration_is_all_its_errors_and_nothing_starts(folder):
    path = config(folder)
    path.write_text(path.read_text().replace('"departure"', '"sideways"'))
    said = refused(folder, "serve", str(path))
    assert f"{path}:6: lane.direction" in said


def test_an_absent_serial_device_is_one_line_and_the_gate_waits_for_it(folder):
    """It may be plugged in any time: the lane is out of service meanwhile, and says why, once."""
    path = config(folder)
    path.write_text(path.read_text().replace("/tty", "/no-such-tty"))
    process = start(folder, "serve", str(path))
    log = folder / "state" / "processes.log"
    try:
        until(lambda: log.exists() and "no-such-tty" in log.read_text(), "the log names the device")
        (line,) = [line for line in log.read_text().splitlines() if "no-such-tty" in line]
        assert "plug" in line
    finally:
        process.terminate()
        _, said = process.communicate(timeout=LIMIT_S)
    assert said.count("\n") == 1
    assert f"{folder / 'no-such-tty'}: absent" in said
    assert process.returncode == 0
    nothing_left(folder)


def test_a_demonstration_that_is_ended_in_mid_transaction_leaves_nothing_behind(folder):
    """By SIGTERM, and by Ctrl-C, which a terminal sends to the whole group; one for each, side by side."""
    running = [(number, folder / number.name) for number in (signal.SIGTERM, signal.SIGINT)]
    processes = []
    for _, place in running:
        place.mkdir()
        ports = ["--traveller-port", str(free_port()), "--officer-port", str(free_port())]
        processes.append(start(place, "demo", "--state", str(place / "state"), "--cast", str(DEFAULT_CAST), *ports))
    try:
        for process, (number, place) in zip(processes, running, strict=True):
            assert process.stdout is not None
            while "walk_in" not in process.stdout.readline():
                assert process.poll() is None, process.communicate()
            family = family_of(process.pid)
            assert len(family) >= 8
            (os.killpg if number is signal.SIGINT else os.kill)(process.pid, number)
            process.communicate(timeout=30)  # against hanging, not for speed
            until(partial(none_alive, family), "children outlive it")
            nothing_left(place)
    finally:
        for process in processes:
            process.kill()


def test_a_demonstration_that_is_ended_while_it_starts_leaves_nothing_behind(folder):
    process = start(folder, "demo", "--state", str(folder / "state"))
    try:
        until(lambda: any((folder / "tmp").glob("*/registries/ready")), "the stage is being set")
        process.terminate()
        process.communicate(timeout=30)
    finally:
        process.kill()
    nothing_left(folder)


def lane_of(process: subprocess.Popen[str]) -> int:
    return next(
        pid for pid in children_of(process.pid) if b"gate.processes.lane" in (Path("/proc") / str(pid) / "cmdline").read_bytes()
    )


def test_systemd_hears_from_a_gate_as_long_as_its_lane_works_and_a_stopped_one_ends_well(folder):
    """READY once, WATCHDOG=1 while the lane goes round, none while it is held up, again afterwards; STOPPING, and exit status 0."""

    def said(limit_s: float) -> str:
        manager.settimeout(limit_s)
        try:
            return manager.recv(4096).decode()
        except TimeoutError:
            return ""

    def until_said(line: str) -> None:
        until(lambda: line in said(LIMIT_S).split("\n"), line)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        process = start(folder, "serve", str(config(folder)), NOTIFY_SOCKET=str(folder / "notify"))
        try:
            until_said("READY=1")
            until_said("WATCHDOG=1")
            lane = lane_of(process)
            os.kill(lane, signal.SIGSTOP)
            while said(0.5):  # what was on its way
                pass
            assert said(2.5) == "", "a ping for a lane that is held up"
            os.kill(lane, signal.SIGCONT)
            until_said("WATCHDOG=1")
            process.terminate()
            until_said("STOPPING=1")
        finally:
            process.terminate()
            _, words = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, words
    (folder / "notify").unlink()
    nothing_left(folder)
