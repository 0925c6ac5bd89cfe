"""What the service does with processes that end: again, again later, or give up with the process's own last words."""

from __future__ import annotations

import sys
import time

import pytest

import gate.service
from gate.processes.worker import EXIT_CONFIG, EXIT_DEVICE
from gate.service import Service, ServiceError

LIMIT_S = 8.0


def ending(status: int, says: str = "") -> list[str]:
    return [sys.executable, "-S", "-c", f"import sys; print({says!r}, file=sys.stderr, flush=True); sys.exit({status})"]


@pytest.fixture
def service_of(tmp_path):
    services = []

    def start(**commands: list[str]) -> Service:
        services.append(Service(commands, tmp_path / "processes.log"))
        return services[-1]

    yield start
    for service in services:
        service.stop()


def starts_seen(service: Service, name: str, wanted: int) -> int:
    pids, deadline = {service.pids[name]}, time.monotonic() + LIMIT_S
    while len(pids) < wanted and time.monotonic() < deadline:
        service.poll()
        pids.add(service.pids[name])
        time.sleep(0.005)
    return len(pids)


def test_a_process_that_keeps_crashing_ends_the_service_with_its_last_words(service_of, monkeypatch):
    monkeypatch.setattr(gate.service, "RESTARTS", 5)
    service = service_of(lane=ending(1, "lane: a bug"))
    with pytest.raises(ServiceError, match=r"^6 ends within a minute; lane: a bug$"):
        starts_seen(service, "lane", 20)


@pytest.mark.parametrize("status", [1, -11, EXIT_DEVICE])
def test_a_panel_that_keeps_crashing_costs_nobody_the_gate(service_of, monkeypatch, status):
    monkeypatch.setattr(gate.service, "DEVICE_RETRY_S", 0.01)
    dying = [sys.executable, "-S", "-c", f"import os; os.kill(os.getpid(), {-status})"] if status < 0 else ending(status)
    assert starts_seen(service_of(panel=dying), "panel", 12) == 12


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
        reader=[sys.executable, "-S", "-c", "import time; time.sleep(60)"],
    )
    with pytest.raises(ServiceError, match=r"^officer page: port 1: taken \(free it\)$"):
        starts_seen(service, "officer_screen", 2)
