"""What reads the chip is configuration; in a demonstration a PC/SC reader gives no chip but the simulator of the run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gate.config import Chip, load
from gate.processes.reader import open_chip_link
from hardware.emrtd import pcsc
from hardware.ports import DeviceError, ScannedDocument
from hardware.sim.vpcd import atr, run_atr

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "gate.example.toml"

STATES = {
    "SCARD_S_SUCCESS": 0,
    "SCARD_STATE_CHANGED": 2,
    "SCARD_STATE_UNKNOWN": 4,
    "SCARD_STATE_UNAVAILABLE": 8,
    "SCARD_STATE_PRESENT": 32,
}


class Page:
    """A scanner on which a document lies, with a chip of its own."""

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        return ScannedDocument(mrz_lines=("page",), chip=None)

    def wait_for_removal(self, timeout: float) -> bool:
        return False


class Service:
    """A PC/SC service with one reader; the chip in it answers a reset with ``atr``."""

    def __init__(self, answer: bytes) -> None:
        self.atr = answer

    def __getattr__(self, name: str) -> object:
        if name.startswith("SCARD_") and name != "SCARD_CTL_CODE":
            return STATES.get(name, 99)
        answers = {
            "SCardEstablishContext": (0, 1),
            "SCardListReaders": (0, ["Reader"]),
            "SCardGetStatusChange": (0, [("Reader", 32, [])]),
            "SCardConnect": (0, 1, 2),
            "SCardReconnect": (0, 2),
            "SCardStatus": (0, "Reader", 0, 2, list(self.atr)),
            "SCardControl": (1, []),
            "SCardDisconnect": 0,
            "SCARD_CTL_CODE": 0,
        }
        return lambda *_: answers[name]


@pytest.fixture
def config():
    return msgspec.structs.replace(load(EXAMPLE), chip=Chip(link="pcsc", reader="Reader"))


@pytest.fixture
def service(monkeypatch) -> Service:
    service = Service(atr())
    monkeypatch.setattr(pcsc, "_scard", lambda: service)
    monkeypatch.setattr(pcsc, "version", lambda _: "1.0")
    return service


def test_a_trial_takes_any_chip_and_names_the_reader(config, service):
    scanner, words = open_chip_link(config, Page(), "secret")
    document = scanner.wait_for_document(0.0)
    assert document.mrz_lines == ("page",)
    assert document.chip.atr == atr()
    assert words == "pcsc Reader (pyscard 1.0)"


@pytest.mark.parametrize("profile", ["demo", "training"])
def test_a_demonstration_takes_the_simulator_of_its_own_run_alone(config, service, profile):
    scanner, _ = open_chip_link(msgspec.structs.replace(config, profile=profile), Page(), "secret")
    for foreign in (atr(), run_atr("another secret")):
        service.atr = foreign
        with pytest.raises(DeviceError, match="foreign chip"):
            scanner.wait_for_document(0.0)
    service.atr = run_atr("secret")
    assert scanner.wait_for_document(0.0).chip is not None


def test_the_scanner_reads_the_chip_where_nothing_else_is_said(config):
    page, simulator = Page(), msgspec.structs.replace(config.scanner, kind="simulator")
    assert open_chip_link(msgspec.structs.replace(config, chip=Chip()), page, "secret") == (page, "pcsc")
    assert open_chip_link(msgspec.structs.replace(config, chip=Chip(), scanner=simulator), page, "") == (
        page,
        "simulated scanner",
    )
