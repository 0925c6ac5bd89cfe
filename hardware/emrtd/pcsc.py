"""A contactless chip in a PC/SC reader, through pyscard (an extra: ``make setup-pcsc``). Nothing else loads pyscard.

PC/SC part 3 shows a chip of ISO/IEC 14443-4 as a card with protocol T=1, and the reader's driver does the frames. So an APDU and its
status words pass as they are, 61xx and 6Cxx among them: what they mean is the business of who reads the chip.

SCardTransmit blocks, and PC/SC gives it no limit of time: none of ours can be set. So the driver must keep to the time that the chip was
granted (frame waiting time, ISO/IEC 14443-4) and then give it up as lost; one that waits for ever stops the thread that reads the chip.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from hardware.ports import DeviceError, DeviceLost, TagLost

SLICE_S = 0.25
"""Longest wait inside the service at a time: until it returns, Ctrl-C is not heard."""
POWER_UP_S = 0.02
"""Between two attempts at a chip that is in the field and does not answer yet."""

GET_FEATURES, GET_PROPERTIES, MAX_DATA = 3400, 0x12, 0x0A
"""PC/SC part 10 §2.2, §2.3, §2.6.14: control code and tags by which a driver says how long an APDU it carries."""
SHORT, EXTENDED = 256, 65_536

_SERVICE = "PC/SC service"
_START = "start pcscd, and see that this user may use it"
_TAG = "the chip left the field, or was reset"


def backend() -> str:
    """What drives the reader, for the records. Raises DeviceError without pyscard."""
    _scard()
    return f"pyscard {version('pyscard')}"


def list_readers() -> tuple[str, ...]:
    """The names of the readers that are plugged in. Raises DeviceError."""
    scard = _scard()
    context = _context(scard)
    try:
        return _readers(scard, context)
    finally:
        scard.SCardReleaseContext(context)


class ChipInUse(DeviceError):
    """Another program has the chip for itself. At plugging in and at laying down some look at it for a moment."""


class PcscTransceiver:
    """The chip in the field of one reader: a :class:`hardware.ports.Transceiver`, for one thread at a time.

    Nobody else may use the chip meanwhile (exclusive mode). It is not yet connected: :meth:`reconnect` first.
    """

    def __init__(self, reader: str, only: bytes | None = None) -> None:
        """``only`` is the one answer to reset that is taken, None: any; a chip with another one gets no command, and is a DeviceError.

        Raises DeviceError without pyscard, without the service, and without a reader of this name.
        """
        self._scard, self.reader, self._only = _scard(), reader, only
        self._context = _context(self._scard)
        self._card: Any = None
        self.atr = b""
        """Answer to reset of the chip that is, or last was, connected."""
        self.longest_response = EXTENDED
        """Data bytes of a response that the reader carries, as far as its driver says; 256 where it knows short APDUs alone."""
        if reader not in (there := _readers(self._scard, self._context)):
            self.close()
            raise DeviceError(
                reader, "no such PC/SC reader", f"plug it in, or name one of: {', '.join(there) or 'none is there'}"
            )

    def transceive(self, command: bytes) -> bytes:
        """One command APDU, short or extended, and its response. Raises TagLost, DeviceError."""
        if self._card is None:
            raise TagLost(self.reader, "no chip is connected", "place the document")
        status, response = self._scard.SCardTransmit(self._card, self._scard.SCARD_PCI_T1, list(command))
        self._check(status)
        if len(response) < 2:
            raise TagLost(self.reader, "a response without status bytes", "place the document again")
        return bytes(response)

    def reconnect(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for a chip, power it down and up. False where none came that can be spoken to.

        What lies in the field is never an error: a card without T=1, or one that is mute, is no chip. Raises DeviceError, among others
        where another program kept the chip to itself all that time.
        """
        self._let_go(self._scard.SCARD_LEAVE_CARD)
        deadline = time.monotonic() + timeout
        while self.wait_for_card(deadline - time.monotonic()):
            try:
                self._connect()
            except TagLost:
                if time.monotonic() > deadline:
                    return False
            except ChipInUse:
                if time.monotonic() > deadline:
                    raise
            else:
                return True
            time.sleep(POWER_UP_S)
        return False

    def wait_for_card(self, timeout: float) -> bool:
        """Block until a chip is in the field; False after ``timeout`` seconds. Raises DeviceError."""
        return self._wait(timeout, self._scard.SCARD_STATE_PRESENT)

    def wait_for_removal(self, timeout: float) -> bool:
        """Block until no chip is in the field; False after ``timeout`` seconds. Raises DeviceError."""
        return self._wait(timeout, self._scard.SCARD_STATE_EMPTY)

    def close(self) -> None:
        """Let go of chip and service; there is no way back, and again is harmless."""
        self.disconnect()
        if self._context is not None:
            self._scard.SCardReleaseContext(self._context)
            self._context = None

    def _connect(self) -> None:
        """Connect, and reset cold: whoever had the chip before us may have left it in the middle of anything."""
        scard = self._scard
        mode, protocol = scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_PROTOCOL_T1
        status, card, _ = scard.SCardConnect(self._context, self.reader, mode, protocol)
        self._check(status)
        self._card = card
        status, _ = scard.SCardReconnect(card, mode, protocol, scard.SCARD_UNPOWER_CARD)
        self._check(status)
        status, _, _, _, atr = scard.SCardStatus(card)
        self._check(status)
        self.atr, self.longest_response = bytes(atr), _longest_response(scard, card)
        if self._only not in {None, self.atr}:
            self.disconnect()
            raise DeviceError(
                self.reader, "a foreign chip: its answer to reset is not the one expected", "take it out of the reader"
            )

    def disconnect(self) -> None:
        """Power the chip down; others may use it. Again is harmless."""
        self._let_go(self._scard.SCARD_UNPOWER_CARD)

    def _let_go(self, disposition: int) -> None:
        card, self._card = self._card, None
        if card is not None:
            self._scard.SCardDisconnect(card, disposition)

    def _wait(self, timeout: float, wanted: int) -> bool:
        scard, known, deadline = self._scard, self._scard.SCARD_STATE_UNAWARE, time.monotonic() + timeout
        while True:
            left = max(0.0, min(deadline - time.monotonic(), SLICE_S))
            status, states = scard.SCardGetStatusChange(self._context, int(left * 1000), [(self.reader, known)])
            if status != scard.SCARD_E_TIMEOUT:
                self._check(status)
                known = states[0][1] & ~scard.SCARD_STATE_CHANGED
                if known & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
                    raise DeviceLost(self.reader, "the PC/SC reader is gone", "plug it in again")
                if known & wanted:
                    return True
            if time.monotonic() >= deadline:
                return False

    def _check(self, status: int) -> None:
        if status != self._scard.SCARD_S_SUCCESS:
            error = _error(self._scard, self.reader, status)
            if isinstance(error, TagLost):
                self.disconnect()
            raise error


def _scard() -> Any:
    try:
        from smartcard import scard
    except ImportError as error:
        raise DeviceError(_SERVICE, f"pyscard cannot be loaded: {error}", "make setup-pcsc") from error
    return scard


def _context(scard: Any) -> Any:
    status, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if status != scard.SCARD_S_SUCCESS:
        raise _error(scard, _SERVICE, status)
    return context


def _readers(scard: Any, context: Any) -> tuple[str, ...]:
    status, names = scard.SCardListReaders(context, [])
    if status == scard.SCARD_E_NO_READERS_AVAILABLE:
        return ()
    if status != scard.SCARD_S_SUCCESS:
        raise _error(scard, _SERVICE, status)
    return tuple(names)


def _longest_response(scard: Any, card: Any) -> int:
    """What the driver says, all that there can be where it says nothing."""
    status, features = scard.SCardControl(card, scard.SCARD_CTL_CODE(GET_FEATURES), [])
    code = _objects(bytes(features)).get(GET_PROPERTIES) if status == scard.SCARD_S_SUCCESS else None
    if code is None:
        return EXTENDED
    status, properties = scard.SCardControl(card, int.from_bytes(code), [])
    limit = _objects(bytes(properties)).get(MAX_DATA) if status == scard.SCARD_S_SUCCESS else None
    return EXTENDED if limit is None else max(SHORT, min(int.from_bytes(limit, "little"), EXTENDED))


def _objects(answer: bytes) -> dict[int, bytes]:
    """The objects in a driver's answer, each with one byte of tag and of length; what is cut short is left out."""
    found = {}
    while len(answer) >= 2 and len(answer) >= 2 + answer[1]:
        found[answer[0]], answer = answer[2 : 2 + answer[1]], answer[2 + answer[1] :]
    return found


def _error(scard: Any, device: str, status: int) -> DeviceError:
    """The error that a status of the service means, with its remedy. What a card brought about is TagLost: the reader is well."""
    tag = {scard.SCARD_W_REMOVED_CARD, scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_RESET_CARD, scard.SCARD_W_UNPOWERED_CARD}
    tag |= {scard.SCARD_W_UNRESPONSIVE_CARD, scard.SCARD_E_NOT_TRANSACTED, scard.SCARD_F_COMM_ERROR}
    if status in tag:
        return TagLost(device, _TAG, "place the document again")
    if status in {scard.SCARD_E_PROTO_MISMATCH, scard.SCARD_W_UNSUPPORTED_CARD}:
        return TagLost(device, "not a contactless chip (no T=1)", "place an eMRTD")
    if status == scard.SCARD_E_INSUFFICIENT_BUFFER:
        return TagLost(device, "a response longer than an APDU can be", "place the document again")
    meanings: dict[int, Callable[[], DeviceError]] = {
        scard.SCARD_E_NO_SERVICE: lambda: DeviceLost(_SERVICE, "it does not run", _START),
        scard.SCARD_E_SERVICE_STOPPED: lambda: DeviceLost(_SERVICE, "it was stopped", _START),
        scard.SCARD_E_INVALID_HANDLE: lambda: DeviceLost(_SERVICE, "it was started anew", "connect again"),
        scard.SCARD_W_SECURITY_VIOLATION: lambda: DeviceError(_SERVICE, "this user may not use it", "let polkit allow it"),
        scard.SCARD_E_READER_UNAVAILABLE: lambda: DeviceLost(device, "the PC/SC reader is gone", "plug it in again"),
        scard.SCARD_E_UNKNOWN_READER: lambda: DeviceLost(device, "the PC/SC reader is gone", "plug it in again"),
        scard.SCARD_E_SHARING_VIOLATION: lambda: ChipInUse(device, "another program uses the chip", "end that program"),
    }
    known = meanings.get(status)
    return known() if known else DeviceError(device, f"{scard.SCardGetErrorMessage(status)} (PC/SC status {status:08X})")
