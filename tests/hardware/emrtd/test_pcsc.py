"""What the PC/SC adapter makes of the service's answers, with a service of the test's own."""

# ruff: noqa: N802 - the names are those of the service

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd import pcsc
from hardware.ports import DeviceError, DeviceLost, TagLost

NAMES = [
    "SCARD_S_SUCCESS",
    "SCARD_E_TIMEOUT",
    "SCARD_W_SECURITY_VIOLATION",
    "SCARD_E_NO_SERVICE",
    "SCARD_E_SERVICE_STOPPED",
    "SCARD_E_INVALID_HANDLE",
    "SCARD_E_READER_UNAVAILABLE",
    "SCARD_E_UNKNOWN_READER",
    "SCARD_E_SHARING_VIOLATION",
    "SCARD_E_PROTO_MISMATCH",
    "SCARD_E_NO_READERS_AVAILABLE",
    "SCARD_E_NO_SMARTCARD",
    "SCARD_E_NOT_TRANSACTED",
    "SCARD_F_COMM_ERROR",
    "SCARD_W_REMOVED_CARD",
    "SCARD_W_RESET_CARD",
    "SCARD_W_UNPOWERED_CARD",
    "SCARD_W_UNRESPONSIVE_CARD",
    "SCARD_W_UNSUPPORTED_CARD",
    "SCARD_E_INSUFFICIENT_BUFFER",
]
TAG_LOST = [name for name in NAMES if name.endswith(("_CARD", "SMARTCARD", "TRANSACTED", "COMM_ERROR"))]


class Service:
    """A service with one reader and a chip in it. ``fails`` maps a call to the status that it ends with."""

    SCARD_SCOPE_USER = SCARD_SHARE_EXCLUSIVE = SCARD_PROTOCOL_T1 = SCARD_PCI_T1 = SCARD_LEAVE_CARD = 0
    SCARD_UNPOWER_CARD = 2
    SCARD_STATE_UNAWARE, SCARD_STATE_CHANGED, SCARD_STATE_UNKNOWN = 0, 2, 4
    SCARD_STATE_UNAVAILABLE, SCARD_STATE_EMPTY, SCARD_STATE_PRESENT = 8, 0x10, 0x20

    def __init__(self) -> None:
        for status, name in enumerate(NAMES):
            setattr(self, name, status)
        self.fails: dict[str, str] = {}
        self.state, self.features, self.properties = self.SCARD_STATE_PRESENT, b"", b""
        self.powered_down = 0  # times that the chip lost its power

    def _ends(self, call: str) -> int:
        return getattr(self, self.fails.get(call, "SCARD_S_SUCCESS"))

    def SCardEstablishContext(self, scope):
        return self._ends("establish"), 1

    def SCardReleaseContext(self, context):
        return 0

    def SCardListReaders(self, context, groups):
        return self._ends("list"), ["Reader"]

    def SCardConnect(self, context, reader, mode, protocols):
        return self._ends("connect"), 7, 0

    def SCardStatus(self, card):
        return self._ends("status"), "Reader", 0, 0, [0x3B, 0x80]

    def SCardReconnect(self, card, mode, protocols, initialisation):
        self.powered_down += initialisation == self.SCARD_UNPOWER_CARD
        return self._ends("reconnect"), 0

    def SCardDisconnect(self, card, disposition):
        self.powered_down += disposition == self.SCARD_UNPOWER_CARD
        return 0

    def SCardGetStatusChange(self, context, timeout, states):
        return self._ends("change"), [("Reader", self.state | self.SCARD_STATE_CHANGED, [])]

    def SCardTransmit(self, card, protocol, command):
        return self._ends("transmit"), [*command[:1], 0x90, 0x00]

    def SCardControl(self, card, code, data):
        return self._ends("control"), list(self.features if code == 0x42000000 + 3400 else self.properties)

    def SCARD_CTL_CODE(self, code):
        return 0x42000000 + code

    def SCardGetErrorMessage(self, status):
        return f"status {status}"


@pytest.fixture
def service(monkeypatch) -> Service:
    service = Service()
    monkeypatch.setattr(pcsc, "_scard", lambda: service)
    return service


def connected(service: Service) -> pcsc.PcscTransceiver:
    reader = pcsc.PcscTransceiver("Reader")
    assert reader.reconnect(0.0)
    return reader


def test_a_connected_chip_answers_and_says_its_answer_to_reset(service):
    reader = connected(service)
    assert reader.transceive(b"\xa5\0\0\0") == b"\xa5\x90\x00"
    assert reader.atr == b"\x3b\x80"


def test_every_connection_begins_and_the_last_one_ends_with_a_chip_without_power(service):
    reader = connected(service)
    assert service.powered_down == 1
    assert reader.reconnect(0.0)
    assert service.powered_down == 2
    reader.close()
    reader.close()
    assert service.powered_down == 3


@pytest.mark.parametrize("status", TAG_LOST)
def test_a_chip_that_left_is_a_lost_tag_and_comes_back_only_by_a_new_connection(service, status):
    reader = connected(service)
    service.fails["transmit"] = status
    with pytest.raises(TagLost):
        reader.transceive(b"\0\0\0\0")
    service.fails.clear()
    with pytest.raises(TagLost, match="no chip is connected"):
        reader.transceive(b"\0\0\0\0")
    assert reader.reconnect(0.0)


@pytest.mark.parametrize("call", ["connect", "reconnect", "status"])
def test_a_chip_that_does_not_power_up_is_no_chip(service, call):
    service.fails[call] = "SCARD_W_UNRESPONSIVE_CARD"
    assert not pcsc.PcscTransceiver("Reader").reconnect(0.05)


@pytest.mark.parametrize(
    ("call", "status", "remedy"),
    [
        ("transmit", "SCARD_E_NO_SERVICE", "start pcscd"),
        ("transmit", "SCARD_E_SERVICE_STOPPED", "start pcscd"),
        ("transmit", "SCARD_E_INVALID_HANDLE", "connect again"),
        ("transmit", "SCARD_E_READER_UNAVAILABLE", "plug it in"),
        ("change", "SCARD_E_UNKNOWN_READER", "plug it in"),
    ],
)
def test_what_went_and_may_come_back_is_a_lost_device_with_its_remedy(service, call, status, remedy):
    reader = connected(service)
    service.fails[call] = status
    with pytest.raises(DeviceLost, match=remedy) as caught:
        reader.transceive(b"\0\0\0\0") if call == "transmit" else reader.wait_for_card(0.0)
    assert not isinstance(caught.value, TagLost)


@pytest.mark.parametrize("state", [Service.SCARD_STATE_UNKNOWN, Service.SCARD_STATE_UNAVAILABLE])
def test_a_reader_that_was_unplugged_is_lost_while_a_chip_is_awaited(service, state):
    reader = connected(service)
    service.state = state
    with pytest.raises(DeviceLost, match="plug it in"):
        reader.reconnect(0.0)


@pytest.mark.parametrize(
    ("call", "status", "what"),
    [
        ("establish", "SCARD_E_NO_SERVICE", "start pcscd"),
        ("establish", "SCARD_W_SECURITY_VIOLATION", "polkit"),
        ("list", "SCARD_E_SERVICE_STOPPED", "start pcscd"),
        ("list", "SCARD_E_NO_READERS_AVAILABLE", "none is there"),
        ("connect", "SCARD_E_SHARING_VIOLATION", "another program"),
        ("connect", "SCARD_E_TIMEOUT", re.escape("PC/SC status 00000001")),
    ],
)
def test_what_cannot_be_opened_is_told(service, call, status, what):
    service.fails[call] = status
    with pytest.raises(DeviceError, match=what):
        pcsc.PcscTransceiver("Reader").reconnect(0.0)


@pytest.mark.parametrize("status", ["SCARD_E_PROTO_MISMATCH", "SCARD_W_UNSUPPORTED_CARD", "SCARD_W_UNRESPONSIVE_CARD"])
@pytest.mark.parametrize("call", ["connect", "reconnect", "status"])
def test_a_card_that_cannot_be_spoken_to_is_no_chip_and_no_error(service, call, status):
    """Whatever a traveller lays down, the reader is well."""
    service.fails[call] = status
    reader = pcsc.PcscTransceiver("Reader")
    assert not reader.reconnect(0.0)
    service.fails.clear()
    assert reader.reconnect(0.0)


def test_no_reader_at_all_is_an_empty_list(service):
    assert pcsc.list_readers() == ("Reader",)
    service.fails["list"] = "SCARD_E_NO_READERS_AVAILABLE"
    assert pcsc.list_readers() == ()


def test_waiting_ends_at_its_time_and_sees_chip_and_removal(service):
    reader = connected(service)
    assert reader.wait_for_card(0.0)
    assert not reader.wait_for_removal(0.01)
    service.state = service.SCARD_STATE_EMPTY
    assert reader.wait_for_removal(0.0)
    service.fails["change"] = "SCARD_E_TIMEOUT"
    assert not reader.wait_for_card(0.01)


@pytest.mark.parametrize(
    ("limit", "longest"),
    [(0, 256), (200, 256), (256, 256), (2048, 2048), (65_536, 65_536), (0xFFFFFFFF, 65_536)],
)
def test_a_driver_that_says_how_long_an_apdu_it_carries_is_believed(service, limit, longest):
    """PC/SC part 10: feature 12 gives the control code for properties, property 0A the most data, 0 for short APDUs alone."""
    service.features = bytes.fromhex("06044233000D 120442330012")
    service.properties = bytes.fromhex("0A04") + limit.to_bytes(4, "little")
    assert connected(service).longest_response == longest


@pytest.mark.parametrize("call", ["control", "none"])
def test_a_driver_that_says_nothing_carries_everything(service, call):
    service.fails[call] = "SCARD_E_PROTO_MISMATCH"
    assert connected(service).longest_response == 65_536


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_answer_of_a_driver_gives_a_length(features, properties):
    service = Service()
    service.features, service.properties = features, properties
    assert 256 <= pcsc._longest_response(service, 7) <= 65_536


def test_a_response_without_status_bytes_is_a_lost_tag(service):
    reader = connected(service)
    service.SCardTransmit = lambda *_: (0, [0x90])
    with pytest.raises(TagLost, match="status bytes"):
        reader.transceive(b"\0\0\0\0")
