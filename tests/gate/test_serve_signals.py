"""A signal ends the service at whatever moment it comes, also while another one is being handled."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from gate import service

LIMIT_S = 2.0
ENDING = (signal.SIGTERM, signal.SIGINT)


class Service:
    """Starts nothing; keeps what it was told."""

    hurried = stopped = 0

    def __init__(self, *_: object) -> None: ...

    def poll(self) -> None: ...

    def hurry(self) -> None:
        type(self).hurried += 1

    def stop(self) -> None:
        type(self).stopped += 1


@pytest.fixture
def serve(tmp_path, monkeypatch):
    config = SimpleNamespace(controller=SimpleNamespace(device="/dev/null"), state_dir=tmp_path)
    told = type("Told", (Service,), {})
    monkeypatch.setattr(service, "load", lambda _: config)
    monkeypatch.setattr(service, "commands", lambda *_: {})
    monkeypatch.setattr(service, "Service", told)
    monkeypatch.setattr(service, "SUPERVISE_S", 0.0001)
    before = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGALRM)}

    def late(*_: object) -> None:
        raise AssertionError("the service did not end")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    yield lambda: (service.serve_command(Path("gate.toml")), told)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("line", range(40))
def test_a_signal_ends_the_service_at_whatever_line_it_comes_and_a_second_one_hurries_it(serve, line, monkeypatch):
    """``line``: how many lines of the service, and of the locks it waits at, are done when the first comes."""
    done, outside = 0, {number: signal.getsignal(number) for number in ENDING}

    def trace(frame, event, _):
        nonlocal done
        if frame.f_code.co_filename not in {service.__file__, threading.__file__}:
            return None
        if event == "line" and all(signal.getsignal(number) is not handler for number, handler in outside.items()):
            done += 1
            if done == line + 1:
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        status, told = serve()
    finally:
        sys.settrace(before)
    assert status == 0
    assert told.stopped == 1
    assert told.hurried <= 1
