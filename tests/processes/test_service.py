"""What the service does with processes that end: again, again later, or give up with the process's own last words."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
import tracemalloc
from collections.abc import Callable

import pytest

import gate.service
from gate.notify import PROOF, notify
from gate.processes.channel import Channel, serve
from gate.processes.messages import Join, ProcessEnded
from gate.processes.worker import EXIT_CONFIG, EXIT_DEVICE
from gate.runtime import Runtime
from gate.service import Service, ServiceError

LIMIT_S = 8.0


def ending(status: int, says: str = "") -> list[str]:
    return [sys.executable, "-S", "-c", f"import sys; print({says!r}, file=sys.stderr, flush=True); sys.exit({status})"]


def waiting() -> list[str]:
    return [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def service_of(tmp_path):
    services = []

    def start(**commands: list[str]) -> Service:
        services.append(Service(commands, tmp_path / "processes.log"))
        return services[-1]

    yield start
    for service in services:
        service.stop(at_once=True)


def starts_seen(service: Service, name: str, wanted: int, until: Callable[[], bool] = lambda: False) -> int:
    pids, deadline = {service.pids[name]}, time.monotonic() + LIMIT_S
    while len(pids) < wanted and not until() and time.monotonic() < deadline:
        service.poll()
        pids.add(service.pids[name])
        time.sleep(0.005)
    return len(pids)


def test_a_process_that_keeps_crashing_ends_the_service_with_its_last_words(service_of, monkeypatch):
    monkeypatch.setattr(gate.service, "RESTARTS", 5)
    service = service_of(lane=ending(1, "lane: a bug"))
    with pytest.raises(ServiceError, match=r"^6 ends within a minute; lane: a bug$"):
        starts_seen(service, "lane", 20)


@pytest.mark.parametrize("status", [1, -11, EXIT_CONFIG, EXIT_DEVICE])
def test_a_panel_that_keeps_crashing_costs_nobody_the_gate(service_of, monkeypatch, status):
    monkeypatch.setattr(gate.service, "DEVICE_RETRY_S", 0.01)
    dying = [sys.executable, "-S", "-c", f"import os; os.kill(os.getpid(), {-status})"] if status < 0 else ending(status)
    assert starts_seen(service_of(panel=dying), "panel", 12) == 12


def test_a_process_that_filled_the_log_before_it_went_is_not_read_whole(service_of, tmp_path):
    service = service_of(panel=ending(1, "panel: a bug"))
    service._processes[0].running.wait(LIMIT_S)
    with (tmp_path / "processes.log").open("r+b") as log:
        said = log.read()
        log.truncate(64 << 20)
        log.seek(0, 2)
        log.write(b"\n" + said)
    tracemalloc.start()
    words = service._last_words(service._processes[0])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert words == "panel: a bug"
    assert most < 1 << 20


def test_a_device_that_is_away_is_waited_for_without_end(service_of, monkeypatch):
    monkeypatch.setattr(gate.service, "DEVICE_RETRY_S", 0.01)
    assert starts_seen(service_of(reader=ending(EXIT_DEVICE)), "reader", 12) == 12


def test_a_device_that_is_away_is_not_asked_for_all_the_time(service_of):
    service = service_of(reader=ending(EXIT_DEVICE))
    first = service.pids["reader"]
    service._processes[0].running.wait(LIMIT_S)
    service.poll()
    assert service.pids["reader"] == first


def test_a_refused_configuration_ends_the_service_with_the_reason_and_not_anothers(service_of):
    service = service_of(
        officer_screen=ending(EXIT_CONFIG, "officer page: port 1: taken (free it)"),
        reader=waiting(),
    )
    with pytest.raises(ServiceError, match=r"^officer page: port 1: taken \(free it\)$"):
        starts_seen(service, "officer_screen", 2)


def test_a_worker_that_keeps_crashing_is_given_up_and_the_service_goes_on(service_of, monkeypatch):
    monkeypatch.setattr(gate.service, "RESTARTS", 5)
    service = service_of(vision=ending(1, "vision: a bug"), lane=waiting())
    lane = service.pids["lane"]
    assert starts_seen(service, "vision", 7, until=lambda: bool(service.given_up)) == 6
    assert service.given_up == {"vision": "6 ends within a minute; vision: a bug"}
    last = service.pids["vision"]
    for _ in range(20):
        service.poll()
    assert (service.pids["vision"], service.pids["lane"]) == (last, lane)


@pytest.fixture
def runtime():
    runtime = Runtime.create()
    yield runtime
    runtime.remove()


async def told(runtime: Runtime, wanted: int) -> tuple[asyncio.Server, list[ProcessEnded]]:
    """A lane that hears what the service says."""
    heard: list[ProcessEnded] = []

    async def on_peer(join: Join, channel: Channel) -> None:
        assert join.role == "service"
        message = await channel.receive()
        assert isinstance(message, ProcessEnded)
        heard.append(message)

    return await serve(runtime.lane_socket, runtime.secret, on_peer), heard


async def test_the_lane_is_told_why_a_process_ended_as_soon_as_it_listens(tmp_path, runtime, monkeypatch):
    service = Service(
        {"vision": ending(EXIT_DEVICE, "vision: camera: gone (plug it in)"), "lane": waiting()}, tmp_path / "log", runtime
    )
    try:
        service._processes[0].running.wait(LIMIT_S)
        await asyncio.to_thread(service.poll)  # nobody listens yet
        server, heard = await told(runtime, 1)
        async with asyncio.timeout(LIMIT_S):
            while not heard:
                await asyncio.to_thread(service.poll)
                await asyncio.sleep(0.01)
        server.close()
        assert heard == [ProcessEnded(process="vision", why="vision: camera: gone (plug it in)")]
    finally:
        await asyncio.to_thread(service.stop, at_once=True)


def test_what_the_lane_says_goes_to_the_service_manager_and_no_child_talks_to_it(tmp_path, runtime, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "manager"))
        manager.settimeout(LIMIT_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "manager"))
        monkeypatch.setenv("WATCHDOG_USEC", "1")
        tells = "import os, time; print(sorted(n for n in os.environ if n.startswith(('NOTIFY', 'WATCHDOG'))), flush=True); time.sleep(60)"
        service = Service({"lane": [sys.executable, "-S", "-c", tells]}, tmp_path / "log", runtime)
        try:
            notify(str(runtime.notify_socket), PROOF)
            service.poll()
            assert manager.recv(4096) == b"WATCHDOG=1"
            deadline = time.monotonic() + LIMIT_S
            while "[]" not in (tmp_path / "log").read_text():
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.01)
        finally:
            service.stop(at_once=True)
        assert manager.recv(4096) == b"STOPPING=1"


def test_all_others_still_work_while_the_lane_serves_whoever_is_inside(tmp_path, monkeypatch):
    slow = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(0))); print('up', flush=True); time.sleep(60)"
    service = Service({"vision": waiting(), "lane": [sys.executable, "-S", "-c", slow]}, tmp_path / "log")
    vision, lane = (process.running for process in service._processes)
    deadline = time.monotonic() + LIMIT_S
    while "up" not in (tmp_path / "log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    order = []
    monkeypatch.setattr(vision, "terminate", lambda terminate=vision.terminate: (order.append(lane.poll()), terminate()))
    service.stop()
    assert order == [0], "vision was told to end before the lane had ended"


def test_a_lane_that_does_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(gate.service, "LANE_STOP_S", 0.1)
    monkeypatch.setattr(gate.service, "STOP_TIMEOUT_S", 0.1)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    service = Service({"lane": [sys.executable, "-S", "-c", deaf]}, tmp_path / "log")
    deadline = time.monotonic() + LIMIT_S
    while "up" not in (tmp_path / "log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running = service._processes[0].running
    service.stop()
    assert running.returncode == -9
