"""What reads the chip is configuration; in a demonstration a PC/SC reader gives no chip but the simulator of the run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gate.config import Chip, load
from gate.processes.reader import open_chip_link
from hardware import document_scanner
from hardware.emrtd import pcsc
from hardware.ports import DeviceError, ScannedDocument, TagLost
from hardware.sim.vpcd import atr, run_atr

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "gate.example.toml"

STATES = {
    "SCARD_S_SUCCESS": 0,
    "SCARD_STATE_CHANGED": 2,
    "SCARD_STATE_UNKNOWN": 4,
    "SCARD_STATE_UNAVAILABLE": 8,
    "SCARD_STATE_PRESENT": 32,
    "SCARD_E_PROTO_MISMATCH": 101,
    "SCARD_W_UNSUPPORTED_CARD": 102,
    "SCARD_W_UNRESPONSIVE_CARD": 103,
    "SCARD_E_SHARING_VIOLATION": 104,
    "SCARD_E_INSUFFICIENT_BUFFER": 105,
}


class Page:
    """A scanner on which a document lies, with a chip of its own."""

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        return ScannedDocument(mrz_lines=("page",), chip=None)

    def wait_for_removal(self, timeout: float) -> bool:
        return False


class Service:
    """A PC/SC service with one reader; the chip in it answers a reset with ``atr``. ``says``: function → the statuses that it returns
    next, the last one for ever.
    """

    def __init__(self, answer: bytes) -> None:
        self.atr = answer
        self.says: dict[str, list[int]] = {}

    def __getattr__(self, name: str) -> object:
        if name.startswith("SCARD_") and name != "SCARD_CTL_CODE":
            return STATES.get(name, 99)
        answers = {
            "SCardEstablishContext": (0, 1),
            "SCardListReaders": (0, ["Reader"]),
            "SCardGetStatusChange": (0, [("Reader", 32, [])]),
            "SCardConnect": (0, 1, 2),
            "SCardReconnect": (0, 2),
            "SCardTransmit": (0, [0x90, 0x00]),
            "SCardStatus": (0, "Reader", 0, 2, list(self.atr)),
            "SCardControl": (1, []),
            "SCardDisconnect": 0,
            "SCARD_CTL_CODE": 0,
        }
        if statuses := self.says.get(name):
            return lambda *_: (statuses.pop(0) if statuses[1:] else statuses[0], *answers[name][1:])
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
    assert document.chip.transceive(b"\x00\x84\x00\x00\x08") == b"\x90\x00"
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


@pytest.mark.parametrize("step", ["SCardConnect", "SCardReconnect"])
@pytest.mark.parametrize("status", ["SCARD_E_PROTO_MISMATCH", "SCARD_W_UNSUPPORTED_CARD", "SCARD_W_UNRESPONSIVE_CARD"])
def test_a_card_that_cannot_be_spoken_to_is_a_page_without_a_chip(config, service, monkeypatch, status, step):
    """Whatever a traveller lays down, the reader process lives on."""
    monkeypatch.setattr(document_scanner, "CHIP_S", 0.05)
    service.says[step] = [STATES[status]]
    scanner, _ = open_chip_link(config, Page(), "secret")
    assert scanner.wait_for_document(0.0) == ScannedDocument(mrz_lines=("page",), chip=None)


def test_a_chip_that_another_program_keeps_for_a_moment_is_waited_for(service):
    chip = pcsc.PcscTransceiver("Reader")
    service.says["SCardConnect"] = [STATES["SCARD_E_SHARING_VIOLATION"]] * 3 + [0]
    assert chip.reconnect(5.0)


def test_a_chip_that_another_program_keeps_is_told_and_is_no_missing_chip(service):
    chip = pcsc.PcscTransceiver("Reader")
    service.says["SCardConnect"] = [STATES["SCARD_E_SHARING_VIOLATION"]]
    with pytest.raises(DeviceError, match="another program uses the chip"):
        chip.reconnect(0.05)


def test_a_response_longer_than_an_apdu_loses_the_chip_and_not_the_reader(service):
    chip = pcsc.PcscTransceiver("Reader")
    assert chip.reconnect(0.0)
    service.says["SCardTransmit"] = [STATES["SCARD_E_INSUFFICIENT_BUFFER"]]
    with pytest.raises(TagLost, match="longer than"):
        chip.transceive(b"\x00\x84\x00\x00\x08")


def test_the_scanner_reads_the_chip_where_nothing_else_is_said(config):
    page, simulator = Page(), msgspec.structs.replace(config.scanner, kind="simulator")
    assert open_chip_link(msgspec.structs.replace(config, chip=Chip()), page, "secret") == (page, "serial")
    assert open_chip_link(msgspec.structs.replace(config, chip=Chip(), scanner=simulator), page, "") == (
        page,
        "simulated scanner",
    )
