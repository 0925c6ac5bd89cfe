"""A configuration that came from the centre: in force when the service starts, and taken back where the service cannot go on with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gate import service
from gate.config import load
from gate.fleet.updates.configuration import before_path, next_path
from gate.service import ServiceError, serve_command

TEXT = """
profile = "demo"
state_dir = "state"
lane = { id = "D07", checkpoint = "CGK", direction = "departure" }
scanner = { kind = "simulator", address = "x" }
camera = { kind = "simulator", address = "x" }
controller = { device = "/dev/pts/9" }
face = { pack = "demo", packs_dir = "packs" }
trust = { store = "trust" }
timeouts = { exit_s = 15.0 }
"""


class Stopped(BaseException):
    """The test has seen enough."""


class Service:
    """Processes that end as ``ends`` says."""

    ends: type[BaseException] = ServiceError

    def __init__(self, *_: object) -> None:
        self.config = None

    def poll(self) -> None:
        raise self.ends("reader: no such trust store")

    def stop(self) -> None:
        pass


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "DEMO").touch()
    file = tmp_path / "gate.toml"
    file.write_text(TEXT)
    next_path(file).write_text(TEXT.replace("15.0", "20.0"))
    monkeypatch.setattr(service, "Service", Service)
    monkeypatch.setattr(service.signal, "signal", lambda *_: None)
    return file


def test_it_is_in_force_when_the_service_starts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "ends", Stopped)
    with pytest.raises(Stopped):
        serve_command(file)
    assert load(file).timeouts.exit_s == 20.0
    assert before_path(file).read_text() == TEXT, "on trial"


def test_one_with_which_the_service_cannot_go_on_is_taken_back(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve_command(file) == service.EXIT_CONFIG
    assert file.read_text() == TEXT
    assert not before_path(file).exists()
    assert "the configuration of before" in capsys.readouterr().err


def test_one_that_ran_for_a_while_is_good(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polled: list[None] = []

    def poll(_: Service) -> None:
        polled.append(None)
        if len(polled) == 3:
            raise ServiceError("later, for another reason")

    monkeypatch.setattr(Service, "poll", poll)
    monkeypatch.setattr(service, "PROBATION_S", -1.0)
    monkeypatch.setattr(service, "SUPERVISE_S", 0.0)
    assert serve_command(file) == service.EXIT_CONFIG
    assert load(file).timeouts.exit_s == 20.0
    assert not before_path(file).exists()
